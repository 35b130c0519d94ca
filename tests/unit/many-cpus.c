/* SPDX-License-Identifier: MIT */
/*
 * Checks on more CPUs than any test machine has. Replaced system calls simulate 1 to 4096 CPUs. For
 * each simulated CPU, the library runs a real trial on some real CPU. The test checks that:
 *  - the cost is linear in the number of CPUs, and no memory stays allocated;
 *  - a CPU that cannot be used is left out, and the affinity of the caller never changes;
 *  - the printed report about 4096 CPUs that do not agree fits on one screen.
 * The real CPUs of this machine are measured as well.
 */
#include "output.h"

#include <linux/linux.h>

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CPUS          4096
#define SCREEN_LINES  50
#define SCREEN_WIDTH  100
/* The cost per CPU may grow by at most this factor between 64 and 4096 CPUs. */
#define LINEAR_WITHIN 1.5

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The simulated machine. With 0 CPUs, nothing is simulated. */
static struct {
	unsigned cpus;
	unsigned absent; /* the CPU that cannot be used; CPUS if all can be used */
	unsigned long affinity[CPUS / 64];
	unsigned of_caller; /* how often the caller's thread set its affinity */
} simulated;

static void allow(unsigned long *mask, unsigned cpus)
{
	memset(mask, 0, CPUS / 8);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		mask[cpu / 64] |= 1UL << cpu % 64;
}

static long set_affinity(size_t size, const unsigned long *mask)
{
	unsigned long wanted[CPUS / 64] = {0};
	unsigned count = 0;

	memcpy(wanted, mask, size < sizeof wanted ? size : sizeof wanted);
	for (size_t i = 0; i < CPUS / 64; i++)
		count += (unsigned)__builtin_popcountl(wanted[i]);
	simulated.of_caller += __real_syscall(SYS_gettid) == getpid();
	if (count == 1 && simulated.absent < CPUS &&
	    (wanted[simulated.absent / 64] >> simulated.absent % 64 & 1)) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

long __wrap_syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (simulated.cpus && number == SYS_sched_getaffinity) {
		memcpy((void *)arguments[2], simulated.affinity, CPUS / 8);
		return CPUS / 8;
	}
	if (simulated.cpus && number == SYS_sched_setaffinity)
		return set_affinity((size_t)arguments[1], (const unsigned long *)arguments[2]);
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
}

static int failures;

static void expect(int good, const char *what)
{
	printf("%s - %s\n", good ? "ok" : "not ok", what);
	failures += !good;
}

/* Processor time of this process, which does not include the time of other programs. */
static double microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The shortest time of several sweeps. */
static double time_sweep(int rounds, uint32_t *checked)
{
	struct fsgs_cpu_group groups[MAX_GROUPS];
	struct fsgs_report report;
	double least = 1e12;

	for (int i = 0; i < rounds; i++) {
		uint32_t count = MAX_GROUPS;
		const double begin = microseconds();

		if (fsgs_check_cpus(&report, sizeof report, 0, groups, sizeof *groups, &count))
			exit(1);

		const double took = microseconds() - begin;

		if (took < least)
			least = took;
	}
	*checked = report.cpus_checked;
	return least;
}

static void measure_simulated(void)
{
	double few = 0, many = 0;
	uint32_t checked;
	size_t before = 0;

	for (unsigned cpus = 1; cpus <= CPUS; cpus *= 4) {
		simulated.cpus = cpus;
		simulated.absent = CPUS;
		allow(simulated.affinity, cpus);

		const double took = time_sweep(cpus < 256 ? 16 : 3, &checked);

		printf("# %4u simulated CPUs: %8.0f us, %.2f us each\n", cpus, took, took / cpus);
		if (cpus == 1)
			before = mallinfo2().uordblks;
		if (cpus == 64)
			few = took / cpus;
		many = took / cpus;
		if (checked != cpus)
			expect(0, "every CPU is checked");
	}
	expect(many < few * LINEAR_WITHIN, "the cost is linear");
	expect(mallinfo2().uordblks == before, "no memory is kept");
}

static void measure_real(void)
{
	cpu_set_t all, some;
	uint32_t checked;
	int used = 0;

	simulated.cpus = 0;
	if (sched_getaffinity(0, sizeof all, &all))
		return;
	CPU_ZERO(&some);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_SET(cpu, &some);
		used++;
		sched_setaffinity(0, sizeof some, &some);

		const double took = time_sweep(16, &checked);

		printf("# %4d real CPUs: %8.0f us, %.2f us each\n", used, took, took / used);
	}
	sched_setaffinity(0, sizeof all, &all);
}

static void leave_one_out(void)
{
	uint32_t checked;

	simulated.cpus = 100;
	simulated.absent = 7;
	allow(simulated.affinity, simulated.cpus);
	time_sweep(1, &checked);
	expect(checked == 99, "an unusable CPU is left out");
	simulated.absent = 99;
	time_sweep(1, &checked);
	expect(checked == 99, "an unusable last CPU is left out, too");
	expect(simulated.of_caller == 0, "the caller's affinity is not touched");
}

/* The CPUs have more distinct results than a report has groups. */
static void print_disagreement(void)
{
	struct result result = {
		.report = {.mode = FSGS_MODE_64BIT, .cpus_differ = FSGS_ANSWER_YES}};
	struct fsgs_groups groups = {result.groups, sizeof *result.groups, MAX_GROUPS, 0};
	size_t size, lines = 0, width = 0, column = 0;
	char *text = NULL;
	FILE *const out = open_memstream(&text, &size);

	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		struct fsgs_report one = {.cpuid_fsgsbase = 1 + cpu % 2};

		for (int i = 0; i < FSGS_INSNS; i++)
			one.trials[i].outcome = (cpu >> i) % 5;
		fsgs_cpu_group_add(&groups, cpu, &one);
	}
	result.group_count = groups.count;
	fsgs_decide(&result.report, sizeof result.report);
	print_human(out, &result);
	fclose(out);
	for (size_t i = 0; i < size; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		lines += text[i] == '\n';
		if (column > width)
			width = column;
	}
	free(text);
	printf("# the report has %zu lines of %zu columns at most\n", lines, width);
	expect(result.group_count == MAX_GROUPS, "every group is used");
	expect(lines <= SCREEN_LINES && width <= SCREEN_WIDTH, "the report is one screen");
}

int main(void)
{
	measure_simulated();
	measure_real();
	leave_one_out();
	print_disagreement();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

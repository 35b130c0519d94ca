/* SPDX-License-Identifier: MIT */
/* Tests of fsgs_check() on the current machine, by rules that hold on every machine. */
#include <criterion/criterion.h>

#include <asm/prctl.h>
#include <dirent.h>
#include <errno.h>
#include <fsgscheck.h>
#include <linux/linux.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"

#define LINUX(major, minor) ((major) << 16 | (minor) << 8)

static uint64_t base(int code)
{
	uint64_t value = 0;

	syscall(SYS_arch_prctl, code, &value);
	return value;
}

struct state {
	uint64_t fs, gs;
	struct sigaction ill, segv;
	sigset_t mask;
	cpu_set_t cpus;
};

static struct state look(void)
{
	struct state s;

	memset(&s, 0, sizeof s);
	s.fs = base(ARCH_GET_FS);
	s.gs = base(ARCH_GET_GS);
	sigaction(SIGILL, NULL, &s.ill);
	sigaction(SIGSEGV, NULL, &s.segv);
	pthread_sigmask(SIG_SETMASK, NULL, &s.mask);
	sched_getaffinity(0, sizeof s.cpus, &s.cpus);
	return s;
}

static void expect_same(const struct state *before)
{
	const struct state after = look();

	cr_expect_eq(after.fs, before->fs);
	cr_expect_eq(after.gs, before->gs);
	cr_expect_eq(after.ill.sa_handler, before->ill.sa_handler);
	cr_expect_eq(after.segv.sa_handler, before->segv.sa_handler);
	cr_expect_eq(memcmp(&after.mask, &before->mask, sizeof after.mask), 0);
	cr_expect(CPU_EQUAL(&after.cpus, &before->cpus));
}

static const uint32_t every_flag = FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS | FSGS_CHECK_SURVIVAL;

Test(check, leaves_nothing_changed)
{
	/* The state to restore: the caller uses a GS base, and ignores SIGILL. */
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456000UL);
	signal(SIGILL, SIG_IGN);

	const struct state before = look();

	for (uint32_t flags = 0; flags <= every_flag; flags++) {
		struct fsgs_report r;

		errno = 4711;
		cr_assert_eq(fsgs_check(&r, sizeof r, flags), 0);
		cr_expect_eq(errno, 4711);
		expect_same(&before);
	}
}

Test(check, agrees_with_itself)
{
	struct fsgs_report plain, full;

	cr_assert_eq(fsgs_check(&plain, sizeof plain, 0), 0);
	cr_assert_eq(fsgs_check(&full, sizeof full, every_flag), 0);
	cr_expect_eq(plain.verdict, full.verdict);
	cr_expect_eq(plain.proof, FSGS_PROOF_TRIED);
	cr_expect_eq(fsgs_usable(), plain.verdict == FSGS_VERDICT_USABLE);
	cr_expect_eq(plain.hwcap2_fsgsbase == FSGS_ANSWER_YES, (getauxval(AT_HWCAP2) & 2) != 0);
	cr_expect_gt(full.cpus_checked, 0);
	cr_expect_neq(full.kernel[0], '\0');
	if (full.verdict == FSGS_VERDICT_USABLE)
		cr_expect_eq(full.survival_tried & FSGS_EVENT_BIT(FSGS_EVENT_SYSCALL),
			     FSGS_EVENT_BIT(FSGS_EVENT_SYSCALL));
}

Test(check, no_trial)
{
	struct fsgs_report r;

	cr_assert_eq(fsgs_check(&r, sizeof r, FSGS_CHECK_NO_TRIAL), 0);
	cr_expect_eq(r.refusal, FSGS_REFUSAL_FLAG);
	cr_expect_eq(r.proof, FSGS_PROOF_ADVERTISED);
	cr_expect_eq(r.trials[FSGS_INSN_RDFSBASE].outcome, FSGS_OUTCOME_NOT_TRIED);

	setenv("FSGSCHECK_TRIAL", "0", 1);
	cr_assert_eq(fsgs_check(&r, sizeof r, 0), 0);
	cr_expect_eq(r.refusal, FSGS_REFUSAL_ENVIRONMENT);
	cr_expect_eq(r.proof, FSGS_PROOF_ADVERTISED);

	setenv("FSGSCHECK_TRIAL", "1", 1);
	cr_assert_eq(fsgs_check(&r, sizeof r, 0), 0);
	cr_expect_eq(r.refusal, FSGS_REFUSAL_NONE);
	cr_expect_eq(r.proof, FSGS_PROOF_TRIED);
}

/* If an environment variable has a value that the library does not support, the report has the
 * finding `misconfigured`. */
Test(check, environment_that_is_not_known)
{
	static const struct {
		const char *variable, *value;
		int known;
	} rows[] = {
		{"FSGSCHECK_BASE", "instruction", 1},
		{"FSGSCHECK_BASE", "arch_prctl", 1},
		{"FSGSCHECK_BASE", "none", 1},
		{"FSGSCHECK_BASE", "auto", 1},
		{"FSGSCHECK_BASE", "", 1},
		{"FSGSCHECK_BASE", "instructions", 0},
		{"FSGSCHECK_BASE", "arch-prctl", 0},
		{"FSGSCHECK_TRIAL", "0", 1},
		{"FSGSCHECK_TRIAL", "1", 1},
		{"FSGSCHECK_TRIAL", "", 1},
		{"FSGSCHECK_TRIAL", "no", 0},
		{"FSGSCHECK_TRIAL", "00", 0},
	};
	struct fsgs_report r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		setenv(rows[i].variable, rows[i].value, 1);
		cr_assert_eq(fsgs_check(&r, sizeof r, 0), 0);
		cr_expect_eq(!(r.signs & FSGS_SIGN_BIT(FSGS_SIGN_MISCONFIGURED)), rows[i].known,
			     "%s=%s", rows[i].variable, rows[i].value);
		cr_expect_eq(!(r.findings & FSGS_FINDING_BIT(FSGS_FINDING_MISCONFIGURED)),
			     rows[i].known);
		unsetenv(rows[i].variable);
	}
}

/* fsgs_check_cpu() runs the trial on the CPU that the caller names. The caller's affinity must not
 * change. */
Test(check, one_cpu)
{
	struct fsgs_report r, here;
	cpu_set_t before, after;

	cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
	cr_assert_eq(fsgs_check(&here, sizeof here, 0), 0);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		cr_expect_eq(fsgs_check_cpu(cpu, &r, sizeof r, FSGS_CHECK_CONTEXT), 0, "CPU %u",
			     cpu);
		cr_expect_eq(r.cpus_checked, 1);
		cr_expect_eq(r.cpus_differ, FSGS_ANSWER_UNKNOWN);
		cr_expect_eq(r.verdict, here.verdict);
	}
	cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
	cr_expect(CPU_EQUAL(&before, &after));
	errno = 0;
	cr_expect_eq(fsgs_check_cpu(8191, &r, sizeof r, 0), -EINVAL);
	cr_expect_eq(fsgs_check_cpu(UINT32_MAX, &r, sizeof r, 0), -EINVAL);
	cr_expect_eq(fsgs_check_cpu(0, &r, sizeof r, FSGS_CHECK_ALL_CPUS), -EINVAL);
	cr_expect_eq(fsgs_check_cpu(0, NULL, sizeof r, 0), -EINVAL);
	cr_expect_eq(fsgs_check_cpu(0, &r, FSGS_REPORT_MIN - 1, 0), -EINVAL);
	cr_expect_eq(fsgs_check_cpu(0, &r, sizeof r, 1u << 31), -EINVAL);
	cr_expect_eq(errno, 0);
}

Test(check, trial_in_the_sweep_too)
{
	struct fsgs_cpu_group groups[4];
	struct fsgs_report r;
	uint32_t count = 4;

	setenv("FSGSCHECK_TRIAL", "0", 1);
	cr_assert_eq(fsgs_check_cpus(&r, sizeof r, 0, groups, sizeof *groups, &count), 0);
	cr_assert_geq(count, 1);
	cr_expect_eq(groups[0].outcomes[0], FSGS_OUTCOME_NOT_TRIED);
}

Test(check, refuses_bad_calls)
{
	struct fsgs_cpu_group group;
	struct fsgs_report r;
	uint32_t count = 0;

	memset(&r, 0x5a, sizeof r);
	cr_expect_eq(fsgs_check(NULL, sizeof r, 0), -EINVAL);
	cr_expect_eq(fsgs_check(&r, FSGS_REPORT_MIN - 1, 0), -EINVAL);
	cr_expect_eq(fsgs_check(&r, 0, 0), -EINVAL);
	cr_expect_eq(fsgs_check(&r, sizeof r, 1u << 31), -EINVAL);
	cr_expect_eq(fsgs_check_cpus(&r, sizeof r, 0, NULL, sizeof group, &count), -EINVAL);
	cr_expect_eq(fsgs_check_cpus(&r, sizeof r, 0, &group, sizeof group, NULL), -EINVAL);
	cr_expect_eq(fsgs_check_cpus(&r, sizeof r, 0, &group, sizeof group, &count), -EINVAL);
	for (size_t i = 0; i < sizeof r; i++)
		cr_assert_eq(((unsigned char *)&r)[i], 0x5a, "byte %zu was written", i);
}

/* An older program gets the members that it knows. A newer program gets zeroes in the members that
 * the library does not know. */
Test(check, every_size_of_report)
{
	struct fsgs_report whole;
	unsigned char room[sizeof whole + 64];

	cr_assert_eq(fsgs_check(&whole, sizeof whole, 0), 0);
	for (size_t size = FSGS_REPORT_MIN; size <= sizeof room; size++) {
		memset(room, 0x5a, sizeof room);
		cr_assert_eq(fsgs_check((void *)room, size, 0), 0);
		cr_expect_eq(memcmp(room, &whole, size < sizeof whole ? size : sizeof whole), 0,
			     "size %zu", size);
		for (size_t i = sizeof whole; i < size; i++)
			cr_assert_eq(room[i], 0);
		for (size_t i = size; i < sizeof room; i++)
			cr_assert_eq(room[i], 0x5a, "size %zu: byte %zu was written", size, i);
	}
}

Test(check, restores_affinity)
{
	cpu_set_t one, after;
	struct fsgs_report r;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
	cr_assert_eq(fsgs_check(&r, sizeof r, FSGS_CHECK_ALL_CPUS), 0);
	cr_expect_eq(r.cpus_checked, 1, "only the allowed CPU");
	cr_expect_eq(r.cpus_differ, FSGS_ANSWER_NO);
	sched_getaffinity(0, sizeof after, &after);
	cr_expect(CPU_EQUAL(&one, &after));
}

/* If CPUID faults, but the kernel advertises the instructions, the verdict is `inconsistent`. The
 * filter simulates CPUID faulting, because this machine may not support it. */
Test(check, asks_whether_cpuid_faults)
{
	struct fsgs_report r;

	filter_call(SYS_arch_prctl, ARCH_GET_CPUID, SECCOMP_RET_ERRNO | 0);
	cr_assert_eq(fsgs_check(&r, sizeof r, FSGS_CHECK_CONTEXT), 0);
	cr_expect_eq(r.cpuid_faulting, FSGS_ANSWER_YES);
	cr_expect(r.hwcap2_fsgsbase != FSGS_ANSWER_YES || r.verdict == FSGS_VERDICT_INCONSISTENT);
}

Test(check, forgets)
{
	const int answer = fsgs_usable();

	fsgs_refresh();
	cr_expect_eq(fsgs_usable(), answer);
}

/* The threads meet here before their checks, and again when no thread is in a check any more. */
static pthread_barrier_t together;

static void *check_often(void *failed)
{
	const struct state before = look();
	struct fsgs_report first, again;

	pthread_barrier_wait(&together);
	*(int *)failed = fsgs_check(&first, sizeof first, FSGS_CHECK_CONTEXT) != 0;
	for (int i = 0; i < 20; i++) {
		fsgs_refresh();
		*(int *)failed |= fsgs_usable() < 0;
		*(int *)failed |= fsgs_check(&again, sizeof again, FSGS_CHECK_CONTEXT) != 0;
		*(int *)failed |= memcmp(&first, &again, sizeof first) != 0;
	}
	pthread_barrier_wait(&together);
	expect_same(&before);
	return NULL;
}

Test(check, from_many_threads)
{
	pthread_t threads[8];
	int failed[8];

	pthread_barrier_init(&together, NULL, 8);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, check_often, &failed[i]), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(failed[i], 0, "thread %d", i);
	}
}

/* A check is no cancellation point: a thread that was cancelled must end at pthread_testcancel().
 * If it ended inside a check, the state that the check restores at its end would stay changed. */
struct cancelled {
	uint32_t flags;
	int checked;
};

static void *check_when_cancelled(void *argument)
{
	struct cancelled *const how = argument;
	struct fsgs_report r;

	pthread_cancel(pthread_self());
	how->checked = fsgs_check(&r, sizeof r, how->flags) == 0;
	pthread_testcancel();
	return NULL;
}

Test(check, is_no_cancellation_point)
{
	for (uint32_t flags = 0; flags <= every_flag; flags++) {
		struct cancelled how = {.flags = flags};
		pthread_t thread;
		void *result = NULL;

		cr_assert_eq(pthread_create(&thread, NULL, check_when_cancelled, &how), 0);
		pthread_join(thread, &result);
		cr_expect_eq(how.checked, 1, "flags %#x", flags);
		cr_expect_eq(result, PTHREAD_CANCELED, "flags %#x", flags);
	}
}

/* The library's own threads have a foreign GS base, so no handler of the process may run in
 * them. */
static const int sent_to_all[] = {SIGUSR1, SIGTERM, SIGURG};

static atomic_long known[64];
static atomic_int all_checked, in_unknown;

static int is_known(long thread)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (atomic_load(&known[i]) == thread)
			return 1;
	return 0;
}

static void note_unknown(int sig)
{
	if (!is_known(syscall(SYS_gettid)))
		atomic_store(&in_unknown, sig);
}

/* Calls a function for every thread that the process has now, with the thread's kernel id. */
static void each_thread(void (*visit)(long thread, int number))
{
	DIR *const directory = opendir("/proc/self/task");
	int number = 0;

	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			visit(strtol(entry->d_name, NULL, 10), number++);
	if (directory)
		closedir(directory);
}

static void remember(long thread, int number)
{
	atomic_store(&known[number % (int)(sizeof known / sizeof *known)], thread);
}

static atomic_int sent;

static void send_to_unknown(long thread, int number)
{
	(void)number;
	if (is_known(thread))
		return;
	for (size_t i = 0; i < sizeof sent_to_all / sizeof *sent_to_all; i++)
		atomic_fetch_add(&sent, syscall(SYS_tgkill, getpid(), thread, sent_to_all[i]) == 0);
}

static void *send_to_all_unknown(void *together_with)
{
	pthread_barrier_wait(together_with); /* the main thread can now list this thread */
	pthread_barrier_wait(together_with);
	while (!atomic_load(&all_checked))
		each_thread(send_to_unknown);
	return NULL;
}

Test(check, no_handler_runs_in_the_librarys_threads)
{
	struct fsgs_report r;
	pthread_t sender;
	int survived = 0;

	pthread_barrier_init(&together, NULL, 2);
	for (size_t i = 0; i < sizeof sent_to_all / sizeof *sent_to_all; i++)
		signal(sent_to_all[i], note_unknown);
	cr_assert_eq(pthread_create(&sender, NULL, send_to_all_unknown, &together), 0);
	pthread_barrier_wait(&together);
	each_thread(remember);
	pthread_barrier_wait(&together);
	/* The library's threads live for some milliseconds, so 30 signals may need several
	 * checks. */
	for (int i = 0; i < 500 && atomic_load(&sent) < 30; i++) {
		cr_assert_eq(fsgs_check(&r, sizeof r, FSGS_CHECK_SURVIVAL), 0);
		survived |= r.survival_tried != 0;
	}
	atomic_store(&all_checked, 1);
	pthread_join(sender, NULL);
	if (!survived)
		cr_skip_test("no threads of the library's own here");
	cr_expect_geq(atomic_load(&sent), 30);
	cr_expect_eq(atomic_load(&in_unknown), 0, "signal %d", atomic_load(&in_unknown));
}

/* The canonical check writes a base with bit 63 set. If the processor accepts it, a kernel that
 * does not support the instructions can crash. So the check runs only if AT_HWCAP2 advertises them,
 * or if the evidence shows an emulator instead of a kernel. It never runs under Xen PV or user-mode
 * Linux. */
Test(check, canonical_behind_other_kernels)
{
	static const struct {
		const char *what;
		uint32_t hwcap2, present, kernel, signs;
		int asked;
	} rows[] = {
		{"promised", FSGS_ANSWER_YES, FSGS_ANSWER_YES, LINUX(6, 1), 0, 1},
		{"not promised", FSGS_ANSWER_NO, FSGS_ANSWER_YES, LINUX(6, 1), 0, 0},
		{"an emulator on a kernel of today", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(6, 1), 0,
		 1},
		{"on the first with the entry", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(4, 11), 0, 1},
		{"on one from before", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(4, 10), 0, 0},
		{"a module behind 3.10", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(3, 10), 0, 0},
		{"a module behind 4.4", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(4, 4), 0, 0},
		{"unknown kernel", FSGS_ANSWER_NO, FSGS_ANSWER_NO, 0, 0, 0},
		{"copies that differ", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(4, 4),
		 FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS), 1},
		{"user-mode Linux", FSGS_ANSWER_NO, FSGS_ANSWER_NO, LINUX(6, 1),
		 FSGS_SIGN_BIT(FSGS_SIGN_UML), 0},
		{"Xen", FSGS_ANSWER_YES, FSGS_ANSWER_YES, LINUX(6, 1),
		 FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV), 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fsgs_report r = {.hwcap2_fsgsbase = rows[i].hwcap2,
					.hwcap2_present = rows[i].present,
					.kernel_version = rows[i].kernel,
					.signs = rows[i].signs};
		struct fsgs_guarded guarded;

		fsgs_guarded_begin(&guarded, &r, FSGS_REFUSAL_NONE);
		fsgs_try(&r, &guarded);
		fsgs_try_canonical(&r, &guarded);
		fsgs_guarded_end(&guarded);
		if (i == 0 && r.canonical_check == FSGS_ANSWER_UNKNOWN)
			return; /* the instructions do not run here */
		cr_expect_eq(r.canonical_check != FSGS_ANSWER_UNKNOWN, rows[i].asked, "%s",
			     rows[i].what);
	}
}

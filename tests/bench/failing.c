/* SPDX-License-Identifier: MIT */
/*
 * failing [FILE.json]: measures the time of a check in which all four instructions fault. Each of
 * their stubs is replaced by the stub that executes UD2. So the library's own guard and trial
 * handle the same faults on any machine as on a machine without the instructions. This program is
 * linked with the static library, because the shared library does not export the guard.
 */
#include "floor.h"
#include "harness.h"

#include <linux/guard.h>
#include <linux/linux.h>

#include <asm/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { UD2_LENGTH = 2, FAULTS = 4 };

static int run_undefined(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	if (stub == fsgs_stub_cpuid)
		return fsgs_guard_run(context, stub, io);
	io->step = FSGS_STEP_SAVE;
	return fsgs_guard_run(context, fsgs_stub_undefined, io);
}

/* Gets the FS base from the pointer at %fs:0, and the GS base by arch_prctl, as in
 * lib/linux/trial.c. */
static int get_base(void *context, uint32_t segment, uint64_t *base)
{
	(void)context;
	if (segment == FSGS_SEGMENT_GS)
		return (int)fsgs_arch_prctl(ARCH_GET_GS, (uintptr_t)base);
	__asm__ volatile("movq %%fs:0, %0" : "=r"(*base));
	return 0;
}

static int set_base(void *context, uint32_t segment, uint64_t base)
{
	(void)context;
	return (int)fsgs_arch_prctl(segment == FSGS_SEGMENT_FS ? ARCH_SET_FS : ARCH_SET_GS, base);
}

static struct fsgs_report report;

static void failing_check(unsigned times)
{
	static const struct fsgs_core_ops ops = {
		.run = run_undefined, .get_base = get_base, .set_base = set_base};

	for (unsigned i = 0; i < times; i++) {
		memset(&report, 0, sizeof report);
		report.mode = FSGS_MODE_64BIT;
		fsgs_auxv(&report);
		if (fsgs_guard_enter())
			return;
		fsgs_core_cpuid(&report, &ops);
		fsgs_core_trial(&report, &ops);
		fsgs_guard_leave();
		fsgs_decide(&report, sizeof report);
	}
}

/* The least work of a recovery: a fault, a handler that skips the instruction, and the return. */
static void step_over(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += UD2_LENGTH;
}

static struct sigaction kept;

static void install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = step_over;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGILL, &action, &kept);
}

static void uninstall(void)
{
	sigaction(SIGILL, &kept, NULL);
}

static void deliveries(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		for (int n = 0; n < FAULTS; n++)
			__asm__ volatile("ud2");
}

static void deliveries_and_floor(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		floor_begin();
		floor_get_gs(); /* the trial reads the GS base before it writes GS */
		deliveries(1);
		/* These two stand for arch_prctl(ARCH_SET_FS), which the trial calls before and
		 * after WRFSBASE. */
		floor_get_gs();
		floor_get_gs();
		floor_end();
	}
}

enum { DELIVERIES, FLOOR, FAILING, ROWS };

static const struct row rows[ROWS] = {
	[DELIVERIES] = {"four raw signal deliveries", deliveries, 4, NO_FLOOR, NO_BOUND, 0, install,
			NULL},
	[FLOOR] = {"four raw signal deliveries and the floor of a check", deliveries_and_floor, 4,
		   NO_FLOOR, NO_BOUND, 0, install, NULL},
	[FAILING] = {"whole check, UD2 in place of all four", failing_check, 4, FLOOR, RATIO, 1.25,
		     uninstall, NULL},
};

int main(int argc, char **argv)
{
	uninstall();
	failing_check(1);
	for (int i = 0; i < FSGS_INSNS; i++)
		if (report.trials[i].outcome != FSGS_OUTCOME_UNDEFINED)
			return 1;
	return bench("libfsgscheck, failing path", rows, ROWS, argc > 1 ? argv[1] : NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Simulates a switch of threads in the middle of a trial, under a kernel that does not save a base
 * written by WRGSBASE. The trial may then lose its marker by chance. Unless the kernel advertises
 * the instructions, only a marker that is lost each time counts as a wrong value.
 */
#include "torture.h"

#include <limits.h>
#include <linux/guard.h>
#include <linux/linux.h>

static int switches;

/* The linker's --wrap redirects the calls of fsgs_guard_run(), also those in the library, to
 * __wrap_fsgs_guard_run(). */
int __real_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);
int __wrap_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

/* In the first `switches` trials that write a marker to GS, simulates a kernel that restores the
 * old base before the marker is read. */
int __wrap_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	const int faulted = __real_fsgs_guard_run(context, stub, io);

	if (stub == fsgs_stub_mark_gs && switches > 0) {
		switches--;
		io->out[0] = io->old;
	}
	return faulted;
}

static uint32_t outcome(int times, enum fsgs_answer enabled)
{
	struct fsgs_report r = {.hwcap2_fsgsbase = enabled};
	struct fsgs_guarded guarded;

	switches = times;
	fsgs_guarded_begin(&guarded, &r, FSGS_REFUSAL_NONE);
	fsgs_try(&r, &guarded);
	fsgs_guarded_end(&guarded);
	return r.trials[FSGS_INSN_WRGSBASE].outcome;
}

int main(void)
{
	static const struct {
		int times;
		enum fsgs_answer enabled;
		uint32_t outcome;
	} rows[] = {
		{1, FSGS_ANSWER_NO, FSGS_OUTCOME_OK},
		{2, FSGS_ANSWER_NO, FSGS_OUTCOME_OK},
		{INT_MAX, FSGS_ANSWER_NO, FSGS_OUTCOME_WRONG_VALUE},
		/* A kernel that advertises the instructions saves the base, so a lost marker is a
		 * wrong value. */
		{1, FSGS_ANSWER_YES, FSGS_OUTCOME_WRONG_VALUE},
	};

	if (outcome(0, FSGS_ANSWER_NO) != FSGS_OUTCOME_OK) {
		printf("WRGSBASE does not run here\n");
		return EXIT_SKIP;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const uint32_t got = outcome(rows[i].times, rows[i].enabled);

		EXPECT(got == rows[i].outcome, "row %zu: outcome %u, not %u", i, got,
		       rows[i].outcome);
	}
	return torture_status("switched");
}

/* SPDX-License-Identifier: MIT */
/* A plugin with its own copy of the library. */
#include <fsgscheck.h>
#include <linux/guard.h>

int copy_try(int check);

/* Runs a check if `check` is not 0, else a trial that faults. Returns 0 on success. Otherwise
 * returns a negative errno, 1 if the trial did not fault as it should, or 2 if fsgs_check()
 * failed. */
__attribute__((visibility("default"))) int copy_try(int check)
{
	struct fsgs_report r;
	struct fsgs_stub io = {0};
	int error, faulted;

	if (check) {
		if (fsgs_check(&r, sizeof r, 0))
			return 2;
		return r.refusal == FSGS_REFUSAL_NONE ? 0 : -r.refusal_error;
	}
	error = fsgs_guard_enter();
	if (error)
		return error;
	faulted = fsgs_guard_run(NULL, fsgs_stub_undefined, &io);
	fsgs_guard_leave();
	return faulted == 1 && io.fault == 4 ? 0 : 1;
}

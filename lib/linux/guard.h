/* SPDX-License-Identifier: MIT */
/*
 * The guard. While it is active, a fault of a stub in this thread becomes a result. Every other
 * signal reaches the program's own handler, at once or after the trial.
 */
#ifndef FSGSCHECK_LIB_GUARD_H
#define FSGSCHECK_LIB_GUARD_H

#include <fsgscheck/core.h>

#pragma GCC visibility push(hidden)

/* Blocks this thread's asynchronous signals, takes the process-wide lock and installs the handlers.
 * Returns 0, or a negative errno with everything restored. */
int fsgs_guard_enter(void);

/* Undoes fsgs_guard_enter(). */
void fsgs_guard_leave(void);

/* The hook fsgs_core_ops.run, for use between enter and leave. In handlers.S. */
int fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

/* Makes the arch_prctl system call, without errno and the C library. Between enter and leave, a
 * SIGSYS from a seccomp filter makes it return -ENOSYS. In handlers.S. */
long fsgs_arch_prctl(int code, uint64_t address);

#pragma GCC visibility pop

#endif

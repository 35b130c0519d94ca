/* SPDX-License-Identifier: MIT */
/*
 * The guard. While it is active, a fault of a stub in this thread becomes a result, and every other
 * signal reaches the program's own handler.
 */
#ifndef FSGSCHECK_LIB_GUARD_H
#define FSGSCHECK_LIB_GUARD_H

#include <fsgscheck/core.h>

#pragma GCC visibility push(hidden)

/* Takes the process-wide lock, blocks this thread's asynchronous signals and installs the handlers.
 * Returns 0, or a negative errno with everything restored. */
int fsgs_guard_enter(void);

/* Undoes fsgs_guard_enter(). */
void fsgs_guard_leave(void);

/* fsgs_core_ops.run, between enter and leave. In handlers.S. */
int fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

/* The arch_prctl system call with an address, without errno and libc. Between enter and leave, a
 * SIGSYS from a seccomp filter makes it fail with -ENOSYS. In handlers.S. */
long fsgs_arch_prctl(int code, uint64_t address);

#pragma GCC visibility pop

#endif

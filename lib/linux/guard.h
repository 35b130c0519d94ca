/* SPDX-License-Identifier: MIT */
/*
 * The guard: for its length, a fault of a stub in this thread comes back as a result, and every
 * other signal reaches its owner.
 */
#ifndef FSGSCHECK_LIB_GUARD_H
#define FSGSCHECK_LIB_GUARD_H

#include <fsgscheck/core.h>

#pragma GCC visibility push(hidden)

/* Takes the process-wide lock, blocks this thread's asynchronous signals and installs the handlers.
 * Returns 0, or a negative errno with everything as it was. */
int fsgs_guard_enter(void);

/* Undoes fsgs_guard_enter(). */
void fsgs_guard_leave(void);

/* fsgs_core_ops.run, between enter and leave. In handlers.S. */
int fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

/* The arch_prctl system call with an address, without errno and without libc. Between enter and
 * leave, a seccomp filter that answers with SIGSYS makes it fail with -ENOSYS instead. In
 * handlers.S. */
long fsgs_arch_prctl(int code, uint64_t address);

#pragma GCC visibility pop

#endif

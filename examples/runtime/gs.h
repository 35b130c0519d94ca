/* SPDX-License-Identifier: MIT */
/*
 * How the examples of this folder access the GS base: through libfsgscheck. For comparison, a build
 * with PLAIN_ARCH_PRCTL uses only the system call.
 */
#ifndef FSGSCHECK_RUNTIME_GS_H
#define FSGSCHECK_RUNTIME_GS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(PLAIN_ARCH_PRCTL)

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int get_gs(uint64_t *base)
{
	return (int)syscall(SYS_arch_prctl, ARCH_GET_GS, base);
}

static inline int set_gs(uint64_t base)
{
	return (int)syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

static inline const char *access_name(void)
{
	return "plain arch_prctl";
}

#else

#include <fsgscheck.h>
#include <fsgscheck/base.h>

static inline int get_gs(uint64_t *base)
{
	return fsgs_get_gs_base(base);
}

static inline int set_gs(uint64_t base)
{
	return fsgs_set_gs_base(base);
}

static inline const char *access_name(void)
{
	return fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS));
}

#endif

/* Ends the program on an error: a runtime that cannot reach its memory cannot continue. */
static inline void must(int error)
{
	if (error) {
		fputs("not ok: the GS base cannot be set\n", stderr);
		exit(EXIT_FAILURE);
	}
}

static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif

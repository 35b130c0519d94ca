/* SPDX-License-Identifier: MIT */
/* The state of a thread, and the actions of its process, which a check must not change. */
#ifndef TORTURE_STATE_H
#define TORTURE_STATE_H

#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <fsgscheck.h>
#include <immintrin.h>
#include <sched.h>
#include <signal.h>

#define EVERYTHING ((uint32_t)(FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS | FSGS_CHECK_SURVIVAL))

struct state {
	unsigned char actions[32][32]; /* the kernel's structures for signals 1 to 31 */
	uint64_t mask, fs, gs;
	stack_t stack;
	cpu_set_t cpus;
	unsigned mxcsr;
	unsigned short control;
};

static inline struct state look(void)
{
	struct state s;

	memset(&s, 0, sizeof s);
	for (int sig = 1; sig < 32; sig++)
		syscall(SYS_rt_sigaction, sig, NULL, s.actions[sig], 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &s.mask, sizeof s.mask);
	s.fs = torture_base(ARCH_GET_FS);
	s.gs = torture_base(ARCH_GET_GS);
	sigaltstack(NULL, &s.stack);
	sched_getaffinity(0, sizeof s.cpus, &s.cpus);
	s.mxcsr = _mm_getcsr();
	__asm__ volatile("fnstcw %0" : "=m"(s.control));
	return s;
}

static inline void expect_unchanged(const struct state *before, const char *name)
{
	const struct state after = look();

	for (int sig = 1; sig < 32; sig++)
		EXPECT(memcmp(after.actions[sig], before->actions[sig], 32) == 0,
		       "%s: action of signal %d", name, sig);
	EXPECT(after.mask == before->mask, "%s: mask %#lx, was %#lx", name,
	       (unsigned long)after.mask, (unsigned long)before->mask);
	EXPECT(after.fs == before->fs, "%s: FS base", name);
	EXPECT(after.gs == before->gs, "%s: GS base %#lx, was %#lx", name, (unsigned long)after.gs,
	       (unsigned long)before->gs);
	EXPECT(after.stack.ss_sp == before->stack.ss_sp &&
		       after.stack.ss_flags == before->stack.ss_flags,
	       "%s: alternate stack", name);
	EXPECT(CPU_EQUAL(&after.cpus, &before->cpus), "%s: affinity", name);
	EXPECT(after.mxcsr == before->mxcsr && after.control == before->control,
	       "%s: floating-point control", name);
}

/* Checks with every combination of the flags in `allowed`. Each check must return 0 and change
 * nothing. Returns the report of the last check, which has all these flags. */
static inline struct fsgs_report check_unchanged(const char *name, uint32_t allowed)
{
	struct fsgs_report r;

	for (uint32_t flags = 0; flags <= allowed; flags++) {
		const struct state before = look();
		int result;

		if (flags & ~allowed)
			continue;
		errno = 4711;
		result = fsgs_check(&r, sizeof r, flags);
		EXPECT(errno == 4711, "%s: errno %d", name, errno);
		EXPECT(result == 0, "%s: %d", name, result);
		expect_unchanged(&before, name);
	}
	return r;
}

#endif

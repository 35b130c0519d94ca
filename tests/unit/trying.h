/* SPDX-License-Identifier: MIT */
/* Code that the tests of the guard share: the signal state of the process, a trial that faults, and
 * handlers. */
#ifndef UNIT_TRYING_H
#define UNIT_TRYING_H

#include "../support/caught.h"

#include <linux/guard.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The signal state that a trial must restore. */
struct state {
	struct sigaction actions[CAUGHT];
	uint64_t mask;
	stack_t stack;
};

static inline struct state look(void)
{
	struct state s;

	memset(&s, 0, sizeof s);
	for (size_t i = 0; i < CAUGHT; i++)
		sigaction(caught[i], NULL, &s.actions[i]);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &s.mask, sizeof s.mask);
	sigaltstack(NULL, &s.stack);
	return s;
}

static inline void expect_same(const struct state *before)
{
	const struct state after = look();

	for (size_t i = 0; i < CAUGHT; i++) {
		cr_expect_eq(after.actions[i].sa_sigaction, before->actions[i].sa_sigaction,
			     "handler of %d", caught[i]);
		cr_expect_eq(after.actions[i].sa_flags, before->actions[i].sa_flags, "flags of %d",
			     caught[i]);
		cr_expect_eq(memcmp(&after.actions[i].sa_mask, &before->actions[i].sa_mask, 8), 0,
			     "mask of %d", caught[i]);
	}
	cr_expect_eq(after.mask, before->mask);
	cr_expect_eq(after.stack.ss_flags, before->stack.ss_flags);
	cr_expect_eq(after.stack.ss_sp, before->stack.ss_sp);
}

/* Runs a stub that raises SIGILL, inside a trial. Returns 1 if the guard caught it. */
static inline int fault(struct fsgs_stub *io)
{
	return fsgs_guard_run(NULL, fsgs_stub_undefined, io);
}

static inline void own_handler(int sig)
{
	(void)sig;
}

/* The number of signals that the handlers below have received, and the si_code of the last one. */
static atomic_int seen, code;

static inline void count(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	atomic_fetch_add(&seen, 1);
	atomic_store(&code, info->si_code);
}

/* A handler that continues after the faulting UD2. */
static inline void skip(int sig, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* the length of UD2 */
	count(sig, info, context);
}

/* Raises SIGILL outside of a stub. */
static inline void *genuine(void *argument)
{
	(void)argument;
	__asm__ volatile("ud2");
	return NULL;
}

static inline void in_another_thread(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, genuine, NULL), 0);
	pthread_join(thread, NULL);
}

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* Runs a whole trial. Returns 1 if the guard caught its fault, -1 if the trial was refused. */
static inline int ask(void)
{
	struct fsgs_stub io = {0};
	int answer;

	if (fsgs_guard_enter())
		return -1;
	answer = fault(&io);
	fsgs_guard_leave();
	return answer;
}

/* A thread that runs one trial, and stores the result of ask(). */
static inline void *try_once(void *argument)
{
	*(int *)argument = ask();
	return NULL;
}

/* Blocks these signals in the thread. Returns the set, for sigtimedwait(). */
static inline sigset_t block(uint64_t bits)
{
	sigset_t set;

	sigemptyset(&set);
	memcpy(&set, &bits, sizeof bits);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return set;
}

#endif

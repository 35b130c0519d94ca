/* SPDX-License-Identifier: MIT */
/*
 * A process with a sigaction() of its own, which keeps the actions of a signal and lets its own
 * handler call them: what the signal chains of Java virtual machines and of Android's runtime do.
 * The guard must go through it, and must not take a mere replacement by another thread for one.
 */
#include "linux/guard.h"

#include <criterion/criterion.h>

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the kernel has, restorer and all. */
struct raw_action {
	void (*action)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static int keeps, fails_at = -1, replaces_at = -1, calls, chained;
static struct sigaction kept;
static struct raw_action replacement;

static void other_handler(int sig)
{
	(void)sig;
}

static long exchange_raw(const struct raw_action *action, struct raw_action *old)
{
	return syscall(SYS_rt_sigaction, SIGILL, action, old, sizeof(uint64_t));
}

int sigaction(int sig, const struct sigaction *action, struct sigaction *old)
{
	static int (*next)(int, const struct sigaction *, struct sigaction *);

	if (!next)
		next = (int (*)(int, const struct sigaction *, struct sigaction *))(uintptr_t)dlsym(
			RTLD_NEXT, "sigaction");
	if (sig != SIGILL)
		return next(sig, action, old);
	calls++;
	if (calls == fails_at) {
		errno = EPERM;
		return -1;
	}
	/* What another thread does at that moment. */
	if (calls == replaces_at && keeps)
		kept = (struct sigaction){.sa_handler = other_handler};
	else if (calls == replaces_at)
		exchange_raw(&replacement, NULL);
	if (!keeps)
		return next(sig, action, old);
	if (old)
		*old = kept;
	if (action)
		kept = *action;
	return 0;
}

/* The runtime's own handler: it looks whether the fault is its own, and hands the others on. */
static void chain(int sig, siginfo_t *info, void *context)
{
	chained++;
	kept.sa_sigaction(sig, info, context);
}

static void return_from_signal(void)
{
	/* No signal comes to an action that has this. */
}

static void own_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static void keep_actions(void)
{
	struct sigaction runtime = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

	runtime.sa_sigaction = chain;
	sigaction(SIGILL, &runtime, NULL);
	memset(&kept, 0, sizeof kept);
	kept.sa_sigaction = own_handler;
	kept.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaddset(&kept.sa_mask, SIGUSR1);
	keeps = 1;
	calls = 0;
}

static void expect_kept(void)
{
	struct raw_action raw;

	cr_expect_eq((uintptr_t)kept.sa_sigaction, (uintptr_t)own_handler);
	cr_expect_eq(kept.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART);
	cr_expect_eq(sigismember(&kept.sa_mask, SIGUSR1), 1);
	cr_expect_eq(sigismember(&kept.sa_mask, SIGUSR2), 0);
	exchange_raw(NULL, &raw);
	cr_expect_eq((uintptr_t)raw.action, (uintptr_t)chain, "the runtime's handler is gone");
}

Test(interposed, goes_through_it)
{
	keep_actions();
	for (int i = 0; i < 3; i++) {
		struct fsgs_stub io = {0};
		struct raw_action raw;

		cr_assert_eq(fsgs_guard_enter(), 0);
		cr_expect_neq((uintptr_t)kept.sa_sigaction, (uintptr_t)own_handler);
		exchange_raw(NULL, &raw);
		cr_expect_eq((uintptr_t)raw.action, (uintptr_t)chain);
		cr_expect_eq(fsgs_guard_run(NULL, fsgs_stub_undefined, &io), 1);
		cr_expect_eq(chained, i + 1);
		fsgs_guard_leave();
		expect_kept();
	}
}

/* Each call of it in turn: a clear error, and everything as it was. */
Test(interposed, may_refuse)
{
	int error;

	keep_actions();
	fails_at = 1;
	do {
		calls = 0;
		error = fsgs_guard_enter();
		if (!error)
			break;
		cr_expect_eq(error, -EPERM);
		fails_at++;
		expect_kept();
	} while (fails_at < 9);
	cr_expect_gt(fails_at, 2);
	cr_assert_eq(error, 0);
	fails_at = -1;
	fsgs_guard_leave();
	expect_kept();
}

/* Another thread installs an action between our last look and our last exchange. */
Test(interposed, keeps_what_came_last)
{
	keep_actions();
	cr_assert_eq(fsgs_guard_enter(), 0);
	replaces_at = calls + 2;
	fsgs_guard_leave();
	cr_expect_eq((uintptr_t)kept.sa_handler, (uintptr_t)other_handler);
	cr_expect_eq(calls, replaces_at + 1);
}

/* It refuses when another thread's new action has already come out: that one is the one to stay. */
Test(interposed, may_refuse_late)
{
	keep_actions();
	replaces_at = 3;
	fails_at = 4;
	cr_expect_eq(fsgs_guard_enter(), -EPERM);
	cr_expect_gt(calls, 4);
	cr_expect_eq((uintptr_t)kept.sa_handler, (uintptr_t)other_handler);
}

/* Another thread installs an action with a restorer of its own, between the guard's look at the
 * kernel and its look at the C library. That is no interposer: the restorer must come back. */
Test(interposed, is_not_what_a_replacement_is)
{
	struct raw_action raw;

	replacement.action = own_handler;
	replacement.flags = SA_SIGINFO | 0x04000000;
	replacement.restorer = return_from_signal;
	calls = 0;
	replaces_at = 1;
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_geq(calls, 2);
	fsgs_guard_leave();
	exchange_raw(NULL, &raw);
	cr_expect_eq((uintptr_t)raw.action, (uintptr_t)own_handler);
	cr_expect_eq((uintptr_t)raw.restorer, (uintptr_t)return_from_signal,
		     "its restorer is lost");
}

/* SPDX-License-Identifier: MIT */
/* Sandboxes that refuse the system calls of the guard, or that serve system calls by SIGSYS. */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "filter.h"
#include "trying.h"

/* If /proc does not show whether a signal is pending for the thread or for the process, the signal
 * must still not be lost. */
Test(guard, a_sandbox_may_hide_whose_a_signal_is)
{
	const struct timespec now = {0, 0};
	siginfo_t info;
	sigset_t set;

	set = block(BIT(SIGILL));
	pthread_sigqueue(pthread_self(), SIGILL, (union sigval){.sival_int = 42});
	filter_call(SYS_openat, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(ask(), 1);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_value.sival_int, 42);
}

/* The sandbox refuses to change the action of one signal, after the library has replaced the
 * actions of earlier signals. These must be restored. */
Test(guard, a_sandbox_may_refuse_one_action)
{
	const struct state before = look();

	filter_call(SYS_rt_sigaction, SIGBUS, SECCOMP_RET_ERRNO | EPERM);
	cr_expect_eq(fsgs_guard_enter(), -EPERM);
	for (size_t i = 0; i < 2; i++) {
		struct sigaction now;

		sigaction(caught[i], NULL, &now);
		cr_expect_eq(now.sa_sigaction, before.actions[i].sa_sigaction);
	}
	cr_expect_eq(fsgs_guard_enter(), -EPERM, "the lock is free");
}

/* If a signal cannot be sent again with its siginfo, it is sent again without it. */
Test(guard, a_sandbox_may_refuse_siginfo)
{
	const struct timespec now = {0, 0};
	siginfo_t info;
	sigset_t set;

	set = block(BIT(SIGILL) | BIT(SIGBUS));
	kill(getpid(), SIGILL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
	filter_call(SYS_rt_sigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	filter_call(SYS_rt_tgsigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(ask(), 1);
	/* The kernel delivers the signal of the thread before that of the process. */
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGBUS);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1);
}

/* The trial of another thread holds back a signal of the process. Even if the guard sends it again
 * without its siginfo, it must be sent to the process, and not to that thread. */
Test(guard, a_sandbox_may_refuse_siginfo_for_the_process)
{
	const struct timespec now = {0, 0};
	pthread_t thread;
	siginfo_t info;
	sigset_t set;
	int caught_it = 0;

	set = block(BIT(SIGILL));
	kill(getpid(), SIGILL);
	filter_call(SYS_rt_sigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(pthread_create(&thread, NULL, try_once, &caught_it), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(caught_it, 1);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
}

/* The sandbox refuses the mask for the trial, after the handlers have been installed. It refuses
 * only SIG_SETMASK. The guard blocks signals before the exchange by SIG_BLOCK, which works. These
 * signals stay blocked, because the guard could unblock them only by SIG_SETMASK. */
Test(guard, a_sandbox_may_refuse_the_mask)
{
	const struct state before = look();
	struct state after;

	filter_call(SYS_rt_sigprocmask, SIG_SETMASK, SECCOMP_RET_ERRNO | EPERM);
	cr_expect_eq(fsgs_guard_enter(), -EPERM);
	after = look();
	for (size_t i = 0; i < CAUGHT; i++)
		cr_expect_eq(after.actions[i].sa_sigaction, before.actions[i].sa_sigaction,
			     "handler of %d", caught[i]);
}

/* This sandbox handles system calls by SIGSYS. It must get all calls that do not belong to the
 * trial, including those of the trying thread. */
static void serve(int sig, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4711;
	count(sig, info, context);
}

Test(guard, passes_on_its_own_threads_foreign_system_call)
{
	struct sigaction action = {.sa_sigaction = serve, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGSYS, &action, NULL);
	filter_call(SYS_getppid, ANY_ARGUMENT, SECCOMP_RET_TRAP);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(syscall(SYS_getppid), 4711);
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_gt(atomic_load(&code), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(syscall(SYS_getppid), 4711);
	cr_expect_eq(atomic_load(&seen), 2);
}

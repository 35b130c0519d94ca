/* SPDX-License-Identifier: MIT */
/* The state that the guard changes and restores: actions, mask, alternate stack, errno,
 * floating-point control. */
#include <criterion/criterion.h>

#include <errno.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trying.h"

Test(guard, catches_again_and_again)
{
	const struct state before = look();

	for (int round = 0; round < 3; round++) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		for (int i = 0; i < 3; i++) {
			struct fsgs_stub io = {0};

			cr_expect_eq(fault(&io), 1);
			cr_expect_eq(io.fault, SIGILL);
			cr_expect_gt(io.code, 0);
		}
		fsgs_guard_leave();
		expect_same(&before);
	}
}

Test(guard, keeps_errno)
{
	struct fsgs_stub io = {0};

	errno = 4711;
	cr_assert_eq(fsgs_guard_enter(), 0);
	fault(&io);
	fsgs_guard_leave();
	cr_expect_eq(errno, 4711);
}

/* The kernel resets the floating-point control words when it delivers a signal. Only sigreturn
 * restores them. */
Test(guard, keeps_floating_point_control)
{
	struct fsgs_stub io = {0};
	const unsigned mxcsr = _mm_getcsr() | 0x8040;
	const unsigned short wanted = 0x0e7f;
	unsigned short control;

	_mm_setcsr(mxcsr);
	__asm__ volatile("fldcw %0" : : "m"(wanted));
	cr_assert_eq(fsgs_guard_enter(), 0);
	fault(&io);
	fsgs_guard_leave();
	__asm__ volatile("fnstcw %0" : "=m"(control));
	cr_expect_eq(_mm_getcsr(), mxcsr);
	cr_expect_eq(control, wanted);
}

/* The caller blocks SIGILL. If it stayed blocked during the trial, the fault would kill the
 * process. After the trial, the mask and each action must be as before. */
Test(guard, restores_any_action_and_mask)
{
	struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_RESTART | SA_NODEFER};
	sigset_t mask;

	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGILL, &action, NULL);
	signal(SIGBUS, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGILL);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);

	const struct state before = look();

	cr_assert_eq(ask(), 1);
	expect_same(&before);
}

/* An alternate stack with SS_AUTODISARM is disarmed when a handler starts. Only sigreturn arms it
 * again. */
Test(guard, keeps_the_alternate_stack)
{
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
	static char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory, .ss_flags = (int)SS_AUTODISARM};
	struct fsgs_stub io = {0};

	cr_assert_eq(sigaltstack(&stack, NULL), 0);

	const struct state before = look();

	cr_assert_eq(fsgs_guard_enter(), 0);
	fault(&io);
	fsgs_guard_leave();
	expect_same(&before);
}

/* If the caller installs a handler during a trial, the handler stays installed. */
Test(guard, leaves_a_new_handler)
{
	struct sigaction theirs = {.sa_handler = own_handler}, after;

	cr_assert_eq(fsgs_guard_enter(), 0);
	sigaction(SIGILL, &theirs, NULL);
	fsgs_guard_leave();
	sigaction(SIGILL, NULL, &after);
	cr_expect_eq(after.sa_handler, own_handler);
}

/* A sandbox that intercepts system calls may allow sigreturn only from the restorer of its own
 * handlers. So the library's handler has the restorer of the handler that it replaces. */
Test(guard, returns_as_the_owner_does)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} before = {0}, meanwhile = {0};

	signal(SIGILL, own_handler);
	syscall(SYS_rt_sigaction, SIGILL, NULL, &before, sizeof before.mask);
	cr_assert_eq(fsgs_guard_enter(), 0);
	syscall(SYS_rt_sigaction, SIGILL, NULL, &meanwhile, sizeof meanwhile.mask);
	fsgs_guard_leave();
	cr_expect_neq(meanwhile.handler, before.handler);
	cr_expect_eq(meanwhile.restorer, before.restorer);
}

/* For each signal, the library has 64 handlers, one for each distinct action that it has ever
 * replaced. When none is left, fsgs_guard_enter() fails and changes nothing. */
static void exhaust(int sig)
{
	struct sigaction action = {.sa_handler = own_handler}, after;
	int error = 0, rounds = 0;

	for (; !error && rounds < 100; rounds++) {
		memcpy(&action.sa_mask, &(uint64_t){(uint64_t)rounds << 10}, sizeof(uint64_t));
		sigaction(sig, &action, NULL);
		error = fsgs_guard_enter();
		if (!error)
			fsgs_guard_leave();
	}
	cr_expect_eq(error, -ENOSPC);
	cr_expect_eq(rounds, 65);

	const struct state before = look();

	cr_expect_eq(fsgs_guard_enter(), -ENOSPC);
	expect_same(&before);
	sigaction(sig, NULL, &after);
	cr_expect_eq(after.sa_handler, own_handler);
	signal(sig, SIG_DFL);
}

Test(guard, too_many_actions)
{
	exhaust(SIGILL);
}

/* When the library finds too many actions of SIGBUS, it has already installed its handlers of the
 * earlier signals, and must remove them. */
Test(guard, too_many_actions_of_a_later_signal)
{
	exhaust(SIGBUS);
}

/* An action as the kernel stores it. The tests make raw system calls, because the C library hides
 * some flags, and the signals that it uses itself. */
struct kernel_action {
	uintptr_t action;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

#define OWNERS_FLAGS ((unsigned long)(SA_ONSTACK | SA_RESTART | SA_NODEFER))

/* The signals that are blocked while actions are exchanged: all except SIGSYS, SIGTRAP, those that
 * a garbage collector may handle (SIGSEGV, SIGBUS), and those that cannot be blocked. */
static const uint64_t exchanging =
	~(BIT(SIGSYS) | BIT(SIGTRAP) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGKILL) | BIT(SIGSTOP));
/* The signals that are blocked during a trial. */
static const uint64_t trying = ~(BIT(SIGILL) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGSYS) |
				 BIT(SIGTRAP) | BIT(SIGKILL) | BIT(SIGSTOP));

static void expect_in_kernel(int sig, unsigned long flags, uint64_t mask)
{
	/* Set to 0, because some tools do not see that the kernel fills it in. */
	struct kernel_action now = {0};

	cr_assert_eq(syscall(SYS_rt_sigaction, sig, NULL, &now, sizeof now.mask), 0);
	cr_expect(now.action > 1, "no handler of signal %d", sig);
	cr_expect(now.flags & SA_SIGINFO, "flags %#lx of signal %d", now.flags, sig);
	cr_expect_eq(now.flags & (OWNERS_FLAGS | SA_RESETHAND), flags, "flags %#lx of signal %d",
		     now.flags, sig);
	cr_expect_eq(now.mask, mask, "mask %#lx of signal %d", (unsigned long)now.mask, sig);
}

/* If the process has no handler, the library's handler is installed with the mask `exchanging`, and
 * with SA_RESTART and SA_ONSTACK. */
static void installs_in_place_of(sighandler_t disposition)
{
	for (size_t i = 0; i < CAUGHT; i++)
		signal(caught[i], disposition);

	const struct state before = look();

	cr_assert_eq(fsgs_guard_enter(), 0);
	for (size_t i = 0; i < CAUGHT; i++)
		expect_in_kernel(caught[i], SA_ONSTACK | SA_RESTART, exchanging);
	fsgs_guard_leave();
	expect_same(&before);
}

Test(guard, holds_back_everything_where_there_is_no_handler)
{
	installs_in_place_of(SIG_DFL);
	installs_in_place_of(SIG_IGN);
}

/* If the process has a handler, the library's handler runs with the mask and the flags of that
 * handler, but without SA_RESETHAND. */
Test(guard, runs_as_the_owners_would)
{
	for (int round = 0; round < 16; round++) {
		const int flags = (round & 1 ? SA_ONSTACK : 0) | (round & 2 ? SA_RESTART : 0) |
				  (round & 4 ? SA_NODEFER : 0);
		const uint64_t masks[CAUGHT] = {0, BIT(SIGUSR1 + round % 8), BIT(SIGILL) | BIT(32),
						exchanging};

		for (size_t i = 0; i < CAUGHT; i++) {
			struct kernel_action action = {.action = (uintptr_t)own_handler,
						       .flags = (unsigned long)flags};
			struct sigaction with_restorer = {.sa_handler = own_handler};

			/* sigaction() installs the C library's restorer. The last call keeps it,
			 * and sets the flags and the mask of this round. */
			sigaction(caught[i], &with_restorer, NULL);
			syscall(SYS_rt_sigaction, caught[i], NULL, &action, sizeof action.mask);
			action.flags &= ~OWNERS_FLAGS;
			action.flags |= (unsigned long)flags;
			if (round & 8)
				action.flags |= (unsigned)SA_RESETHAND;
			action.mask = masks[i];
			cr_assert_eq(syscall(SYS_rt_sigaction, caught[i], &action, NULL,
					     sizeof action.mask),
				     0);
		}

		const struct state before = look();

		cr_assert_eq(fsgs_guard_enter(), 0);
		for (size_t i = 0; i < CAUGHT; i++)
			expect_in_kernel(caught[i], (unsigned long)flags, masks[i]);
		fsgs_guard_leave();
		expect_same(&before);
	}
}

/* During a trial, apart from SIGKILL and SIGSTOP, only these signals may interrupt a stub: the four
 * signals that the guard catches, and SIGTRAP unless the caller blocks it. */
Test(guard, blocks_all_but_its_own)
{
	const uint64_t caught_ones = BIT(SIGILL) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGSYS);
	const uint64_t masks[] = {0, BIT(SIGTRAP), BIT(SIGUSR1) | BIT(32) | BIT(64), caught_ones,
				  exchanging | BIT(SIGTRAP) | BIT(SIGSYS)};

	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		uint64_t now = 0;

		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &masks[i], NULL, sizeof now);
		cr_assert_eq(fsgs_guard_enter(), 0);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, sizeof now);
		cr_expect_eq(now, trying | (masks[i] & BIT(SIGTRAP)), "mask %#lx",
			     (unsigned long)now);
		fsgs_guard_leave();
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, sizeof now);
		cr_expect_eq(now, masks[i], "mask %#lx", (unsigned long)now);
	}
}

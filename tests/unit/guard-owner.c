/* SPDX-License-Identifier: MIT */
/* Faults that do not belong to a trial. The handler that the program had installed before (the
 * owner's handler) must run as if the kernel had called it. */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trying.h"

/* A genuine fault of another thread reaches the owner's handler during the trial. */
Test(guard, passes_on_another_threads_fault)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	in_another_thread();
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_gt(atomic_load(&code), 0);
}

static _Atomic(uint64_t) mask_in_handler;

static void look_at_mask(int sig, siginfo_t *info, void *context)
{
	uint64_t mask;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof mask);
	atomic_store(&mask_in_handler, mask);
	skip(sig, info, context);
}

/* The handler runs with the mask that the kernel would have given it. */
Test(guard, passes_on_with_the_owners_mask)
{
	struct sigaction action = {.sa_sigaction = look_at_mask, .sa_flags = SA_SIGINFO};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGILL, &action, NULL);

	/* The first fault shows the mask that the kernel sets. The second fault shows the mask in a
	 * handler that the library calls. Both threads must inherit the mask from before the
	 * trial. */
	in_another_thread();
	const uint64_t wanted = atomic_exchange(&mask_in_handler, 0);

	cr_expect_eq(wanted, BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(SIGILL));
	cr_assert_eq(fsgs_guard_enter(), 0);
	uint64_t inherited = BIT(SIGUSR2), trying;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &inherited, &trying, sizeof inherited);
	in_another_thread();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &trying, NULL, sizeof trying);
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&mask_in_handler), wanted);
}

/* With SA_RESETHAND, the handler runs once, and then the default action applies. */
Test(guard, passes_on_once_with_resethand)
{
	struct sigaction action = {.sa_sigaction = skip,
				   .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
	struct sigaction after;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	in_another_thread();
	fsgs_guard_leave();
	sigaction(SIGILL, NULL, &after);
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_eq(after.sa_handler, SIG_DFL);
}

/* If a signal has no handler or is ignored, a genuine fault still kills the process by that
 * signal. */
static void dies(sighandler_t handler)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGILL, handler);
		fsgs_guard_enter();
		in_another_thread();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL, "status %#x", status);
}

Test(guard, default_still_kills)
{
	dies(SIG_DFL);
}

Test(guard, a_fault_cannot_be_ignored)
{
	dies(SIG_IGN);
}

/* A caller reads the library's handler during a trial, and installs it after the trial. The
 * library's handler must then call the handler that was installed before the trial. */
Test(guard, serves_after_the_trial)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO}, ours;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	sigaction(SIGILL, NULL, &ours);
	fsgs_guard_leave();
	sigaction(SIGILL, &ours, NULL);
	__asm__ volatile("ud2");
	cr_expect_eq(atomic_load(&seen), 1);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(ask(), 1);
	__asm__ volatile("ud2");
	cr_expect_eq(atomic_load(&seen), 2);
}

/* During a trial, the program installs a handler that calls the handler it has replaced, which is
 * the library's. The library must not call the program's handler again for the same signal, not
 * even in later trials. */
static struct sigaction saved;
static atomic_int chained;

static void chain(int sig, siginfo_t *info, void *context)
{
	if (atomic_fetch_add(&chained, 1) > 20)
		_exit(1);
	saved.sa_sigaction(sig, info, context);
}

Test(guard, a_chain_has_an_end)
{
	struct sigaction first = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
	struct sigaction theirs = {.sa_sigaction = chain, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &first, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	sigaction(SIGILL, &theirs, &saved);
	cr_expect_eq(fault(&io), 1,
		     "the program's handler passes the stub's fault to the "
		     "guard");
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&chained), 1);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		in_another_thread();
		cr_expect_eq(fault(&io), 1);
		fsgs_guard_leave();
		__asm__ volatile("ud2");
		cr_expect_eq(atomic_load(&seen), 2 * i);
		cr_expect_eq(atomic_load(&chained), 1 + 2 * i);
	}
}

/* Some handlers set errno to report to the interrupted code. */
static void set_errno(int sig, siginfo_t *info, void *context)
{
	errno = EFAULT;
	skip(sig, info, context);
}

static void *genuine_and_errno(void *argument)
{
	errno = 0;
	__asm__ volatile("ud2" : : : "memory");
	*(int *)argument = errno;
	return NULL;
}

Test(guard, the_owner_may_change_errno)
{
	struct sigaction action = {.sa_sigaction = set_errno, .sa_flags = SA_SIGINFO};
	pthread_t thread;
	int error = 0;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, genuine_and_errno, &error), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect_eq(error, EFAULT);
}

/* The owner's handler runs on the alternate stack exactly if the owner's action has SA_ONSTACK. */
static char alternate[65536];
static atomic_int on_alternate;

static void look_at_stack(int sig, siginfo_t *info, void *context)
{
	/* The frame's address shows which stack is in use. A local variable's address does not,
	 * because a sanitizer may put the variable elsewhere. */
	const uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	atomic_store(&on_alternate, at - (uintptr_t)alternate < sizeof alternate);
	skip(sig, info, context);
}

static void *genuine_with_stack(void *argument)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	sigaltstack(&stack, NULL);
	genuine(argument);
	/* Otherwise some tools would free the stack when the thread ends. */
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	return NULL;
}

static void runs_on(int flag)
{
	struct sigaction action = {.sa_sigaction = look_at_stack, .sa_flags = SA_SIGINFO | flag};
	pthread_t thread;

	atomic_store(&on_alternate, -1);
	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, genuine_with_stack, NULL), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&on_alternate), flag == SA_ONSTACK);
}

Test(guard, the_owner_chooses_the_stack)
{
	runs_on(0);
	runs_on(SA_ONSTACK);
}

/* The thread of the trial faults outside of a stub. This fault, too, goes to the handler that the
 * program installed. */
Test(guard, passes_on_its_own_threads_fault)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	__asm__ volatile("ud2");
	cr_expect_eq(atomic_load(&seen), 1);
	fsgs_guard_leave();
}

/* SPDX-License-Identifier: MIT */
/* The guard: what it catches, what it passes on, and that nothing is left changed. */
#include <criterion/criterion.h>

#include <errno.h>
#include <immintrin.h>
#include <linux/guard.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

#define CAUGHT (sizeof caught / sizeof *caught)

struct state {
	struct sigaction actions[CAUGHT];
	uint64_t mask;
	stack_t stack;
};

static struct state look(void)
{
	struct state s;

	memset(&s, 0, sizeof s);
	for (size_t i = 0; i < CAUGHT; i++)
		sigaction(caught[i], NULL, &s.actions[i]);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &s.mask, sizeof s.mask);
	sigaltstack(NULL, &s.stack);
	return s;
}

static void expect_same(const struct state *before)
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

static int fault(struct fsgs_leaf *io)
{
	return fsgs_guard_run(NULL, fsgs_leaf_undefined, io);
}

Test(guard, catches_again_and_again)
{
	const struct state before = look();

	for (int round = 0; round < 3; round++) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		for (int i = 0; i < 3; i++) {
			struct fsgs_leaf io = {0};

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
	struct fsgs_leaf io = {0};

	errno = 4711;
	cr_assert_eq(fsgs_guard_enter(), 0);
	fault(&io);
	fsgs_guard_leave();
	cr_expect_eq(errno, 4711);
}

/* Delivery of a signal resets the floating-point control words; only sigreturn gives them back. */
Test(guard, keeps_floating_point_control)
{
	struct fsgs_leaf io = {0};
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

static void own_handler(int sig)
{
	(void)sig;
}

/* SIGILL blocked would kill; ignored and handled must come back as they were. */
Test(guard, restores_any_action_and_mask)
{
	struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_RESTART | SA_NODEFER};
	struct fsgs_leaf io = {0};
	sigset_t mask;

	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGILL, &action, NULL);
	signal(SIGBUS, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGILL);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);

	const struct state before = look();

	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	expect_same(&before);
}

/* An alternate stack that disarms itself is armed again by sigreturn alone. */
Test(guard, keeps_the_alternate_stack)
{
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
	static char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory, .ss_flags = (int)SS_AUTODISARM};
	struct fsgs_leaf io = {0};

	cr_assert_eq(sigaltstack(&stack, NULL), 0);

	const struct state before = look();

	cr_assert_eq(fsgs_guard_enter(), 0);
	fault(&io);
	fsgs_guard_leave();
	expect_same(&before);
}

/* A signal that was pending, for sigwait(), still is, with its siginfo. */
Test(guard, a_blocked_signal_stays_pending)
{
	const struct timespec now = {0, 0};
	union sigval value = {.sival_int = 42};
	struct fsgs_leaf io = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigqueue(getpid(), SIGILL, value);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);

	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();

	/* What is pending for the thread comes before what is pending for the process. */
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGBUS);
	cr_expect_eq(info.si_code, SI_USER, "as sigtimedwait() shows SI_TKILL");
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_code, SI_QUEUE);
	cr_expect_eq(info.si_value.sival_int, 42);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1, "each of them once");
}

static atomic_int seen, code;

static void count(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	atomic_fetch_add(&seen, 1);
	atomic_store(&code, info->si_code);
}

/* One that is sent to the trying thread reaches the owner's handler, after the trial. */
Test(guard, a_sent_signal_reaches_its_handler)
{
	struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
	struct fsgs_leaf io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	cr_expect_eq(fault(&io), 1, "and it is not taken for the leaf's");
	cr_expect_eq(atomic_load(&seen), 0, "not while the bases may be foreign");
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_eq(atomic_load(&code), SI_TKILL);
}

static void skip(int sig, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* UD2 */
	count(sig, info, context);
}

static void *genuine(void *argument)
{
	(void)argument;
	__asm__ volatile("ud2");
	return NULL;
}

static void in_another_thread(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, genuine, NULL), 0);
	pthread_join(thread, NULL);
}

/* A genuine fault of another thread reaches the owner's handler at once. */
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

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* ... with the mask that the kernel would have given it. */
Test(guard, passes_on_with_the_owners_mask)
{
	struct sigaction action = {.sa_sigaction = look_at_mask, .sa_flags = SA_SIGINFO};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGILL, &action, NULL);

	/* What the kernel gives, then what we give. The thread inherits the mask before the guard's. */
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

/* SA_RESETHAND: once, then the default. */
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

/* Without a handler, or ignored, a genuine fault still kills: by that signal. */
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

/* ... and what kill(2) sends can. */
static void *send(void *argument)
{
	sigset_t all;

	(void)argument;
	sigemptyset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	return NULL;
}

Test(guard, a_sent_signal_stays_ignored)
{
	pthread_t thread;

	signal(SIGILL, SIG_IGN);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, send, NULL), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect(1);
}

/* Somebody who installs a handler during the trial keeps it. */
Test(guard, leaves_a_new_handler)
{
	struct sigaction theirs = {.sa_handler = own_handler}, after;

	cr_assert_eq(fsgs_guard_enter(), 0);
	sigaction(SIGILL, &theirs, NULL);
	fsgs_guard_leave();
	sigaction(SIGILL, NULL, &after);
	cr_expect_eq(after.sa_handler, own_handler);
}

/* Somebody who saved ours during a trial and puts it back after it gets what was behind it. */
Test(guard, serves_after_the_trial)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO}, ours;
	struct fsgs_leaf io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	sigaction(SIGILL, NULL, &ours);
	fsgs_guard_leave();
	sigaction(SIGILL, &ours, NULL);
	__asm__ volatile("ud2");
	cr_expect_eq(atomic_load(&seen), 1);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		cr_expect_eq(fault(&io), 1);
		fsgs_guard_leave();
	}
	__asm__ volatile("ud2");
	cr_expect_eq(atomic_load(&seen), 2);
}

/* A child that another thread forks during a trial has its own handlers, and can try. */
static void *fork_and_try(void *argument)
{
	int *const status = argument;
	const pid_t child = fork();

	if (child == 0) {
		struct fsgs_leaf io = {0};
		struct sigaction action;

		sigaction(SIGILL, NULL, &action);
		if (action.sa_handler != own_handler)
			_exit(1);
		alarm(5);
		_exit(fsgs_guard_enter() == 0 && fault(&io) == 1 ? 0 : 2);
	}
	waitpid(child, status, 0);
	return NULL;
}

Test(guard, fork_in_another_thread)
{
	pthread_t thread;
	int status = -1;

	signal(SIGILL, own_handler);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, fork_and_try, &status), 0);
	usleep(100000); /* it waits for us in fork() */
	fsgs_guard_leave();
	pthread_join(thread, NULL);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

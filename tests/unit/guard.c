/* SPDX-License-Identifier: MIT */
/* The guard: what it catches, what it passes on, and that nothing is left changed. */
#include <criterion/criterion.h>

#include <errno.h>
#include <immintrin.h>
#include <linux/guard.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "filter.h"

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

static int fault(struct fsgs_stub *io)
{
	return fsgs_guard_run(NULL, fsgs_stub_undefined, io);
}

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

/* Delivery of a signal resets the floating-point control words; only sigreturn gives them back. */
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

static void own_handler(int sig)
{
	(void)sig;
}

/* SIGILL blocked would kill; ignored and handled must come back as they were. */
Test(guard, restores_any_action_and_mask)
{
	struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_RESTART | SA_NODEFER};
	struct fsgs_stub io = {0};
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
	struct fsgs_stub io = {0};

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
	struct fsgs_stub io = {0};
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
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	cr_expect_eq(fault(&io), 1, "and it is not taken for the stub's");
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

	/* What the kernel gives, then what we give. The thread inherits the mask before the
	 * guard's. */
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
	struct fsgs_stub io = {0};

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

/* One that kill(2) sent to a process that has it blocked everywhere, met by a thread that is not
 * the first: the kernel lets only a thread of that id repeat it. */
static void *try_once(void *argument)
{
	struct fsgs_stub io = {0};

	cr_assert_eq(fsgs_guard_enter(), 0);
	*(int *)argument = fault(&io);
	fsgs_guard_leave();
	return NULL;
}

Test(guard, a_killed_signal_stays_pending_for_the_process)
{
	const struct timespec now = {0, 0};
	int caught_it = 0, status;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	const pid_t sender = fork();

	if (sender == 0)
		_exit(kill(getppid(), SIGILL));
	cr_assert_eq(waitpid(sender, &status, 0), sender);
	cr_assert_eq(pthread_create(&thread, NULL, try_once, &caught_it), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(caught_it, 1);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_code, SI_USER);
	cr_expect_eq(info.si_pid, sender);
}

/* A thread and its process can each have the same signal pending. */
Test(guard, both_pending_signals_stay_pending)
{
	const struct timespec now = {0, 0};
	union sigval value = {.sival_int = 42};
	int caught_it;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigqueue(getpid(), SIGILL, value);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	try_once(&caught_it);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_value.sival_int, 42);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1);
}

/* Not blocked, they arrive one after the other. */
Test(guard, each_sent_signal_reaches_its_handler)
{
	struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	for (int i = 0; i < 3; i++)
		kill(getpid(), SIGILL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&seen), 4);
}

/* More than can be put aside coalesce, as pending ones do in the kernel. */
Test(guard, many_sent_signals_coalesce)
{
	struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	for (int i = 0; i < 10; i++)
		kill(getpid(), SIGILL);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&seen), 4);
}

/* Somebody who installs a handler during a trial, saves ours, and passes on to it what he does not
 * want: it must not come back to him, however many trials later. */
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
	cr_expect_eq(fault(&io), 1, "our own fault comes to us through the chain");
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

/* Some handlers tell the interrupted code by errno what has happened. */
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

/* The owner's handler runs on the stack that it asked for. */
static char alternate[65536];
static atomic_int on_alternate;

static void look_at_stack(int sig, siginfo_t *info, void *context)
{
	const char here = 0;
	const uintptr_t at = (uintptr_t)&here;

	atomic_store(&on_alternate, at - (uintptr_t)alternate < sizeof alternate);
	skip(sig, info, context);
}

static void *genuine_with_stack(void *argument)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	sigaltstack(&stack, NULL);
	genuine(argument);
	/* Some tools release what they find when a thread ends. */
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

/* A handler that runs inside this thread's own trial is told so. */
static int inner;

static void try_in_handler(int sig)
{
	(void)sig;
	inner = fsgs_guard_enter();
	if (inner == 0)
		fsgs_guard_leave();
}

Test(guard, a_trial_inside_a_trial_is_refused)
{
	struct fsgs_stub io = {0};

	signal(SIGTRAP, try_in_handler);
	cr_assert_eq(fsgs_guard_enter(), 0);
	raise(SIGTRAP);
	cr_expect_eq(inner, -EDEADLK);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	inner = 1;
	raise(SIGTRAP);
	cr_expect_eq(inner, 0);
}

/* Other people's handlers of fork() may ask. */
static int in_prepare = -1, in_child = -1, in_parent = -1;

static int ask(void)
{
	struct fsgs_stub io = {0};
	int answer;

	if (fsgs_guard_enter())
		return -1;
	answer = fault(&io);
	fsgs_guard_leave();
	return answer;
}

static void ask_before(void)
{
	in_prepare = ask();
}

static void ask_in_parent(void)
{
	in_parent = ask();
}

static void ask_in_child(void)
{
	in_child = ask();
}

Test(guard, handlers_of_fork_may_try)
{
	int status;

	/* Registered before ours: runs in the child while nothing there has been put right. */
	pthread_atfork(ask_before, ask_in_parent, ask_in_child);
	cr_expect_eq(ask(), 1);

	const pid_t child = fork();

	if (child == 0)
		_exit(in_child == 1 && ask() == 1 ? 0 : 1);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	cr_expect_eq(in_prepare, 1);
	cr_expect_eq(in_parent, 1);
	cr_expect_eq(ask(), 1);
}

/* One of them takes a lock, which a thread has that asks meanwhile. */
static pthread_mutex_t theirs = PTHREAD_MUTEX_INITIALIZER;

static void take_theirs(void)
{
	pthread_mutex_lock(&theirs);
}

static void give_theirs(void)
{
	pthread_mutex_unlock(&theirs);
}

static void *ask_with_their_lock(void *argument)
{
	while (!atomic_load((atomic_int *)argument)) {
		take_theirs();
		cr_expect_eq(ask(), 1);
		give_theirs();
		usleep(100);
	}
	return NULL;
}

Test(guard, fork_takes_no_lock)
{
	atomic_int stop = 0;
	pthread_t thread;

	alarm(120);
	pthread_atfork(take_theirs, give_theirs, give_theirs);
	cr_assert_eq(pthread_create(&thread, NULL, ask_with_their_lock, &stop), 0);
	for (int i = 0; i < 100; i++) {
		const pid_t child = fork();

		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
}

/* A child made in the middle of another thread's trial: its signals are its own, it may try, and
 * then its actions are its own. */
static void *child_in_a_trial(void *argument)
{
	int *const way = argument;
	const long child = *way ? fork() : syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);

	if (child == 0) {
		struct fsgs_stub io = {0};
		struct sigaction action;

		alarm(10);
		__asm__ volatile("ud2");
		if (atomic_load(&seen) != 1 || fsgs_guard_enter() || fault(&io) != 1)
			_exit(1);
		fsgs_guard_leave();
		__asm__ volatile("ud2");
		sigaction(SIGILL, NULL, &action);
		_exit(atomic_load(&seen) == 2 && action.sa_sigaction == skip ? 0 : 2);
	}
	waitpid((pid_t)child, argument, 0);
	return NULL;
}

static void makes_a_child(int way)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
	pthread_t thread;
	int status = way;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, child_in_a_trial, &status), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

Test(guard, a_bare_clone_is_sane)
{
	makes_a_child(0);
}

Test(guard, fork_in_another_thread)
{
	makes_a_child(1);
}

/* An action with SA_RESETHAND that has had its one signal is the default action in a child, too. */
static void *child_after_resethand(void *argument)
{
	struct sigaction now;

	in_another_thread();

	const pid_t child = fork();

	if (child == 0) {
		if (fsgs_guard_enter())
			_exit(1);
		fsgs_guard_leave();
		sigaction(SIGILL, NULL, &now);
		_exit(now.sa_handler == SIG_DFL ? 0 : 2);
	}
	waitpid(child, argument, 0);
	return NULL;
}

Test(guard, resethand_stays_spent_in_a_child)
{
	struct sigaction action = {.sa_sigaction = skip,
				   .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
	pthread_t thread;
	int status = -1;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, child_after_resethand, &status), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

/* A handler jumps out of a trial and takes the lock along: others get an answer in the end, and at
 * once when one of them has waited in vain. */
static sigjmp_buf out_of_trial;

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(out_of_trial, 1);
}

static void *enter_and_leave(void *argument)
{
	*(int *)argument = fsgs_guard_enter();
	if (*(int *)argument == 0)
		fsgs_guard_leave();
	return NULL;
}

Test(guard, a_lock_that_is_not_given_back_is_waited_for_once)
{
	struct timespec begun, ended;

	signal(SIGTRAP, jump_out);
	if (sigsetjmp(out_of_trial, 1) == 0) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		raise(SIGTRAP);
	}
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		int error = 0;

		clock_gettime(CLOCK_MONOTONIC, &begun);
		cr_assert_eq(pthread_create(&thread, NULL, enter_and_leave, &error), 0);
		pthread_join(thread, NULL);
		clock_gettime(CLOCK_MONOTONIC, &ended);
		cr_expect_eq(error, -EDEADLK);
	}
	cr_expect_leq(ended.tv_sec - begun.tv_sec, 4, "the second waited as long");
}

/* A thread that ends inside a trial takes the lock along, too, and is seen to be dead. */
static void end_thread(int sig)
{
	(void)sig;
	syscall(SYS_exit, 0);
}

static void *end_in_trial(void *argument)
{
	cr_assert_eq(fsgs_guard_enter(), 0);
	*(atomic_int *)argument = 1;
	raise(SIGTRAP);
	return NULL;
}

Test(guard, a_dead_owner_loses_the_lock)
{
	atomic_int entered = 0;
	pthread_t thread;

	alarm(10);
	signal(SIGTRAP, end_thread);
	cr_assert_eq(pthread_create(&thread, NULL, end_in_trial, &entered), 0);
	while (!atomic_load(&entered))
		usleep(1000);
	cr_expect_eq(ask(), 1);
}

/* One that shares the memory, and so the lock, of another process must not wait for it: who has it
 * may never go on. */
static int ask_beside(void *answer)
{
	*(int *)answer = fsgs_guard_enter();
	return 0;
}

static void *clone_with_memory(void *answer)
{
	static _Alignas(16) char stack[65536];
	const int child =
		clone(ask_beside, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, answer);

	waitpid(child, NULL, 0);
	return NULL;
}

Test(guard, a_process_in_the_same_memory_keeps_away)
{
	struct fsgs_stub io = {0};
	int answer = 0;
	pthread_t thread;

	alarm(10);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, clone_with_memory, &answer), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(answer, -EDEADLK);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(ask(), 1);
}

/* Threads whose first trials begin together, in processes that have not tried yet. */
static void *ask_together(void *together)
{
	pthread_barrier_wait(together);
	return ask() == 1 ? NULL : together;
}

static int all_ask(void)
{
	pthread_barrier_t together;
	pthread_t threads[4];
	int refused = 0;

	pthread_barrier_init(&together, NULL, 4);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, ask_together, &together))
			return -1;
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		refused += result != NULL;
	}
	return refused;
}

Test(guard, first_trials_take_turns)
{
	for (int i = 0; i < 50; i++) {
		const pid_t child = fork();
		int status = -1;

		if (child == 0) {
			alarm(20);
			_exit(all_ask());
		}
		waitpid(child, &status, 0);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	}
}

/* A crash handler that forks to write its report, in the trying thread. */
static void fork_in_handler(int sig)
{
	const pid_t child = fork();

	(void)sig;
	if (child == 0)
		_exit(0);
	waitpid(child, &inner, 0);
}

Test(guard, a_handler_inside_a_trial_may_fork)
{
	struct fsgs_stub io = {0};

	signal(SIGTRAP, fork_in_handler);
	inner = -1;
	alarm(10);
	cr_assert_eq(fsgs_guard_enter(), 0);
	raise(SIGTRAP);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(inner, 0);
	cr_expect_eq(ask(), 1);
}

/* And whose child goes on: the trial goes on there, too. */
static int forked_into = -1;

static void fork_and_return(int sig)
{
	(void)sig;
	forked_into = fork();
}

Test(guard, a_trial_goes_on_in_a_child)
{
	struct fsgs_stub io = {0};
	int status = -1;

	signal(SIGTRAP, fork_and_return);
	alarm(10);
	cr_assert_eq(fsgs_guard_enter(), 0);
	raise(SIGTRAP);
	const int caught_it = fault(&io);
	fsgs_guard_leave();
	if (forked_into == 0)
		_exit(caught_it == 1 && ask() == 1 ? 0 : 1);
	cr_expect_eq(caught_it, 1);
	cr_assert_eq(waitpid(forked_into, &status, 0), forked_into);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

/* What was queued to this thread alone stays so, though others would take it. */
static void *take_whatever_comes(void *argument)
{
	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	atomic_store((atomic_int *)argument, 1);
	while (atomic_load((atomic_int *)argument) == 1)
		usleep(1000);
	return NULL;
}

Test(guard, a_signal_queued_to_a_thread_stays_pending_there)
{
	const struct timespec moment = {1, 0};
	struct fsgs_stub io = {0};
	atomic_int stage = 0;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;

	signal(SIGILL, own_handler);
	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, take_whatever_comes, &stage), 0);
	while (!atomic_load(&stage))
		usleep(1000);
	pthread_sigqueue(pthread_self(), SIGILL, (union sigval){.sival_int = 42});
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	usleep(50000); /* or this thread might be quicker */
	cr_expect_eq(sigtimedwait(&set, &info, &moment), SIGILL);
	cr_expect_eq(info.si_code, SI_QUEUE);
	cr_expect_eq(info.si_value.sival_int, 42);
	atomic_store(&stage, 2);
	pthread_join(thread, NULL);
}

/* Where it is not to be learned whose a signal is, it is still not lost. */
Test(guard, a_sandbox_may_hide_whose_a_signal_is)
{
	const struct timespec now = {0, 0};
	struct fsgs_stub io = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_sigqueue(pthread_self(), SIGILL, (union sigval){.sival_int = 42});
	filter_call(SYS_openat, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_value.sival_int, 42);
}

/* That memory went bad somewhere is no fault of a stub, although the kernel says it. */
static siginfo_t told;

static void note_info(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = *info;
}

Test(guard, puts_aside_news_of_bad_memory)
{
	struct sigaction action = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
	siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_MCEERR_AO};
	struct fsgs_stub io = {0};

	sigaction(SIGBUS, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info),
		     0);
	cr_expect_eq(told.si_signo, 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(told.si_signo, SIGBUS);
	cr_expect_eq(told.si_code, BUS_MCEERR_AO);
}

/* Who dispatches system calls knows where his handlers return to. */
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

/* More handlers than anybody has: no trial, nothing changed. */
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

/* Those of the signals before it are installed already. */
Test(guard, too_many_actions_of_a_later_signal)
{
	exhaust(SIGBUS);
}

/* The actions of some signals are exchanged when that of the next is refused. */
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

/* Where siginfo cannot be kept, the signal is. */
Test(guard, a_sandbox_may_refuse_siginfo)
{
	const struct timespec now = {0, 0};
	struct fsgs_stub io = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGILL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
	filter_call(SYS_rt_sigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	filter_call(SYS_rt_tgsigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	/* The thread's own is taken first. */
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGBUS);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1);
}

/* And it is for whom it was, whoever met it. */
Test(guard, a_sandbox_may_refuse_siginfo_for_the_process)
{
	const struct timespec now = {0, 0};
	pthread_t thread;
	siginfo_t info;
	sigset_t set;
	int caught_it = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGILL);
	filter_call(SYS_rt_sigqueueinfo, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	cr_assert_eq(pthread_create(&thread, NULL, try_once, &caught_it), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(caught_it, 1);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
}

/* It may refuse the mask that the trial needs, when the handlers are installed already: SIG_SETMASK
 * is not what takes the lock. What is blocked by then stays so: there is no call left to undo it.
 */
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

/* A fault of the trying thread that is not a stub's belongs to the owner, too. */
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

/* One that is sent to another thread arrives there, and at once. */
static atomic_long seen_by;

static void note_thread(int sig)
{
	(void)sig;
	atomic_store(&seen_by, syscall(SYS_gettid));
}

static void *send_and_look(void *argument)
{
	send(argument);
	*(int *)argument = atomic_load(&seen_by) == syscall(SYS_gettid);
	return NULL;
}

Test(guard, passes_on_another_threads_sent_signal)
{
	pthread_t thread;
	int arrived = 0;

	signal(SIGILL, note_thread);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, send_and_look, &arrived), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect_eq(arrived, 1);
}

/* What the kernel has while the guard is entered. With raw calls: the C library shows neither all
 * of the flags nor the signals that it keeps for itself. */
struct kernel_action {
	uintptr_t action;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

#define OWNERS_FLAGS ((unsigned long)(SA_ONSTACK | SA_RESTART | SA_NODEFER))

/* All but SIGSYS, SIGTRAP, and those that a write barrier lives by; and what the kernel itself
 * leaves out. */
static const uint64_t exchanging =
	~(BIT(SIGSYS) | BIT(SIGTRAP) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGKILL) | BIT(SIGSTOP));
/* During the trial. */
static const uint64_t trying = ~(BIT(SIGILL) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGSYS) |
				 BIT(SIGTRAP) | BIT(SIGKILL) | BIT(SIGSTOP));

static void expect_in_kernel(int sig, unsigned long flags, uint64_t mask)
{
	struct kernel_action now = {0}; /* for tools that do not see what the kernel writes */

	cr_assert_eq(syscall(SYS_rt_sigaction, sig, NULL, &now, sizeof now.mask), 0);
	cr_expect(now.action > 1, "no handler of signal %d", sig);
	cr_expect(now.flags & SA_SIGINFO, "flags %#lx of signal %d", now.flags, sig);
	cr_expect_eq(now.flags & (OWNERS_FLAGS | SA_RESETHAND), flags, "flags %#lx of signal %d",
		     now.flags, sig);
	cr_expect_eq(now.mask, mask, "mask %#lx of signal %d", (unsigned long)now.mask, sig);
}

/* Without a handler, the library's own holds back everything, interrupts no system call, and uses
 * the stack that runtimes have for handlers. */
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

/* With one, it runs as that one would: by its flags and its mask, whatever they are. */
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

			/* The restorer is the C library's affair, the rest ours. */
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

/* Nothing may interrupt a stub but its faults, and what a debugger or a sandbox lives by: SIGTRAP
 * as the caller has it, SIGSYS as one of the four. */
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

/* A sandbox serves system calls by SIGSYS. Those that are not the trial's own are its affair, in
 * the trying thread, too. */
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

/* Two were put aside, and the handler of the first never returns. */
static sigjmp_buf way_out;

static void leave(int sig)
{
	(void)sig;
	siglongjmp(way_out, 1);
}

Test(guard, a_handler_may_leave_with_another_signal_to_come)
{
	struct sigaction first = {.sa_handler = leave};
	struct sigaction second = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	/* So that the first is the first. */
	sigaddset(&first.sa_mask, SIGBUS);
	sigaction(SIGILL, &first, NULL);
	sigaction(SIGBUS, &second, NULL);

	const struct state before = look();

	if (sigsetjmp(way_out, 1) == 0) {
		cr_assert_eq(fsgs_guard_enter(), 0);
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
		fault(&io);
		fsgs_guard_leave();
		cr_assert_fail("the first one did not come");
	}
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_eq(atomic_load(&code), SI_TKILL);
	expect_same(&before);
	cr_expect_eq(ask(), 1);
}

/* The first process of a container: the kernel keeps the default action from ending it, where it is
 * another of the container that sends. So must the library, which stands in for that action. */
static atomic_long turns;
static atomic_long other_thread;

static void *turn(void *argument)
{
	atomic_store(&other_thread, syscall(SYS_gettid));
	for (;;) {
		atomic_fetch_add(&turns, 1);
		sched_yield();
	}
	return argument;
}

static void wait_for_turns(long number)
{
	const long begun = atomic_load(&turns);

	while (atomic_load(&turns) < begun + number)
		sched_yield();
}

static int as_first_process(void)
{
	int go[2], status = -1;
	pthread_t thread;
	char byte = 0;

	if (getpid() != 1 || pipe(go) || pthread_create(&thread, NULL, turn, NULL))
		return 2;
	wait_for_turns(1);

	const pid_t sender = fork();

	if (sender == 0)
		_exit(read(go[0], &byte, 1) != 1 ||
		      syscall(SYS_tgkill, getppid(), atomic_load(&other_thread), SIGILL));
	if (fsgs_guard_enter())
		return 3;
	if (write(go[1], &byte, 1) != 1 || waitpid(sender, &status, 0) != sender || status)
		return 4;
	/* It has been back in the kernel since, and so has had the signal. */
	wait_for_turns(2);

	struct fsgs_stub io = {0};
	const int caught_it = fault(&io);

	fsgs_guard_leave();
	return caught_it == 1 ? 0 : 5;
}

Test(guard, the_first_process_outlives_what_its_container_sends)
{
	const pid_t outside = fork();
	int status = -1;

	if (outside == 0) {
		if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(77);

		const pid_t first = fork();

		if (first == 0)
			_exit(as_first_process());
		if (first < 0 || waitpid(first, &status, 0) != first)
			_exit(78);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	cr_assert_eq(waitpid(outside, &status, 0), outside);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no namespaces of process ids here");
	cr_expect_eq(status, 0, "status %#x", status);
}

/* SPDX-License-Identifier: MIT */
/* Children that a process makes before, during and after a trial. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trying.h"

/* The results of trials in handlers that the caller registered for fork(). */
static int in_prepare = -1, in_child = -1, in_parent = -1;

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

	/* The library must be ready in a child from the beginning. The handlers are registered
	 * before the first trial. So in the child, they run before any handler that a trial could
	 * register. */
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

/* A handler of fork() takes a lock that another thread holds during its trial. If fork() also took
 * the library's lock, the two threads could wait for each other. */
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

/* Makes a child by fork() or by a bare clone, while another thread runs a trial. The child handles
 * its own signals, may run a trial, and then has its own actions again. */
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

/* Calls `make` in another thread, while this thread runs a trial. */
static void makes_a_child(void *(*make)(void *), int flags, int way)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO | flags};
	pthread_t thread;
	int status = way;

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, make, &status), 0);
	pthread_join(thread, NULL);
	fsgs_guard_leave();
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

Test(guard, a_bare_clone_is_sane)
{
	makes_a_child(child_in_a_trial, 0, 0);
}

Test(guard, fork_in_another_thread)
{
	makes_a_child(child_in_a_trial, 0, 1);
}

/* A handler with SA_RESETHAND has run once, during the trial. A child that is forked after that
 * must have the default action. */
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
	makes_a_child(child_after_resethand, (int)SA_RESETHAND, -1);
}

/* A crash handler forks to write its report. It runs in the thread that runs the trial. */
static volatile int reported = -1;

static void fork_in_handler(int sig)
{
	const pid_t child = fork();
	int status = -1;

	(void)sig;
	if (child == 0)
		_exit(0);
	waitpid(child, &status, 0);
	reported = status;
}

Test(guard, a_handler_inside_a_trial_may_fork)
{
	struct fsgs_stub io = {0};

	signal(SIGTRAP, fork_in_handler);
	alarm(10);
	cr_assert_eq(fsgs_guard_enter(), 0);
	raise(SIGTRAP);
	cr_expect_eq(fault(&io), 1);
	fsgs_guard_leave();
	cr_expect_eq(reported, 0);
	cr_expect_eq(ask(), 1);
}

/* A handler forks and returns in both processes. The trial goes on in both. */
static volatile int forked_into = -1;

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

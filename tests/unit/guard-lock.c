/* SPDX-License-Identifier: MIT */
/* The guard's lock: trials that are nested, concurrent, or never end. */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trying.h"

#include <linux/lock.h>

/* A handler runs inside a trial of its own thread. The handler's own trial must be refused. `inner`
 * is volatile, because the C library declares raise() as a leaf function, so the compiler assumes
 * that raise() runs no code of this file. */
static volatile int inner;

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

/* A handler jumps out of a trial and never releases the lock. Another thread then waits 10 s and
 * gives up. Later threads give up at once. */
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

/* The test stores an owner without counting a turn, as if the first owner had been interrupted
 * after it took the lock. A waiter must still wait. */
Test(guard, a_first_owner_that_is_slow_is_waited_for)
{
	pthread_t thread;
	int error = 1;

	atomic_store(&fsgs_process.owner, (uint64_t)getpid() << 32 | (uint32_t)syscall(SYS_gettid));
	cr_assert_eq(pthread_create(&thread, NULL, enter_and_leave, &error), 0);
	usleep(100000);
	atomic_store(&fsgs_process.owner, 0);
	pthread_join(thread, NULL);
	cr_expect_eq(error, 0, "%d", error);
}

static atomic_int waiter;

static void ignore(int sig)
{
	(void)sig;
}

static void *wait_by_name(void *argument)
{
	atomic_store(&waiter, (int)syscall(SYS_gettid));
	return enter_and_leave(argument);
}

/* A signal ends a sleep of the waiter early. Even many signals must not make it give up before its
 * 10 s are over. */
Test(guard, signals_do_not_shorten_the_wait)
{
	pthread_t thread;
	int error = 1;

	signal(SIGTRAP, ignore);
	cr_assert_eq(fsgs_guard_enter(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_by_name, &error), 0);
	while (!atomic_load(&waiter))
		usleep(1000);
	for (int i = 0; i < 5000; i++) {
		syscall(SYS_tgkill, getpid(), atomic_load(&waiter), SIGTRAP);
		usleep(1);
	}
	fsgs_guard_leave();
	pthread_join(thread, NULL);
	cr_expect_eq(error, 0, "%d", error);
}

static void end_thread(int sig)
{
	(void)sig;
	syscall(SYS_exit, 0);
}

/* A thread that ends inside a trial never releases the lock. A waiter must detect that the owner is
 * dead. */
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

/* A process that shares the memory of another process shares the lock, too. It must soon give up,
 * because the thread that holds the lock may be waiting for this process. */
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

/* Several threads begin a trial at the same time, in a process that has run no trial yet. Each must
 * get its trial. */
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

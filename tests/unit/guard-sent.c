/* SPDX-License-Identifier: MIT */
/* Signals that are sent: a pending signal stays pending, and a signal that is sent during a trial
 * is delivered after it. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trying.h"

/* A signal that was pending before a trial is still pending after it, with its siginfo. */
Test(guard, a_blocked_signal_stays_pending)
{
	const struct timespec now = {0, 0};
	union sigval value = {.sival_int = 42};
	siginfo_t info;
	sigset_t set;

	set = block(BIT(SIGILL) | BIT(SIGBUS));
	sigqueue(getpid(), SIGILL, value);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);

	cr_assert_eq(ask(), 1);

	/* The kernel delivers the thread's pending signals before those of the process. */
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGBUS);
	cr_expect_eq(info.si_code, SI_USER, "as sigtimedwait() shows SI_TKILL");
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_code, SI_QUEUE);
	cr_expect_eq(info.si_value.sival_int, 42);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1, "each of them once");
}

/* A signal that is sent to the trying thread reaches the program's handler after the trial. */
Test(guard, a_sent_signal_reaches_its_handler)
{
	struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	sigaction(SIGILL, &action, NULL);
	cr_assert_eq(fsgs_guard_enter(), 0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	cr_expect_eq(fault(&io), 1, "the sent signal is not taken for the stub's fault");
	cr_expect_eq(atomic_load(&seen), 0, "not while the bases may be foreign");
	fsgs_guard_leave();
	cr_expect_eq(atomic_load(&seen), 1);
	cr_expect_eq(atomic_load(&code), SI_TKILL);
}

/* A signal with the action SIG_IGN stays ignored if another thread sends it to itself during a
 * trial. */
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

/* All threads of the process block the signal that kill() sends. A thread other than the first runs
 * a trial, holds the signal back, and sends it to the process again by rt_sigqueueinfo(). With the
 * siginfo of kill(), the kernel accepts only the calling thread's own id as the target, and the
 * process id is that of the first thread. */
Test(guard, a_killed_signal_stays_pending_for_the_process)
{
	const struct timespec now = {0, 0};
	int caught_it = 0, status;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;

	set = block(BIT(SIGILL));

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

/* A thread and its process can each have the same signal pending. Both must still be pending after
 * a trial. */
Test(guard, both_pending_signals_stay_pending)
{
	const struct timespec now = {0, 0};
	union sigval value = {.sival_int = 42};
	int caught_it;
	siginfo_t info;
	sigset_t set;

	set = block(BIT(SIGILL));
	sigqueue(getpid(), SIGILL, value);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGILL);
	try_once(&caught_it);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(sigtimedwait(&set, &info, &now), SIGILL);
	cr_expect_eq(info.si_value.sival_int, 42);
	cr_expect_eq(sigtimedwait(&set, &info, &now), -1);
}

/* Each of four signals that are sent during a trial is delivered after it. */
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

/* If more signals arrive than can be held back, they coalesce, as pending signals do in the
 * kernel. */
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

/* A thread that blocks no signal. It sets `*argument` to 1, and ends when another thread changes
 * that. */
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

/* A signal that is queued to the test's thread stays with that thread, although another thread does
 * not block the signal. */
Test(guard, a_signal_queued_to_a_thread_stays_pending_there)
{
	const struct timespec moment = {1, 0};
	atomic_int stage = 0;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;

	signal(SIGILL, own_handler);
	set = block(BIT(SIGILL));
	cr_assert_eq(pthread_create(&thread, NULL, take_whatever_comes, &stage), 0);
	while (!atomic_load(&stage))
		usleep(1000);
	pthread_sigqueue(pthread_self(), SIGILL, (union sigval){.sival_int = 42});
	cr_assert_eq(ask(), 1);
	usleep(50000); /* gives the other thread time to take the signal */
	cr_expect_eq(sigtimedwait(&set, &info, &moment), SIGILL);
	cr_expect_eq(info.si_code, SI_QUEUE);
	cr_expect_eq(info.si_value.sival_int, 42);
	atomic_store(&stage, 2);
	pthread_join(thread, NULL);
}

/* BUS_MCEERR_AO reports bad memory that no instruction has touched, so it is not a fault of a stub.
 * The guard must hold it back. */
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

/* A signal that is sent to another thread during a trial arrives there at once. */
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

/* Two signals were held back, and the handler of the first one never returns. The second signal
 * must still arrive. */
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

	/* The handler of SIGILL blocks SIGBUS. Otherwise the handler of SIGBUS would run first. */
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

/* The handler of a held-back signal runs with the mask that the thread had before the trial, plus
 * the signal itself. Each signal that the guard catches is tried. */
static uint64_t mask_in_handler;

static void note_mask(int sig)
{
	(void)sig;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask_in_handler, sizeof mask_in_handler);
}

Test(guard, a_held_back_signal_has_its_threads_mask)
{
	for (size_t i = 0; i < CAUGHT; i++) {
		const uint64_t expected = look().mask | BIT(caught[i]);

		signal(caught[i], note_mask);
		mask_in_handler = 0;
		cr_assert_eq(fsgs_guard_enter(), 0);
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), caught[i]);
		cr_expect_eq(mask_in_handler, 0, "signal %d during the trial", caught[i]);
		fsgs_guard_leave();
		cr_expect_eq(mask_in_handler, expected, "mask %#lx in the handler of %d",
			     (unsigned long)mask_in_handler, caught[i]);
	}
}

/* The kernel protects the first process of a container from the default action of signals that
 * other processes of the container send. During a trial, the library's handler replaces the default
 * action, so it must protect the process, too. */
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
	/* After two more turns, the other thread has received the signal in the library's handler,
	 * and has returned from it. */
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

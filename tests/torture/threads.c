/* SPDX-License-Identifier: MIT */
/*
 * 64 threads (8 under slow tools) check at the same time. Other threads raise genuine faults, send
 * signals and wait for signals in several ways, replace handlers, fork, spawn and end. Every signal
 * must reach its owner exactly once, with its siginfo intact. Every check must give the same
 * answer, and must leave the state of its thread unchanged.
 *
 * A sender sends its next signal only after the last one has arrived. The kernel would merge two
 * pending signals of the same number, so they could not be counted.
 *
 * With TORTURE_UNDEFINED the four instructions are replaced by UD2, as in tests/bench/failing.c. So
 * each check recovers from at least four faults. Without TORTURE_UNDEFINED, checks on a sound
 * machine do not fault.
 */
#include "neighbours.h"
#include "torture.h"

#include <errno.h>
#include <fsgscheck.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <ucontext.h>

#ifdef TORTURE_UNDEFINED
#include <core/stubs.h>
#include <linux/guard.h>

/* The linker's --wrap redirects the calls of fsgs_guard_run(), also those in the library, to
 * __wrap_fsgs_guard_run(). */
int __real_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);
int __wrap_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

static atomic_long recovered;

int __wrap_fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	int faulted;

	if (stub == fsgs_stub_cpuid)
		return __real_fsgs_guard_run(context, stub, io);
	io->step = FSGS_STEP_SAVE;
	faulted = __real_fsgs_guard_run(context, fsgs_stub_undefined, io);
	atomic_fetch_add(&recovered, faulted && io->fault == SIGILL);
	return faulted;
}
#endif

#define CHECKERS    (SLOW_TOOL ? 8 : 64)
#define PATIENCE    60.0 /* seconds; a signal that takes longer counts as lost */
#define TOKEN       0x746f7274L
#define GUARD_PAGES 16

/* The sources of signals. Each has at most one signal in flight. */
enum source {
	GENUINE_ILL,
	GENUINE_ILL_2,
	GENUINE_SEGV,
	GENUINE_SEGV_2,
	QUEUED_TO_THREAD,
	QUEUED_TO_PROCESS,
	KILLED_BY_CHILD,
	WAITED_FOR,
	WAITED_FOR_KILLED,
	READ_FROM_FD,
	SOURCES
};

static const char *const source_names[SOURCES] = {
	"genuine SIGILL",
	"genuine SIGILL, second thread",
	"genuine SIGSEGV",
	"genuine SIGSEGV, second thread",
	"SIGILL queued to a thread",
	"SIGILL queued to the process",
	"SIGILL by kill() of a child",
	"SIGBUS for sigwaitinfo",
	"SIGBUS for sigwaitinfo, by kill()",
	"SIGSYS for a signalfd",
};

static struct {
	atomic_long sent, received;
	atomic_int expected; /* process id of the child that sends by kill() */
} sources[SOURCES];

/* The handlers of the process for SIGILL and SIGSEGV, which change from phase to phase. */
enum phase {
	WITH_INFO,
	PLAIN, /* without SA_SIGINFO; the handler leaves by siglongjmp() */
	ON_STACK,
	NO_DEFER,
	RESET_HAND,
	IGNORED,
	REPLACED, /* a thread installs two handlers in turn, all the time */
	CHAINED,  /* a thread installs a handler that calls the previous handler */
	PHASES
};

static const char *const phase_names[PHASES] = {"SA_SIGINFO", "no SA_SIGINFO", "SA_ONSTACK",
						"SA_NODEFER", "SA_RESETHAND",  "ignored",
						"replaced",   "chained"};

static atomic_int phase, stop, all_sent, checks_done, stale;
static atomic_long arrived_in[PHASES];
static int stays;
static atomic_long checks, forks, spawns, vforks, threads, replacements, chained;
static pthread_rwlock_t phase_lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static struct fsgs_report reference, full_reference;
static unsigned char *wall; /* inaccessible pages */

static _Thread_local sigjmp_buf way_out;
static _Thread_local volatile int source_here = -1;
static _Thread_local volatile int installed_here, at_once_here;
static _Thread_local int holds;

static void arrived(int source)
{
	const long n = atomic_fetch_add(&sources[source].received, 1) + 1;

	atomic_fetch_add(&arrived_in[atomic_load(&phase)], 1);
	/* This test can miss a second arrival, because the sender may already have sent its next
	 * signal. */
	EXPECT(n <= atomic_load(&sources[source].sent), "%s arrived twice (%ld)",
	       source_names[source], n);
}

static void wait_for(int source)
{
	const double start = torture_now();

	while (atomic_load(&sources[source].received) < atomic_load(&sources[source].sent)) {
		sched_yield();
		if (torture_now() - start > PATIENCE) {
			EXPECT(0, "%s lost in phase %s", source_names[source],
			       phase_names[atomic_load(&phase)]);
			exit(1);
		}
	}
}

/* Defines a handler that first serves the write barrier. The library may store a held-back signal
 * while its thread has a foreign FS base, and that store may fault. So the handler of such a fault
 * must not use thread-local storage. */
#define BEHIND_BARRIER(name)                                               \
	static void name##_other(int sig, siginfo_t *info, void *context); \
	static void name(int sig, siginfo_t *info, void *context)          \
	{                                                                  \
		if (sig != SIGSEGV || !neighbours_serve(info))             \
			name##_other(sig, info, context);                  \
	}                                                                  \
	__attribute__((noinline)) static void name##_other(int sig, siginfo_t *info, void *context)

static void check_mask(void)
{
	sigset_t mask;

	/* While a handler runs, SIGUSR2 is blocked, because it is in sa_mask of each action. */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	EXPECT(sigismember(&mask, SIGUSR2), "a handler without its mask");
}

BEHIND_BARRIER(received)
{
	greg_t *const regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const int error = errno;

	check_mask();
	if (info->si_code == SI_QUEUE) {
		const int source = info->si_value.sival_int;

		EXPECT(sig == SIGILL && info->si_pid == getpid(), "siginfo of a queued signal");
		EXPECT(source == QUEUED_TO_THREAD || source == QUEUED_TO_PROCESS, "value %d",
		       source);
		arrived(source);
	} else if (info->si_code == SI_USER) {
		EXPECT(sig == SIGILL &&
			       info->si_pid == atomic_load(&sources[KILLED_BY_CHILD].expected),
		       "siginfo of kill(): pid %d", info->si_pid);
		arrived(KILLED_BY_CHILD);
	} else if (sig == SIGILL) {
		EXPECT(info->si_code == ILL_ILLOPN, "si_code %d", info->si_code);
		EXPECT((greg_t)(uintptr_t)info->si_addr == regs[REG_RIP] && regs[REG_RBX] == TOKEN,
		       "SIGILL not from our UD2");
		regs[REG_RIP] += 2;
		arrived(source_here);
	} else {
		EXPECT(info->si_code == SEGV_ACCERR, "si_code %d", info->si_code);
		EXPECT(info->si_addr == wall + 4096 * source_here && regs[REG_RBX] == TOKEN,
		       "SIGSEGV not from our load");
		regs[REG_RIP] += 2; /* the length of movb (%rax), %al */
		arrived(source_here);
	}
	errno = error;
}

static void received_plain(int sig)
{
	check_mask();
	if (source_here < 0) {
		EXPECT(0, "a plain handler for signal %d in a thread that raised none", sig);
		return;
	}
	arrived(source_here);
	siglongjmp(way_out, 1);
}

static char stacks[CHECKERS + 64][65536];
static atomic_int next_stack;
static _Thread_local char *stack_here;

static void take_stack(void)
{
	stack_here = stacks[atomic_fetch_add(&next_stack, 1)];

	const stack_t stack = {.ss_sp = stack_here, .ss_size = sizeof *stacks};

	EXPECT(sigaltstack(&stack, NULL) == 0, "sigaltstack");
}

BEHIND_BARRIER(received_on_stack)
{
	/* The frame's address shows which stack is in use. A local variable's address does not,
	 * because a sanitizer may put the variable elsewhere. */
	const uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	EXPECT(!stack_here || at - (uintptr_t)stack_here < sizeof *stacks,
	       "not on the alternate stack");
	received(sig, info, context);
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags};

	sigaddset(&action.sa_mask, SIGUSR2);
	EXPECT(sigaction(sig, &action, NULL) == 0, "sigaction");
}

/* Handles one signal and then installs itself again, as handlers of System V do. */
static void received_once(int sig, siginfo_t *info, void *context)
{
	received(sig, info, context);
	install(sig, received_once, (int)(SA_SIGINFO | SA_RESETHAND));
}

static void called_late(void)
{
	atomic_fetch_add(&stale, 1);
	EXPECT(at_once_here, "a handler that was replaced is still called");
}

BEHIND_BARRIER(received_first)
{
	if (sig == SIGSEGV && installed_here == 2)
		called_late();
	received(sig, info, context);
}

BEHIND_BARRIER(received_second)
{
	if (sig == SIGSEGV && installed_here == 1)
		called_late();
	received(sig, info, context);
}

/* Initially `received`, because a fault may come before chain_and_fault() has stored the handler
 * that it replaced. */
static void (*_Atomic behind_chain)(int, siginfo_t *, void *) = received;

BEHIND_BARRIER(received_by_chain)
{
	static _Thread_local int depth;

	atomic_fetch_add(&chained, 1);
	EXPECT(depth == 0, "a chain without an end");
	if (depth++ < 10)
		atomic_load (&behind_chain)(sig, info, context);
	depth--;
}

/* Waits until a new action is in effect. sigaction() cannot compare and exchange. So an action that
 * is installed while the library exchanges actions may take effect only after that exchange. A
 * check that begins now returns only after that exchange has ended. */
static void settle(void)
{
	struct fsgs_report r;

	EXPECT(fsgs_check(&r, sizeof r, 0) == 0 && r.verdict == reference.verdict, "verdict %u",
	       r.verdict);
}

static void set_phase(int next)
{
	static void (*const handlers[PHASES])(int, siginfo_t *, void *) = {
		received,      NULL, received_on_stack, received,
		received_once, NULL, received_first,    received,
	};
	static const int flags[PHASES] = {SA_SIGINFO,
					  0,
					  SA_SIGINFO | SA_ONSTACK,
					  SA_SIGINFO | SA_NODEFER,
					  (int)(SA_SIGINFO | SA_RESETHAND),
					  0,
					  SA_SIGINFO,
					  SA_SIGINFO};

	pthread_rwlock_wrlock(&phase_lock);
	for (int sig = SIGILL; sig; sig = sig == SIGILL ? SIGSEGV : 0) {
		if (handlers[next]) {
			install(sig, handlers[next], flags[next]);
		} else {
			struct sigaction action = {.sa_handler = next == PLAIN ? received_plain
									       : SIG_IGN};

			sigaddset(&action.sa_mask, SIGUSR2);
			sigaction(sig, &action, NULL);
		}
	}
	settle();
	atomic_store(&phase, next);
	pthread_rwlock_unlock(&phase_lock);
}

/* Prevents a change of phase until release_phase(). A thread may hold the phase several times.
 * Returns whether the handlers of this phase serve the write barrier. */
static bool hold_phase(void)
{
	if (holds++ == 0)
		pthread_rwlock_rdlock(&phase_lock);

	const int now = atomic_load(&phase);

	return now != PLAIN && now != IGNORED && now != RESET_HAND;
}

static bool on_alternate_stack(void)
{
	return atomic_load(&phase) == ON_STACK;
}

static void release_phase(void)
{
	if (--holds == 0)
		pthread_rwlock_unlock(&phase_lock);
}

/* --- Threads that raise faults --- */

static void raise_genuine(int source)
{
	source_here = source;
	atomic_fetch_add(&sources[source].sent, 1);
	if (sigsetjmp(way_out, 1) == 0) {
		if (source == GENUINE_ILL || source == GENUINE_ILL_2)
			__asm__ volatile("ud2" : : "b"(TOKEN) : "memory");
		else
			__asm__ volatile("movb (%0), %%al"
					 :
					 : "a"(wall + 4096 * source), "b"(TOKEN)
					 : "memory");
	}
	wait_for(source);
	source_here = -1;
}

/* In phase IGNORED no thread may fault, because any fault correctly ends the process. In phase
 * RESET_HAND, a second fault ends the process if it comes before the first fault's handler has
 * installed itself again. So only one thread raises each signal in that phase. */
static int may_raise(int source)
{
	const int now = atomic_load(&phase);

	return now != IGNORED &&
	       (now != RESET_HAND || source == GENUINE_ILL || source == GENUINE_SEGV);
}

static void *genuine(void *argument)
{
	const int source = (int)(intptr_t)argument;

	take_stack();
	while (!atomic_load(&stop)) {
		hold_phase();
		for (int i = 0; i < 20 && may_raise(source); i++) {
			raise_genuine(source);
			if (atomic_load(&phase) == RESET_HAND)
				settle();
		}
		release_phase();
		usleep(100);
	}
	return NULL;
}

static void queue(int source, int sig, int to_thread)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_signo = sig;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = source;
	if (to_thread)
		syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), sig, &info);
	else
		syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info);
}

/* A separate process sends the signal by kill(). */
static void kill_by_child(int source, int sig)
{
	int status = 0;
	int turn[2];
	char byte = 0;

	if (pipe(turn))
		return;

	const pid_t child = fork();

	if (child == 0) {
		close(turn[1]);
		_exit(read(turn[0], &byte, 1) == 1 ? kill(getppid(), sig) : 1);
	}
	atomic_store(&sources[source].expected, child);
	if (write(turn[1], &byte, 1) != 1 || child < 0)
		EXPECT(0, "no child: errno %d", errno);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	close(turn[0]);
	close(turn[1]);
}

/* Whether a SIGILL may be sent. In phase PLAIN, the handler cannot distinguish a sent signal from a
 * fault. In phase RESET_HAND, SIGILL ends the process if it comes before the handler has installed
 * itself again. */
static int may_send(void)
{
	const int now = atomic_load(&phase);

	return now != PLAIN && now != RESET_HAND;
}

static void *sender(void *argument)
{
	take_stack();
	while (!atomic_load(&stop)) {
		hold_phase();
		for (int i = 0; i < 21 && may_send(); i++) {
			const int source = i == 20 ? KILLED_BY_CHILD : QUEUED_TO_THREAD + i % 2;
			const int ignored = atomic_load(&phase) == IGNORED;

			if (!ignored)
				atomic_fetch_add(&sources[source].sent, 1);
			if (source == KILLED_BY_CHILD)
				kill_by_child(source, SIGILL);
			else
				queue(source, SIGILL, source == QUEUED_TO_THREAD);
			if (!ignored)
				wait_for(source);
		}
		release_phase();
		usleep(50);
	}
	return argument;
}

/* Every thread has blocked SIGBUS and SIGSYS, so these stay pending until waiter() or reader()
 * takes them. */
static void *waiter(void *argument)
{
	const struct timespec moment = {0, 50000000};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	while (!atomic_load(&all_sent)) {
		if (sigtimedwait(&set, &info, &moment) != SIGBUS)
			continue;
		if (info.si_code == SI_USER) {
			EXPECT(info.si_pid == atomic_load(&sources[WAITED_FOR_KILLED].expected),
			       "pid %d", info.si_pid);
			arrived(WAITED_FOR_KILLED);
		} else {
			EXPECT(info.si_code == SI_QUEUE && info.si_value.sival_int == WAITED_FOR,
			       "code %d", info.si_code);
			arrived(WAITED_FOR);
		}
	}
	return argument;
}

static void *reader(void *argument)
{
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);

	struct pollfd fd = {.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .events = POLLIN};

	while (!atomic_load(&all_sent)) {
		if (poll(&fd, 1, 50) != 1 || read(fd.fd, &info, sizeof info) != sizeof info)
			continue;
		EXPECT(info.ssi_signo == SIGSYS && info.ssi_code == SI_QUEUE &&
			       info.ssi_int == READ_FROM_FD,
		       "signo %u code %d", info.ssi_signo, info.ssi_code);
		arrived(READ_FROM_FD);
	}
	close(fd.fd);
	return argument;
}

static void *patient_sender(void *argument)
{
	for (unsigned turn = 0; !atomic_load(&stop); turn++) {
		atomic_fetch_add(&sources[WAITED_FOR].sent, 1);
		queue(WAITED_FOR, SIGBUS, 0);
		wait_for(WAITED_FOR);
		if (turn % 16 == 0) {
			atomic_fetch_add(&sources[WAITED_FOR_KILLED].sent, 1);
			kill_by_child(WAITED_FOR_KILLED, SIGBUS);
			wait_for(WAITED_FOR_KILLED);
		}
		atomic_fetch_add(&sources[READ_FROM_FD].sent, 1);
		queue(READ_FROM_FD, SIGSYS, 0);
		wait_for(READ_FROM_FD);
		usleep(50);
	}
	return argument;
}

/* --- Threads that change actions --- */

/* Installs another handler and faults. Each fault must be handled exactly once. In half of the
 * turns the thread faults at once, before the new action must be in effect (see settle()). So the
 * earlier handler may still be called then, and `stale` counts these calls. */
static void replace_and_fault(unsigned turn)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};

	installed_here = 1 + turn % 2;
	action.sa_sigaction = turn % 2 ? received_second : received_first;
	sigaddset(&action.sa_mask, SIGUSR2);
	/* In the other half, the thread settles before it faults. The library may install an older
	 * action again for a moment. It could not distinguish a new action that is equal to the
	 * older one (doc/handover.md), so the new action has another mask. */
	if (turn / 2 % 2)
		sigaddset(&action.sa_mask, SIGUSR1);
	EXPECT(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
	if (turn / 2 % 2)
		settle();
	else
		at_once_here = 1;
	raise_genuine(GENUINE_SEGV_2);
	installed_here = at_once_here = 0;
	atomic_fetch_add(&replacements, 1);
}

static void chain_and_fault(void)
{
	struct sigaction theirs = {.sa_sigaction = received_by_chain, .sa_flags = SA_SIGINFO};
	struct sigaction found;

	sigaddset(&theirs.sa_mask, SIGUSR2);
	sigaction(SIGSEGV, NULL, &found);
	if (found.sa_sigaction == received) {
		sigaction(SIGSEGV, &theirs, &found);
		/* A trial may have begun between the two calls. Then `found` is now the library's
		 * handler, which must pass the fault on to `received`. */
		atomic_store(&behind_chain, found.sa_sigaction);
		atomic_fetch_add(&replacements, 1);
	}
	raise_genuine(GENUINE_SEGV_2);
}

static void *replacer(void *argument)
{
	take_stack();
	for (unsigned turn = 0; !atomic_load(&stop); turn++) {
		hold_phase();
		if (atomic_load(&phase) == REPLACED)
			replace_and_fault(turn);
		else if (atomic_load(&phase) == CHAINED)
			chain_and_fault();
		else if (may_raise(GENUINE_SEGV_2))
			raise_genuine(GENUINE_SEGV_2);
		release_phase();
		usleep(100);
	}
	return argument;
}

/* If the verdict is `unadvertised`, the kernel has not enabled the instructions, and a context
 * switch may lose a base during a trial. In this case only the verdict is compared. */
static int same_answer(const struct fsgs_report *r, const struct fsgs_report *expected)
{
	if (expected->verdict == FSGS_VERDICT_UNADVERTISED)
		return r->verdict == expected->verdict;
	return r->verdict == expected->verdict && r->proof == expected->proof &&
	       r->findings == expected->findings && r->refusal == expected->refusal &&
	       memcmp(r->access, expected->access, sizeof r->access) == 0 &&
	       memcmp(r->trials, expected->trials, sizeof r->trials) == 0;
}

/* A check that waits 10 s for the library's lock gets no trial, as documented. A slow emulated
 * machine (FSGSCHECK_TORTURE_SLOW) may need so long. One such check is allowed, and one more for
 * each 20,000 checks. */
static atomic_long late;

static int is_late(const struct fsgs_report *r)
{
	const int is = getenv("FSGSCHECK_TORTURE_SLOW") && r->refusal == FSGS_REFUSAL_SYSTEM &&
		       r->refusal_error == EDEADLK;

	atomic_fetch_add(&late, is);
	return is;
}

/* The check that the neighbours run. */
static void check_as_always(void)
{
	struct fsgs_report r;

	EXPECT(fsgs_check(&r, sizeof r, 0) == 0 && same_answer(&r, &reference), "verdict %u",
	       r.verdict);
}

static void *forker(void *argument)
{
	while (!atomic_load(&stop)) {
		const pid_t child = fork();
		int status = 0;

		if (child == 0) {
			struct fsgs_report r;

			alarm((unsigned)PATIENCE);
			_exit(fsgs_check(&r, sizeof r, 0) == 0 && same_answer(&r, &reference) ? 0
											      : 1);
		}
		while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		EXPECT(child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		       "a forked child: %d, status %#x", child, status);
		atomic_fetch_add(&forks, 1);
		usleep(2000);
	}
	return argument;
}

extern char **environ;

static void *spawner(void *argument)
{
	while (!atomic_load(&stop)) {
		char *arguments[] = {"true", NULL};
		int status = 0;
		pid_t child = 0;

		if (posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0) {
			while (waitpid(child, &status, 0) < 0 && errno == EINTR)
				;
			EXPECT(status == 0, "a spawned child: status %#x", status);
			atomic_fetch_add(&spawns, 1);
		}
		child = vfork();
		if (child == 0)
			_exit(0);
		while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		EXPECT(status == 0, "a child of vfork(): status %#x", status);
		atomic_fetch_add(&vforks, 1);
		usleep(2000);
	}
	return argument;
}

/* Whether the trials of a check fault on this machine, which they do not do on a sound machine. If
 * another thread installs a handler during a trial, and that handler does not pass on other
 * signals, it gets the faults of the trial. So if trials fault, no check runs while a phase begins,
 * and the phases that install handlers all the time are left out. */
static int each_check_faults(void)
{
	for (int i = 0; i < FSGS_INSNS; i++)
		if (reference.trials[i].outcome != FSGS_OUTCOME_OK)
			return 1;
	return 0;
}

static int is_replaced(int now)
{
	return now == REPLACED || now == CHAINED || now == RESET_HAND;
}

static void *one_check(void *argument)
{
	const int locked = each_check_faults();
	struct fsgs_report r;

	if (locked)
		hold_phase();
	EXPECT(fsgs_check(&r, sizeof r, 0) == 0 && same_answer(&r, &reference), "verdict %u",
	       r.verdict);
	if (locked)
		release_phase();
	if ((intptr_t)argument % 2)
		pthread_exit(NULL);
	return NULL;
}

static void *creator(void *argument)
{
	for (intptr_t i = 0; !atomic_load(&stop); i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, one_check, (void *)i) == 0) {
			if (i % 3 == 0)
				pthread_cancel(thread);
			pthread_join(thread, NULL);
			atomic_fetch_add(&threads, 1);
		}
		usleep(1000);
	}
	return argument;
}

/* --- Threads that check --- */

static void *checker(void *argument)
{
	const uint64_t gs = 0x10000000u + 0x1000u * (uint64_t)(uintptr_t)argument;
	const int moves = syscall(SYS_arch_prctl, ARCH_SET_GS, gs) == 0;
	const uint64_t fs = torture_base(ARCH_GET_FS);
	uint64_t mask, now;
	cpu_set_t cpus, cpus_now;
	stack_t stack, stack_now;

	take_stack();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof mask);
	sched_getaffinity(0, sizeof cpus, &cpus);
	sigaltstack(NULL, &stack);
	for (long round = 0; !atomic_load(&checks_done); round++) {
		struct fsgs_report r;
		int full = round % 64 == 63;
		const int locked = full || each_check_faults();

		if (locked)
			hold_phase();
		if (full)
			full = !is_replaced(atomic_load(&phase));
		errno = 4711;
		EXPECT(fsgs_check(&r, sizeof r,
				  full ? FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS : 0) == 0,
		       "fsgs_check");
		EXPECT(errno == 4711, "errno %d", errno);
		EXPECT(same_answer(&r, full ? &full_reference : &reference) || is_late(&r),
		       "verdict %u refusal %u (%d)", r.verdict, r.refusal, r.refusal_error);
		if (locked)
			release_phase();
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, sizeof now);
		EXPECT(now == mask, "mask %#lx, was %#lx", (unsigned long)now, (unsigned long)mask);
		EXPECT(torture_base(ARCH_GET_FS) == fs, "FS base");
		EXPECT(!moves || torture_base(ARCH_GET_GS) == gs, "GS base");
		if (full) {
			sched_getaffinity(0, sizeof cpus_now, &cpus_now);
			EXPECT(CPU_EQUAL(&cpus, &cpus_now), "affinity");
			sigaltstack(NULL, &stack_now);
			EXPECT(stack_now.ss_sp == stack.ss_sp &&
				       stack_now.ss_flags == stack.ss_flags,
			       "alternate stack");
		}
		atomic_fetch_add(&checks, 1);
		/* Without a pause, the threads that check between changes of actions would rarely
		 * get the library's lock. */
		if (round % 8 == 7)
			usleep(1000);
	}
	return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), intptr_t argument)
{
	if (pthread_create(thread, NULL, body, (void *)argument)) {
		perror("pthread_create");
		exit(EXIT_SKIP);
	}
}

/* A signal for the process may interrupt usleep(), and must not make a phase shorter. */
static void sleep_through(double seconds)
{
	const double end = torture_now() + seconds;

	while (torture_now() < end)
		usleep(10000);
}

/* A phase without a signal would test nothing. So each phase lasts until a signal has arrived, but
 * fails after 60 more seconds. */
static void stay_in_phase(int now, double seconds)
{
	const long before = atomic_load(&arrived_in[now]);
	const double patience = torture_now() + seconds + 60;

	set_phase(now);
	do
		sleep_through(seconds);
	while (atomic_load(&arrived_in[now]) == before && torture_now() < patience);
	EXPECT(atomic_load(&arrived_in[now]) > before, "nothing arrived in phase %s",
	       phase_names[now]);
	stays++;
}

int main(int argc, char **argv)
{
	const struct surroundings surroundings = {
		.check = check_as_always,
		.hold = hold_phase,
		.release = release_phase,
		.on_alternate_stack = on_alternate_stack,
		.library = argc > 1 ? argv[1] : NULL,
	};
	static void *(*const others[])(void *) = {genuine, genuine, genuine,        sender,
						  waiter,  reader,  patient_sender, replacer,
						  forker,  spawner, creator};
	enum { OTHERS = sizeof others / sizeof *others };
	const double seconds = torture_seconds(24), begun = torture_now();
	pthread_t checkers[CHECKERS], rest[OTHERS];
	struct sigaction last;
	sigset_t blocked;
	long sent = 0;

	wall = mmap(NULL, 4096 * GUARD_PAGES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGBUS);
	sigaddset(&blocked, SIGSYS);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	take_stack();
	(void)!fsgs_check(&reference, sizeof reference, 0);
	(void)!fsgs_check(&full_reference, sizeof full_reference,
			  FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS);
	set_phase(WITH_INFO);
	neighbours_start(&surroundings);
	for (int i = 0; i < OTHERS; i++)
		start(&rest[i], others[i], i);
	for (int i = 0; i < CHECKERS; i++)
		start(&checkers[i], checker, i);
	for (int turn = 0; turn < PHASES || torture_now() - begun < seconds; turn++)
		if (!is_replaced(turn % PHASES) || !each_check_faults())
			stay_in_phase(turn % PHASES, seconds / (int)PHASES / 2);
	EXPECT(stays >= (each_check_faults() ? PHASES - 3 : PHASES), "only %d phases", stays);
	/* The waiter and the reader end last, because each other thread ends only after its last
	 * signal has been received. */
	set_phase(WITH_INFO);
	pthread_rwlock_wrlock(&phase_lock);
	pthread_rwlock_unlock(&phase_lock);
	atomic_store(&stop, 1);
	for (int i = 0; i < OTHERS; i++)
		if (others[i] != waiter && others[i] != reader)
			pthread_join(rest[i], NULL);
	atomic_store(&all_sent, 1);
	for (int i = 0; i < OTHERS; i++)
		if (others[i] == waiter || others[i] == reader)
			pthread_join(rest[i], NULL);
	neighbours_end();
	atomic_store(&checks_done, 1);
	for (int i = 0; i < CHECKERS; i++)
		pthread_join(checkers[i], NULL);

	for (int i = 0; i < SOURCES; i++) {
		const long n = atomic_load(&sources[i].received);

		printf("%-34s %9ld sent %9ld received\n", source_names[i],
		       atomic_load(&sources[i].sent), n);
		EXPECT(n == atomic_load(&sources[i].sent), "%s", source_names[i]);
		sent += n;
	}
	for (int i = 0; i < PHASES; i++)
		printf("%-34s %9ld received meanwhile\n", phase_names[i],
		       atomic_load(&arrived_in[i]));
	sigaction(SIGILL, NULL, &last);
	EXPECT(last.sa_sigaction == received && (last.sa_flags & 0xffff) == SA_SIGINFO,
	       "SIGILL not restored");
	sigaction(SIGSEGV, NULL, &last);
	EXPECT(last.sa_sigaction == received && (last.sa_flags & 0xffff) == SA_SIGINFO,
	       "SIGSEGV not restored");
	sigaction(SIGBUS, NULL, &last);
	EXPECT(last.sa_handler == SIG_DFL, "SIGBUS not restored");
	printf("%ld checks by %d threads, %ld signals, %ld forks, %ld spawns, %ld vforks, %ld "
	       "threads, "
	       "%ld replacements, %ld calls through a chain, %d to the action just replaced\n",
	       atomic_load(&checks), CHECKERS, sent, atomic_load(&forks), atomic_load(&spawns),
	       atomic_load(&vforks), atomic_load(&threads), atomic_load(&replacements),
	       atomic_load(&chained), atomic_load(&stale));
#ifdef TORTURE_UNDEFINED
	printf("%ld faults of the trials' own\n", atomic_load(&recovered));
	EXPECT(each_check_faults() && atomic_load(&recovered) >= 4 * atomic_load(&checks),
	       "%ld faults, verdict %u", atomic_load(&recovered), reference.verdict);
#endif
	printf("%ld checks refused after 10 s\n", atomic_load(&late));
	EXPECT(atomic_load(&late) <= 1 + atomic_load(&checks) / 20000, "too many");
	/* Only the full-length test requires 10,000 checks for each checking thread. */
	EXPECT(seconds < 600 || SLOW_TOOL || atomic_load(&checks) >= 10000L * CHECKERS,
	       "only %ld checks", atomic_load(&checks));
	return torture_status("threads");
}

/* SPDX-License-Identifier: MIT */
/*
 * Trial execution inside somebody else's process.
 *
 * What must hold:
 *  - Only a fault of our own is ours: raised by the kernel, in the trying thread, at an instruction of
 *    a leaf. Anything else goes to the action that was there before.
 *  - Every path restores handlers, mask and errno; a handler that somebody installed meanwhile stays.
 *  - No signal gets lost. The trying thread runs with SIGILL and its kin unblocked, because a blocked
 *    one would kill the process; so one that somebody sends may arrive here although it would have
 *    stayed pending, for sigwait() or a signalfd. It is put aside and sent again afterwards.
 *
 * Recovery is by sigsetjmp, but the handler does not jump. It lets its return lead to the jump: only
 * sigreturn gives a thread back the MXCSR, x87 control word, PKRU, alternate stack and signal mask
 * that delivery took away, and a jump out of a handler would leave them changed for good.
 *
 * The old actions are published before the handlers are installed, in a ring of generations: a handler
 * that is late by less than a whole ring reads the actions that were there when its signal came, and
 * neither it nor the trying thread ever waits for the other.
 */
#include "guard.h"

#include "arch-prctl.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* <asm-generic/siginfo.h>; some C libraries do not have it. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* #UD; #GP and CPUID faulting; what some virtual machines make of either; seccomp's answer. */
static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

#define CAUGHT ((int)(sizeof caught / sizeof *caught))

/* The kernel's signal set. The C library's functions refuse to block the signals that it keeps for
 * itself (cancellation, setuid), and those must not interrupt a leaf either. */
typedef uint64_t kernel_sigset;

#define SIGNAL_BIT(sig) (UINT64_C(1) << ((sig)-1))

/* Raised by what the thread itself does: blocking them does not delay them, it kills. */
#define SYNCHRONOUS                                                                           \
	(SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS) | \
	 SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE))

#define CAUGHT_SET \
	(SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS))

/* While handlers are being exchanged no handler of the process may run in this thread: it would run
 * with our lock held. SIGSYS, SIGTRAP and SIGFPE stay as they are: a sandbox may serve our own system calls by
 * SIGSYS, a debugger may stop at any of our instructions. */
#define EXCHANGING (~(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE)))

/* The kernel's own structure. What the C library reads and writes lacks the restorer, and a runtime that has
 * one of its own must get it back. */
struct kernel_action {
	union {
		void (*action)(int, siginfo_t *, void *);
		void (*handler)(int);
	};
	unsigned long flags;
	void (*restorer)(void);
	uint32_t mask[2]; /* a kernel_sigset; with 32-bit pointers it is not aligned */
};

struct generation {
	struct kernel_action old[CAUGHT];
	atomic_int spent[CAUGHT]; /* SA_RESETHAND, and the handler has had its signal */
};

#define GENERATIONS 8

static struct generation ring[GENERATIONS];
static atomic_uint current;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Of the trying thread; written under the lock. */
static struct {
	atomic_int armed;
	pthread_t thread;
	sigjmp_buf recovery;
	kernel_sigset mask; /* to be restored */
	int calling;        /* inside fsgs_arch_prctl() */
	int parked[CAUGHT]; /* a signal was put aside: its siginfo is below */
	siginfo_t info[CAUGHT];
} guard;

static int set_mask(kernel_sigset mask, kernel_sigset *old)
{
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, old, sizeof mask);
}

static int exchange_action(int sig, const struct kernel_action *action, struct kernel_action *old)
{
	return (int)syscall(SYS_rt_sigaction, sig, action, old, sizeof(kernel_sigset));
}

static int slot_of(int sig)
{
	for (int i = 0; i < CAUGHT; i++)
		if (caught[i] == sig)
			return i;
	return -1;
}

static void handle(int sig, siginfo_t *info, void *context);

static int is_ours(const struct kernel_action *action)
{
	return (action->flags & SA_SIGINFO) && action->action == handle;
}

/* The action that was there before, and the generation that it is from. */
static struct generation *old_action(int slot, struct kernel_action *old)
{
	unsigned before, after;

	do {
		before = atomic_load_explicit(&current, memory_order_acquire);
		*old = ring[before % GENERATIONS].old[slot];
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&current, memory_order_relaxed);
	} while (after - before >= GENERATIONS - 1); /* overwritten meanwhile */
	return &ring[before % GENERATIONS];
}

/* Sends a signal once more. One that this thread would have taken anyway goes to it; one that it had
 * blocked goes to whom it was sent, and stays pending there. */
static void resend(int sig, siginfo_t *info, kernel_sigset mask)
{
	const long pid = getpid(), tid = syscall(SYS_gettid);

	if (info->si_code == SI_TKILL || !(mask & SIGNAL_BIT(sig)))
		syscall(SYS_rt_tgsigqueueinfo, pid, tid, sig, info);
	else
		syscall(SYS_rt_sigqueueinfo, pid, sig, info);
}

/* The default action of all of these is to end the process with a core. */
static void take_default(int sig, siginfo_t *info)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_DFL;
	sigaction(sig, &action, NULL);
	/* A faulting instruction runs again when this returns and ends the process where the fault is.
	 * What does not come back by itself is sent again. */
	if (info->si_code <= 0 || sig == SIGSYS)
		syscall(SYS_rt_tgsigqueueinfo, (long)getpid(), syscall(SYS_gettid), sig, info);
}

/* Does what the kernel would have done, had we not been there. */
static void pass_on(int slot, siginfo_t *info, ucontext_t *context)
{
	const int sig = caught[slot];
	const int from_kernel = info->si_code > 0;
	struct kernel_action old;
	struct generation *generation = old_action(slot, &old);

	if ((old.flags & SA_RESETHAND) && atomic_exchange(&generation->spent[slot], 1)) {
		take_default(sig, info);
		return;
	}
	if (old.handler == SIG_IGN && !from_kernel)
		return;
	/* The kernel does not let a fault be ignored. */
	if (old.handler == SIG_DFL || old.handler == SIG_IGN) {
		take_default(sig, info);
		return;
	}

	kernel_sigset mask, add;

	memcpy(&mask, &context->uc_sigmask, sizeof mask);
	memcpy(&add, old.mask, sizeof add);
	mask |= add;
	if (!(old.flags & SA_NODEFER))
		mask |= SIGNAL_BIT(sig);
	set_mask(mask, NULL);
	/* On x86-64 a handler without SA_SIGINFO is called in the same way, and looks at less. */
	old.action(sig, info, context);
}

/* Where the return from the handler leads: in the thread's own context, in place of the leaf. */
static _Noreturn void recover(void)
{
	siglongjmp(guard.recovery, 1);
}

static void handle(int sig, siginfo_t *info, void *context)
{
	ucontext_t *const uc = context;
	greg_t *const regs = uc->uc_mcontext.gregs;
	const int slot = slot_of(sig);
	const int error = errno;

	if (atomic_load_explicit(&guard.armed, memory_order_acquire) &&
	    pthread_equal(guard.thread, pthread_self())) {
		if (info->si_code <= 0) {
			/* One that is pending already absorbs the next, as in the kernel. */
			if (!guard.parked[slot])
				guard.info[slot] = *info;
			guard.parked[slot] = 1;
			return;
		}
		if (sig == SIGSYS && info->si_code == SYS_SECCOMP && guard.calling) {
			regs[REG_RAX] = -ENOSYS;
			return;
		}

		uint64_t rip = (uint64_t)regs[REG_RIP];

		if (fsgs_leaf_recover(&rip, (uint64_t)regs[REG_RDI], sig, info->si_code)) {
			regs[REG_RIP] = (greg_t)(uintptr_t)recover;
			return;
		}
	}
	pass_on(slot, info, uc);
	errno = error;
}

/* fork() in another thread: the child must not inherit our handlers, or a lock whose owner it lacks. */
static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static int watch_forks(void)
{
	static int watching;

	if (watching)
		return 0;
	int error = pthread_atfork(before_fork, after_fork, after_fork);

	watching = !error;
	return -error;
}

/* The generation that the next guard publishes, from what is installed now. */
static int read_old(struct generation *next)
{
	struct generation *const last = &ring[atomic_load(&current) % GENERATIONS];

	for (int i = 0; i < CAUGHT; i++) {
		if (exchange_action(caught[i], NULL, &next->old[i]))
			return -errno;
		atomic_store_explicit(&next->spent[i], 0, memory_order_relaxed);
		/* Somebody saved our handler during an earlier trial and put it back after it: what is
		 * behind it is what was behind it then. */
		if (is_ours(&next->old[i])) {
			next->old[i] = last->old[i];
			atomic_store(&next->spent[i], atomic_load(&last->spent[i]));
		}
	}
	return 0;
}

static void restore(int slot)
{
	struct generation *const mine = &ring[atomic_load(&current) % GENERATIONS];
	struct kernel_action old = mine->old[slot], replaced;

	if (atomic_load(&mine->spent[slot]))
		old.handler = SIG_DFL;
	if (exchange_action(caught[slot], &old, &replaced) == 0 && !is_ours(&replaced))
		exchange_action(caught[slot], &replaced, NULL);
}

/* Through the C library, whose restorer the handler then returns by. */
static int install_handler(int slot, struct kernel_action *old)
{
	const kernel_sigset mask = ~SYNCHRONOUS;
	struct sigaction action, found;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = handle;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	/* It decides about the system call that somebody's signal interrupts; one that is ignored
	 * interrupts none. */
	if ((old->flags & SA_RESTART) || old->handler == SIG_IGN)
		action.sa_flags |= SA_RESTART;
	memcpy(&action.sa_mask, &mask, sizeof mask);
	if (sigaction(caught[slot], &action, &found))
		return -errno;
	/* Installed by another thread since it was read: the later one is the one to keep. */
	if (found.sa_sigaction != handle && found.sa_sigaction != old->action) {
		old->action = found.sa_sigaction;
		old->flags = (unsigned)found.sa_flags;
		old->restorer = found.sa_restorer;
		memcpy(old->mask, &found.sa_mask, sizeof old->mask);
	}
	return 0;
}

static int install(void)
{
	const unsigned next = atomic_load(&current) + 1;
	struct generation *const mine = &ring[next % GENERATIONS];
	int error = read_old(mine);

	if (error)
		return error;
	atomic_store_explicit(&current, next, memory_order_release);
	for (int i = 0; i < CAUGHT && !error; i++) {
		error = install_handler(i, &mine->old[i]);
		while (error && i-- > 0)
			restore(i);
	}
	return error;
}

/* Makes the stack reach below the coming frames. valgrind (3.19) does not extend the main thread's
 * stack for a handler that asked for SA_ONSTACK, and ends the program instead. */
static __attribute__((noinline)) void touch_stack(void)
{
	char below[5 * 1024];

	below[0] = 0;
	__asm__ volatile("" : : "r"(below) : "memory");
}

int fsgs_guard_enter(void)
{
	const kernel_sigset all = EXCHANGING;
	kernel_sigset old;
	int error;

	touch_stack();
	/* Before the lock: see EXCHANGING. */
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof all))
		return -errno;
	pthread_mutex_lock(&lock);
	error = watch_forks();
	if (!error) {
		guard.thread = pthread_self();
		guard.mask = old;
		memset(guard.parked, 0, sizeof guard.parked);
		atomic_store_explicit(&guard.armed, 1, memory_order_release);
		error = install();
	}
	if (error) {
		atomic_store(&guard.armed, 0);
		pthread_mutex_unlock(&lock);
		set_mask(old, NULL);
		return error;
	}
	set_mask((old | EXCHANGING) & ~CAUGHT_SET, NULL);
	return 0;
}

void fsgs_guard_leave(void)
{
	const kernel_sigset mask = guard.mask;
	siginfo_t info[CAUGHT];
	int parked[CAUGHT];

	set_mask(mask | EXCHANGING, NULL);
	for (int i = CAUGHT - 1; i >= 0; i--)
		restore(i);
	atomic_store(&guard.armed, 0);
	memcpy(info, guard.info, sizeof info);
	memcpy(parked, guard.parked, sizeof parked);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < CAUGHT; i++)
		if (parked[i])
			resend(caught[i], &info[i], mask);
	set_mask(mask, NULL);
}

int fsgs_guard_run(void *context, fsgs_leaf_fn *leaf, struct fsgs_leaf *io)
{
	(void)context;
	/* The mask is as it was when the jump comes: sigreturn has seen to it. */
	if (sigsetjmp(guard.recovery, 0))
		return 1;
	return leaf(io);
}

long fsgs_arch_prctl(int code, uint64_t address)
{
	guard.calling = 1;

	const long result = fsgs_raw_arch_prctl(code, address);

	guard.calling = 0;
	return result;
}

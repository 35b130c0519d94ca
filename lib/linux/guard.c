/* SPDX-License-Identifier: MIT */
/*
 * Trial execution inside somebody else's process.
 *
 * What must hold (doc/handover.md has the properties):
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
 * For each different action that we ever find installed there is a handler of its own, and what it
 * passes signals on to never changes. So one that is late, or that somebody saved and calls or puts
 * back long after the trial, still leads to the action that it stood in for, without a lock and
 * without a wait. It runs with that action's own mask and flags: the kernel sees to it.
 *
 * The handler does not use the FS base: a fault may come from a thread that has a foreign one. Hence
 * no errno, no pthread_self(), and no stack protector in this file.
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

/* Some C libraries have neither. */
#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* #UD; #GP and CPUID faulting; what some virtual machines make of either; seccomp's answer. */
static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

#define CAUGHT ((int)(sizeof caught / sizeof *caught))

/* The kernel's signal set. The C library's functions refuse to block the signals that it keeps for
 * itself (cancellation, setuid), and those must not interrupt a leaf either. */
typedef uint64_t kernel_sigset;

#define SIGNAL_BIT(sig) (UINT64_C(1) << ((sig)-1))

#define CAUGHT_SET \
	(SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS))

/* While handlers are being exchanged no handler of the process may run in this thread: it would run
 * with our lock held. SIGSYS and SIGTRAP stay as they are: a sandbox may serve our own system calls
 * by SIGSYS, a debugger may stop at any of our instructions, and blocking them would kill. */
#define EXCHANGING (~(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGTRAP)))

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

/* How many different actions of one signal we can stand in for: far more than a process ever has. Where
 * they do not suffice there is no trial. */
#define VARIANTS 64

/* Written once, before the handler of that number is installed for the first time. */
static struct kernel_action behind[CAUGHT][VARIANTS];
static atomic_uint variants[CAUGHT];

/* What is installed now: 0, or 2 + 2 * variant, and 1 more when it has SA_RESETHAND and the handler has
 * had its signal. */
static atomic_uint installed[CAUGHT];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* How many threads have the lock or wait for it, and behind them in one word their process: a child that
 * was made without fork() may have got the lock without its owner. */
static atomic_uint_least64_t users;

#define USER_COUNT            UINT64_C(0xffffffff)
#define USERS(process, count) ((uint64_t)(process) << 32 | (count))

/* What this thread has the lock for. TRIAL also while it takes the lock and gives it back: a handler that interrupts
 * it there, a debugger's or a sandbox's, must not wait for it. */
static _Thread_local volatile enum { NOTHING, TRIAL, FORK } purpose;

/* More signals than these for one trial coalesce, as they do in the kernel while they are pending. */
#define PARKED 4

/* Of the trying thread; written under the lock. */
static struct {
	atomic_long thread; /* its kernel id; 0 when there is none */
	sigjmp_buf recovery;
	kernel_sigset mask;        /* to be restored */
	int nested;                /* inside fork() */
	atomic_uintptr_t calling;  /* inside fsgs_arch_prctl(): its frame */
	int interposed[CAUGHT];    /* actions are exchanged by the C library's function */
	atomic_int parked[CAUGHT]; /* how many signals were put aside */
	siginfo_t info[CAUGHT][PARKED];
} guard;

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

static long set_mask(kernel_sigset mask, kernel_sigset *old)
{
	return call(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&mask, (long)(uintptr_t)old,
		    sizeof mask);
}

static long block(kernel_sigset mask, kernel_sigset *old)
{
	return call(SYS_rt_sigprocmask, SIG_BLOCK, (long)(uintptr_t)&mask, (long)(uintptr_t)old,
		    sizeof mask);
}

/* Byte for byte that of the GNU C library, by which unwinders and debuggers know a signal frame. */
void fsgs_guard_return(void) __attribute__((visibility("hidden")));

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

__asm__(".pushsection .text\n"
	".balign 16\n"
	"nop\n" /* unwinders look up the address before */
	".hidden fsgs_guard_return\n"
	".globl fsgs_guard_return\n"
	".type fsgs_guard_return, @function\n"
	"fsgs_guard_return:\n"
	"movq $" TEXT(SYS_rt_sigreturn) ", %rax\n"
					"syscall\n"
					".size fsgs_guard_return, . - fsgs_guard_return\n"
					".popsection\n");

static long exchange_in_kernel(int sig, const struct kernel_action *action,
			       struct kernel_action *old)
{
	return call(SYS_rt_sigaction, sig, (long)(uintptr_t)action, (long)(uintptr_t)old,
		    sizeof(kernel_sigset));
}

static int exchange_in_library(int sig, const struct kernel_action *action,
			       struct kernel_action *old)
{
	struct sigaction new, found;

	memset(&new, 0, sizeof new);
	if (action) {
		new.sa_sigaction = action->action;
		new.sa_flags = (int)(action->flags & ~(unsigned long)SA_RESTORER);
		memcpy(&new.sa_mask, action->mask, sizeof action->mask);
	}
	memset(&found, 0, sizeof found);
	if (sigaction(sig, action ? &new : NULL, &found))
		return -errno;
	memset(old, 0, sizeof *old);
	old->action = found.sa_sigaction;
	old->flags = (unsigned)found.sa_flags & ~(unsigned long)SA_RESTORER;
	memcpy(old->mask, &found.sa_mask, sizeof old->mask);
	return 0;
}

static int exchange_action(int slot, const struct kernel_action *action, struct kernel_action *old)
{
	return guard.interposed[slot] ? exchange_in_library(caught[slot], action, old)
				      : (int)exchange_in_kernel(caught[slot], action, old);
}

static int slot_of(int sig)
{
	int slot = 0;

	while (caught[slot] != sig)
		slot++;
	return slot;
}

/* Sends a signal to this thread, or to the process. The system calls that keep the siginfo want the id
 * of the calling thread where it says that kill() sent it; for the process, any thread's will do. */
static void send(int sig, siginfo_t *info, int to_process)
{
	const long pid = getpid(), tid = call(SYS_gettid, 0, 0, 0, 0);
	const long error =
		to_process ? call(SYS_rt_sigqueueinfo, tid, sig, (long)(uintptr_t)info, 0)
			   : call(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)(uintptr_t)info);

	/* A sandbox may allow no more than this; better the signal alone than nothing. */
	if (error)
		call(SYS_tgkill, pid, tid, sig, 0);
}

/* What the default action of all of these does is to end the process, with a core. It does so when
 * our handler has returned: where the signal came, with its siginfo. */
static void take_default(int slot, siginfo_t *info)
{
	static const struct kernel_action none;
	struct kernel_action old;

	/* The kernel protects the first process of a container from what others send it. */
	if (info->si_code <= 0 && getpid() == 1)
		return;
	exchange_in_kernel(caught[slot], &none, &old);
	block(SIGNAL_BIT(caught[slot]), NULL);
	send(caught[slot], info, 0);
}

/* Does what the kernel would have done, had we not been there. */
static void pass_on(unsigned variant, int slot, siginfo_t *info, void *context)
{
	const struct kernel_action *const old = &behind[slot][variant];
	unsigned unspent = 2 + 2 * variant;

	/* Only while we stand in for it: when somebody calls a handler that he saved, its flags are
	 * his affair. */
	if ((old->flags & SA_RESETHAND) &&
	    !atomic_compare_exchange_strong(&installed[slot], &unspent, unspent + 1) &&
	    unspent == 3 + 2 * variant) {
		take_default(slot, info);
		return;
	}
	if (old->handler == SIG_IGN && info->si_code <= 0)
		return;
	/* The kernel does not let a fault be ignored. */
	if (old->handler == SIG_DFL || old->handler == SIG_IGN)
		take_default(slot, info);
	else
		/* On x86-64 a handler without SA_SIGINFO is called in the same way, and looks at
		 * less. */
		old->action(caught[slot], info, context);
}

/* Where the return from the handler leads: in the thread's own context, in place of the leaf. */
static _Noreturn void recover(void)
{
	siglongjmp(guard.recovery, 1);
}

static void park(int slot, const siginfo_t *info)
{
	const int at = atomic_fetch_add(&guard.parked[slot], 1);

	if (at < PARKED)
		guard.info[slot][at] = *info;
}

static int is_trying(void)
{
	const long thread = atomic_load_explicit(&guard.thread, memory_order_acquire);

	return thread && call(SYS_gettid, 0, 0, 0, 0) == thread;
}

/* A frame below that of fsgs_arch_prctl(), by so little that it is on the same stack. Not by asking
 * for the thread's id: that may be what the sandbox forbids. */
static int is_calling(const greg_t *regs)
{
	const uintptr_t frame = atomic_load(&guard.calling);

	return frame && frame - (uintptr_t)regs[REG_RSP] < 512;
}

/* Called by the assembly below. */
void fsgs_guard_handle(int sig, siginfo_t *info, void *context, unsigned variant)
	__attribute__((visibility("hidden"), used));
void fsgs_guard_handlers(void) __attribute__((visibility("hidden")));

void fsgs_guard_handle(int sig, siginfo_t *info, void *context, unsigned variant)
{
	greg_t *const regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const int slot = slot_of(sig);

	if (sig == SIGSYS && info->si_code > 0) {
		if (is_calling(regs)) {
			regs[REG_RAX] = -ENOSYS;
			return;
		}
	} else if (is_trying()) {
		uint64_t rip = (uint64_t)regs[REG_RIP];

		if (info->si_code <= 0) {
			park(slot, info);
			return;
		}
		if (fsgs_leaf_recover(&rip, (uint64_t)regs[REG_RDI], sig, info->si_code)) {
			regs[REG_RIP] = (greg_t)(uintptr_t)recover;
			return;
		}
	}
	pass_on(variant, slot, info, context);
}

/* One for each variant: nothing else tells a handler which action it stands in for. Each calls handle()
 * with its number, and is as long as the next. */
#define HANDLER_SIZE 16

__asm__(".pushsection .text\n"
	".balign " TEXT(
		HANDLER_SIZE) "\n"
			      ".hidden fsgs_guard_handlers\n"
			      ".globl fsgs_guard_handlers\n"
			      ".type fsgs_guard_handlers, @function\n"
			      "fsgs_guard_handlers:\n"
			      ".set variant, 0\n"
			      ".rept " TEXT(
				      VARIANTS) "\n"
						"endbr64\n"
						"movl $variant, %ecx\n"
						"jmp fsgs_guard_handle\n"
						".balign " TEXT(
							HANDLER_SIZE) "\n"
								      ".set variant, variant + 1\n"
								      ".endr\n"
								      ".size fsgs_guard_handlers, . - fsgs_guard_handlers\n"
								      ".popsection\n");

static uintptr_t handler_of(unsigned variant)
{
	return (uintptr_t)fsgs_guard_handlers + variant * HANDLER_SIZE;
}

/* The variant that this action is, or VARIANTS. */
static unsigned which_of_ours(const struct kernel_action *action)
{
	unsigned variant = 0;

	while (variant < VARIANTS && handler_of(variant) != (uintptr_t)action->action)
		variant++;
	return variant;
}

/* Of ours the variant says it all; what the kernel gives back of the mask lacks what cannot be blocked. */
static int same(const struct kernel_action *a, const struct kernel_action *b)
{
	return a->action == b->action && (which_of_ours(a) < VARIANTS ||
					  (a->flags == b->flags && a->restorer == b->restorer &&
					   memcmp(a->mask, b->mask, sizeof a->mask) == 0));
}

/* The variant that stands in for an action; VARIANTS when there is no room for one more. */
static unsigned variant_for(int slot, const struct kernel_action *found)
{
	const unsigned known = atomic_load(&variants[slot]);
	/* Somebody saved our handler and put it back: what is behind it is still behind it. */
	unsigned variant = which_of_ours(found);

	if (variant < VARIANTS)
		return variant;
	for (variant = 0; variant < known; variant++)
		if (same(&behind[slot][variant], found))
			return variant;
	if (variant < VARIANTS) {
		behind[slot][variant] = *found;
		atomic_store(&variants[slot], variant + 1);
	}
	return variant;
}

/* Our handler with the mask and the flags of the one behind it. Without one, it interrupts no system
 * call, and takes the alternate stack: some runtimes have no other that a handler may use. */
static struct kernel_action ours(int slot, unsigned variant)
{
	const struct kernel_action *const old = &behind[slot][variant];
	const kernel_sigset mask = EXCHANGING;
	struct kernel_action action;

	memset(&action, 0, sizeof action);
	action.action = (void (*)(int, siginfo_t *, void *))handler_of(variant);
	action.flags = SA_SIGINFO;
	if (old->handler == SIG_DFL || old->handler == SIG_IGN) {
		action.flags |= SA_ONSTACK | SA_RESTART;
		memcpy(action.mask, &mask, sizeof action.mask);
	} else {
		action.flags |= old->flags & (SA_ONSTACK | SA_RESTART | SA_NODEFER);
		memcpy(action.mask, old->mask, sizeof action.mask);
	}
	if (!guard.interposed[slot]) {
		action.flags |= SA_RESTORER;
		action.restorer = fsgs_guard_return;
	}
	return action;
}

/* Installs `next` in place of `expected`. sigaction() cannot compare and exchange, so what another
 * thread installed in between comes out instead; then that is put back, and so on. What it cannot tell is an
 * action of somebody else that equals the one which it shows itself for that moment: doc/handover.md. */
static void replace(int slot, const struct kernel_action *expected,
		    const struct kernel_action *next)
{
	struct kernel_action last = *expected, put = *next, out;

	memset(&out, 0, sizeof out);
	while (exchange_action(slot, &put, &out) == 0 && !same(&out, &last)) {
		last = put;
		put = out;
	}
}

static void restore(int slot)
{
	static const struct kernel_action none;
	const unsigned was = atomic_exchange(&installed[slot], 0);
	const unsigned variant = was / 2 - 1;
	const struct kernel_action mine = ours(slot, variant);
	struct kernel_action now;

	memset(&now, 0, sizeof now);
	if (exchange_action(slot, NULL, &now) == 0 && same(&now, &mine))
		replace(slot, &mine, was & 1 ? &none : &behind[slot][variant]);
}

/* What the kernel has, and what the process believes to have. A library that comes before the C
 * library's sigaction() and keeps the actions itself must see what we do, and only then. */
static int look(int slot, struct kernel_action *found)
{
	struct kernel_action believed, again;
	int error, differed = 0;

	memset(found, 0, sizeof *found);
	memset(&believed, 0, sizeof believed);
	memset(&again, 0, sizeof again);
	error = (int)exchange_in_kernel(caught[slot], NULL, found);
	while (!error) {
		error = exchange_in_library(caught[slot], NULL, &believed);
		if (error || believed.action == found->action)
			break;
		/* Or another thread installed something in between. It would have to do so four times, each
		 * time between the right two of our calls, for this to go wrong. */
		error = (int)exchange_in_kernel(caught[slot], NULL, &again);
		differed = !error && same(&again, found) ? differed + 1 : 0;
		if (differed == 2)
			break;
		*found = again;
	}
	guard.interposed[slot] = !error && differed == 2;
	if (guard.interposed[slot])
		*found = believed;
	return error;
}

static int install_handler(int slot)
{
	struct kernel_action found, expected, out = {.flags = 0};
	int error = look(slot, &found);

	expected = found;
	memset(&out, 0, sizeof out);
	while (!error) {
		const unsigned variant = variant_for(slot, &found);

		if (variant == VARIANTS) {
			error = -ENOSPC;
			break;
		}

		const struct kernel_action action = ours(slot, variant);
		const unsigned before = atomic_exchange(&installed[slot], 2 + 2 * variant);

		error = exchange_action(slot, &action, &out);
		if (error)
			atomic_store(&installed[slot], before);
		if (error || same(&out, &expected))
			break;
		/* Another thread installed this one since we looked: the later one is the one to
		 * keep. */
		expected = action;
		found = out;
	}
	/* Only the latter of two exchanges failed, and the other thread's action is in our hands. */
	if (error && atomic_exchange(&installed[slot], 0))
		replace(slot, &expected, &found);
	return error;
}

static int install(void)
{
	int error = 0;

	for (int slot = 0; slot < CAUGHT && !error; slot++) {
		error = install_handler(slot);
		for (int i = slot; error && i-- > 0;)
			restore(i);
	}
	return error;
}

/* Takes the lock; the caller has blocked the signals whose handlers might want it, too. */
static int take_lock(void)
{
	const uint64_t process = (uint64_t)getpid();
	uint64_t now = atomic_load(&users), next;

	do {
		const uint64_t others = now & USER_COUNT;

		/* They were left behind in another process: by _Fork() or a bare clone(). */
		if (others && now >> 32 != process)
			return -EDEADLK;
		next = USERS(process, others + 1);
	} while (!atomic_compare_exchange_weak(&users, &now, next));
	pthread_mutex_lock(&lock);
	return 0;
}

static void release_lock(void)
{
	pthread_mutex_unlock(&lock);
	atomic_fetch_sub(&users, 1);
}

/* fork() in another thread: the child must not inherit our handlers, or a lock whose owner it lacks. In
 * between, this thread may try: other people's handlers of fork() run. */
static void before_fork(void)
{
	kernel_sigset old = 0;
	const long error = block(EXCHANGING, &old);

	if (purpose == NOTHING) {
		purpose = TRIAL;
		purpose = take_lock() == 0 ? FORK : NOTHING;
	}
	if (!error)
		set_mask(old, NULL);
}

static void after_fork_in_parent(void)
{
	kernel_sigset old = 0;
	const long error = block(EXCHANGING, &old);

	if (purpose == FORK) {
		purpose = TRIAL;
		release_lock();
		purpose = NOTHING;
	}
	if (!error)
		set_mask(old, NULL);
}

static void after_fork_in_child(void)
{
	/* Those who waited stayed in the parent. */
	if (purpose == FORK)
		atomic_store(&users, USERS(getpid(), 1));
	after_fork_in_parent();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int cannot_watch;

static void watch_forks(void)
{
	cannot_watch = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* Makes the stack reach below the coming frames. valgrind (3.19) does not extend the main thread's
 * stack for a handler that asked for SA_ONSTACK, and ends the program instead. */
static __attribute__((noinline)) void touch_stack(void)
{
	char below[5 * 1024];

	below[0] = 0;
	__asm__ volatile("" : : "r"(below) : "memory");
}

/* With the lock. */
static int begin(kernel_sigset old)
{
	const long thread = call(SYS_gettid, 0, 0, 0, 0);
	int error = thread < 0 ? (int)thread : 0;

	guard.mask = old;
	for (int i = 0; i < CAUGHT; i++)
		atomic_store(&guard.parked[i], 0);
	if (!error) {
		atomic_store_explicit(&guard.thread, thread, memory_order_release);
		error = install();
	}
	if (error)
		atomic_store(&guard.thread, 0);
	return error;
}

int fsgs_guard_enter(void)
{
	const int nested = purpose == FORK;
	kernel_sigset old = 0;
	long error;

	touch_stack();
	/* A handler that interrupted this thread's own trial: a debugger's or a sandbox's. */
	if (purpose == TRIAL)
		return -EDEADLK;
	/* Before the lock: see EXCHANGING. */
	error = block(EXCHANGING, &old);
	if (error)
		return (int)error;
	purpose = TRIAL;
	pthread_once(&once, watch_forks);
	error = -cannot_watch;
	if (!error && !nested)
		error = take_lock();
	if (!error) {
		guard.nested = nested;
		error = begin(old);
		if (!error) {
			error = set_mask((old | EXCHANGING) & ~CAUGHT_SET, NULL);
			if (!error)
				return 0;
			fsgs_guard_leave();
			return (int)error;
		}
		if (!nested)
			release_lock();
	}
	purpose = nested ? FORK : NOTHING;
	set_mask(old, NULL);
	return (int)error;
}

void fsgs_guard_leave(void)
{
	const kernel_sigset mask = guard.mask;
	const int nested = guard.nested;
	siginfo_t info[CAUGHT][PARKED];
	int parked[CAUGHT];

	set_mask(mask | EXCHANGING, NULL);
	for (int i = CAUGHT - 1; i >= 0; i--)
		restore(i);
	atomic_store(&guard.thread, 0);
	for (int i = 0; i < CAUGHT; i++)
		parked[i] = atomic_load(&guard.parked[i]);
	memcpy(info, guard.info, sizeof info);
	if (!nested)
		release_lock();
	purpose = nested ? FORK : NOTHING;
	/* One that this thread would have taken anyway goes to it; one that it had blocked goes to whom
	 * it was sent, and stays pending there. The first of each before anybody's handler can run, and
	 * jump away from here; the next when the first is no longer pending. */
	for (int i = 0; i < CAUGHT; i++)
		if (parked[i])
			send(caught[i], &info[i][0],
			     info[i][0].si_code != SI_TKILL && (mask & SIGNAL_BIT(caught[i])));
	set_mask(mask, NULL);
	for (int i = 0; i < CAUGHT; i++)
		for (int n = 1; n < parked[i] && n < PARKED; n++)
			send(caught[i], &info[i][n], info[i][n].si_code != SI_TKILL);
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
	atomic_store(&guard.calling, (uintptr_t)__builtin_frame_address(0));

	const long result = fsgs_raw_arch_prctl(code, address);

	atomic_store(&guard.calling, 0);
	return result;
}

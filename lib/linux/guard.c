/* SPDX-License-Identifier: MIT */
/*
 * Trial execution inside somebody else's process.
 *
 * What must hold (doc/handover.md has the properties):
 *  - Only a fault of our own is ours: raised by the kernel, in the trying thread, at an instruction of
 *    a leaf. Anything else goes to the action that was there before: handover.c.
 *  - Every path restores handlers, mask and errno; a handler that somebody installed meanwhile stays.
 *  - No signal gets lost. The trying thread runs with SIGILL and its kin unblocked, because a blocked
 *    one would kill the process; so one that somebody sends may arrive here although it would have
 *    stayed pending, for sigwait() or a signalfd. It is put aside and sent again afterwards.
 *
 * Recovery is by sigsetjmp, but the handler does not jump. It lets its return lead to the jump: only
 * sigreturn gives a thread back the MXCSR, x87 control word, PKRU, alternate stack and signal mask
 * that delivery took away, and a jump out of a handler would leave them changed for good.
 *
 * What the handler calls does not use the FS base: a fault may come from a thread that has a foreign one.
 * Hence no errno, no pthread_self(), and no stack protector in this file.
 */
#include "guard.h"

#include "arch-prctl.h"
#include "handover.h"
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

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
	kernel_sigset mask;             /* to be restored */
	int nested;                     /* inside fork() */
	atomic_uintptr_t calling;       /* inside fsgs_arch_prctl(): its frame */
	atomic_int parked[FSGS_CAUGHT]; /* how many signals were put aside */
	siginfo_t info[FSGS_CAUGHT][PARKED];
} guard;

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

	return thread && thread_id() == thread;
}

/* A frame below that of fsgs_arch_prctl(), by so little that it is on the same stack. Not by asking
 * for the thread's id: that may be what the sandbox forbids. */
static int is_calling(const greg_t *regs)
{
	const uintptr_t frame = atomic_load(&guard.calling);

	return frame && frame - (uintptr_t)regs[REG_RSP] < 512;
}

int fsgs_guard_takes(int slot, const siginfo_t *info, ucontext_t *context)
{
	greg_t *const regs = context->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)regs[REG_RIP];

	if (fsgs_caught[slot] == SIGSYS && info->si_code > 0) {
		if (!is_calling(regs))
			return 0;
		regs[REG_RAX] = -ENOSYS;
		return 1;
	}
	if (!is_trying())
		return 0;
	if (info->si_code <= 0) {
		park(slot, info);
		return 1;
	}
	if (!fsgs_leaf_recover(&rip, (uint64_t)regs[REG_RDI], fsgs_caught[slot], info->si_code))
		return 0;
	regs[REG_RIP] = (greg_t)(uintptr_t)recover;
	return 1;
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
	const long error = change_mask(SIG_BLOCK, EXCHANGING, &old);

	if (purpose == NOTHING) {
		purpose = TRIAL;
		purpose = take_lock() == 0 ? FORK : NOTHING;
	}
	if (!error)
		change_mask(SIG_SETMASK, old, NULL);
}

static void after_fork_in_parent(void)
{
	kernel_sigset old = 0;
	const long error = change_mask(SIG_BLOCK, EXCHANGING, &old);

	if (purpose == FORK) {
		purpose = TRIAL;
		release_lock();
		purpose = NOTHING;
	}
	if (!error)
		change_mask(SIG_SETMASK, old, NULL);
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

static kernel_sigset caught_set(void)
{
	kernel_sigset set = 0;

	for (int i = 0; i < FSGS_CAUGHT; i++)
		set |= SIGNAL_BIT(fsgs_caught[i]);
	return set;
}

/* With the lock. */
static int begin(kernel_sigset old)
{
	const long thread = thread_id();
	int error = thread < 0 ? (int)thread : 0;

	guard.mask = old;
	for (int i = 0; i < FSGS_CAUGHT; i++)
		atomic_store(&guard.parked[i], 0);
	if (!error) {
		atomic_store_explicit(&guard.thread, thread, memory_order_release);
		error = fsgs_handover_take();
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
	error = change_mask(SIG_BLOCK, EXCHANGING, &old);
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
			error = change_mask(SIG_SETMASK, (old | EXCHANGING) & ~caught_set(), NULL);
			if (!error)
				return 0;
			fsgs_guard_leave();
			return (int)error;
		}
		if (!nested)
			release_lock();
	}
	purpose = nested ? FORK : NOTHING;
	change_mask(SIG_SETMASK, old, NULL);
	return (int)error;
}

void fsgs_guard_leave(void)
{
	const kernel_sigset mask = guard.mask;
	const int nested = guard.nested;
	siginfo_t info[FSGS_CAUGHT][PARKED];
	int parked[FSGS_CAUGHT];

	change_mask(SIG_SETMASK, mask | EXCHANGING, NULL);
	fsgs_handover_give_back();
	atomic_store(&guard.thread, 0);
	for (int i = 0; i < FSGS_CAUGHT; i++)
		parked[i] = atomic_load(&guard.parked[i]);
	memcpy(info, guard.info, sizeof info);
	if (!nested)
		release_lock();
	purpose = nested ? FORK : NOTHING;
	/* One that this thread would have taken anyway goes to it; one that it had blocked goes to whom
	 * it was sent, and stays pending there. The first of each before anybody's handler can run, and
	 * jump away from here; the next when the first is no longer pending. */
	for (int i = 0; i < FSGS_CAUGHT; i++)
		if (parked[i])
			fsgs_handover_send(fsgs_caught[i], &info[i][0],
					   info[i][0].si_code != SI_TKILL &&
						   (mask & SIGNAL_BIT(fsgs_caught[i])));
	change_mask(SIG_SETMASK, mask, NULL);
	for (int i = 0; i < FSGS_CAUGHT; i++)
		for (int n = 1; n < parked[i] && n < PARKED; n++)
			fsgs_handover_send(fsgs_caught[i], &info[i][n],
					   info[i][n].si_code != SI_TKILL);
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

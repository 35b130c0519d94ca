/* SPDX-License-Identifier: MIT */
/*
 * Trial execution inside somebody else's process.
 *
 * What must hold (doc/handover.md has the properties):
 *  - Only a fault of our own is ours: raised by the kernel, in the trying thread, at an instruction of
 *    a stub. Anything else goes to the action that was there before: handover.c.
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
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 4.14. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* Of x86. */
#define PAGE 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What this thread has to do with the lock. A handler that interrupts it there, a debugger's or a sandbox's, must
 * not wait for it. */
static _Thread_local volatile enum { NOTHING, WAITING, OWNING } turn;

/* In a page that a child finds zeroed, however it was made, unless it shares its parent's memory. So a child
 * knows that what else it finds here was left by threads that it does not have. */
static union {
	struct {
		atomic_int state; /* FRESH, PREPARING, READY */
		atomic_long process;
	};
	_Alignas(PAGE) char page[PAGE];
} here;

enum { FRESH, PREPARING, READY };

/* Not zeroed: this process or one that it was copied from has been READY. */
static int used, watching;

/* More signals than these for one trial coalesce, as they do in the kernel while they are pending. */
#define PARKED 4

/* Of the trying thread; written under the lock. */
static struct {
	atomic_long thread; /* its kernel id; 0 when there is none */
	sigjmp_buf recovery;
	kernel_sigset mask;             /* to be restored */
	kernel_sigset own;              /* pending for this thread alone before it began */
	atomic_uintptr_t calling;       /* inside fsgs_arch_prctl(): its frame */
	atomic_int parked[FSGS_CAUGHT]; /* how many signals were put aside */
	siginfo_t info[FSGS_CAUGHT][PARKED];
} guard;

/* Where the return from the handler leads: in the thread's own context, in place of the stub. */
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
	/* A memory error somewhere else has nothing to do with where this thread is. */
	if (info->si_code <= 0 || (fsgs_caught[slot] == SIGBUS && info->si_code == BUS_MCEERR_AO)) {
		park(slot, info);
		return 1;
	}
	if (!fsgs_stub_recover(&rip, (uint64_t)regs[REG_RDI], fsgs_caught[slot], info->si_code))
		return 0;
	regs[REG_RIP] = (greg_t)(uintptr_t)recover;
	return 1;
}

/* Of a copy of another process: the handlers of a trial that went on there may be installed, and the lock may
 * have an owner that there is not. */
static void repair(void)
{
	fsgs_handover_give_back();
	atomic_store(&guard.thread, 0);
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void after_fork_in_child(void);

static int prepare(void)
{
	int error = 0;

	if (used)
		repair(); /* GCOV_EXCL_LINE: in a child of clone(), which writes no counters. */
	used = 1;
	/* Where it is not to be had, fork() is noticed all the same. */
	system_call(SYS_madvise, (long)(uintptr_t)&here, sizeof here, MADV_WIPEONFORK, 0);
	/* No lock is held over fork(): other people's handlers of fork() may take locks that a thread has which
	 * waits for ours. */
	if (!watching)
		error = -pthread_atfork(NULL, NULL, after_fork_in_child);
	watching = !error;
	return error;
}

/* Before the lock is used: the first time in this process there is something to do, and for one thread alone. */
static int join(long process)
{
	for (;;) { /* GCOV_EXCL_LINE: by chance, two threads check for the first time at once. */
		int state = FRESH;

		if (atomic_compare_exchange_strong(&here.state, &state, PREPARING)) {
			atomic_store(&here.process, process);

			const int error = prepare();

			atomic_store(&here.state, error ? FRESH : READY);
			return error;
		}
		if (state == READY)
			return 0;

		/* 0 for a moment: whoever prepares has not said yet who he is. */
		/* GCOV_EXCL_START: by chance, two threads check for the first time at once. */
		const long other = atomic_load(&here.process);

		if (other && other != process)
			return -EDEADLK;
		sched_yield();
		/* GCOV_EXCL_STOP */
	}
}

/* The child of fork() gets rid of the parent's trial at once. One that was made in another way does so when it
 * checks; till then the handlers that it may have inherited do their duty. */
static void after_fork_in_child(void)
{
	atomic_store(&here.process, getpid());
	if (turn == OWNING)
		/* Forked by a handler inside the trial, which goes on here. */
		atomic_store(&guard.thread,
			     thread_id()); /* GCOV_EXCL_LINE: it writes no counters. */
	else
		repair();
	atomic_store(&here.state, READY);
}

static int take_lock(void)
{
	const long process = getpid();
	int error = join(process);

	if (error)
		return error; /* GCOV_EXCL_LINE: by chance, as in join(). */
	/* In a process that shares another's memory, or in a copy that went unnoticed, whoever has the lock may not be
	 * there to give it back. */
	if (atomic_load(&here.process) == process)
		pthread_mutex_lock(&lock);
	else if (pthread_mutex_trylock(&lock))
		return -EDEADLK;
	turn = OWNING;
	return 0;
}

static void release_lock(void)
{
	turn = WAITING;
	pthread_mutex_unlock(&lock);
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

/* With the lock, and with everything blocked that can be. */
static int begin(kernel_sigset old)
{
	const kernel_sigset blocked = old & caught_set();
	const long thread = thread_id();
	int error;

	if (thread < 0)
		return (int)thread;
	guard.mask = old;
	guard.own = blocked ? blocked & fsgs_pending_for_thread() : 0;
	for (int i = 0; i < FSGS_CAUGHT; i++)
		atomic_store(&guard.parked[i], 0);
	atomic_store_explicit(&guard.thread, thread, memory_order_release);
	error = fsgs_handover_take();
	if (error)
		atomic_store(&guard.thread, 0);
	return error;
}

int fsgs_guard_enter(void)
{
	kernel_sigset old = 0;
	long error;

	touch_stack();
	/* A handler that interrupted this thread's own trial: a debugger's or a sandbox's. */
	if (turn != NOTHING)
		return -EDEADLK;
	/* Before the lock: see EXCHANGING. */
	error = change_mask(SIG_BLOCK, EXCHANGING, &old);
	if (error)
		return (int)error;
	turn = WAITING;
	error = take_lock();
	if (!error) {
		error = begin(old);
		if (!error) {
			error = change_mask(SIG_SETMASK, (old | EXCHANGING) & ~caught_set(), NULL);
			if (!error)
				return 0;
			fsgs_guard_leave();
			return (int)error;
		}
		release_lock();
	}
	turn = NOTHING;
	change_mask(SIG_SETMASK, old, NULL);
	return (int)error;
}

/* One that this thread would have taken anyway goes to it, like one that was sent to it; one that it had blocked
 * goes to whom it was sent, and stays pending there. */
static int is_for_process(int slot, int nth, const siginfo_t *info, kernel_sigset mask,
			  kernel_sigset own)
{
	const kernel_sigset bit = SIGNAL_BIT(fsgs_caught[slot]);

	if (info->si_code == SI_TKILL || (nth == 0 && (own & bit)))
		return 0;
	return nth > 0 || (mask & bit);
}

void fsgs_guard_leave(void)
{
	const kernel_sigset mask = guard.mask, own = guard.own;
	siginfo_t info[FSGS_CAUGHT][PARKED];
	int parked[FSGS_CAUGHT];

	change_mask(SIG_SETMASK, mask | EXCHANGING, NULL);
	fsgs_handover_give_back();
	atomic_store(&guard.thread, 0);
	for (int i = 0; i < FSGS_CAUGHT; i++)
		parked[i] = atomic_load(&guard.parked[i]);
	memcpy(info, guard.info, sizeof info);
	release_lock();
	turn = NOTHING;
	/* The first of each before anybody's handler can run, and jump away from here; the next when the first is
	 * no longer pending. */
	for (int i = 0; i < FSGS_CAUGHT; i++)
		if (parked[i])
			fsgs_handover_send(fsgs_caught[i], &info[i][0],
					   is_for_process(i, 0, &info[i][0], mask, own));
	change_mask(SIG_SETMASK, mask, NULL);
	for (int i = 0; i < FSGS_CAUGHT; i++)
		for (int n = 1; n < parked[i] && n < PARKED; n++)
			fsgs_handover_send(fsgs_caught[i], &info[i][n],
					   is_for_process(i, n, &info[i][n], mask, own));
}

int fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	(void)context;
	/* The mask is as it was when the jump comes: sigreturn has seen to it. */
	if (sigsetjmp(guard.recovery, 0))
		return 1;
	return stub(io);
}

long fsgs_arch_prctl(int code, uint64_t address)
{
	atomic_store(&guard.calling, (uintptr_t)__builtin_frame_address(0));

	const long result = fsgs_raw_arch_prctl(code, address);

	atomic_store(&guard.calling, 0);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * Trial execution inside a process that has signal handlers of its own.
 *
 * What must hold (doc/handover.md has the properties):
 *  - A fault is handled here only if the kernel raised it, in the trying thread, at an instruction
 *    of a stub or at the guarded arch_prctl. Every other signal goes to the action that was
 *    installed before (handover.c), at once or after the trial.
 *  - Every path restores handlers, mask and errno. A handler that another thread installed
 *    meanwhile stays.
 *  - No signal gets lost. The trying thread runs with SIGILL and the other caught signals
 *    unblocked, because a fault whose signal is blocked kills the process. So a signal that is sent
 *    to the thread may arrive here although, without the trial, it would have stayed pending for
 *    sigwait() or a signalfd. It is held back and sent again after the trial.
 *
 * The handler does not jump. It changes the saved registers of the interrupted stub, so that the
 * thread continues at the stub's end when the handler returns (handlers.S). Delivery of a signal
 * changes MXCSR, the x87 control word, PKRU, the alternate stack and the signal mask, and only
 * sigreturn restores them. After a jump out of the handler they would stay changed.
 *
 * The functions that the handler calls do not use the FS base, because a fault may come from a
 * thread whose FS base is foreign. Hence no errno, no pthread_self(), and no stack protector in
 * this file.
 */
#include "guard.h"

#include "handover.h"
#include "linux.h"
#include "lock.h"
#include "signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

/* If more signals of one kind than this arrive during a trial, the further ones are dropped, as the
 * kernel does while a signal is pending. */
#define PARKED 4

/* State of the thread that runs the trial; written under the lock. It is not on the stack of that
 * thread, because a protection key may keep a handler from that stack. */
static struct {
	uint64_t name;                  /* the lock's owner word */
	kernel_sigset mask;             /* to be restored */
	kernel_sigset own;              /* pending for this thread before the trial */
	atomic_int parked[FSGS_CAUGHT]; /* how many arrived; the first PARKED are held back */
	siginfo_t info[FSGS_CAUGHT][PARKED];
} guard;

/* The body of a handler, called by handlers.S. Returns the program's handler to continue with, or
 * NULL to return from the signal. */
__attribute__((visibility("hidden"))) void *fsgs_guard_handle(int sig, siginfo_t *info,
							      void *context, unsigned variant);

static void park(int slot, const siginfo_t *info)
{
	const int at = atomic_fetch_add(&guard.parked[slot], 1);

	if (at < PARKED)
		guard.info[slot][at] = *info;
}

static int is_trying(void)
{
	const unsigned thread = atomic_load(&fsgs_process.trying);

	return thread && (unsigned)thread_id() == thread;
}

/* If an instruction of a guarded call (handlers.S) faulted, makes the thread continue at the end of
 * that call. The call has put all addresses into registers, so this works for a trial of another
 * copy of the library, too. */
static int recover(int sig, const siginfo_t *info, greg_t *regs)
{
	const uint64_t mark = sig == SIGSYS ? FSGS_MARK_CALL : FSGS_MARK_STUB;

	if ((uint64_t)regs[REG_RBX] != mark || regs[REG_R13] != regs[REG_RSP])
		return 0;
	for (const int32_t *entry = (const int32_t *)(uintptr_t)regs[REG_R15]; *entry; entry++)
		if ((uintptr_t)entry + (uintptr_t)(intptr_t)*entry == (uintptr_t)regs[REG_RIP]) {
			regs[REG_RAX] = sig;
			regs[REG_RDX] = info->si_code;
			regs[REG_RIP] = regs[REG_R12];
			return 1;
		}
	return 0;
}

void *fsgs_guard_handle(int sig, siginfo_t *info, void *context, unsigned variant)
{
	int slot = 0;

	while (fsgs_caught[slot] != sig)
		slot++;
	/* BUS_MCEERR_AO reports a memory error elsewhere: it says nothing about the current
	 * instruction. */
	if (info->si_code > 0 && !(sig == SIGBUS && info->si_code == BUS_MCEERR_AO)) {
		if (recover(sig, info, ((ucontext_t *)context)->uc_mcontext.gregs))
			return NULL;
	} else if (is_trying()) {
		park(slot, info);
		return NULL;
	}
	return fsgs_handover_pass(slot, variant, info);
}

/* valgrind (3.19) does not extend the main thread's stack for a handler with SA_ONSTACK, and ends
 * the program instead. So this touches the stack first. */
static __attribute__((noinline)) void touch_guard_stack(void)
{
	volatile char below[5 * 1024];

	fsgs_touch(below, sizeof below);
}

static kernel_sigset caught_set(void)
{
	kernel_sigset set = 0;

	for (int i = 0; i < FSGS_CAUGHT; i++)
		set |= SIGNAL_BIT(fsgs_caught[i]);
	return set;
}

/* Called with the lock held. */
static int begin_trial(uint64_t name, kernel_sigset old)
{
	const kernel_sigset blocked = old & caught_set();
	int error;

	guard.name = name;
	guard.mask = old;
	guard.own = blocked ? blocked & fsgs_pending_for_thread() : 0;
	for (int i = 0; i < FSGS_CAUGHT; i++)
		atomic_store(&guard.parked[i], 0);
	atomic_store(&fsgs_process.trying, (unsigned)name);
	error = fsgs_handover_take();
	if (error)
		atomic_store(&fsgs_process.trying, 0);
	return error;
}

int fsgs_guard_enter(void)
{
	kernel_sigset old = 0;
	uint64_t name;
	long error;

	touch_guard_stack();
	/* These signals are blocked before the lock is taken: see EXCHANGING. */
	error = change_mask(SIG_BLOCK, EXCHANGING, &old);
	if (error)
		return (int)error;
	error = fsgs_lock_take(&name);
	if (!error) {
		error = begin_trial(name, old);
		if (!error) {
			error = change_mask(SIG_SETMASK,
					    (old | ~SIGNAL_BIT(SIGTRAP)) & ~caught_set(), NULL);
			if (!error)
				return 0;
			fsgs_guard_leave();
			return (int)error;
		}
		fsgs_lock_release(name);
	}
	change_mask(SIG_SETMASK, old, NULL);
	return (int)error;
}

/* 1 if a signal that was held back is sent again to the process, 0 if to the thread. The thread
 * gets a signal of tgkill(), and a signal that was pending for the thread before the trial. It also
 * gets the first signal of a kind that it does not block. All others go to the process. */
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
	const uint64_t name = guard.name;
	siginfo_t info[FSGS_CAUGHT][PARKED];
	int parked[FSGS_CAUGHT] = {0}, any = 0;

	change_mask(SIG_SETMASK, mask | EXCHANGING, NULL);
	fsgs_handover_give_back();
	/* `ours` is 0 in a child that was forked during the trial: the signals that were held back
	 * belong to the parent. */
	const int ours = atomic_exchange(&fsgs_process.trying, 0) == (unsigned)name;

	for (int i = 0; i < FSGS_CAUGHT; i++) {
		parked[i] = ours ? atomic_load(&guard.parked[i]) : 0;
		any |= parked[i];
		if (parked[i])
			memcpy(info[i], guard.info[i], sizeof info[i]);
	}
	fsgs_lock_release(name);
	/* Sends the first signal of each kind while all kinds are blocked: a handler that ran
	 * between them could leave by a jump, and the other signals would get lost. Sends the rest
	 * after that, because the kernel drops a signal while an earlier signal of its kind is
	 * pending. */
	if (any)
		change_mask(SIG_BLOCK, caught_set(), NULL);
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

/* Restores the actions if handlers are still installed when the library is unloaded or the
 * process ends. */
static __attribute__((destructor)) void clean_up(void)
{
	/* While another thread is in a trial, this runs only because the process is ending. */
	if (!atomic_load(&fsgs_process.owner))
		fsgs_handover_clean_up();
}

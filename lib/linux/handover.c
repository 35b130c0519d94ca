/* SPDX-License-Identifier: MIT */
/*
 * Replaces and restores the actions of signals. doc/handover.md has the required properties and
 * their tests.
 *
 * For each signal, each different action that the library replaces gets a handler of its own. That
 * handler always passes this signal to the same action. So a handler may run late, or another
 * thread may save it, and install or call it long after the trial. It still leads to the action
 * that it replaced, without a lock and without a wait. It runs with that action's mask and flags,
 * which the kernel applies.
 *
 * Two copies of the library in one process recognise each other only by the mark before each
 * handler's entry. The action of SIGILL, the first signal, is their lock. A copy that replaces
 * other code's action of this signal owns all actions. Other copies wait until this copy has
 * restored the action. The handler of a copy that waits passes everything on to the handler that it
 * replaced.
 *
 * The handler does not use the FS base, because a fault may come from a thread whose FS base is
 * foreign. Hence no errno, no pthread_self(), and no stack protector in this file.
 */
#include "handover.h"

#include "lock.h"
#include "signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Some C libraries do not define this. */
#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

const int fsgs_caught[FSGS_CAUGHT] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

/* The slot of the signal that every copy of the library takes first and restores last. */
#define FIRST 0

/* The kernel's own structure. The C library's sigaction() hides the restorer, and a runtime with
 * its own restorer must get it back. */
struct kernel_action {
	union {
		void (*action)(int, siginfo_t *, void *);
		void (*handler)(int);
	};
	unsigned long flags;
	void (*restorer)(void);
	uint32_t mask[2]; /* the kernel's sigset; with 32-bit pointers it is not 64-bit aligned */
};

static const struct kernel_action none; /* SIG_DFL */

/* The replaced actions, by signal and variant. Each element is written once, before the handler of
 * that variant is first installed. */
static struct kernel_action behind[FSGS_CAUGHT][FSGS_VARIANTS];
static atomic_uint variants[FSGS_CAUGHT];

/* The installed variant: 0 if none, else 2 + 2 * variant. Plus 1 if the replaced action has
 * SA_RESETHAND and has received its signal. */
static atomic_uint installed[FSGS_CAUGHT];

/* 1 after another action was found in place of our handler. The code that installed this action may
 * have saved our handler, and may install it again. */
static atomic_int displaced[FSGS_CAUGHT];

/* While this copy's handler is installed in place of another copy's handler of the first signal,
 * the address of that handler. Otherwise 0. */
static atomic_uintptr_t beside;

/* In handlers.S. */
#pragma GCC visibility push(hidden)
extern const char fsgs_handlers[];
void fsgs_sigreturn(void);
#pragma GCC visibility pop

/* The system call itself, because sigaction() may be interposed. A signal chain or a sanitizer that
 * does so installs its own action in the kernel; that is the action we replace. */
static int exchange_action(int slot, const struct kernel_action *action, struct kernel_action *old)
{
	return (int)system_call(SYS_rt_sigaction, fsgs_caught[slot], (long)(uintptr_t)action,
				(long)(uintptr_t)old, sizeof(kernel_sigset));
}

/* Sends a signal to this thread or to the process. The kernel accepts the siginfo of kill() only if
 * the target is the id of the calling thread. To send to the process, the id of any of its threads
 * will do. */
void fsgs_handover_send(int sig, siginfo_t *info, int to_process)
{
	const long pid = getpid(), tid = thread_id();
	const long error =
		to_process
			? system_call(SYS_rt_sigqueueinfo, tid, sig, (long)(uintptr_t)info, 0)
			: system_call(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)(uintptr_t)info);

	/* A sandbox may deny these calls. A signal without its siginfo is better than none. */
	if (error && !(to_process && system_call(SYS_kill, pid, sig, 0, 0) == 0))
		system_call(SYS_tgkill, pid, tid, sig, 0);
}

/* GCOV_EXCL_START: the process ends by the signal and writes no counters. Its parent sees the
 * signal. */
/* Applies the default action, which for each of these signals ends the process with a core. The
 * signal stays blocked until our handler has returned. So the core shows the interrupted
 * instruction and the original siginfo. */
static void take_default(int slot, siginfo_t *info)
{
	struct kernel_action old;

	/* For process 1 of a machine or a container, the kernel drops a signal that was sent, if
	 * its action is the default action. */
	if (info->si_code <= 0 && getpid() == 1)
		return;
	exchange_action(slot, &none, &old);
	change_mask(SIG_BLOCK, SIGNAL_BIT(fsgs_caught[slot]), NULL);
	fsgs_handover_send(fsgs_caught[slot], info, 0);
}
/* GCOV_EXCL_STOP */

void *fsgs_handover_pass(int slot, unsigned variant, siginfo_t *info)
{
	const struct kernel_action *const old = &behind[slot][variant];
	unsigned unspent = 2 + 2 * variant;

	if (slot == FIRST && atomic_load(&beside))
		return (void *)atomic_load(&beside);
	/* SA_RESETHAND of the replaced action counts only while our handler is installed. If a
	 * program saved our handler and calls it, the program must apply the flags itself. */
	if ((old->flags & SA_RESETHAND) &&
	    !atomic_compare_exchange_strong(&installed[slot], &unspent, unspent + 1) &&
	    unspent == 3 + 2 * variant) { /* GCOV_EXCL_START: the process ends by the signal. */
		take_default(slot, info);
		return NULL;
	} /* GCOV_EXCL_STOP */
	if (old->handler == SIG_IGN && info->si_code <= 0)
		return NULL;
	/* The kernel does not let a process ignore a fault. */
	if (old->handler == SIG_DFL || old->handler == SIG_IGN) {
		/* GCOV_EXCL_START: the process ends by the signal. */
		take_default(slot, info);
		return NULL;
		/* GCOV_EXCL_STOP */
	}
	/* On x86-64 a handler without SA_SIGINFO is called in the same way and ignores the further
	 * arguments. */
	return (void *)(uintptr_t)old->action;
}

static uintptr_t handler_of(unsigned variant)
{
	return (uintptr_t)fsgs_handlers + variant * FSGS_HANDLER_SIZE;
}

/* The variant of our handler in this action, or FSGS_VARIANTS. */
static unsigned which_of_ours(const struct kernel_action *action)
{
	const uintptr_t at = (uintptr_t)action->action - handler_of(0);
	const uintptr_t variant = at / FSGS_HANDLER_SIZE;

	return at % FSGS_HANDLER_SIZE == 0 && variant < FSGS_VARIANTS ? (unsigned)variant
								      : FSGS_VARIANTS;
}

/* Our own handlers are compared by address alone: the mask that the kernel returns can differ from
 * the installed mask, because the kernel clears signals that cannot be blocked. */
static int same(const struct kernel_action *a, const struct kernel_action *b)
{
	return a->action == b->action && (which_of_ours(a) < FSGS_VARIANTS ||
					  (a->flags == b->flags && a->restorer == b->restorer &&
					   memcmp(a->mask, b->mask, sizeof a->mask) == 0));
}

/* The variant for this action: the variant that has replaced it before, or else a new one.
 * FSGS_VARIANTS if all are in use. */
static unsigned variant_for(int slot, const struct kernel_action *found)
{
	const unsigned known = atomic_load(&variants[slot]);
	/* If the action is our own handler, another thread saved it and installed it again, or this
	 * process inherited it by fork. This handler still passes signals to the action of its
	 * variant. */
	unsigned variant = which_of_ours(found);

	if (variant < FSGS_VARIANTS)
		return variant;
	for (variant = 0; variant < known; variant++)
		if (same(&behind[slot][variant], found))
			return variant;
	if (variant < FSGS_VARIANTS) {
		behind[slot][variant] = *found;
		atomic_store(&variants[slot], variant + 1);
	}
	return variant;
}

/* Our handler. From a handler that it replaces, it takes the mask and the flags, except
 * SA_RESETHAND, which fsgs_handover_pass() applies. In place of a default or ignored action, it has
 * the mask EXCHANGING, restarts system calls, and uses the alternate stack, which some runtimes
 * require of every handler. */
static struct kernel_action ours(int slot, unsigned variant)
{
	const struct kernel_action *const old = &behind[slot][variant];
	const kernel_sigset mask = EXCHANGING;
	struct kernel_action action;

	memset(&action, 0, sizeof action);
	action.action = (void (*)(int, siginfo_t *, void *))handler_of(variant);
	action.flags = SA_SIGINFO | SA_RESTORER;
	if (old->handler == SIG_DFL || old->handler == SIG_IGN) {
		action.flags |= SA_ONSTACK | SA_RESTART;
		memcpy(action.mask, &mask, sizeof action.mask);
	} else {
		action.flags |= old->flags & (SA_ONSTACK | SA_RESTART | SA_NODEFER);
		memcpy(action.mask, old->mask, sizeof action.mask);
	}
	/* Use the restorer of the replaced action: a sandbox that intercepts system calls may allow
	 * sigreturn only from that restorer. */
	action.restorer = old->flags & SA_RESTORER ? old->restorer : fsgs_sigreturn;
	return action;
}

/* The address of the mark before a handler's entry; 0 if it has none. The kernel compares the mark
 * (FUTEX_WAIT), because this code might fault: an installed handler's memory need not be
 * readable. */
static uintptr_t mark_of(const struct kernel_action *action)
{
	const uintptr_t entry = (uintptr_t)action->action;
	const struct timespec now = {0, 0};
	long result;

	if (action->handler == SIG_DFL || action->handler == SIG_IGN || entry % FSGS_HANDLER_SIZE)
		return 0;
	result = system_call(SYS_futex, (long)entry - 8, FUTEX_WAIT_PRIVATE, FSGS_HANDLER_MARK,
			     (long)(uintptr_t)&now);
	return result == -ETIMEDOUT || result == -EINTR ? entry - 8 : 0;
}

/* True if this action of the first signal is a handler of a copy of the library, this copy or
 * another. */
static int is_librarys(int slot, const struct kernel_action *action)
{
	return slot == FIRST && (which_of_ours(action) < FSGS_VARIANTS || mark_of(action));
}

/* Installs `next` in place of `expected`. sigaction() cannot compare and exchange. If it returns an
 * action that another thread installed in between, the loop puts that action back, and compares
 * again. If that action equals `expected`, the loop cannot notice it: doc/handover.md. A handler of
 * another copy of the library is not put back, because that copy waits. */
static void replace(int slot, const struct kernel_action *expected,
		    const struct kernel_action *next)
{
	struct kernel_action last = *expected, put = *next, out;

	memset(&out, 0, sizeof out);
	while (exchange_action(slot, &put, &out) == 0 && !same(&out, &last) &&
	       !is_librarys(slot, &out)) {
		last = put;
		put = out;
	}
}

/* Each pause is longer than the last, up to 1 ms. The total is 10 s, as for the lock, because on a
 * loaded machine the other thread may get no CPU for a second. */
#define PAUSES        10000
/* After this many pauses, check whether the other copy's thread still lives. */
#define PAUSES_ENOUGH 16

static void pause_for_other_copy(int pauses)
{
	wait_for(pauses < 20 ? 50000L * pauses : 1000000);
}

/* Reads memory of another copy, which may be unloaded at this moment. Returns 0 on success. */
static int peek(uintptr_t address, void *to, size_t size)
{
	const struct iovec local = {to, size}, remote = {(void *)address, size};

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size)
		return 0;
	if (errno == EFAULT)
		return -1;
	/* If a sandbox denies the call, reads the memory directly: it was mapped when the handler
	 * was found. */
	memcpy(to, (const void *)address, size);
	return 0;
}

/* The members of another copy's union fsgs_process that this copy reads, in their order. */
struct told {
	uint64_t owner;
	uint32_t role;
};

/* Reads the state of the copy that owns this handler, and returns 1. Returns 0 if no copy owns it,
 * or if that copy is unloaded. */
static int ask_owner(const struct kernel_action *action, struct told *told)
{
	const uintptr_t mark = mark_of(action);
	int32_t offset = 0;

	return mark && !peek(mark + 4, &offset, sizeof offset) &&
	       !peek(mark + 4 + (uintptr_t)(intptr_t)offset, told, sizeof *told);
}

/* 0 if no copy owns this handler. 1 if its owner may be in a trial, which during the first pauses
 * is assumed of every owner. Later also 0 if the handler was left behind, as in a child forked
 * during the trial, and -EDEADLK if the calling thread runs that trial. */
static int other_tries(const struct kernel_action *action, int pauses)
{
	struct told told = {0};

	if (pauses < PAUSES_ENOUGH)
		return mark_of(action) != 0;
	return ask_owner(action, &told) ? fsgs_lock_state(told.owner) : 0;
}

/* Puts the replaced action back, in place of our handler or of the handler of a copy that waits for
 * us. */
static void restore(int slot)
{
	const unsigned was = atomic_exchange(&installed[slot], 0);
	struct kernel_action now;
	struct told told;

	memset(&now, 0, sizeof now);
	for (int pauses = 1; exchange_action(slot, NULL, &now) == 0; pauses++) {
		/* Uses the variant that is installed, not `was`: in a forked child the two can
		 * differ. */
		const unsigned variant = which_of_ours(&now);

		if (variant < FSGS_VARIANTS) {
			replace(slot, &now,
				was == 3 + 2 * variant ? &none : &behind[slot][variant]);
			break;
		}
		if (!was)
			break;
		atomic_store(&displaced[slot], 1);
		if (slot != FIRST || pauses == PAUSES || !ask_owner(&now, &told) ||
		    told.role == FSGS_ROLE_OWNER)
			break;
		if (told.role == FSGS_ROLE_WAITING) {
			replace(slot, &now, was & 1 ? &none : &behind[slot][was / 2 - 1]);
			break;
		}
		pause_for_other_copy(pauses);
	}
	if (slot == FIRST)
		atomic_store(&fsgs_process.role, FSGS_ROLE_OPEN);
}

enum { INSTALLED, TOO_LATE };

/* The action whose handler is in `beside`; written under the lock. */
static struct kernel_action waited_for;

static void wait_beside(const struct kernel_action *action)
{
	waited_for = *action;
	atomic_store(&beside, (uintptr_t)action->action);
	atomic_store(&fsgs_process.role, FSGS_ROLE_WAITING);
}

static void wait_no_more(void)
{
	atomic_store(&fsgs_process.role, FSGS_ROLE_OPEN);
	atomic_store(&beside, 0);
}

/* Installs our handler in place of `expected`, to pass signals to `found`. Returns INSTALLED;
 * TOO_LATE if another copy of the library came first, so that this copy waits; or a negative
 * errno. */
static int install_handler(int slot, struct kernel_action expected, struct kernel_action found)
{
	struct kernel_action out;
	int error = 0, exchanged = 0;

	memset(&out, 0, sizeof out);
	while (!error) {
		const unsigned variant = variant_for(slot, &found);

		if (variant == FSGS_VARIANTS) {
			error = -ENOSPC;
			break;
		}

		const struct kernel_action action = ours(slot, variant);
		const unsigned before = atomic_exchange(&installed[slot], 2 + 2 * variant);

		error = exchange_action(slot, &action, &out);
		if (error) {
			atomic_store(&installed[slot], before);
			break;
		}
		if (same(&out, &expected) || (exchanged && is_librarys(slot, &out))) {
			if (slot == FIRST)
				atomic_store(&fsgs_process.role, FSGS_ROLE_OWNER);
			return INSTALLED;
		}
		if (is_librarys(slot, &out)) {
			wait_beside(&out);
			return TOO_LATE;
		}
		/* Another thread installed `out` meanwhile. Our handler must pass signals to that
		 * action, so exchange again. */
		exchanged = 1;
		expected = action;
		found = out;
	}
	/* If the error came after an exchange, our handler is installed: put the other thread's
	 * action back, which that exchange removed. */
	if (atomic_exchange(&installed[slot], 0))
		replace(slot, &expected, &found);
	return error;
}

/* One step of the wait: installs our handler if the other copy has ended its trial. `found` is the
 * current action of the first signal. */
static int wait_longer(const struct kernel_action *found, int pauses)
{
	int tries = 1;

	if (!is_librarys(FIRST, found)) {
		wait_no_more();
		return install_handler(FIRST, *found, *found);
	}
	if (mark_of(&waited_for))
		tries = other_tries(&waited_for, pauses);
	if (tries)
		return tries < 0 ? tries : TOO_LATE;
	/* The other copy's handler was left behind: install our handler, which passes signals to
	 * it. */
	wait_no_more();
	return install_handler(FIRST, *found, waited_for);
}

static int look_and_install_once(int slot, int pauses)
{
	struct kernel_action found;
	unsigned variant;
	int result;

	memset(&found, 0, sizeof found);
	result = exchange_action(slot, NULL, &found);
	if (result)
		return result;
	if (slot == FIRST && atomic_load(&beside))
		return wait_longer(&found, pauses);
	variant = which_of_ours(&found);
	if (variant < FSGS_VARIANTS) {
		/* Our handler was inherited by fork from the parent's trial, in which the
		 * SA_RESETHAND action received its signal. */
		if (atomic_load(&installed[slot]) == 3 + 2 * variant) {
			restore(slot);
			return TOO_LATE;
		}
	} else if (slot == FIRST) {
		result = other_tries(&found, pauses);
		if (result)
			return result < 0 ? result : TOO_LATE;
	}
	return install_handler(slot, found, found);
}

static int look_and_install(int slot)
{
	struct kernel_action now = {0};
	int result;

	for (int pauses = 1;; pauses++) {
		result = look_and_install_once(slot, pauses);
		if (result != TOO_LATE || pauses == PAUSES)
			break;
		pause_for_other_copy(pauses);
	}
	/* The wait failed or timed out: remove this copy's handler. */
	if (slot == FIRST && atomic_load(&beside)) {
		if (exchange_action(slot, NULL, &now) == 0 && which_of_ours(&now) < FSGS_VARIANTS)
			replace(slot, &now, &waited_for);
		wait_no_more();
		atomic_store(&installed[slot], 0);
	}
	return result == TOO_LATE ? -EDEADLK : result;
}

int fsgs_handover_take(void)
{
	int error = 0;

	for (int slot = 0; slot < FSGS_CAUGHT && !error; slot++) {
		error = look_and_install(slot);
		for (int i = slot; error && i-- > 0;)
			restore(i);
	}
	return error;
}

void fsgs_handover_give_back(void)
{
	for (int slot = FSGS_CAUGHT - 1; slot >= 0; slot--)
		restore(slot);
}

void fsgs_handover_clean_up(void)
{
	for (int slot = FSGS_CAUGHT - 1; slot >= 0; slot--)
		if (atomic_load(&installed[slot]) || atomic_load(&displaced[slot]))
			restore(slot);
}

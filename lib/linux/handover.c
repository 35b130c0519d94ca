/* SPDX-License-Identifier: MIT */
/*
 * The hand-over of the signals' actions: doc/handover.md has what must hold, and what checks it.
 *
 * For each different action that we ever find installed there is a handler of its own, and what it
 * passes signals on to never changes. So one that is late, or that somebody saved and calls or puts
 * back long after the trial, still leads to the action that it stood in for, without a lock and
 * without a wait. It runs with that action's own mask and flags: the kernel sees to it.
 *
 * The handler does not use the FS base: a fault may come from a thread that has a foreign one. Hence
 * no errno, no pthread_self(), and no stack protector in this file.
 */
#include "handover.h"

#include "signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Some C libraries have neither. */
#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

const int fsgs_caught[FSGS_CAUGHT] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

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

/* Written once, before the handler of that number is installed for the first time. */
static struct kernel_action behind[FSGS_CAUGHT][FSGS_VARIANTS];
static atomic_uint variants[FSGS_CAUGHT];

/* What is installed now: 0, or 2 + 2 * variant, and 1 more when it has SA_RESETHAND and the handler has
 * had its signal. */
static atomic_uint installed[FSGS_CAUGHT];

/* By the C library's function, where somebody has come before it. Written under the lock. */
static int interposed[FSGS_CAUGHT];

/* In handlers.S. */
#pragma GCC visibility push(hidden)
extern const char fsgs_handlers[];
void fsgs_sigreturn(void);
void fsgs_handover_handle(int sig, siginfo_t *info, void *context, unsigned variant);
#pragma GCC visibility pop

static long exchange_in_kernel(int sig, const struct kernel_action *action,
			       struct kernel_action *old)
{
	return system_call(SYS_rt_sigaction, sig, (long)(uintptr_t)action, (long)(uintptr_t)old,
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
	return interposed[slot] ? exchange_in_library(fsgs_caught[slot], action, old)
				: (int)exchange_in_kernel(fsgs_caught[slot], action, old);
}

static int slot_of(int sig)
{
	int slot = 0;

	while (fsgs_caught[slot] != sig)
		slot++;
	return slot;
}

/* Sends a signal to this thread, or to the process. The system calls that keep the siginfo want the id
 * of the calling thread where it says that kill() sent it; for the process, any thread's will do. */
void fsgs_handover_send(int sig, siginfo_t *info, int to_process)
{
	const long pid = getpid(), tid = thread_id();
	const long error =
		to_process
			? system_call(SYS_rt_sigqueueinfo, tid, sig, (long)(uintptr_t)info, 0)
			: system_call(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)(uintptr_t)info);

	/* A sandbox may allow no more than this; better the signal alone than nothing. */
	if (error && !(to_process && system_call(SYS_kill, pid, sig, 0, 0) == 0))
		system_call(SYS_tgkill, pid, tid, sig, 0);
}

/* What the default action of all of these does is to end the process, with a core. It does so when
 * our handler has returned: where the signal came, with its siginfo. */
/* GCOV_EXCL_START: the process ends by the signal and writes no counters. Its parent sees the signal. */
static void take_default(int slot, siginfo_t *info)
{
	static const struct kernel_action none;
	struct kernel_action old;

	/* The kernel protects the first process of a container from what others send it. */
	if (info->si_code <= 0 && getpid() == 1)
		return;
	exchange_in_kernel(fsgs_caught[slot], &none, &old);
	change_mask(SIG_BLOCK, SIGNAL_BIT(fsgs_caught[slot]), NULL);
	fsgs_handover_send(fsgs_caught[slot], info, 0);
}
/* GCOV_EXCL_STOP */

/* Does what the kernel would have done, had we not been there. */
static void pass_on(unsigned variant, int slot, siginfo_t *info, void *context)
{
	const struct kernel_action *const old = &behind[slot][variant];
	unsigned unspent = 2 + 2 * variant;

	/* Only while we stand in for it: when somebody calls a handler that he saved, its flags are
	 * his affair. */
	if ((old->flags & SA_RESETHAND) &&
	    !atomic_compare_exchange_strong(&installed[slot], &unspent, unspent + 1) &&
	    unspent == 3 + 2 * variant) { /* GCOV_EXCL_START: the process ends by the signal. */
		take_default(slot, info);
		return;
	} /* GCOV_EXCL_STOP */
	if (old->handler == SIG_IGN && info->si_code <= 0)
		return;
	/* The kernel does not let a fault be ignored. */
	if (old->handler == SIG_DFL || old->handler == SIG_IGN)
		take_default(slot, info); /* GCOV_EXCL_LINE: the process ends by the signal. */
	else
		/* On x86-64 a handler without SA_SIGINFO is called in the same way, and looks at
		 * less. */
		old->action(fsgs_caught[slot], info, context);
}

void fsgs_handover_handle(int sig, siginfo_t *info, void *context, unsigned variant)
{
	const int slot = slot_of(sig);

	if (!fsgs_guard_takes(slot, info, context))
		pass_on(variant, slot, info, context);
}

static uintptr_t handler_of(unsigned variant)
{
	return (uintptr_t)fsgs_handlers + variant * FSGS_HANDLER_SIZE;
}

/* The variant that this action is, or FSGS_VARIANTS. */
static unsigned which_of_ours(const struct kernel_action *action)
{
	unsigned variant = 0;

	while (variant < FSGS_VARIANTS && handler_of(variant) != (uintptr_t)action->action)
		variant++;
	return variant;
}

/* Of ours the variant says it all; what the kernel gives back of the mask lacks what cannot be blocked. */
static int same(const struct kernel_action *a, const struct kernel_action *b)
{
	return a->action == b->action && (which_of_ours(a) < FSGS_VARIANTS ||
					  (a->flags == b->flags && a->restorer == b->restorer &&
					   memcmp(a->mask, b->mask, sizeof a->mask) == 0));
}

/* The variant that stands in for an action; FSGS_VARIANTS when there is no room for one more. */
static unsigned variant_for(int slot, const struct kernel_action *found)
{
	const unsigned known = atomic_load(&variants[slot]);
	/* Somebody saved our handler and put it back: what is behind it is still behind it. */
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
	if (!interposed[slot]) {
		action.flags |= SA_RESTORER;
		/* Somebody who dispatches system calls may allow his own alone. */
		action.restorer = old->flags & SA_RESTORER ? old->restorer : fsgs_sigreturn;
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
	struct kernel_action now;
	unsigned variant;

	memset(&now, 0, sizeof now);
	if (exchange_action(slot, NULL, &now))
		return; /* GCOV_EXCL_LINE: a sandbox put up between a trial's begin and its end. */
	/* Not by what was noted: in a child the one may be a moment older than the other. */
	variant = which_of_ours(&now);
	if (variant < FSGS_VARIANTS)
		replace(slot, &now, was == 3 + 2 * variant ? &none : &behind[slot][variant]);
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
	error = (int)exchange_in_kernel(fsgs_caught[slot], NULL, found);
	while (!error) {
		error = exchange_in_library(fsgs_caught[slot], NULL, &believed);
		if (error || believed.action == found->action)
			break;
		/* Or another thread installed something in between. It would have to do so four times, each
		 * time between the right two of our calls, for this to go wrong. */
		error = (int)exchange_in_kernel(fsgs_caught[slot], NULL, &again);
		differed = !error && same(&again, found) ? differed + 1 : 0;
		if (differed == 2)
			break;
		*found = again;
	}
	interposed[slot] = !error && differed == 2;
	if (interposed[slot])
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

		if (variant == FSGS_VARIANTS) {
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

int fsgs_handover_take(void)
{
	int error = 0;

	for (int slot = 0; slot < FSGS_CAUGHT && !error; slot++) {
		error = install_handler(slot);
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

/* SPDX-License-Identifier: MIT */
/*
 * How the actions of the signals that a trial catches change hands: the library's own for its length,
 * and what they do with everybody else's signals.
 */
#ifndef FSGSCHECK_LIB_HANDOVER_H
#define FSGSCHECK_LIB_HANDOVER_H

/* How many different actions of one signal we can stand in for: far more than a process ever has. Where
 * they do not suffice there is no trial. */
#define FSGS_VARIANTS     64

/* The distance of their handlers in handlers.S. */
#define FSGS_HANDLER_SIZE 16

#ifndef __ASSEMBLER__
#include <signal.h>
#include <ucontext.h>

/* How many signals a trial catches. They are known by their place among them, their slot. */
#define FSGS_CAUGHT 4

#pragma GCC visibility push(hidden)

/* #UD; #GP and CPUID faulting; what some virtual machines make of either; seccomp's answer. */
extern const int fsgs_caught[FSGS_CAUGHT];

/* With the guard's lock, and with EXCHANGING blocked. Returns 0, or a negative errno with every action as it was. */
int fsgs_handover_take(void);

/* Undoes it, also in a child that has inherited it; an action that somebody installed meanwhile stays. */
void fsgs_handover_give_back(void);

/* Sends a signal again, to this thread or to the process, as it came. */
void fsgs_handover_send(int sig, siginfo_t *info, int to_process);

/* In guard.c: whether a signal is the trial's. What has to be done about it is done then. */
int fsgs_guard_takes(int slot, const siginfo_t *info, ucontext_t *context);

#pragma GCC visibility pop
#endif

#endif

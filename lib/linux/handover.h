/* SPDX-License-Identifier: MIT */
/*
 * How the actions of the signals that a trial catches change hands: the library's own for its
 * length, and which action a signal of the rest of the process goes to.
 */
#ifndef FSGSCHECK_LIB_HANDOVER_H
#define FSGSCHECK_LIB_HANDOVER_H

/* How many different actions of one signal we can stand in for: far more than a process ever has.
 * Where they do not suffice there is no trial. */
#define FSGS_VARIANTS     64

/* The distance of their handlers in handlers.S. */
#define FSGS_HANDLER_SIZE 32

/* What copies of the library in one process have in common, of whatever version: each knows the
 * other's handlers by the mark before the entry, and each serves the other's faults by the
 * registers (handlers.S). Another meaning needs other numbers. */
#define FSGS_HANDLER_MARK 0x31736766
#define FSGS_MARK_STUB    0x7fb1d6a3c95e4801
#define FSGS_MARK_CALL    0x7fb1d6a3c95e4802

#ifndef __ASSEMBLER__
#include <signal.h>

/* How many signals a trial catches. They are known by their place among them, their slot. */
#define FSGS_CAUGHT 4

#pragma GCC visibility push(hidden)

/* #UD; #GP and CPUID faulting; what some virtual machines make of either; seccomp's answer. */
extern const int fsgs_caught[FSGS_CAUGHT];

/* With the guard's lock, and with EXCHANGING blocked. Returns 0, or a negative errno with every
 * action as it was; -EDEADLK when another copy of the library does not end its trial. */
int fsgs_handover_take(void);

/* Undoes it, also in a child that has inherited it; an action that another thread installed
 * meanwhile stays. */
void fsgs_handover_give_back(void);

/* Before the library is unloaded: the same where handlers may have been left behind. No system call
 * otherwise. */
void fsgs_handover_clean_up(void);

/* The handler that a signal goes to which is not the trial's; NULL when there is none, and what the
 * default action or SIG_IGN asks for has been done. */
void *fsgs_handover_pass(int slot, unsigned variant, siginfo_t *info);

/* Sends a signal again, to this thread or to the process, as it came. */
void fsgs_handover_send(int sig, siginfo_t *info, int to_process);

#pragma GCC visibility pop
#endif

#endif

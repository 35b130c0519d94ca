/* SPDX-License-Identifier: MIT */
/*
 * The exchange of signal actions for a trial: installs the library's own actions for the signals
 * that a trial catches, and restores the replaced actions afterwards. Signals that do not belong to
 * the trial are passed to the replaced actions.
 */
#ifndef FSGSCHECK_LIB_HANDOVER_H
#define FSGSCHECK_LIB_HANDOVER_H

/* The number of different actions of one signal that the library can replace: far more than a
 * process is likely to have. If all are used, there is no trial. */
#define FSGS_VARIANTS     64

/* The distance between handlers in handlers.S. */
#define FSGS_HANDLER_SIZE 32

/* The interface between copies of the library in one process, of any version. A copy recognises
 * another copy's handlers by the mark before the entry, and serves the other's faults by the
 * registers (handlers.S). A change of what these numbers mean needs new numbers. */
#define FSGS_HANDLER_MARK 0x31736766
#define FSGS_MARK_STUB    0x7fb1d6a3c95e4801
#define FSGS_MARK_CALL    0x7fb1d6a3c95e4802

#ifndef __ASSEMBLER__
#include <signal.h>

/* The number of signals that a trial catches. A slot is a signal's index in fsgs_caught. */
#define FSGS_CAUGHT 4

#pragma GCC visibility push(hidden)

/* SIGILL, for #UD; SIGSEGV, for #GP and CPUID faulting; SIGBUS, for other faults that some virtual
 * machines raise in their place; SIGSYS, for seccomp. */
extern const int fsgs_caught[FSGS_CAUGHT];

/* Replaces the actions of all signals of fsgs_caught. Call with the guard's lock held and with
 * EXCHANGING blocked. Returns 0, or a negative errno with every action restored; -EDEADLK if
 * another copy of the library does not end its trial. */
int fsgs_handover_take(void);

/* Undoes fsgs_handover_take(), also in a child that inherited the handlers. An action that another
 * thread installed meanwhile stays. */
void fsgs_handover_give_back(void);

/* Before the library is unloaded: restores the actions if handlers may have been left behind. Makes
 * no system call otherwise. */
void fsgs_handover_clean_up(void);

/* Returns the program's handler for a signal that is not part of a trial. NULL: there is none, and
 * the default action or SIG_IGN has been applied. */
void *fsgs_handover_pass(int slot, unsigned variant, siginfo_t *info);

/* Sends a signal again, to this thread or to the process, with its siginfo. */
void fsgs_handover_send(int sig, siginfo_t *info, int to_process);

#pragma GCC visibility pop
#endif

#endif

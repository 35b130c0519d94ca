/* SPDX-License-Identifier: MIT */
/* Behaviour of programs that once made a check hang or crash. In torture-threads, one or more
 * threads show each behaviour. */
#ifndef TORTURE_NEIGHBOURS_H
#define TORTURE_NEIGHBOURS_H

#include <signal.h>
#include <stdbool.h>

struct surroundings {
	/* Runs a check, which must have the usual answer. */
	void (*check)(void);
	/* From hold() to release(), the phase of torture-threads does not change. Returns whether
	 * the handlers of this phase serve the write barrier. */
	bool (*hold)(void);
	void (*release)(void);
	/* Returns whether the process's handlers run on the alternate stack. Must be called between
	 * hold() and release(). */
	bool (*on_alternate_stack)(void);
	const char *library; /* another copy of the library; NULL: none */
};

void neighbours_start(const struct surroundings *given);

/* Serves a fault at memory that a neighbour has write-protected. Returns false for any other fault.
 * Does not use thread-local storage. */
bool neighbours_serve(const siginfo_t *info);

/* Ends the neighbours, prints how much each has done, and requires that each has done something. */
void neighbours_end(void);

#endif

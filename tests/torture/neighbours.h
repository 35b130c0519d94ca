/* SPDX-License-Identifier: MIT */
/* The neighbours: threads of torture-threads that behave like programs in which a check once hung
 * or crashed. */
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
	const char *library; /* the file of another copy of the library, or NULL */
};

void neighbours_start(const struct surroundings *given);

/* If the fault is at memory that a neighbour has write-protected, makes the page writable and
 * returns true. Returns false for any other fault. Does not use thread-local storage. */
bool neighbours_serve(const siginfo_t *info);

/* Ends the neighbours and prints how much each has done. Each that was started must have done
 * something. */
void neighbours_end(void);

#endif

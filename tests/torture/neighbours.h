/* SPDX-License-Identifier: MIT */
/* Programs' habits that once made a check hang or crash. Each is one or more threads of the torture
 * by threads. */
#ifndef TORTURE_NEIGHBOURS_H
#define TORTURE_NEIGHBOURS_H

#include <signal.h>
#include <stdbool.h>

struct surroundings {
	/* A check with the usual answer. */
	void (*check)(void);
	/* The process's handlers stay until release(). Returns whether they serve faults now. */
	bool (*hold)(void);
	void (*release)(void);
	/* Between the two: whether those handlers run on the alternate stack. */
	bool (*on_alternate_stack)(void);
	const char *library; /* another copy of the library; NULL: none */
};

void neighbours_start(const struct surroundings *given);

/* Serves a fault at memory that a neighbour has protected: a write barrier. Without thread-local
 * storage. */
bool neighbours_serve(const siginfo_t *info);

/* Ends them, prints the work of each, and requires that each has worked. */
void neighbours_end(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Those beside whom a check once hung or died. Each is a thread, or several, of the torture by
 * threads. */
#ifndef TORTURE_NEIGHBOURS_H
#define TORTURE_NEIGHBOURS_H

#include <signal.h>
#include <stdbool.h>

struct surroundings {
	/* A check that must answer as always. */
	void (*check)(void);
	/* The handlers of the process stay until release(). Whether they serve faults now. */
	bool (*hold)(void);
	void (*release)(void);
	const char *library; /* another copy of the library; NULL: none */
};

void neighbours_start(const struct surroundings *given);

/* Serves a fault at memory that a neighbour has protected: a write barrier. Without thread-local
 * storage. */
bool neighbours_serve(const siginfo_t *info);

/* Ends them, says what each has done, and expects that it has done something. */
void neighbours_end(void);

#endif

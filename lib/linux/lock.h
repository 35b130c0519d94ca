/* SPDX-License-Identifier: MIT */
/* The lock that serialises the trials of a process. No C library, no thread-local storage. */
#ifndef FSGSCHECK_LIB_LOCK_H
#define FSGSCHECK_LIB_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* From <linux/futex.h>, which some C libraries do not install. */
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

#pragma GCC visibility push(hidden)

/* The role of a copy of the library in the exchange of signal actions. */
enum fsgs_role {
	FSGS_ROLE_OPEN = 0,    /* runs no trial, or its exchange is not finished */
	FSGS_ROLE_OWNER = 1,   /* has replaced the action of the first signal */
	FSGS_ROLE_WAITING = 2, /* has replaced another copy's handler, and waits */
};

/* The page size of x86. */
#define FSGS_PAGE 4096

/* MADV_WIPEONFORK: a child gets this page filled with zeros, unless it shares the memory. So a
 * child finds the lock free, whichever thread of its parent held it. */
extern union fsgs_process {
	struct {
		/* Process id << 32 | thread id, as the kernel numbers them; 0: free. Other copies
		 * of the library read this word and the next, so their places are fixed. */
		_Atomic(uint64_t) owner;
		atomic_uint role;   /* enum fsgs_role */
		atomic_uint trying; /* id of the thread that runs a trial, or 0 */
		atomic_uint taken;  /* how often the lock was taken */
		atomic_uint stuck;  /* 1 + the value of taken when a waiter gave up */
		atomic_uint waiting;
		atomic_int prepared;
	};
	_Alignas(FSGS_PAGE) char page[FSGS_PAGE];
} fsgs_process;

/* Takes the lock, stores the owner word in `name`, and returns 0. Returns -EDEADLK if this thread
 * already has the lock, or if its owner does not release it in time. The lock of a dead owner is
 * taken over. */
int fsgs_lock_take(uint64_t *name);

/* Releases the lock. Does nothing if this thread does not own it, as in a child forked during a
 * trial. */
void fsgs_lock_release(uint64_t name);

/* 1 while the owner lives; 0 if the lock is free or its owner is dead; -EDEADLK if the calling
 * thread owns it. */
int fsgs_lock_state(uint64_t owner);

#pragma GCC visibility pop

#endif

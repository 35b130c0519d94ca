/* SPDX-License-Identifier: MIT */
/* The lock that lets one trial of a process run at a time. No C library, no thread-local storage.
 */
#ifndef FSGSCHECK_LIB_LOCK_H
#define FSGSCHECK_LIB_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* From <linux/futex.h>, which some C libraries do not install. */
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

#pragma GCC visibility push(hidden)

/* What a copy of the library is to the actions of the process. */
enum fsgs_role {
	FSGS_ROLE_OPEN = 0,    /* it tries nothing, or an exchange is not over */
	FSGS_ROLE_OWNER = 1,   /* it has them, and puts them back */
	FSGS_ROLE_WAITING = 2, /* it found another copy to be the owner */
};

/* x86's. */
#define FSGS_PAGE 4096

/* Children get this page filled with zeros (MADV_WIPEONFORK), however they were made, unless they
 * share the memory. So a child finds the lock free, whichever thread of its parent held it. */
extern union fsgs_process {
	struct {
		/* Process id << 32 | thread id, as the kernel has them; 0: free. Other copies of
		 * the library read this word and the next, so their places are fixed. */
		_Atomic(uint64_t) owner;
		atomic_uint role;   /* enum fsgs_role */
		atomic_uint trying; /* thread id of the trial under way, or 0 */
		atomic_uint taken;  /* counts the turns of owners */
		atomic_uint stuck;  /* 1 + the turn that a waiter gave up on */
		atomic_uint waiting;
		atomic_int prepared;
	};
	_Alignas(FSGS_PAGE) char page[FSGS_PAGE];
} fsgs_process;

/* Stores the owner word of this thread and returns 0; or returns -EDEADLK: this thread has the lock
 * already, or its owner does not give it back in time. An owner that has died loses it. */
int fsgs_lock_take(uint64_t *name);

/* Does nothing if another thread owns the lock, as in a child that was forked inside a trial. */
void fsgs_lock_release(uint64_t name);

/* 1 while the owner lives; 0 when the lock is free or its owner is dead; -EDEADLK when it is this
 * thread. */
int fsgs_lock_state(uint64_t owner);

#pragma GCC visibility pop

#endif

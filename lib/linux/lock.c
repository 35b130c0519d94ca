/* SPDX-License-Identifier: MIT */
/*
 * A futex that holds the owner's process id and thread id.
 *
 * A mutex of the C library is not sufficient. The owner may be in another process that shares the
 * memory (vfork, CLONE_VM) and be killed there; the kernel releases robust mutexes of registered
 * threads only. Also, a handler of SIGTRAP or SIGSYS may call fsgs_check() during a check of its
 * own thread. This call would wait for ever, so it must be refused, and the lock stores the owner
 * for that. Thread-local storage cannot store it: a library that is loaded at run time would have
 * to allocate that storage.
 */
#include "lock.h"

#include "signals.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

/* Since Linux 4.14. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* The interval at which a waiter checks that the owner still lives. */
#define STEP_NS     10000000
/* The number of intervals after which a waiter gives up: 10 s if the owner is a thread of this
 * process, which a debugger may have stopped; 0.1 s if it is another process, which may be waiting
 * for this one. */
#define STEPS       1000
#define STEPS_OTHER 10

union fsgs_process fsgs_process;

static uint64_t own_name(void)
{
	return (uint64_t)system_call(SYS_getpid, 0, 0, 0, 0) << 32 | (uint32_t)thread_id();
}

int fsgs_lock_state(uint64_t owner)
{
	if (!owner)
		return 0;
	if (owner == own_name())
		return -EDEADLK;
	return system_call(SYS_tgkill, (long)(owner >> 32), (long)(uint32_t)owner, 0, 0) != -ESRCH;
}

/* Must run before the lock is first used: otherwise a child that is forked while the lock is held
 * inherits a held lock. If the kernel or a sandbox refuses, such a child gets no trial while the
 * parent's thread lives. */
static void prepare(void)
{
	if (atomic_load(&fsgs_process.prepared))
		return;
	system_call(SYS_madvise, (long)(uintptr_t)&fsgs_process, sizeof fsgs_process,
		    MADV_WIPEONFORK, 0);
	atomic_store(&fsgs_process.prepared, 1);
}

/* Waits for one interval, or until the owner changes. The futex compares the lower half of the
 * word, which is the thread id. Returns 0 if the word had already changed. */
static int wait_for_change(uint64_t owner)
{
	const struct timespec step = {0, STEP_NS};
	long result;

	atomic_fetch_add(&fsgs_process.waiting, 1);
	result = system_call(SYS_futex, (long)(uintptr_t)&fsgs_process.owner, FUTEX_WAIT_PRIVATE,
			     (long)(uint32_t)owner, (long)(uintptr_t)&step);
	atomic_fetch_sub(&fsgs_process.waiting, 1);
	/* A signal ended the wait early, and the call does not report the remaining time. Wait a
	 * whole step, because the caller counts this return as one. Otherwise frequent signals
	 * would use up all steps at once. */
	if (result == -EINTR)
		wait_for(STEP_NS);
	return result != -EAGAIN;
}

static int acquired(void)
{
	atomic_fetch_add(&fsgs_process.taken, 1);
	return 0;
}

int fsgs_lock_take(uint64_t *name)
{
	const uint64_t me = *name = own_name();
	uint64_t before = 0;
	unsigned turn = 0;
	int steps = 0;

	prepare();
	for (;;) {
		uint64_t owner = 0;

		if (atomic_compare_exchange_strong(&fsgs_process.owner, &owner, me))
			return acquired();
		if (owner == me)
			return -EDEADLK;
		if (owner != before || turn != atomic_load(&fsgs_process.taken))
			steps = 0;
		before = owner;
		turn = atomic_load(&fsgs_process.taken);
		if (steps && !fsgs_lock_state(owner) &&
		    atomic_compare_exchange_strong(&fsgs_process.owner, &owner, me))
			return acquired();
		if (steps == (owner >> 32 == me >> 32 ? STEPS : STEPS_OTHER) ||
		    (steps && atomic_load(&fsgs_process.stuck) == turn + 1)) {
			atomic_store(&fsgs_process.stuck, turn + 1);
			return -EDEADLK;
		}
		steps += wait_for_change(owner);
	}
}

void fsgs_lock_release(uint64_t name)
{
	if (!atomic_compare_exchange_strong(&fsgs_process.owner, &name, 0))
		return;
	if (atomic_load(&fsgs_process.waiting))
		system_call(SYS_futex, (long)(uintptr_t)&fsgs_process.owner, FUTEX_WAKE_PRIVATE, 1,
			    0);
}

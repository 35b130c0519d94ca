/* SPDX-License-Identifier: MIT */
/* Runs a function in a separate thread, because it changes the affinity or uses a foreign base. */
#include "linux.h"

#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

struct errand {
	void *(*body)(void *);
	void *argument;
};

/* For setuid() and similar calls, glibc sends a signal to every thread and waits until each has
 * handled it. So the new thread unblocks these signals, which the caller may have blocked. */
static void *run_errand(void *argument)
{
	const struct errand *const errand = argument;
	const kernel_sigset open = SIGNALS_OF_LIBC;

	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &open, NULL, sizeof open);
	return errand->body(errand->argument);
}

int fsgs_apart(void *(*body)(void *), void *argument)
{
	struct errand errand = {body, argument};
	kernel_sigset old = 0;
	pthread_t thread;
	/* The new thread inherits this mask. */
	const kernel_sigset mask = EXCHANGING & ~SIGNALS_OF_LIBC;
	int error;

	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, sizeof mask))
		return errno;
	/* Uses the default stack size, because static thread-local storage may take its space from
	 * the stack. */
	error = pthread_create(&thread, NULL, run_errand, &errand);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
	if (!error)
		pthread_join(thread, NULL);
	return error;
}

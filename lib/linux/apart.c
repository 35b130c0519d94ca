/* SPDX-License-Identifier: MIT */
/* What must not be done in the caller's own thread: another affinity, a foreign base. */
#include "linux.h"

#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

struct errand {
	void *(*body)(void *);
	void *argument;
};

/* The C library signals every thread for setuid() and its kin, and the end of a thread waits for
 * the answer. So these signals stay open here, also for a caller that has them blocked. */
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
	/* The thread inherits the mask. */
	const kernel_sigset mask = EXCHANGING & ~SIGNALS_OF_LIBC;
	int error;

	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, sizeof mask))
		return errno;
	/* With the program's own size of stack: static thread-local storage may lie on it. */
	error = pthread_create(&thread, NULL, run_errand, &errand);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
	if (!error)
		pthread_join(thread, NULL);
	return error;
}

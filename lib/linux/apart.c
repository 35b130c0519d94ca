/* SPDX-License-Identifier: MIT */
/* What must not be done in the caller's own thread: another affinity, a foreign base. */
#include "linux.h"

#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

int fsgs_apart(void *(*body)(void *), void *argument)
{
	kernel_sigset old = 0;
	pthread_t thread;
	/* The thread inherits the mask. The C library's functions would leave out the signals that it keeps for
	 * itself, and unblock them for a caller who has them blocked. */
	const kernel_sigset mask = EXCHANGING;
	int error;

	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, sizeof mask))
		return errno;
	/* With the program's own size of stack: static thread-local storage may lie on it. */
	error = pthread_create(&thread, NULL, body, argument);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
	if (!error)
		pthread_join(thread, NULL);
	return error;
}

/* SPDX-License-Identifier: MIT */
/* Finds out whether a pending signal is for the thread or for the process. Neither sigpending() nor
 * the siginfo of the signal shows this. */
#include "signals.h"

#include <fcntl.h>
#include <stddef.h>

/* Numbers of fields in /proc/PID/stat, from proc(5): the first field after the name, and the
 * signals that are pending for the thread. */
#define STATE  3
#define SIGNAL 31

static kernel_sigset parse(const char *text)
{
	const char *at = NULL;
	kernel_sigset set = 0;
	int field = STATE - 1;

	/* The name may contain any character, but ends at the last bracket. */
	for (const char *c = text; *c; c++)
		if (*c == ')')
			at = c + 1;
	while (at && field < SIGNAL && *at)
		if (*at++ == ' ')
			field++;
	while (at && *at >= '0' && *at <= '9')
		set = 10 * set + (kernel_sigset)(*at++ - '0');
	return set;
}

kernel_sigset fsgs_pending_for_thread(void)
{
	char text[1024];
	kernel_sigset pending = 0;
	long fd, got, length = 0;

	/* Most often no signal is pending, and no file has to be read. */
	if (system_call(SYS_rt_sigpending, (long)(uintptr_t)&pending, sizeof pending, 0, 0) ||
	    !pending)
		return 0;
	fd = system_call(SYS_openat, AT_FDCWD, (long)(uintptr_t) "/proc/thread-self/stat",
			 O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return 0; /* GCOV_EXCL_LINE: a process that cannot open files writes no counters. */
	do {
		got = system_call(SYS_read, fd, (long)(uintptr_t)(text + length),
				  (long)sizeof text - 1 - length, 0);
		if (got > 0)
			length += got;
	} while (got > 0);
	system_call(SYS_close, fd, 0, 0, 0);
	text[length] = '\0';
	return got == 0 ? pending & parse(text) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Programs that execve() gives other privileges: the kernel does not do so under a tracer without
 * CAP_SYS_PTRACE. */
#ifndef FSGSCHECK_RUN_PRIVILEGE_H
#define FSGSCHECK_RUN_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a trace of such a program costs it nothing. */
bool privilege_is_kept(void);

/* Whether the file is such a program. */
bool privilege_is_gained(const char *path);

/* For a thread that has just executed such a program without the privileges: lets go of it in a way
 * that it executes the program again, untraced. False where that cannot be done; nothing has
 * changed then. */
bool privilege_restart(pid_t thread);

#endif

/* SPDX-License-Identifier: MIT */
/* Programs that get other privileges by execve(), which the kernel denies under a tracer without
 * CAP_SYS_PTRACE. */
#ifndef FSGSCHECK_RUN_PRIVILEGE_H
#define FSGSCHECK_RUN_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether such a program keeps its privileges when it is traced. */
bool privilege_is_kept(void);

/* Whether the file is such a program. */
bool privilege_is_gained(const char *path);

/* For a thread that has just executed such a program without the privileges: detaches so that the
 * thread executes the program again, untraced. Returns false if that is not possible; nothing has
 * changed then. */
bool privilege_restart(pid_t thread);

#endif

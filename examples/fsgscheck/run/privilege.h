/* SPDX-License-Identifier: MIT */
/* Programs that get other privileges by execve(): set-user-id, set-group-id or with file
 * capabilities. If such a program is traced and the tracer lacks CAP_SYS_PTRACE, the kernel denies
 * these privileges. */
#ifndef FSGSCHECK_RUN_PRIVILEGE_H
#define FSGSCHECK_RUN_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether such a program keeps its privileges when this process traces it. */
bool privilege_is_kept(void);

/* Whether the file is such a program, and would get the privileges if this process executed it. */
bool privilege_is_gained(const char *path);

/* Call for a thread that has just executed such a program and was denied the privileges. Detaches
 * from the thread, and makes it execute the program again, untraced. If that is not possible,
 * changes nothing and returns false. */
bool privilege_restart(pid_t thread);

#endif

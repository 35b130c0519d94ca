/* SPDX-License-Identifier: MIT */
/* Included before each source of the Windows command: declarations that its C library lacks. */
#ifndef FSGSCHECK_PAGE_WINDOWS_H
#define FSGSCHECK_PAGE_WINDOWS_H

#include <stddef.h>

/* The command opens every file with this flag. On Windows, the flag must mean O_BINARY, because
 * otherwise a CTRL-Z would end the file. */
#define O_CLOEXEC _O_BINARY

void *memmem(const void *in, size_t size, const void *what, size_t length);
char *strsignal(int signal);

#endif

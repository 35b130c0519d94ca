/* SPDX-License-Identifier: MIT */
/* The parts of the boot guard that the ELF image and the UEFI program share: the options in command
 * lines, and the decision. doc/boot-guard.md describes the guard. */
#ifndef BOOT_GUARD_H
#define BOOT_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include "text.h"

#define GUARD_WORD "guard"

/* The text after the word `guard` on the image's command line; NULL without that word. */
const char *guard_arguments(const char *line);

/* Whether the kernel's own options make the test needless (nofsgsbase) or forbid it
 * (fsgscheck=off). */
int guard_is_off(const char *kernel_line);

/* Whether the verdict in machine.report requires nofsgsbase. */
int guard_adds(void);

/* Inserts nofsgsbase after the kernel's own options, and so before " --", which begins the options
 * of init. Returns 0. Returns -1 and leaves the line unchanged if it would become longer than
 * `limit` characters. */
int guard_add(char *line, size_t limit);

/* The index in a command line at which nofsgsbase is inserted, and the text to insert. */
size_t guard_place(const char *line);
#define GUARD_ADDITION        " nofsgsbase"
#define GUARD_ADDITION_LENGTH (sizeof GUARD_ADDITION - 1)

/* Appends the line that the guard prints about its decision. */
void guard_line(struct line *line, int added, uint64_t ms);

#endif

/* SPDX-License-Identifier: MIT */
/* Exceptions, and the one interrupt that is used. */
#ifndef BOOT_TRAP_H
#define BOOT_TRAP_H

#include <stdint.h>

/* As LIDT and SIDT have it. */
struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* The table in which #UD and #GP lead to the core and all else ends the program with an
 * explanation, made by the first call, from then on used by whatever processor calls trap_use(). */
void trap_start(void);
void trap_use(void);

/* To be provided: an unexpected exception. Returns only if it does not matter any more. */
void trap_unexpected(uint64_t vector, uint64_t rip);

/* To be provided: the timer's interrupt. */
void trap_timer(void);

#endif

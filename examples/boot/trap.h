/* SPDX-License-Identifier: MIT */
/* The exception handlers, and the handler of the timer interrupt. */
#ifndef BOOT_TRAP_H
#define BOOT_TRAP_H

#include <stdint.h>

/* The operand format of LIDT and SIDT. */
struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* trap_start() builds the exception table. trap_use() makes the calling processor use it. The core
 * handles #UD and #GP of a stub. Every other exception leads to trap_unexpected(). */
void trap_start(void);
void trap_use(void);

/* Provided by the caller: handles an unexpected exception. Returns only if the exception no longer
 * matters. */
void trap_unexpected(uint64_t vector, uint64_t rip);

/* Provided by the caller: handles the timer interrupt. */
void trap_timer(void);

#endif

/* SPDX-License-Identifier: MIT */
/* The host prints its messages on the first serial port, which the guest uses, too. */
#ifndef HOST_CONSOLE_H
#define HOST_CONSOLE_H

#include <stdint.h>

void console_init(void);
void console_text(const char *text);
void console_hex(uint64_t value);

/*
 * Prints why the host cannot continue, followed by @value in hexadecimal, and ends the machine. If
 * there is QEMU's isa-debug-exit device, QEMU exits with status 255. Otherwise the machine resets.
 */
_Noreturn void stop(const char *reason, uint64_t value);

#endif

/* SPDX-License-Identifier: MIT */
/* The host's messages, on the first serial port, which the guest uses afterwards. */
#ifndef HOST_CONSOLE_H
#define HOST_CONSOLE_H

#include <stdint.h>

void console_init(void);
void console_text(const char *text);
void console_hex(uint64_t value);

/*
 * Says why the host cannot go on, with @value in hexadecimal behind it, and ends the machine:
 * through QEMU's isa-debug-exit device where there is one (status 255), else by a reset.
 */
_Noreturn void stop(const char *reason, uint64_t value);

#endif

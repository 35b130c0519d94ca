/* SPDX-License-Identifier: MIT */
/* The line that programs read: COM1, the debug port 0xe9 where an emulator has it, and the console
 * of a Xen guest. One processor at a time. */
#ifndef BOOT_SERIAL_H
#define BOOT_SERIAL_H

/* After clock_start(). */
void serial_start(void);
void serial_text(const char *text);

/* Ends a line that was begun and never finished. */
void serial_fresh_line(void);

/* Waits until everything has left, as far as that can be told. */
void serial_drain(void);

#endif

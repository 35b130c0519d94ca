/* SPDX-License-Identifier: MIT */
/* The output for programs: COM1, the debug port 0xe9 if an emulator has it, and the console of a
 * Xen guest. Only one processor may write at a time. */
#ifndef BOOT_SERIAL_H
#define BOOT_SERIAL_H

/* Call after clock_start(). */
void serial_start(void);
void serial_text(const char *text);

/* Ends an incomplete line. */
void serial_fresh_line(void);

/* Waits until the text has been read from Xen's console, with a time limit. The other ports need no
 * wait. */
void serial_drain(void);

#endif

/* SPDX-License-Identifier: MIT */
/* The line that programs read: COM1 and, where an emulator has it, the debug port 0xe9. */
#ifndef BOOT_SERIAL_H
#define BOOT_SERIAL_H

void serial_start(void);
void serial_text(const char *text);

#endif

/* SPDX-License-Identifier: MIT */
/* The data that a boot loader passed, by Multiboot or by PVH. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <stdint.h>
#include "linux.h"

/* The maximum size of a kernel's command line, with nofsgsbase. */
#define LOADER_COMMAND_LINE 8192

/* Stores the address of the loader's data. Call first. */
void loader_start(uint32_t magic, const void *information);

/* The image's own command line. */
const char *loader_command_line(void);

/* Of ACPI; 0 if the loader does not give it. */
uint64_t loader_root_pointer(void);

/*
 * Collects the data that is needed to start the kernel in the first module. The kernel's command
 * line is the module's, or the given one if the module has none; it is copied to
 * LOADER_COMMAND_LINE bytes. The second module is the initrd. With one module, the initrd is the
 * data after the kernel in it. Returns NULL, or the reason for a failure.
 */
const char *loader_linux(struct linux_boot *boot, const char *otherwise, char *command_line);

#endif

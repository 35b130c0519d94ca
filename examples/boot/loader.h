/* SPDX-License-Identifier: MIT */
/* The data that a boot loader passed, by Multiboot or by PVH. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <stdint.h>
#include "linux.h"

/* The maximum size of a kernel's command line in bytes, including nofsgsbase and the final zero. */
#define LOADER_COMMAND_LINE 8192

/* Stores the address of the loader's data. Call first. */
void loader_start(uint32_t magic, const void *information);

/* The image's own command line. */
const char *loader_command_line(void);

/* The address of ACPI's root pointer; 0 if the loader does not give it. */
uint64_t loader_root_pointer(void);

/*
 * Collects the data that is needed to start the kernel in the first module. The kernel's command
 * line is that of the module, or `otherwise` if the module has none. It is copied to
 * `command_line`, which has LOADER_COMMAND_LINE bytes. The second module is the initrd. If there is
 * only one module, the initrd is the data after the kernel in this module. Returns NULL, or the
 * reason for a failure.
 */
const char *loader_linux(struct linux_boot *boot, const char *otherwise, char *command_line);

#endif

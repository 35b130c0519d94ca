/* SPDX-License-Identifier: MIT */
/* What a boot loader handed over, by Multiboot or by PVH. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <stdint.h>
#include "linux.h"

/* Longer than any kernel's, with nofsgsbase. */
#define LOADER_COMMAND_LINE 8192

/* Remembers where it lies. Before the rest. */
void loader_start(uint32_t magic, const void *information);

/* The image's own command line. */
const char *loader_command_line(void);

/* Of ACPI; 0 when the loader does not tell. */
uint64_t loader_root_pointer(void);

/*
 * Collects what it takes to start the kernel in the first module. The kernel's command line is that
 * of the module, or what is given where the module has none; it is copied, and is
 * LOADER_COMMAND_LINE long. The second module is the initrd; with one module, what follows the
 * kernel in it. Returns NULL, or what is wrong.
 */
const char *loader_linux(struct linux_boot *boot, const char *otherwise, char *command_line);

#endif

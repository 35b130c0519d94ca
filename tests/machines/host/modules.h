/* SPDX-License-Identifier: MIT */
/* The data that the loader passed: the memory map and the modules. */
#ifndef HOST_MODULES_H
#define HOST_MODULES_H

#include "../../../examples/boot/memory.h"
#include "multiboot.h"

#define MODULE_MAX  8
#define CMDLINE_MAX 2048

/* The guest's memory map: the BIOS's map, in which the memory of the host is reserved. The memory
 * of the modules counts as in use, so nothing is loaded over them. */
extern struct memory memory;

extern struct multiboot_module modules[MODULE_MAX];
extern unsigned int module_count;

/* The guest's command line: the string of the first module, without the file name at its start. */
extern char modules_cmdline[CMDLINE_MAX];

/*
 * Copies the part of the loader's information that is needed later, because the guest may be loaded
 * over that information.
 */
void modules_init(const struct multiboot_info *info);

/* Moves all modules above the host's image. GRUB puts modules at the lowest free address, where the
 * image to boot may be linked. */
void modules_move_up(void);

#endif

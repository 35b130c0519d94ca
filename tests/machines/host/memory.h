/* SPDX-License-Identifier: MIT */
/* The memory map, the modules, and what is still free. */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include "multiboot.h"

enum region_type { REGION_RAM = 1, REGION_RESERVED = 2 }; /* as in the BIOS's map */

struct region {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

#define REGION_MAX  64
#define MODULE_MAX  8
#define CMDLINE_MAX 2048

/* The map that the guest gets: the BIOS's, less what it has to leave alone. */
extern struct region memory_map[REGION_MAX];
extern unsigned int memory_map_count;

extern struct multiboot_module memory_modules[MODULE_MAX];
extern unsigned int memory_module_count;

/* The first module's arguments, without its name.  They are the guest's command line. */
extern char memory_cmdline[CMDLINE_MAX];

/*
 * Copies all of the loader's information that is needed later, since the guest may be loaded over
 * the rest of it.
 */
void memory_init(const struct multiboot_info *info);

/* Is all of this RAM, and clear of the host and of every module? */
bool memory_is_free(uint64_t base, uint64_t size);

/* The lowest free place from @from on and below 4 GiB, or 0; @align is a power of two. */
uint64_t memory_find(uint64_t from, uint64_t size, uint64_t align);

#endif

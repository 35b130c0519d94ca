/* SPDX-License-Identifier: MIT */
/* The memory map for a loader: the firmware's map, and the regions that are already in use. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdint.h>

/* The types of regions in a BIOS's memory map that this code knows. */
enum region_type { REGION_RAM = 1, REGION_RESERVED = 2 };

struct region {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

/* The maximum number of regions in the map of Linux's parameter page, and of regions in use. */
#define MEMORY_REGIONS 128
#define MEMORY_KEPT    16

/* The memory that entry.S has mapped. */
#define MEMORY_MAPPED  (UINT64_C(1) << 32)

struct memory {
	struct region map[MEMORY_REGIONS];
	struct region kept[MEMORY_KEPT]; /* RAM in use; the type does not matter */
	unsigned int map_count, kept_count;
};

/* Add a region to the map or to the regions in use. An empty region is ignored. Return 0, or -1 if
 * the table is full or the region is invalid. */
int memory_add(struct memory *memory, uint64_t base, uint64_t size, uint32_t type);
int memory_keep(struct memory *memory, uint64_t base, uint64_t size);

/* Whether the whole region is RAM. Adjacent regions count as one. */
int memory_is_ram(const struct memory *memory, uint64_t base, uint64_t size);

/* Whether the whole region is RAM, mapped and unused. */
int memory_is_free(const struct memory *memory, uint64_t base, uint64_t size);

/* The lowest aligned address, not below `from`, at which `size` bytes are free; 0 if there is none.
 * `align` is a power of two. */
uint64_t memory_find(const struct memory *memory, uint64_t from, uint64_t size, uint64_t align);

#endif

/* SPDX-License-Identifier: MIT */
/* What a loader has to know of memory: the firmware's map, and what lies in it already. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdint.h>

/* As in the BIOS's map; there are further types. */
enum region_type { REGION_RAM = 1, REGION_RESERVED = 2 };

struct region {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

/* As many as Linux's parameter page holds. */
#define MEMORY_REGIONS 128
#define MEMORY_KEPT    16

/* What entry.S has mapped. */
#define MEMORY_MAPPED  (UINT64_C(1) << 32)

struct memory {
	struct region map[MEMORY_REGIONS];
	struct region kept[MEMORY_KEPT]; /* RAM that is in use; the type does not matter */
	unsigned int map_count, kept_count;
};

/* Each returns -1 when there is no room. An empty region is left out. */
int memory_add(struct memory *memory, uint64_t base, uint64_t size, uint32_t type);
int memory_keep(struct memory *memory, uint64_t base, uint64_t size);

/* Whether all of it is RAM. Regions that touch each other count as one. */
int memory_is_ram(const struct memory *memory, uint64_t base, uint64_t size);

/* Whether all of it is RAM, mapped, and kept for nothing. */
int memory_is_free(const struct memory *memory, uint64_t base, uint64_t size);

/* The lowest free place from an address on, or 0; the alignment is a power of two. */
uint64_t memory_find(const struct memory *memory, uint64_t from, uint64_t size, uint64_t align);

#endif

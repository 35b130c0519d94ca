/* SPDX-License-Identifier: MIT */
#include "memory.h"

/* No processor has physical addresses of more than 52 bits. */
#define MEMORY_END (UINT64_C(1) << 52)

int memory_add(struct memory *memory, uint64_t base, uint64_t size, uint32_t type)
{
	if (!size)
		return 0;
	if (memory->map_count == MEMORY_REGIONS || base > MEMORY_END || size > MEMORY_END - base)
		return -1;
	memory->map[memory->map_count++] = (struct region){base, size, type};
	return 0;
}

int memory_keep(struct memory *memory, uint64_t base, uint64_t size)
{
	if (!size)
		return 0;
	if (memory->kept_count == MEMORY_KEPT || base > MEMORY_END || size > MEMORY_END - base)
		return -1;
	memory->kept[memory->kept_count++] = (struct region){base, size, REGION_RESERVED};
	return 0;
}

/* Returns the number of bytes from this address to the end of its RAM region; 0 if the address is
 * not in RAM. */
static uint64_t ram_from(const struct memory *memory, uint64_t base)
{
	for (unsigned int i = 0; i < memory->map_count; i++) {
		const struct region *region = &memory->map[i];

		if (region->type == REGION_RAM && base >= region->base &&
		    base - region->base < region->size)
			return region->size - (base - region->base);
	}
	return 0;
}

int memory_is_ram(const struct memory *memory, uint64_t base, uint64_t size)
{
	while (size) {
		const uint64_t here = ram_from(memory, base);

		if (!here)
			return 0;
		if (here >= size)
			return 1;
		base += here;
		size -= here;
	}
	return 1;
}

static int overlaps(const struct region *a, uint64_t base, uint64_t size)
{
	return base < a->base + a->size && a->base < base + size;
}

int memory_is_free(const struct memory *memory, uint64_t base, uint64_t size)
{
	if (size > MEMORY_MAPPED || base > MEMORY_MAPPED - size)
		return 0;
	for (unsigned int i = 0; i < memory->kept_count; i++)
		if (overlaps(&memory->kept[i], base, size))
			return 0;
	return memory_is_ram(memory, base, size);
}

uint64_t memory_find(const struct memory *memory, uint64_t from, uint64_t size, uint64_t align)
{
	if (size > MEMORY_MAPPED)
		return 0;
	for (uint64_t base = (from + align - 1) & ~(align - 1);
	     base >= from && base <= MEMORY_MAPPED - size; base += align)
		if (memory_is_free(memory, base, size))
			return base;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "console.h"
#include "cpu.h"
#include "memory.h"
#include "text.h"

extern char image_start[], image_end[]; /* host.lds */

struct region memory_map[REGION_MAX];
unsigned int memory_map_count;
struct multiboot_module memory_modules[MODULE_MAX];
unsigned int memory_module_count;
char memory_cmdline[CMDLINE_MAX];

static void add_region(uint64_t base, uint64_t end, uint32_t type)
{
	if (base >= end)
		return;
	if (memory_map_count == REGION_MAX)
		stop("the memory map has too many regions:", REGION_MAX);
	memory_map[memory_map_count++] = (struct region){base, end - base, type};
}

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Adds a region of the BIOS's map.  The host's image is taken out of it, and so is memory that the
 * host cannot see: it could not read an instruction there.
 */
static void add_visible(uint64_t base, uint64_t end, uint32_t type)
{
	uint64_t hole_start = (uintptr_t)image_start;
	uint64_t hole_end = (uintptr_t)image_end;

	if (type == REGION_RAM && end > MAPPED) {
		add_region(higher(base, MAPPED), end, REGION_RESERVED);
		end = lower(end, MAPPED);
	}

	if (type != REGION_RAM || end <= hole_start || base >= hole_end) {
		add_region(base, end, type);
		return;
	}
	add_region(base, lower(end, hole_start), type);
	add_region(higher(base, hole_start), lower(end, hole_end), REGION_RESERVED);
	add_region(higher(base, hole_end), end, type);
}

static void copy_map(const struct multiboot_info *info)
{
	uint32_t at = info->map;

	if (!(info->flags & MULTIBOOT_INFO_MEMORY_MAP))
		stop("the loader gave no memory map; flags", info->flags);
	while (at < info->map + info->map_length) {
		const struct multiboot_map_entry *entry = (const void *)(uintptr_t)at;

		add_visible(entry->base, entry->base + entry->length, entry->type);
		at += entry->size + (uint32_t)sizeof(entry->size);
	}
}

static void copy_modules(const struct multiboot_info *info)
{
	const struct multiboot_module *module = (const void *)(uintptr_t)info->modules;

	if (!(info->flags & MULTIBOOT_INFO_MODULES) || info->module_count == 0)
		stop("there is nothing to boot: modules", 0);
	if (info->module_count > MODULE_MAX)
		stop("too many modules:", info->module_count);
	memory_module_count = info->module_count;
	memcpy(memory_modules, module, memory_module_count * sizeof(*module));

	if (!text_copy(memory_cmdline, sizeof(memory_cmdline),
		       text_arguments((const char *)(uintptr_t)module->string)))
		stop("the guest's command line is longer than", sizeof(memory_cmdline) - 1);
}

void memory_init(const struct multiboot_info *info)
{
	copy_map(info);
	copy_modules(info);
}

static bool hits_module(uint64_t base, uint64_t size)
{
	for (unsigned int i = 0; i < memory_module_count; i++) {
		if (base < memory_modules[i].end && base + size > memory_modules[i].start)
			return true;
	}
	return false;
}

static bool is_ram(uint64_t base, uint64_t size)
{
	for (unsigned int i = 0; i < memory_map_count; i++) {
		const struct region *region = &memory_map[i];

		if (region->type == REGION_RAM && base >= region->base &&
		    base + size <= region->base + region->size)
			return true;
	}
	return false;
}

bool memory_is_free(uint64_t base, uint64_t size)
{
	return base + size <= MAPPED && is_ram(base, size) && !hits_module(base, size);
}

uint64_t memory_find(uint64_t from, uint64_t size, uint64_t align)
{
	uint64_t base = (from + align - 1) & ~(align - 1);

	for (; base + size <= MAPPED; base += align) {
		if (memory_is_free(base, size))
			return base;
	}
	return 0;
}

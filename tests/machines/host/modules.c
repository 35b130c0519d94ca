/* SPDX-License-Identifier: MIT */
#include "console.h"
#include "cpu.h"
#include "modules.h"
#include "text.h"

extern char image_start[], image_end[]; /* host.lds */

struct memory memory;
struct multiboot_module modules[MODULE_MAX];
unsigned int module_count;
char modules_cmdline[CMDLINE_MAX];

static void add_region(uint64_t base, uint64_t end, uint32_t type)
{
	if (base < end && memory_add(&memory, base, end - base, type))
		stop("the memory map has too many regions:", MEMORY_REGIONS);
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
 * Adds a region of the BIOS's map to the guest's map. Reserves two kinds of RAM: the host's
 * image, and RAM that is not mapped, where the host could not read the guest's instructions.
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
	module_count = info->module_count;
	memcpy(modules, module, module_count * sizeof(*module));
	for (unsigned int i = 0; i < module_count; i++)
		(void)memory_keep(&memory, modules[i].start, modules[i].end - modules[i].start);

	if (!text_copy(modules_cmdline, sizeof(modules_cmdline),
		       text_arguments((const char *)(uintptr_t)module->string)))
		stop("the guest's command line is longer than", sizeof(modules_cmdline) - 1);
}

void modules_init(const struct multiboot_info *info)
{
	copy_map(info);
	copy_modules(info);
}

void modules_move_up(void)
{
	for (unsigned int i = 0; i < module_count; i++) {
		const uint64_t size = modules[i].end - modules[i].start;
		uint64_t place;

		if (modules[i].start >= (uintptr_t)image_start)
			continue;
		place = memory_find(&memory, (uintptr_t)image_end, size, 4096);
		if (!place)
			stop("no memory to move a module to; its size is", size);
		memcpy((void *)place, (const void *)(uintptr_t)modules[i].start, size);
		memory.kept[i].base = modules[i].start = (uint32_t)place;
		modules[i].end = (uint32_t)(place + size);
	}
}

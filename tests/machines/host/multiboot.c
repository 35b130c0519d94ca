/* SPDX-License-Identifier: MIT */
/*
 * A loader for Multiboot images. It accepts images with address fields, whatever their file format,
 * and 32-bit ELF files.
 */
#include <stdbool.h>
#include <stddef.h>
#include "console.h"
#include "layout.h"
#include "modules.h"
#include "multiboot.h"
#include "text.h"

_Noreturn void enter_multiboot(uint32_t entry, const void *information);

#define SEARCH_LIMIT        8192u
#define FLAG_ADDRESS_FIELDS (1u << 16)
#define FLAGS_KNOWN         (FLAG_ADDRESS_FIELDS | 3u) /* 3: aligned modules, memory information */
#define FLAGS_MUST_BE_KNOWN 0xffffu

struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	uint32_t header_address;
	uint32_t load_address;
	uint32_t load_end;
	uint32_t bss_end;
	uint32_t entry;
};

struct elf32_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, program_offset, section_offset, flags;
	uint16_t header_size, program_size, program_count;
};

struct elf32_program {
	uint32_t type, offset, virtual_address, address, file_size, memory_size, flags, align;
};

#define ELF_MAGIC    0x464c457fu
#define ELF_CLASS    4
#define ELF_CLASS_32 1
#define ELF_PT_LOAD  1

static struct multiboot_info information;
static struct multiboot_map_entry map[MEMORY_REGIONS];

static void load(uint32_t to, const uint8_t *from, uint32_t file_size, uint32_t memory_size)
{
	if (memory_size < file_size || !memory_is_free(&memory, to, memory_size))
		stop("the image does not fit into free memory at", to);
	memcpy((void *)(uintptr_t)to, from, file_size);
	memset((void *)(uintptr_t)(to + file_size), 0, memory_size - file_size);
}

/* Returns the entry address. */
static uint32_t load_by_address_fields(const uint8_t *image, uint32_t size, uint32_t offset,
				       const struct multiboot_header *header)
{
	uint32_t before = header->header_address - header->load_address;
	uint32_t file_size, memory_size;

	if (header->load_address > header->header_address || before > offset)
		stop("the image's address fields contradict each other; load address",
		     header->load_address);
	file_size = size - (offset - before);
	if (header->load_end) {
		if (header->load_end < header->load_address ||
		    header->load_end - header->load_address > file_size)
			stop("the image is shorter than its address fields say:", size);
		file_size = header->load_end - header->load_address;
	}
	memory_size = file_size;
	if (header->bss_end > header->load_address + file_size)
		memory_size = header->bss_end - header->load_address;
	load(header->load_address, image + (offset - before), file_size, memory_size);
	return header->entry;
}

static uint32_t load_elf32(const uint8_t *image, uint32_t size)
{
	const struct elf32_header *elf = (const void *)image;
	uint32_t magic;

	memcpy(&magic, elf->ident, sizeof(magic));
	if (magic != ELF_MAGIC || elf->ident[ELF_CLASS] != ELF_CLASS_32)
		stop("a Multiboot image without address fields has to be ELF32; it starts", magic);
	for (unsigned int i = 0; i < elf->program_count; i++) {
		uint64_t at = (uint64_t)elf->program_offset + i * (uint64_t)elf->program_size;
		struct elf32_program program;

		if (at + sizeof(program) > size)
			stop("the image ends within its program headers:", size);
		memcpy(&program, image + at, sizeof(program));
		if (program.type != ELF_PT_LOAD || !program.memory_size)
			continue;
		if ((uint64_t)program.offset + program.file_size > size)
			stop("the image ends within a segment:", size);
		load(program.address, image + program.offset, program.file_size,
		     program.memory_size);
	}
	return elf->entry;
}

static bool find_header(const uint8_t *image, uint32_t size, uint32_t *offset,
			struct multiboot_header *header)
{
	uint32_t limit = size < SEARCH_LIMIT ? size : SEARCH_LIMIT;

	for (*offset = 0; *offset + sizeof(*header) <= limit; *offset += 4) {
		memcpy(header, image + *offset, sizeof(*header));
		if (header->magic == MULTIBOOT_HEADER_MAGIC &&
		    header->magic + header->flags + header->checksum == 0)
			return true;
	}
	return false;
}

/* The map describes all memory. memory_lower and memory_upper, the older form, describe only the
 * RAM that begins at 0 and the RAM from 1 MiB up to the host. */
static void fill_information(void)
{
	for (unsigned int i = 0; i < memory.map_count; i++) {
		const struct region *region = &memory.map[i];
		uint32_t kib = (uint32_t)(region->size >> 10);

		map[i] = (struct multiboot_map_entry){
			.size = sizeof(map[i]) - sizeof(map[i].size),
			.base = region->base,
			.length = region->size,
			.type = region->type,
		};
		if (region->type == REGION_RAM && region->base == 0)
			information.memory_lower = kib;
		if (region->type == REGION_RAM && region->base == 0x100000)
			information.memory_upper = kib;
	}
	information.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE |
			    MULTIBOOT_INFO_MODULES | MULTIBOOT_INFO_MEMORY_MAP;
	information.cmdline = (uint32_t)(uintptr_t)modules_cmdline;
	information.module_count = module_count - 1;
	information.modules = (uint32_t)(uintptr_t)&modules[1];
	information.map_length = memory.map_count * (uint32_t)sizeof(map[0]);
	information.map = (uint32_t)(uintptr_t)map;
}

/* Makes the data for the image invalid, as a defective boot loader would. The boot guard, which is
 * the image, must stop and give the reason. */
static void spoil(const char *defect)
{
	struct multiboot_module *const handed = &modules[1];

	if (text_equal(defect, "no-map")) {
		information.flags &= ~MULTIBOOT_INFO_MEMORY_MAP;
	} else if (text_equal(defect, "empty-map")) {
		information.map_length = 0;
	} else if (text_equal(defect, "damaged-map")) {
		map[0].size = 3;
	} else if (text_equal(defect, "map-beyond")) {
		information.map_length = UINT32_MAX;
	} else if (text_equal(defect, "modules-beyond")) {
		information.modules = UINT32_MAX - 7;
	} else if (text_equal(defect, "endless-map")) {
		map[0].length = UINT64_MAX;
	} else if (text_equal(defect, "no-modules")) {
		information.flags &= ~MULTIBOOT_INFO_MODULES;
	} else if (text_equal(defect, "backwards")) {
		handed[0].end = handed[0].start - 1;
	} else if (text_equal(defect, "same-place")) {
		handed[1] = handed[0];
	} else if (text_equal(defect, "overlap")) {
		handed[1].start = handed[0].end - 1;
		handed[1].end = handed[0].end + 4096;
	} else if (text_equal(defect, "over-image")) {
		handed[1].start = 0x100000;
		handed[1].end = 0x101000;
	} else if (text_equal(defect, "no-memory-there")) {
		handed[1].start = 0xe0000000;
		handed[1].end = 0xe0001000;
	} else {
		stop("no such defect; its first letter is", (uint8_t)defect[0]);
	}
}

void multiboot_boot(const struct multiboot_module *module, const char *defect)
{
	const uint8_t *image = (const void *)(uintptr_t)module->start;
	uint32_t size = module->end - module->start;
	struct multiboot_header header;
	uint32_t offset, entry;

	if (!find_header(image, size, &offset, &header))
		return;
	if (header.flags & FLAGS_MUST_BE_KNOWN & ~FLAGS_KNOWN)
		stop("the image needs features that this loader lacks; flags", header.flags);
	if (header.flags & FLAG_ADDRESS_FIELDS)
		entry = load_by_address_fields(image, size, offset, &header);
	else
		entry = load_elf32(image, size);
	fill_information();
	if (*defect)
		spoil(defect);
	enter_multiboot(entry, &information);
}

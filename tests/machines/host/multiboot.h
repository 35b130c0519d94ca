/* SPDX-License-Identifier: MIT */
/* Multiboot 1: the data that this program receives, and the data that it passes on. */
#ifndef HOST_MULTIBOOT_H
#define HOST_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_INFO_MEMORY     (1u << 0)
#define MULTIBOOT_INFO_CMDLINE    (1u << 2)
#define MULTIBOOT_INFO_MODULES    (1u << 3)
#define MULTIBOOT_INFO_MEMORY_MAP (1u << 6)

struct multiboot_info {
	uint32_t flags;
	uint32_t memory_lower; /* KiB from 0 */
	uint32_t memory_upper; /* KiB from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t module_count;
	uint32_t modules;
	uint32_t symbols[4];
	uint32_t map_length;
	uint32_t map;
};

struct multiboot_module {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
};

/* @size is the number of bytes after this member. */
struct multiboot_map_entry {
	uint32_t size;
	uint64_t base;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

/*
 * Boots @image, which must be the host's first module. The image's command line is the module's
 * arguments, and the image's modules are the modules after it. Does not return, unless @image has
 * no Multiboot header. The data for the image is valid, unless @defect names a defect.
 */
void multiboot_boot(const struct multiboot_module *image, const char *defect);

#endif

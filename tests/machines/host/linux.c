/* SPDX-License-Identifier: MIT */
/*
 * The 64-bit boot protocol of Documentation/arch/x86/boot.rst: real mode and its services are over,
 * the kernel gets one page of parameters and is entered 512 bytes behind its load address.
 *
 * The initrd stays where the loader put it.  The kernel may lie at any aligned address; with
 * address randomisation on it moves itself once more, around everything that the map reserves.
 */
#include <stddef.h>
#include "console.h"
#include "linux.h"
#include "memory.h"
#include "text.h"

_Noreturn void enter_linux(uint64_t entry, const void *boot_params);

/* Offsets that the image's first sectors and the parameter page have in common. */
#define HEADER_START       0x1f1 /* the number of 512-byte setup sectors, too */
#define HEADER_JUMP        0x201 /* its operand tells where the header ends */
#define HEADER_MAGIC       0x202
#define HEADER_VERSION     0x206
#define HEADER_LOADER      0x210
#define HEADER_INITRD      0x218
#define HEADER_INITRD_SIZE 0x21c
#define HEADER_CMDLINE     0x228
#define HEADER_ALIGNMENT   0x230
#define HEADER_XLOADFLAGS  0x236
#define HEADER_CMDLINE_MAX 0x238
#define HEADER_PREFERRED   0x258
#define HEADER_INIT_SIZE   0x260
/* Offsets in the parameter page alone. */
#define PARAMS_MAP_COUNT   0x1e8
#define PARAMS_MAP         0x2d0
#define PARAMS_SIZE        4096

#define MAGIC              0x53726448u /* "HdrS" */
#define VERSION_MINIMUM    0x020cu     /* the first with xloadflags */
#define XLOAD_KERNEL_64    1u
#define LOADER_UNKNOWN     0xff
#define SECTOR             512u
#define ENTRY_64           0x200u

struct map_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

static uint8_t boot_params[PARAMS_SIZE] __attribute__((aligned(4096)));

static uint64_t get(const uint8_t *from, size_t offset, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, from + offset, size);
	return value;
}

static void put_32(size_t offset, uint64_t value)
{
	memcpy(boot_params + offset, &value, sizeof(uint32_t));
}

static void fill_map(void)
{
	_Static_assert(PARAMS_MAP + REGION_MAX * sizeof(struct map_entry) <= PARAMS_SIZE,
		       "the memory map must fit");

	for (unsigned int i = 0; i < memory_map_count; i++) {
		struct map_entry entry = {memory_map[i].base, memory_map[i].size,
					  memory_map[i].type};

		memcpy(boot_params + PARAMS_MAP + i * sizeof(entry), &entry, sizeof(entry));
	}
	boot_params[PARAMS_MAP_COUNT] = (uint8_t)memory_map_count;
}

static void fill_params(const uint8_t *image)
{
	size_t header_end = HEADER_MAGIC + image[HEADER_JUMP];

	memcpy(boot_params + HEADER_START, image + HEADER_START, header_end - HEADER_START);
	boot_params[HEADER_LOADER] = LOADER_UNKNOWN;
	put_32(HEADER_CMDLINE, (uintptr_t)memory_cmdline);
	if (memory_module_count > 1) {
		put_32(HEADER_INITRD, memory_modules[1].start);
		put_32(HEADER_INITRD_SIZE, memory_modules[1].end - memory_modules[1].start);
	}
	fill_map();
}

static size_t length(const char *text)
{
	size_t i = 0;

	while (text[i])
		i++;
	return i;
}

void linux_boot(const struct multiboot_module *module)
{
	const uint8_t *image = (const void *)(uintptr_t)module->start;
	uint64_t size = module->end - module->start;
	uint64_t setup, place;

	if (size < PARAMS_SIZE || get(image, HEADER_MAGIC, 4) != MAGIC)
		return;
	if (get(image, HEADER_VERSION, 2) < VERSION_MINIMUM ||
	    !(get(image, HEADER_XLOADFLAGS, 2) & XLOAD_KERNEL_64))
		stop("the kernel has no 64-bit entry; boot protocol",
		     get(image, HEADER_VERSION, 2));
	if (length(memory_cmdline) > get(image, HEADER_CMDLINE_MAX, 4))
		stop("the kernel's command line is limited to", get(image, HEADER_CMDLINE_MAX, 4));

	setup = (image[HEADER_START] + 1u) * SECTOR;
	place = memory_find(get(image, HEADER_PREFERRED, 8), get(image, HEADER_INIT_SIZE, 4),
			    get(image, HEADER_ALIGNMENT, 4));
	if (setup >= size || !place)
		stop("no memory for a kernel of size", get(image, HEADER_INIT_SIZE, 4));

	fill_params(image);
	memcpy((void *)place, image + setup, size - setup);
	enter_linux(place + ENTRY_64, boot_params);
}

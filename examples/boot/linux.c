/* SPDX-License-Identifier: MIT */
/*
 * The 64-bit boot protocol of Linux, Documentation/arch/x86/boot.rst. The kernel's real-mode code
 * does not run. The kernel gets one page of parameters and is entered 512 bytes after its load
 * address.
 *
 * A relocatable kernel may be loaded at any aligned address. With address randomisation, the kernel
 * later moves itself, and avoids everything that the parameters list.
 */
#include <stddef.h>
#include "linux.h"
#include "text.h"

/* Offsets of fields that are at the same place in the image and in the parameter page. */
#define HEADER_START       0x1f1 /* the first byte is the number of 512-byte setup sectors */
#define HEADER_PARAGRAPHS  0x1f4 /* the size after the setup sectors, in units of 16 bytes */
#define HEADER_BOOT_FLAG   0x1fe
#define HEADER_JUMP        0x201 /* the operand of this jump gives the end of the header */
#define HEADER_MAGIC       0x202
#define HEADER_VERSION     0x206
#define HEADER_LOADER      0x210
#define HEADER_LOADFLAGS   0x211
#define HEADER_INITRD      0x218
#define HEADER_INITRD_SIZE 0x21c
#define HEADER_COMMAND     0x228
#define HEADER_INITRD_MAX  0x22c
#define HEADER_ALIGNMENT   0x230
#define HEADER_RELOCATABLE 0x234
#define HEADER_XLOADFLAGS  0x236
#define HEADER_COMMAND_MAX 0x238
#define HEADER_PREFERRED   0x258
#define HEADER_INIT_SIZE   0x260
#define HEADER_END         0x268 /* the end of the last field that is read here */
#define HEADER_LIMIT       0x290 /* the end of the header's room in the parameter page */
/* Offsets in the parameter page only. */
#define PARAMS_SCREEN      0x000
#define PARAMS_ROOT        0x070
#define PARAMS_MAP_COUNT   0x1e8
#define PARAMS_MAP         0x2d0
#define PARAMS_SIZE        4096

#define BOOT_FLAG          0xaa55
#define MAGIC              0x53726448u /* "HdrS" */
#define VERSION_MINIMUM    0x020cu     /* the first version with xloadflags */
#define LOADED_HIGH        1u
#define XLOAD_KERNEL_64    1u
#define XLOAD_ABOVE_4G     2u
#define LOADER_UNKNOWN     0xff
#define SECTOR             512u
#define SETUP_SECTORS      4 /* their number if the header says 0 */
#define PAGE               4096u
#define ENTRY_64           0x200u

struct map_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

static uint8_t params[PARAMS_SIZE] __attribute__((aligned(4096)));

static uint64_t get(uint64_t image, uint32_t offset, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)(uintptr_t)image + offset, size);
	return value;
}

static void put_32(size_t offset, uint64_t value)
{
	memcpy(params + offset, &value, sizeof(uint32_t));
}

int linux_is_kernel(uint64_t image, uint64_t size)
{
	return size >= HEADER_END && get(image, HEADER_BOOT_FLAG, 2) == BOOT_FLAG &&
	       get(image, HEADER_MAGIC, 4) == MAGIC;
}

static uint64_t setup_size(uint64_t image)
{
	const uint64_t sectors = get(image, HEADER_START, 1);

	return ((sectors ? sectors : SETUP_SECTORS) + 1) * SECTOR;
}

uint64_t linux_size(uint64_t image, uint64_t size)
{
	if (!linux_is_kernel(image, size))
		return 0;
	return setup_size(image) + get(image, HEADER_PARAGRAPHS, 4) * 16;
}

uint32_t linux_command_line_limit(uint64_t image, uint64_t size)
{
	return linux_is_kernel(image, size) ? (uint32_t)get(image, HEADER_COMMAND_MAX, 4) : 0;
}

static const char *check(const struct linux_boot *boot)
{
	const uint64_t image = boot->kernel, align = get(image, HEADER_ALIGNMENT, 4);

	if (!linux_is_kernel(image, boot->kernel_size))
		return "the first module is no Linux bzImage";
	if (get(image, HEADER_VERSION, 2) < VERSION_MINIMUM ||
	    !(get(image, HEADER_XLOADFLAGS, 2) & XLOAD_KERNEL_64))
		return "the kernel has no 64-bit entry: a 32-bit kernel, or one before Linux 3.8";
	if (!(get(image, HEADER_LOADFLAGS, 1) & LOADED_HIGH))
		return "the kernel is a zImage, which no 64-bit kernel is: its file is damaged";
	if (linux_size(image, boot->kernel_size) > boot->kernel_size)
		return "the kernel's file is shorter than its header says: it is damaged";
	/* memory_find() searches in steps of the alignment. With an alignment of one byte it would
	 * take minutes. */
	if (align < PAGE || (align & (align - 1)))
		return "the kernel's alignment is no power of two, or below a page: its file is "
		       "damaged";
	if (get(image, HEADER_INIT_SIZE, 4) <
	    linux_size(image, boot->kernel_size) - setup_size(image))
		return "the kernel is larger than the room that it asks for: its file is damaged";
	if (text_length(boot->command_line) > get(image, HEADER_COMMAND_MAX, 4))
		return "the command line is longer than the kernel accepts";
	if (boot->initrd_size && !(get(image, HEADER_XLOADFLAGS, 2) & XLOAD_ABOVE_4G) &&
	    boot->initrd + boot->initrd_size - 1 > get(image, HEADER_INITRD_MAX, 4))
		return "the initrd is at a higher address than the kernel accepts";
	return NULL;
}

static void fill_map(const struct memory *memory)
{
	_Static_assert(PARAMS_MAP + MEMORY_REGIONS * sizeof(struct map_entry) <= PARAMS_SIZE,
		       "the memory map must fit");

	for (unsigned int i = 0; i < memory->map_count; i++) {
		const struct region *region = &memory->map[i];
		const struct map_entry entry = {region->base, region->size, region->type};

		memcpy(params + PARAMS_MAP + i * sizeof entry, &entry, sizeof entry);
	}
	params[PARAMS_MAP_COUNT] = (uint8_t)memory->map_count;
}

static void fill_params(const struct linux_boot *boot)
{
	size_t header_end = HEADER_MAGIC + get(boot->kernel, HEADER_JUMP, 1);

	if (header_end > HEADER_LIMIT)
		header_end = HEADER_LIMIT;
	memset(params, 0, sizeof params);
	memcpy(params + HEADER_START, (const uint8_t *)(uintptr_t)boot->kernel + HEADER_START,
	       header_end - HEADER_START);
	memcpy(params + PARAMS_SCREEN, &boot->screen, sizeof boot->screen);
	memcpy(params + PARAMS_ROOT, &boot->root_pointer, sizeof boot->root_pointer);
	params[HEADER_LOADER] = LOADER_UNKNOWN;
	put_32(HEADER_COMMAND, (uintptr_t)boot->command_line);
	put_32(HEADER_INITRD, boot->initrd_size ? boot->initrd : 0);
	put_32(HEADER_INITRD_SIZE, boot->initrd_size);
	fill_map(boot->memory);
}

const char *linux_load(struct linux_boot *boot)
{
	const uint64_t image = boot->kernel;
	const char *why = check(boot);
	uint64_t preferred, room, place;

	if (why)
		return why;
	preferred = get(image, HEADER_PREFERRED, 8);
	room = get(image, HEADER_INIT_SIZE, 4);
	if (get(image, HEADER_RELOCATABLE, 1))
		place = memory_find(boot->memory, preferred, room, get(image, HEADER_ALIGNMENT, 4));
	else
		place = memory_is_free(boot->memory, preferred, room) ? preferred : 0;
	if (!place)
		return "there is no free memory for the kernel: give the VM more, or use a "
		       "smaller initrd";

	fill_params(boot);
	memcpy((void *)(uintptr_t)place, (const uint8_t *)(uintptr_t)image + setup_size(image),
	       linux_size(image, boot->kernel_size) - setup_size(image));
	boot->entry = place + ENTRY_64;
	return NULL;
}

void linux_enter(const struct linux_boot *boot)
{
	/* The descriptor table of each image that contains this code already has the selectors that
	 * the protocol requires (entry.S). */
	__asm__ volatile("xorl %%ebp, %%ebp\n\t"
			 "xorl %%ebx, %%ebx\n\t"
			 "jmp *%[entry]"
			 :
			 : [entry] "a"(boot->entry), "S"(params), "D"(0)
			 : "memory");
	__builtin_unreachable();
}

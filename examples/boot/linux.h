/* SPDX-License-Identifier: MIT */
/* A loader for Linux kernels, for the boot guard and for the defective host of the tests. */
#ifndef BOOT_LINUX_H
#define BOOT_LINUX_H

#include <stdint.h>
#include "memory.h"

/* struct screen_info of Linux, include/uapi/linux/screen_info.h. All zeros mean that there is no
 * screen. */
struct linux_screen {
	uint8_t column, row;
	uint16_t memory_kib;
	uint16_t page;
	uint8_t mode, columns;
	uint8_t flags, unused1;
	uint16_t ega_bx;
	uint16_t unused2;
	uint8_t rows, is_vga;
	uint16_t points;
	uint16_t width, height, depth;
	uint32_t base, size;
	uint16_t cl_magic, cl_offset, line_length;
	uint8_t red_size, red_position, green_size, green_position, blue_size, blue_position,
		reserved_size, reserved_position;
	uint8_t rest[20];
} __attribute__((packed));

struct linux_boot {
	uint64_t kernel, kernel_size; /* a bzImage */
	uint64_t initrd, initrd_size; /* used in place; both are 0 without an initrd */
	const char *command_line;     /* read in place by the running kernel; "" for none */
	uint64_t root_pointer;        /* of ACPI; if it is 0, the kernel searches for it */
	struct linux_screen screen;
	/* The regions in use must include the data above and this program, so that linux_load()
	 * does not overwrite them. */
	const struct memory *memory;

	uint64_t entry; /* set by linux_load() */
};

/* Whether the image is a Linux kernel of any version. */
int linux_is_kernel(uint64_t image, uint64_t size);

/* The length of the longest command line that the kernel accepts, without the final zero. 0 if the
 * image is not a kernel. */
uint32_t linux_command_line_limit(uint64_t image, uint64_t size);

/* The size of the kernel in the image: a signature or other data may follow the kernel. 0 if the
 * image is not a kernel. */
uint64_t linux_size(uint64_t image, uint64_t size);

/* Finds free memory, copies the kernel there, writes its parameters and sets `entry`. Does not
 * change the image itself. Returns NULL, or the reason for a failure. */
const char *linux_load(struct linux_boot *boot);

/* Enters the kernel by the 64-bit boot protocol. Interrupts must be off, and no other processor may
 * run. */
_Noreturn void linux_enter(const struct linux_boot *boot);

#endif

/* SPDX-License-Identifier: MIT */
/* What assembly, C and the linker script have to agree upon. */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

/* The selectors of the descriptor table in entry.S. */
#define SELECTOR_CODE32  0x08
#define SELECTOR_CODE64  0x10
#define SELECTOR_DATA    0x18

/* Where the other processors start: below 1 MiB, on a page, and free in every loader's map. */
#define TRAMPOLINE       0x8000

/* How many other processors can be called, the mark of a processor that has stored its identifier,
 * and the turn of none. */
#define SMP_MAX          1024
#define SMP_KNOWN_BIT    32
#define SMP_NOBODY       0xffffffff

#define MULTIBOOT_LOADER 0x2badb002
#define PVH_START_INFO   0x336ec578

/* Exceptions, the timer's interrupt, and what the interrupt controller sends when it has
 * nothing. */
#define EXCEPTIONS       32
#define VECTOR_TIMER     32
#define TRAP_STUBS       33
#define VECTOR_SPURIOUS  0xff
#define TRAP_STUB_SIZE   16

#endif

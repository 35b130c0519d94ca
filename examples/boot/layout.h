/* SPDX-License-Identifier: MIT */
/* Constants that assembly and C share. */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

/* The selectors of the descriptor table in entry.S. */
#define SELECTOR_CODE32  0x08
#define SELECTOR_CODE64  0x10
#define SELECTOR_DATA    0x18

/* The start address of the other processors. It is below 1 MiB and page-aligned, and no loader uses
 * this memory. */
#define TRAMPOLINE       0x8000

/* The maximum number of other processors; the bit that marks a stored identifier; a value of
 * smp_turn that gives no processor a turn. */
#define SMP_MAX          1024
#define SMP_KNOWN_BIT    32
#define SMP_NOBODY       0xffffffff

#define MULTIBOOT_LOADER 0x2badb002
#define PVH_START_INFO   0x336ec578

/* Multiboot's flag: the command line is valid. */
#define MULTIBOOT_WORDS  (1 << 2)

/* The number of exceptions, and the vectors of the timer and of the controller's spurious
 * interrupt. trap_stubs in trap.S has an entry for each exception and for the timer. */
#define EXCEPTIONS       32
#define VECTOR_TIMER     32
#define TRAP_STUBS       33
#define VECTOR_SPURIOUS  0xff
#define TRAP_STUB_SIZE   16

#endif

/* SPDX-License-Identifier: MIT */
/*
 * From a boot loader's 32-bit code, by Multiboot or by PVH, to 64-bit C; and the same for each other
 * processor, from 16-bit code.
 */
#include "layout.h"

#define CR0_PE_ET     0x00000011
#define CR0_PE_ET_PG  0x80000011
#define CR4_PAE       0x20
#define EFER_MSR      0xc0000080
#define EFER_LME_BIT  8
#define PAGE_TABLE    0x03 /* present, writable */
#define PAGE_2M       0x83 /* present, writable, large */

#define HEADER_MAGIC  0x1badb002
/* Modules on pages, memory information, and address fields: with those the file is taken as a flat
 * image, and may be a 64-bit ELF, which QEMU otherwise refuses. */
#define HEADER_FLAGS  0x00010003

#define PVH_NOTE_TYPE 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

	.section .multiboot, "a"
	.balign 4
header:
	.long HEADER_MAGIC
	.long HEADER_FLAGS
	.long -(HEADER_MAGIC + HEADER_FLAGS)
	.long header
	.long image_start
	.long image_load_end
	.long image_end
	.long start32

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, PVH_NOTE_TYPE
	.asciz "Xen"
	.long start32

	.text

/* The last step into long mode, with paging off and the page tables in place. Changes EAX, ECX, EDX. */
	.macro enter_long_mode to
	movl $pml4, %eax
	movl %eax, %cr3
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $EFER_MSR, %ecx
	rdmsr
	btsl $EFER_LME_BIT, %eax
	wrmsr
	movl $CR0_PE_ET_PG, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE64, $\to
	.endm

	.macro flat_data_segments
	movl $SELECTOR_DATA, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	xorl %ecx, %ecx
	movl %ecx, %fs
	movl %ecx, %gs
	.endm

	.code32
	.globl start32
	.type start32, @function
start32:
	cli
	cld
	movl %eax, %ebp		/* the loader's magic; EBX holds its information */

	/* 4 GiB mapped one to one in pages of 2 MiB. */
	movl $(pdpt + PAGE_TABLE), pml4
	movl $(directories + PAGE_TABLE), %eax
	movl $pdpt, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x1000, %eax
	loop 1b
	movl $PAGE_2M, %eax
	movl $directories, %edi
	movl $(4 * 512), %ecx
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x200000, %eax
	loop 1b

	lgdt gdt_register
	enter_long_mode start64
	.size start32, . - start32

	.code64
	.type start64, @function
start64:
	flat_data_segments
	movl $boot_stack_top, %esp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	call boot_main		/* does not return */
	.size start64, . - start64

/* Copied to TRAMPOLINE: where a startup interrupt sets the other processors going, in 16-bit code. */
	.code16
	.globl trampoline
	.globl trampoline_end
trampoline:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl TRAMPOLINE + (trampoline_gdt - trampoline)
	movl $CR0_PE_ET, %eax	/* after INIT the caches are off: this turns them on, too */
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $other32
	.balign 4
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code32
	.type other32, @function
other32:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	enter_long_mode other64
	.size other32, . - other32

/* The others go one at a time, which lets them share one stack and speak in turn. */
	.code64
	.type other64, @function
other64:
	flat_data_segments
	movl $1, %edi
	lock xaddl %edi, smp_arrived
	incl %edi		/* the boot processor is number 0 */
1:	pause
	cmpl %edi, smp_turn
	jne 1b
	movl $other_stack_top, %esp
	xorl %ebp, %ebp
	call smp_main
	lock incl smp_finished
1:	cli
	hlt
	jmp 1b
	.size other64, . - other64

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* SELECTOR_CODE32 */
	.quad 0x00af9b000000ffff	/* SELECTOR_CODE64 */
	.quad 0x00cf93000000ffff	/* SELECTOR_DATA */
gdt_end:
gdt_register:
	.word gdt_end - gdt - 1
	.quad gdt

	.bss
	.balign 4096
pml4:
	.skip 4096
pdpt:
	.skip 4096
directories:
	.skip 4 * 4096
boot_stack:
	.skip 16384
boot_stack_top:
other_stack:
	.skip 16384
other_stack_top:

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/*
 * The entry of the host, from 32-bit Multiboot to 64-bit C, and the jump to a Multiboot image.
 */
#include "layout.h"

#define CR0_PE_PG     0x80000001
#define CR0_PG_BIT    31
#define CR4_PAE       0x20
#define EFER_MSR      0xc0000080
#define EFER_LME_BIT  8
#define PAGE_TABLE    0x03 /* present, writable */
#define PAGE_2M       0x83 /* present, writable, large */

/*
 * If the header has address fields, a loader takes the file as a flat image. Then the file may be
 * ELF64, which QEMU otherwise refuses. -DHEADER_FLAGS=3 builds the test payload without these
 * fields.
 */
#ifndef HEADER_FLAGS
#define HEADER_FLAGS 0x00010003 /* modules on pages, memory map, address fields */
#endif

	.section .multiboot, "a"
	.balign 4
header:
	.long MULTIBOOT_HEADER_MAGIC
	.long HEADER_FLAGS
	.long -(MULTIBOOT_HEADER_MAGIC + HEADER_FLAGS)
	.long header
	.long image_start
	.long image_load_end
	.long image_end
	.long start32

	.text
	.code32
	.globl start32
	.type start32, @function
start32:
	cli
	cld
	mov %eax, %ebp		/* the Multiboot magic; %ebx points to the loader's data */

	mov $bss_start, %edi
	mov $image_end, %ecx
	sub %edi, %ecx
	xor %eax, %eax
	rep stosb

	/* Maps the first 4 GiB one to one, in pages of 2 MiB. */
	movl $(pdpt + PAGE_TABLE), pml4
	mov $(directories + PAGE_TABLE), %eax
	mov $pdpt, %edi
	mov $4, %ecx
1:	mov %eax, (%edi)
	add $8, %edi
	add $0x1000, %eax
	loop 1b
	mov $PAGE_2M, %eax
	mov $directories, %edi
	mov $(4 * 512), %ecx
1:	mov %eax, (%edi)
	add $8, %edi
	add $0x200000, %eax
	loop 1b

	mov $pml4, %eax
	mov %eax, %cr3
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $EFER_MSR, %ecx
	rdmsr
	bts $EFER_LME_BIT, %eax
	wrmsr
	mov $CR0_PE_PG, %eax
	mov %eax, %cr0
	lgdt gdt_register
	lidt idt_register
	ljmp $SELECTOR_CODE64, $start64
	.size start32, . - start32

	.code64
	.type start64, @function
start64:
	mov $SELECTOR_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $loader_stack_top, %esp
	mov %ebp, %edi
	mov %ebx, %esi
	xor %ebp, %ebp
	call host_main		/* does not return */
	.size start64, . - start64

/*
 * void enter_multiboot(uint32_t entry, const void *information)
 *
 * Enters the image in 32-bit protected mode without paging. A far return switches to 32-bit code:
 * unlike a far jump, it needs no pointer in memory.
 */
	.globl enter_multiboot
	.type enter_multiboot, @function
enter_multiboot:
	mov %edi, %ebp
	mov %esi, %ebx
	pushq $SELECTOR_CODE32
	pushq $1f
	lretq
	.code32
1:	mov %cr0, %eax
	btr $CR0_PG_BIT, %eax
	mov %eax, %cr0
	mov $EFER_MSR, %ecx
	rdmsr
	btr $EFER_LME_BIT, %eax
	wrmsr
	xor %eax, %eax
	mov %eax, %cr4
	mov %eax, %cr3
	mov $SELECTOR_DATA, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $MULTIBOOT_LOADER_MAGIC, %eax
	jmp *%ebp
	.code64
	.size enter_multiboot, . - enter_multiboot

	/*
	 * The host uses this descriptor table and the page tables below. So does this program while
	 * it runs as the host's guest. Nothing changes them, and the guest's memory map reserves
	 * their memory.
	 */
	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 32-bit code */
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
gdt_register:
	.word . - gdt - 1
	.quad gdt
idt_register:
	.word 0
	.quad 0

	.bss
	.balign 4096
pml4:
	.skip 4096
pdpt:
	.skip 4096
directories:
	.skip 4 * 4096
loader_stack:
	.skip 16384
loader_stack_top:

	.section .note.GNU-stack, "", @progbits

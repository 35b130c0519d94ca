/* SPDX-License-Identifier: MIT */
/*
 * Enters 64-bit mode and calls C code. On the boot processor, a boot loader enters the image in
 * 32-bit mode, by Multiboot or by PVH. Each other processor starts in 16-bit mode.
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
/* The flags request page-aligned modules and memory information, and mark the address fields as
 * valid. With address fields QEMU accepts a 64-bit ELF file, which it otherwise refuses. */
#define HEADER_FLAGS  0x00010003

#define MSR_APIC_BASE  0x1b
#define X2APIC_BIT     10
#define APIC_ID        0x20
#define MSR_X2APIC_ID  0x802

#define FLAG_ID        0x00200000 /* can be changed only if the processor has CPUID */
#define CPUID_EXTENDED 0x80000000
#define CPUID_LM_BIT   29 /* CPUID.80000001H:EDX */

#define COM1           0x3f8
#define COM1_STATUS    0x3fd
#define COM1_EMPTY     0x20
#define COM1_POLLS     100000
#define DEBUG_PORT     0xe9
#define EXIT_PORT      0xf4
#define VGA_TEXT       0xb8000
#define VGA_ROW        160
#define VGA_CELLS      2000
#define VGA_BLANKS     0x07200720 /* two cells, each grey on black */
#define VGA_GREY       0x07

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

/* Jumps to `to` in long mode. Paging must be off, the page tables must be filled in and the
 * descriptor table loaded. Changes EAX, ECX, EDX. */
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
	movl $boot_stack_top, %esp
	movl %eax, %ebp		/* EBP keeps the loader's magic, ESI the address of its data */
	movl %ebx, %esi

	/* A processor without CPUID or without long mode would reset in the code that follows. */
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $FLAG_ID, %eax
	pushl %eax
	popfl
	pushfl
	popl %eax
	xorl %ecx, %eax
	testl $FLAG_ID, %eax
	jz no_long_mode
	movl $CPUID_EXTENDED, %eax
	cpuid
	cmpl $(CPUID_EXTENDED + 1), %eax
	jb no_long_mode
	movl $(CPUID_EXTENDED + 1), %eax
	cpuid
	btl $CPUID_LM_BIT, %edx
	jnc no_long_mode

	/* Maps 4 GiB one to one in pages of 2 MiB. */
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

/* Prints on the screen, the serial port and the debug port that the processor has no 64-bit mode.
 * Does so in assembly, because the image's C code is 64-bit. */
	.type no_long_mode, @function
no_long_mode:
	movl $VGA_BLANKS, %eax
	movl $VGA_TEXT, %edi
	movl $(VGA_CELLS / 2), %ecx
	rep stosl

	/* Sets 115200 baud, 8 bits, no parity, one stop bit. Then turns on the FIFO and the lines
	 * that report readiness, DTR and RTS. */
	movl $com1_settings, %esi
	movl $((com1_settings_end - com1_settings) / 2), %ecx
1:	movl $COM1, %edx
	addb (%esi), %dl
	movb 1(%esi), %al
	outb %al, %dx
	addl $2, %esi
	loop 1b

	movl $long_mode_missing, %esi
	movl $VGA_TEXT, %edi
1:	lodsb
	testb %al, %al
	jz 4f
	cmpb $'\n', %al
	jne 3f
	movb $'\r', %al
	call put_serial
	leal -VGA_TEXT(%edi), %eax	/* the beginning of the next row */
	xorl %edx, %edx
	movl $VGA_ROW, %ecx
	divl %ecx
	incl %eax
	mull %ecx
	leal VGA_TEXT(%eax), %edi
	movb $'\n', %al
	call put_serial
	jmp 1b
3:	movb %al, (%edi)
	movb $VGA_GREY, 1(%edi)
	addl $2, %edi
	call put_serial
	jmp 1b

4:	movb long_mode_missing_status, %al
	outb %al, $EXIT_PORT
5:	hlt
	jmp 5b
	.size no_long_mode, . - no_long_mode

/* Writes the character in AL to the serial port and to the debug port. Changes AH, ECX, EDX. */
	.type put_serial, @function
put_serial:
	movb %al, %ah
	movl $COM1_STATUS, %edx
	movl $COM1_POLLS, %ecx
1:	inb %dx, %al
	testb $COM1_EMPTY, %al
	loopz 1b
	movb %ah, %al
	movl $COM1, %edx
	outb %al, %dx
	inb $DEBUG_PORT, %al
	cmpb $DEBUG_PORT, %al
	movb %ah, %al
	jne 2f
	outb %al, $DEBUG_PORT
2:	ret
	.size put_serial, . - put_serial

	.code64
	.type start64, @function
start64:
	flat_data_segments
	movl $boot_stack_top, %esp
	movl %ebp, %edi
	xorl %ebp, %ebp
	call boot_main		/* does not return */
	.size start64, . - start64

/* 16-bit code that is copied to TRAMPOLINE. A startup interrupt starts another processor there. */
	.code16
	.globl trampoline
	.globl trampoline_end
trampoline:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl TRAMPOLINE + (trampoline_gdt - trampoline)
	movl $CR0_PE_ET, %eax	/* also turns the caches on, which may be off after a reset */
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

/*
 * While smp_turn is 0, a processor that starts here stores its identifier and halts. Later, a
 * processor runs its turn if smp_turn is its own number, and else halts again. Only turns use the
 * stack, and only one processor has a turn at a time. So one stack is enough.
 */
	.code64
	.type other64, @function
other64:
	flat_data_segments
	movl $MSR_APIC_BASE, %ecx
	rdmsr
	btl $X2APIC_BIT, %eax
	jc 1f
	andl $0xfffff000, %eax
	movl APIC_ID(%rax), %eax
	shrl $24, %eax
	jmp 2f
1:	movl $MSR_X2APIC_ID, %ecx
	rdmsr
2:	movl %eax, %eax
	btsq $SMP_KNOWN_BIT, %rax

	movl smp_turn, %edx
	testl %edx, %edx
	jnz 2f
	movl $1, %edi
	lock xaddl %edi, smp_arrived
	cmpl $SMP_MAX, %edi
	jae 1f
	movq %rax, smp_known(, %rdi, 8)
1:	lock incl smp_registered
	jmp 3f

2:	cmpl $SMP_NOBODY, %edx
	je 3f
	cmpq %rax, smp_known - 8(, %rdx, 8)
	jne 3f
	movl $other_stack_top, %esp
	xorl %ebp, %ebp
	movl %edx, %edi
	call smp_begin
3:	cli
	hlt
	jmp 3b
	.size other64, . - other64

	.section .rodata
com1_settings:		/* register, value */
	.byte 1, 0x00, 3, 0x83, 0, 0x01, 1, 0x00, 3, 0x03, 2, 0xc7, 4, 0x03
com1_settings_end:
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
	.globl other_stack
	.globl other_stack_top
other_stack:
	.skip 16384
other_stack_top:

	.section .note.GNU-stack, "", @progbits

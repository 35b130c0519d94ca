/* SPDX-License-Identifier: MIT */
/*
 * The stubs. A handler recognises a guarded instruction (an instruction that may fault) by its
 * address, and continues at the code that ends a stub after a fault.
 *
 * Rules for every stub, because a fault may end it at any guarded instruction:
 *  - RDI points to the argument block from entry to return, so that a handler can find the block;
 *  - at each guarded instruction, RSP and every callee-saved register are as they were at entry,
 *    because after a fault the stub ends by a RET;
 *  - no memory is addressed through FS or GS, because their bases may be foreign.
 */
#include <fsgscheck/insn.h>

#if defined(FSGS_STUB_HEADER)
/* The header of a kernel module defines FSGS_ENDBR, FSGS_RET, FSGS_GUARD(), which adds an entry to
 * the kernel's exception table, and FSGS_FAULT, the code at which the kernel continues after a
 * fault. */
#include FSGS_STUB_HEADER
#else
#if defined(__CET__)
#include <cet.h>
#define FSGS_ENDBR _CET_ENDBR
#else
#define FSGS_ENDBR
#endif
#define FSGS_RET ret
/* Adds an entry to the table of fsgs_stub_recover(). It is an offset from the entry itself, so it
 * needs no relocation at run time. */
#define FSGS_GUARD(insn) TABLE_SECTION; .balign 4; .long insn - .; .text
/* Empty, because a stub that faulted continues outside itself: at fsgs_stub_fault, or in a Linux
 * process at fsgs_stub_faulted (lib/linux/handlers.S). */
#define FSGS_FAULT
#endif

/* Offsets of members of struct fsgs_stub; lib/core/trial.c asserts them. */
#define IN0  0
#define IN1  8
#define OUT0 16
#define OUT1 24
#define OUT2 32
#define OUT3 40
#define OLD  48
#define STEP 56
#define FAULT 64

#if defined(__ELF__)
#define TABLE_SECTION .section .rodata.fsgs_stub_table, "a", @progbits
	.macro stub name
	.globl \name
	.hidden \name
	.type \name, @function
	.balign 16
\name:
	FSGS_ENDBR
	.endm
	.macro stub_end name
	xorl %eax, %eax
	FSGS_RET
	FSGS_FAULT
	.size \name, . - \name
	.endm
#else
#define TABLE_SECTION .section .rdata, "dr"
	.macro stub name
	.globl \name
	.balign 16
\name:
	FSGS_ENDBR
	.endm
	.macro stub_end name
	xorl %eax, %eax
	FSGS_RET
	FSGS_FAULT
	.endm
#endif

/* Executes one instruction that may fault, and registers its address. */
	.macro guarded insn:vararg
771:
	\insn
	FSGS_GUARD(771b)
	.endm

#if !defined(FSGS_STUB_HEADER)
	TABLE_SECTION
	.globl fsgs_stub_table
#if defined(__ELF__)
	.hidden fsgs_stub_table
	.type fsgs_stub_table, @object
#endif
	.balign 4
fsgs_stub_table:
#endif

	.text

stub fsgs_stub_cpuid
	movl IN0(%rdi), %eax
	movl IN1(%rdi), %ecx
	movq %rbx, %r8		/* RBX is callee-saved; a CPUID that faults does not change RBX */
	guarded cpuid
	xchgq %rbx, %r8
	movq %rax, OUT0(%rdi)
	movq %r8, OUT1(%rdi)
	movq %rcx, OUT2(%rdi)
	movq %rdx, OUT3(%rdi)
stub_end fsgs_stub_cpuid

	.macro read_stub name mnemonic
	stub \name
	guarded \mnemonic %rax
	movq %rax, OUT0(%rdi)
	stub_end \name
	.endm

	.macro write_stub name mnemonic
	stub \name
	movq IN0(%rdi), %rcx
	guarded \mnemonic %rcx
	stub_end \name
	.endm

read_stub fsgs_stub_rdfs64 FSGS_RDFSBASE
read_stub fsgs_stub_rdgs64 FSGS_RDGSBASE
write_stub fsgs_stub_wrfs64 FSGS_WRFSBASE
write_stub fsgs_stub_wrgs64 FSGS_WRGSBASE

/* The base is foreign between WRITE64 and RESTORE, so no code between these two steps may enter a
 * kernel. A kernel that does not know the instructions would use the foreign base, and so would a
 * sandbox that addresses its own data through GS. Every expected fault comes from the first two
 * guarded instructions, while the base still has its old value. */
	.macro mark_stub name rd wr
	stub \name
	movl $1, STEP(%rdi)
	guarded \rd %rax
	movq %rax, OLD(%rdi)
	movq IN0(%rdi), %rcx
	movl $2, STEP(%rdi)
	guarded \wr %rcx
	movl $3, STEP(%rdi)
	guarded \rd %rdx
	movq %rdx, OUT0(%rdi)
	movq $-1, %rdx		/* a 32-bit read must clear the upper half */
	movl $4, STEP(%rdi)
	guarded \rd %edx
	movq %rdx, OUT1(%rdi)
	movq IN1(%rdi), %rcx
	movl $5, STEP(%rdi)
	guarded \wr %ecx
	movl $6, STEP(%rdi)
	guarded \rd %rdx
	movq %rdx, OUT2(%rdi)
	movl $7, STEP(%rdi)
	guarded \wr %rax
	movl $8, STEP(%rdi)
	guarded \rd %rdx
	movq %rdx, OUT3(%rdi)
	stub_end \name
	.endm

mark_stub fsgs_stub_mark_fs FSGS_RDFSBASE FSGS_WRFSBASE
mark_stub fsgs_stub_mark_gs FSGS_RDGSBASE FSGS_WRGSBASE

stub fsgs_stub_keep_fs
	movq IN0(%rdi), %rcx
	movl $2, STEP(%rdi)
	guarded FSGS_WRFSBASE %rcx
	movl $3, STEP(%rdi)
	guarded FSGS_RDFSBASE %rdx
	movq %rdx, OUT0(%rdi)
stub_end fsgs_stub_keep_fs

stub fsgs_stub_flash_gs
	movq IN0(%rdi), %rcx
	movq IN1(%rdi), %rdx
	movl $2, STEP(%rdi)
	guarded FSGS_WRGSBASE %rcx
	movl $7, STEP(%rdi)
	guarded FSGS_WRGSBASE %rdx
stub_end fsgs_stub_flash_gs

#if !defined(FSGS_STUB_HEADER) /* objtool treats the code after UD2 as unreachable */
stub fsgs_stub_undefined
	guarded ud2
stub_end fsgs_stub_undefined
#endif

/* The stubs below are for ring 0 only. In a process, RDMSR, WRMSR, an access to CR4 and INB raise
 * #GP, so a process never calls these stubs. */

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101

stub fsgs_stub_rdmsr
	movl IN0(%rdi), %ecx
	guarded rdmsr
	movl %eax, OUT0(%rdi)
	movl %edx, 4 + OUT0(%rdi)
stub_end fsgs_stub_rdmsr

stub fsgs_stub_wrmsr
	movl IN0(%rdi), %ecx
	movl IN1(%rdi), %eax
	movl 4 + IN1(%rdi), %edx
	guarded wrmsr
stub_end fsgs_stub_wrmsr

stub fsgs_stub_rdcr4
	guarded movq %cr4, %rax
	movq %rax, OUT0(%rdi)
stub_end fsgs_stub_rdcr4

stub fsgs_stub_wrcr4
	movq IN0(%rdi), %rax
	guarded movq %rax, %cr4
stub_end fsgs_stub_wrcr4

/* Writes to a base the value that it already has. If the instruction stored another value, WRMSR
 * restores the base at once, because the caller may need the base. */
	.macro rewrite_stub name msr wr
	stub \name
	movl $\msr, %ecx
	movl $1, STEP(%rdi)
	guarded rdmsr
	movl %eax, OLD(%rdi)
	movl %edx, 4 + OLD(%rdi)
	movq OLD(%rdi), %r8
	movl $4, STEP(%rdi)
	guarded \wr %r8
	guarded rdmsr
	movl %eax, OUT0(%rdi)
	movl %edx, 4 + OUT0(%rdi)
	cmpq %r8, OUT0(%rdi)
	je 772f
	movl OLD(%rdi), %eax
	movl 4 + OLD(%rdi), %edx
	movl $7, STEP(%rdi)
	guarded wrmsr
772:
	stub_end \name
	.endm

rewrite_stub fsgs_stub_rewrite_fs MSR_FS_BASE FSGS_WRFSBASE
rewrite_stub fsgs_stub_rewrite_gs MSR_GS_BASE FSGS_WRGSBASE

/* Tests each instruction against the MSR: writes by one access, and reads by the other. The base is
 * foreign from the first WRMSR to the last. */
	.macro msr_stub name msr rd wr
	stub \name
	movl $\msr, %ecx
	movl $1, STEP(%rdi)
	guarded rdmsr
	movl %eax, OLD(%rdi)
	movl %edx, 4 + OLD(%rdi)
	movl IN0(%rdi), %eax
	movl 4 + IN0(%rdi), %edx
	movl $2, STEP(%rdi)
	guarded wrmsr
	movl $3, STEP(%rdi)
	guarded \rd %rax
	movq %rax, OUT0(%rdi)
	movq IN1(%rdi), %r8
	movl $4, STEP(%rdi)
	guarded \wr %r8
	guarded rdmsr
	movl %eax, OUT1(%rdi)
	movl %edx, 4 + OUT1(%rdi)
	movl $5, STEP(%rdi)
	guarded \wr %r8d
	guarded rdmsr
	movl %eax, OUT2(%rdi)
	movl %edx, 4 + OUT2(%rdi)
	movl OLD(%rdi), %eax
	movl 4 + OLD(%rdi), %edx
	movl $7, STEP(%rdi)
	guarded wrmsr
	stub_end \name
	.endm

msr_stub fsgs_stub_msr_fs MSR_FS_BASE FSGS_RDFSBASE FSGS_WRFSBASE
msr_stub fsgs_stub_msr_gs MSR_GS_BASE FSGS_RDGSBASE FSGS_WRGSBASE

/* Tests whether a base survives two exits to a hypervisor: CPUID, and a read of port 80H, which
 * kernels use for delays. */
	.macro exits_stub name rd wr
	stub \name
	movl $1, STEP(%rdi)
	guarded \rd %r9
	movq %r9, OLD(%rdi)
	movq IN0(%rdi), %rcx
	movl $2, STEP(%rdi)
	guarded \wr %rcx
	xorl %eax, %eax
	xorl %ecx, %ecx
	movq %rbx, %r8
	guarded cpuid
	movq %r8, %rbx
	movl $3, STEP(%rdi)
	guarded \rd %rdx
	movq %rdx, OUT0(%rdi)
	guarded inb $0x80, %al
	movl $6, STEP(%rdi)
	guarded \rd %rdx
	movq %rdx, OUT1(%rdi)
	movl $7, STEP(%rdi)
	guarded \wr %r9
	stub_end \name
	.endm

exits_stub fsgs_stub_exits_fs FSGS_RDFSBASE FSGS_WRFSBASE
exits_stub fsgs_stub_exits_gs FSGS_RDGSBASE FSGS_WRGSBASE

#if !defined(FSGS_STUB_HEADER)
/* The address that fsgs_stub_recover() gives: a stub that faulted continues at this label and
 * returns 1. */
	.globl fsgs_stub_fault
#if defined(__ELF__)
	.hidden fsgs_stub_fault
	.type fsgs_stub_fault, @function
#endif
	.balign 16
fsgs_stub_fault:
	movl $1, %eax
	ret
#if defined(__ELF__)
	.size fsgs_stub_fault, . - fsgs_stub_fault
#endif

	TABLE_SECTION
	.balign 4
	.long 0			/* end of the table */
#if defined(__ELF__)
	.size fsgs_stub_table, . - fsgs_stub_table
#endif
#endif

#if defined(__ELF__)
	.section .note.GNU-stack, "", @progbits
#endif

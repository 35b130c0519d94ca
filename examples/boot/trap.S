/* SPDX-License-Identifier: MIT */
/*
 * Calls the exception handler in C, and returns from the exception. The ELF image and the UEFI
 * program share this file. The compiler of the UEFI program uses another calling convention by
 * default, so trap() is declared with the convention of System V.
 */
#include "layout.h"

/* The exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX. */
#define HAS_ERROR_CODE 0x60227d00

	.text
	.globl trap_stubs
	.balign TRAP_STUB_SIZE
trap_stubs:
	.set vector, 0
	.rept TRAP_STUBS
	.balign TRAP_STUB_SIZE
	.if vector >= EXCEPTIONS || !((HAS_ERROR_CODE >> vector) & 1)
	pushq $0		/* gives all frames the same layout */
	.endif
	pushq $vector
	jmp enter
	.set vector, vector + 1
	.endr

	.balign 16
	.globl trap_ignore
trap_ignore:
	iretq

enter:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	movq %rsp, %rdi
	call trap
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp		/* the vector and the error code */
	iretq

#if defined(__ELF__)
	.section .note.GNU-stack, "", @progbits
#endif

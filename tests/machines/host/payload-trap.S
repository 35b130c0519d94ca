/* SPDX-License-Identifier: MIT */
/* The payload's handlers for #UD and #GP. They store the vector in payload_fault, and return to
 * payload_resume, which TRY() in payload.c has set. */

	.text
	.globl payload_trap_ud
	.type payload_trap_ud, @function
payload_trap_ud:
	push $0			/* #UD has no error code; this makes both frames alike */
	movq $6, payload_fault(%rip)
	jmp resume
	.size payload_trap_ud, . - payload_trap_ud

	.globl payload_trap_gp
	.type payload_trap_gp, @function
payload_trap_gp:
	movq $13, payload_fault(%rip)
resume:
	push %rax
	mov payload_resume(%rip), %rax
	mov %rax, 16(%rsp)	/* the return address, above RAX and the error code */
	pop %rax
	add $8, %rsp
	iretq
	.size payload_trap_gp, . - payload_trap_gp

	.bss
	.balign 8
	.globl payload_resume
payload_resume:
	.skip 8
	.globl payload_fault
payload_fault:
	.skip 8

	.section .note.GNU-stack, "", @progbits

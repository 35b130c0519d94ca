/* SPDX-License-Identifier: MIT */
/*
 * Turns the running program into the guest, and runs the guest. The ELF file and the UEFI program
 * both use these functions. Their compilers have different calling conventions, so the functions
 * are declared with SYSV_ABI.
 */
#include "layout.h"

	.text
/*
 * void become_guest(struct vmcb *vmcb, void (*host_loop)(void), uint64_t host_cr3)
 *
 * Calls host_loop() on the host's own stack, with interrupts off. host_loop() executes VMRUN, which
 * starts the guest at the label 1. The guest returns from this function on the program's old stack.
 */
	.globl become_guest
become_guest:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, VMCB_RSP(%rdi)
	lea 1f(%rip), %rax
	mov %rax, VMCB_RIP(%rdi)
	lea host_stack_top(%rip), %rsp
	clgi
	mov %rdx, %cr3
	call *%rsi		/* does not return */
1:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * void run_guest(struct vmcb *vmcb, uint64_t gpr[16])
 *
 * Executes VMRUN once. The processor itself switches RAX and RSP, which are in the VMCB. It does
 * not switch FS, GS and the kernel's GS base, so these registers always hold the guest's values.
 */
	.globl run_guest
run_guest:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	mov %rdi, %rax
	mov 0x08(%rsi), %rcx
	mov 0x10(%rsi), %rdx
	mov 0x18(%rsi), %rbx
	mov 0x28(%rsi), %rbp
	mov 0x38(%rsi), %rdi
	mov 0x40(%rsi), %r8
	mov 0x48(%rsi), %r9
	mov 0x50(%rsi), %r10
	mov 0x58(%rsi), %r11
	mov 0x60(%rsi), %r12
	mov 0x68(%rsi), %r13
	mov 0x70(%rsi), %r14
	mov 0x78(%rsi), %r15
	mov 0x30(%rsi), %rsi
	vmrun %rax
	push %rsi
	mov 8(%rsp), %rsi
	mov %rcx, 0x08(%rsi)
	mov %rdx, 0x10(%rsi)
	mov %rbx, 0x18(%rsi)
	mov %rbp, 0x28(%rsi)
	mov %rdi, 0x38(%rsi)
	mov %r8, 0x40(%rsi)
	mov %r9, 0x48(%rsi)
	mov %r10, 0x50(%rsi)
	mov %r11, 0x58(%rsi)
	mov %r12, 0x60(%rsi)
	mov %r13, 0x68(%rsi)
	mov %r14, 0x70(%rsi)
	mov %r15, 0x78(%rsi)
	pop 0x30(%rsi)
	pop %rsi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.bss
	.balign 16
host_stack:
	.skip 16384
host_stack_top:

#if defined(__ELF__)
	.section .note.GNU-stack, "", @progbits
#endif

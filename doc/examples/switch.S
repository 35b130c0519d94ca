/* SPDX-License-Identifier: MIT */
/* The fast path in GNU assembly, and a trampoline. The code is position-independent. */
#include <fsgscheck/base.h>

	.text

/* int switch_gs(uint64_t base): does the same as fsgs_set_gs_base(). */
	.globl	switch_gs
	.type	switch_gs, @function
switch_gs:
	mov	fsgs_base_limit@GOTPCREL(%rip), %rax
	cmp	FSGS_BASE_LIMIT_GS(%rax), %rdi
	jae	1f	/* unsigned: the access is not the instruction, or the base is too high */
	FSGS_WRGSBASE %rdi
	xor	%eax, %eax
	ret
1:	mov	%rdi, %rsi
	mov	$1, %edi	/* FSGS_SEGMENT_GS */
	jmp	fsgs_set_base@PLT
	.size	switch_gs, . - switch_gs

/* int enter(uint64_t base, int (*guest)(void)): runs guest with that GS base, then restores the old
 * one. Returns the guest's result, or a negative error of the library. */
	.globl	enter
	.type	enter, @function
enter:
	push	%rbx
	push	%rbp
	push	%r12
	mov	%rdi, %rbx
	mov	%rsi, %rbp
	mov	fsgs_base_limit@GOTPCREL(%rip), %rax
	cmpq	$0, FSGS_BASE_LIMIT_GS(%rax)
	je	1f
	FSGS_RDGSBASE %r12
	jmp	2f
1:	mov	$1, %edi
	call	fsgs_get_base_value@PLT
	mov	%rax, %r12
	mov	%edx, %eax	/* the error */
	test	%eax, %eax
	jnz	3f
2:	mov	%rbx, %rdi
	call	switch_gs
	test	%eax, %eax
	jnz	3f
	call	*%rbp
	mov	%eax, %ebx
	mov	%r12, %rdi
	call	switch_gs
	test	%eax, %eax
	jnz	3f
	mov	%ebx, %eax
3:	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	enter, . - enter

	.section .note.GNU-stack, "", @progbits

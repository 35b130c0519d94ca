/* SPDX-License-Identifier: MIT */
/* The signal handlers, their return to the kernel, and the guarded calls. */
#include <sys/syscall.h>

#include "handover.h"

#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

/* The value on x86, which is part of the kernel's ABI. */
#define ENOSYS 38

/* Offset of `fault` in struct fsgs_stub, which lib/core/trial.c asserts. `code` follows it. */
#define FAULT 64

	.text

/* FSGS_VARIANTS handlers. Each has the number of a replaced action, its variant, and passes it in
 * ECX. Before each entry are the mark by which other copies of the library recognise the handler,
 * and the offset from there to the lock's owner word. */
	.balign FSGS_HANDLER_SIZE
	.skip FSGS_HANDLER_SIZE - 8
	.set fsgs_variant, 0
	.rept FSGS_VARIANTS
	.long FSGS_HANDLER_MARK
	.long fsgs_process - .
	.if fsgs_variant == 0
	.globl fsgs_handlers
	.hidden fsgs_handlers
	.type fsgs_handlers, @function
fsgs_handlers:
	.endif
	_CET_ENDBR
	movl $fsgs_variant, %ecx
	jmp fsgs_handle
	.balign FSGS_HANDLER_SIZE / 2
	.skip FSGS_HANDLER_SIZE / 2 - 8
	.set fsgs_variant, fsgs_variant + 1
	.endr
	.size fsgs_handlers, . - fsgs_handlers

/* The handler that fsgs_guard_handle() returns is entered by a jump. That handler may run for ever.
 * Meanwhile no return address leads into this library, so the library may be unloaded. */
	.type fsgs_handle, @function
fsgs_handle:
	.cfi_startproc
	push %rdi
	.cfi_adjust_cfa_offset 8
	push %rsi
	.cfi_adjust_cfa_offset 8
	push %rdx
	.cfi_adjust_cfa_offset 8
	call fsgs_guard_handle
	pop %rdx
	.cfi_adjust_cfa_offset -8
	pop %rsi
	.cfi_adjust_cfa_offset -8
	pop %rdi
	.cfi_adjust_cfa_offset -8
	movq %rax, %r11
	xorl %eax, %eax		/* the kernel enters a handler with 0 in EAX */
	testq %r11, %r11
	jz 1f
	jmp *%r11
1:	ret
	.cfi_endproc
	.size fsgs_handle, . - fsgs_handle

/* Byte for byte the sequence of the GNU C library, by which unwinders and debuggers recognise a
 * signal frame. They look up the address before the sequence, hence the NOP. */
	.balign 16
	nop
	.globl fsgs_sigreturn
	.hidden fsgs_sigreturn
	.type fsgs_sigreturn, @function
fsgs_sigreturn:
	movq $SYS_rt_sigreturn, %rax
	syscall
	.size fsgs_sigreturn, . - fsgs_sigreturn

/*
 * Calls a function whose guarded instructions may fault. The registers describe the call to the
 * handler of any copy of the library. RBX is a mark, and R13 the stack pointer at the guarded
 * instructions. R15 is the table of their addresses. R12 is the address to continue at, where RAX
 * has the signal and RDX its si_code. The handler changes registers only, because a protection key
 * may keep it from the stack.
 */
	.macro guarded_call function table mark way_out
	push %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	push %r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	push %r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	push %r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	push %r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movabsq $\mark, %rbx
	leaq \way_out(%rip), %r12
	leaq -8(%rsp), %r13
	leaq \table(%rip), %r15
	call \function
	pop %r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	pop %r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	pop %r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	pop %r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	pop %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.endm

/* int fsgs_guard_run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io) */
	.balign 16
	.globl fsgs_guard_run
	.hidden fsgs_guard_run
	.type fsgs_guard_run, @function
fsgs_guard_run:
	.cfi_startproc
	_CET_ENDBR
	movq %rdx, %rdi
	guarded_call *%rsi, fsgs_stub_table, FSGS_MARK_STUB, fsgs_stub_faulted
	.cfi_endproc
	.size fsgs_guard_run, . - fsgs_guard_run

/* After a fault, the handler continues here instead of in the stub. The stub has not
 * changed RDI (its argument) or the stack pointer, so RET returns to the stub's caller. */
	.type fsgs_stub_faulted, @function
fsgs_stub_faulted:
	movl %eax, FAULT(%rdi)
	movl %edx, 4 + FAULT(%rdi)
	movl $1, %eax
	ret
	.size fsgs_stub_faulted, . - fsgs_stub_faulted

/* long fsgs_arch_prctl(int code, uint64_t address) */
	.balign 16
	.globl fsgs_arch_prctl
	.hidden fsgs_arch_prctl
	.type fsgs_arch_prctl, @function
fsgs_arch_prctl:
	.cfi_startproc
	_CET_ENDBR
	guarded_call fsgs_call_kernel, fsgs_call_table, FSGS_MARK_CALL, fsgs_call_trapped
	.cfi_endproc
	.size fsgs_arch_prctl, . - fsgs_arch_prctl

	.type fsgs_call_kernel, @function
fsgs_call_kernel:
	movl $SYS_arch_prctl, %eax
	syscall
	/* If the call raises SIGSYS, this is its RIP. The handler continues at
	 * fsgs_call_trapped. */
fsgs_after_call:
	ret
	.size fsgs_call_kernel, . - fsgs_call_kernel

	.type fsgs_call_trapped, @function
fsgs_call_trapped:
	movq $-ENOSYS, %rax
	ret
	.size fsgs_call_trapped, . - fsgs_call_trapped

	.section .rodata.fsgs_call_table, "a", @progbits
	.balign 4
	.type fsgs_call_table, @object
fsgs_call_table:
	.long fsgs_after_call - .
	.long 0
	.size fsgs_call_table, . - fsgs_call_table

	.section .note.GNU-stack, "", @progbits

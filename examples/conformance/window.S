/* SPDX-License-Identifier: MIT */
/*
 * The window sets every general register and the flags, executes one instruction, and stores every
 * general register and the flags.
 *
 * From the load of RSP until window_back has its own stack again, nothing is addressed through FS
 * or GS and nothing is pushed. So any of the sixteen registers may be the operand, the stack
 * pointer too, and both bases may be foreign. After a fault in a stub, the signal handler continues
 * at window_back, with the registers as at the fault.
 */
#include <fsgscheck/insn.h>

/* Offsets into struct window; foreign.c asserts them. */
#define IN	0
#define OUT	128
#define FLAGS	256
#define AFTER	264
#define STUB	272

	.macro function name
	.globl \name
	.hidden \name
	.type \name, @function
	.balign 16
\name:
	.endm

	.macro finish name
	.size \name, . - \name
	.endm

	.bss
	.balign 8
now:	.quad 0		/* the struct window */
stack:	.quad 0		/* RSP of window_enter */
rsp:	.quad 0		/* RSP that the instruction left */
target:	.quad 0

	.text

/* void window_enter(struct window *w) */
function window_enter
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rdi, now(%rip)
	movq %rsp, stack(%rip)
	movq STUB(%rdi), %rax
	movq %rax, target(%rip)
	pushq FLAGS(%rdi)
	movq IN+0(%rdi), %rax
	movq IN+8(%rdi), %rcx
	movq IN+16(%rdi), %rdx
	movq IN+24(%rdi), %rbx
	movq IN+40(%rdi), %rbp
	movq IN+48(%rdi), %rsi
	movq IN+64(%rdi), %r8
	movq IN+72(%rdi), %r9
	movq IN+80(%rdi), %r10
	movq IN+88(%rdi), %r11
	movq IN+96(%rdi), %r12
	movq IN+104(%rdi), %r13
	movq IN+112(%rdi), %r14
	movq IN+120(%rdi), %r15
	popfq			/* the moves below do not change the flags */
	movq IN+32(%rdi), %rsp
	movq IN+56(%rdi), %rdi
	jmp *target(%rip)
finish window_enter

function window_back
	movq %rsp, rsp(%rip)
	movq now(%rip), %rsp
	movq %rax, OUT+0(%rsp)
	movq %rcx, OUT+8(%rsp)
	movq %rdx, OUT+16(%rsp)
	movq %rbx, OUT+24(%rsp)
	movq %rbp, OUT+40(%rsp)
	movq %rsi, OUT+48(%rsp)
	movq %rdi, OUT+56(%rsp)
	movq %r8, OUT+64(%rsp)
	movq %r9, OUT+72(%rsp)
	movq %r10, OUT+80(%rsp)
	movq %r11, OUT+88(%rsp)
	movq %r12, OUT+96(%rsp)
	movq %r13, OUT+104(%rsp)
	movq %r14, OUT+112(%rsp)
	movq %r15, OUT+120(%rsp)
	movq %rsp, %rdi
	movq rsp(%rip), %rax
	movq %rax, OUT+32(%rdi)
	movq stack(%rip), %rsp
	pushfq
	popq AFTER(%rdi)
	pushq $2		/* no trap flag, direction up, as C code requires */
	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
finish window_back

/* long foreign_clone(unsigned long flags, void *stack, int *parent, int *child, unsigned long tls,
 *                    void (*body)(void *), void *argument):
 * clone with CLONE_VM, without the C library. The child calls body(argument), and then exits. */
function foreign_clone
	movq 8(%rsp), %rax	/* argument */
	andq $-16, %rsi
	leaq -16(%rsi), %rsi
	movq %r9, (%rsi)
	movq %rax, 8(%rsi)
	movq %rcx, %r10
	movl $56, %eax
	syscall
	testq %rax, %rax
	jz 1f
	ret
1:	popq %rax
	popq %rdi
	call *%rax
	xorl %edi, %edi
	movl $60, %eax
	syscall
	ud2
finish foreign_clone

/* The stubs: sixteen bytes each, ordered by instruction, width and register number. The index is
 * STUB_INDEX() of foreign.h. */
	.macro stub insn:vararg
	.balign 16, 0xcc
	\insn
	jmp window_back
	.endm

	.globl window_stubs
	.hidden window_stubs
	.balign 16, 0xcc
window_stubs:
	.macro stubs mnemonic
	.irp reg, eax, ecx, edx, ebx, esp, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, \
		r15d
	stub \mnemonic %\reg
	.endr
	.irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	stub \mnemonic %\reg
	.endr
	.endm
	stubs FSGS_RDFSBASE
	stubs FSGS_RDGSBASE
	stubs FSGS_WRFSBASE
	stubs FSGS_WRGSBASE

/*
 * Forms without a mnemonic, in the order of enum odd of foreign.h: for each form four stubs of
 * sixteen bytes, one for each instruction, on RAX or EAX. `prefixed` puts a byte in front of the
 * instruction that the assembler makes, which begins with F3. Where the order of prefixes or the
 * REX bits are under test, `bytes` gives the whole instruction: F3 [REX] 0F AE, and C0 + 8 * digit
 * as ModRM.
 */
	.globl window_odd
	.hidden window_odd
	.balign 16, 0xcc
window_odd:
	.macro prefixed prefix
	.irp mnemonic, FSGS_RDFSBASE, FSGS_RDGSBASE, FSGS_WRFSBASE, FSGS_WRGSBASE
	.balign 16, 0xcc
	.byte \prefix
	\mnemonic %rax
	jmp window_back
	.endr
	.endm
	.macro bytes first:vararg
	.irp modrm, 0xc0, 0xc8, 0xd0, 0xd8
	stub .byte \first, 0x0f, 0xae, \modrm
	.endr
	.endm
	prefixed 0xf0		/* LOCK, 64-bit form */
	bytes 0xf0, 0xf3	/* LOCK, 32-bit form */
	bytes 0xf3, 0x4c	/* REX.WR */
	bytes 0xf3, 0x4a	/* REX.WX */
	bytes 0x48, 0xf3	/* REX.W in front of F3, where it must have no effect */
	bytes 0x66, 0xf3, 0x48	/* operand size */
	bytes 0x67, 0xf3, 0x48	/* address size */
	bytes 0xf2, 0xf3, 0x48	/* REPNE, then the mandatory F3 */
	bytes 0xf3, 0xf2, 0x48	/* the mandatory F3, then REPNE */
	prefixed 0x2e		/* CS override */
	prefixed 0x64		/* FS override */
	prefixed 0x65		/* GS override */

	.balign 16, 0xcc
	.globl window_ud2
	.hidden window_ud2
window_ud2:
	ud2
	jmp window_back

	.balign 16, 0xcc
	.globl window_sysenter
	.hidden window_sysenter
window_sysenter:
	sysenter
	jmp window_back

	.globl window_end
	.hidden window_end
window_end:

/* A tracer redirects its tracee to this code, which clears the selectors and the bases and then
 * stops the tracee by INT3. */
function window_zap
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	FSGS_WRFSBASE %rax
	FSGS_WRGSBASE %rax
	int3
	ud2
finish window_zap

/*
 * Switches to compatibility mode and back. compat_stub() copies this code below 4 GiB, and fills in
 * the 32-bit code, the second far jump, the pointers and the selectors. The first far jump loads a
 * 32-bit code segment, the second one a 64-bit code segment. The instruction between them only
 * shows the place of the 32-bit code. It is given as bytes, because 32-bit mode has no mnemonic for
 * it.
 */
	.globl compat_page
	.hidden compat_page
	.balign 16
compat_page:
	ljmp *1f(%rip)		/* m16:32 */
	.balign 8
1:	.long 0			/* + 8: offset of the 32-bit code */
	.word 0			/* + 12: selector of the 32-bit code */
	.balign 16
	.code32
	.byte 0xf3, 0x0f, 0xae	/* + 16 */
	.byte 0xc0		/* + 19: ModRM */
	.byte 0xea		/* + 20: far jump to 64-bit code */
	.long 0			/* + 21: offset of the 64-bit code */
	.word 0			/* + 25: selector of the 64-bit code */
	.balign 16
	.code64
	jmp *2f(%rip)		/* + 32 */
	.balign 8
2:	.quad 0			/* + 40: window_back */
	.globl compat_page_end
	.hidden compat_page_end
compat_page_end:

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/* What the kernel calls, and what it returns to. */
#include <sys/syscall.h>

#include "handover.h"

#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

	.text

/* One for each action that there is to stand in for: nothing else tells a handler which one it is. */
	.balign FSGS_HANDLER_SIZE
	.globl fsgs_handlers
	.hidden fsgs_handlers
	.type fsgs_handlers, @function
fsgs_handlers:
	.set variant, 0
	.rept FSGS_VARIANTS
	_CET_ENDBR
	movl $variant, %ecx
	jmp fsgs_handover_handle
	.balign FSGS_HANDLER_SIZE
	.set variant, variant + 1
	.endr
	.size fsgs_handlers, . - fsgs_handlers

/* Byte for byte that of the GNU C library, by which unwinders and debuggers know a signal frame. They look
 * up the address before it. */
	.balign 16
	nop
	.globl fsgs_sigreturn
	.hidden fsgs_sigreturn
	.type fsgs_sigreturn, @function
fsgs_sigreturn:
	movq $SYS_rt_sigreturn, %rax
	syscall
	.size fsgs_sigreturn, . - fsgs_sigreturn

	.section .note.GNU-stack, "", @progbits

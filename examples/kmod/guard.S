/* SPDX-License-Identifier: MIT */
/*
 * Guards the core's stubs by the kernel's exception table. When an instruction faults, the kernel
 * leaves the vector in EAX. lib/core/stubs.S includes this file.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#if __has_include(<asm/ibt.h>) /* since Linux 5.18, and in kernels with a backport */
#include <asm/ibt.h>
#else
#define ENDBR
#endif
#ifndef RET /* missing before Linux 5.17, except in stable branches */
#define RET ret
#endif

#define FSGS_ENDBR		ENDBR
#define FSGS_RET		RET
#define FSGS_GUARD(insn)	_ASM_EXTABLE_FAULT(insn, 773f)
#define FSGS_FAULT		773: movl %eax, FAULT(%rdi); movl $1, %eax; RET

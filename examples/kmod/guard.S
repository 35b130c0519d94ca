/* SPDX-License-Identifier: MIT */
/*
 * How the core's stubs are guarded here: by the kernel's exception table, whose handler leaves
 * the vector in EAX. For lib/core/stubs.S to include.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#if __has_include(<asm/ibt.h>) /* Linux 5.18, and kernels that took it from there */
#include <asm/ibt.h>
#else
#define ENDBR
#endif
#ifndef RET /* Linux 5.17 and its stable branches */
#define RET ret
#endif

#define FSGS_ENDBR		ENDBR
#define FSGS_RET		RET
#define FSGS_GUARD(insn)	_ASM_EXTABLE_FAULT(insn, 773f)
#define FSGS_FAULT		773: movl %eax, FAULT(%rdi); movl $1, %eax; RET

/* SPDX-License-Identifier: MIT */
/*
 * How the core's leaves are guarded here: by the kernel's exception table, whose handler leaves
 * the vector in EAX. For lib/core/leaf.S to include.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/ibt.h>

#define FSGS_ENDBR		ENDBR
#define FSGS_RET		RET
#define FSGS_GUARD(insn)	_ASM_EXTABLE_FAULT(insn, 773f)
#define FSGS_FAULT		773: movl %eax, FAULT(%rdi); movl $1, %eax; RET

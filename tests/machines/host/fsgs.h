/* SPDX-License-Identifier: MIT */
/* Emulates RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE in software, with a selectable defect. */
#ifndef HOST_FSGS_H
#define HOST_FSGS_H

#include "insn.h"

enum fsgs_result {
	FSGS_NOT_OURS,   /* not emulated; the host must raise #UD */
	FSGS_DONE,       /* emulated; the host must skip the instruction */
	FSGS_PROTECTION, /* the base is not canonical: the host must raise #GP(0) */
};

/* Writes one of the guest's base MSRs. If the base is not canonical, returns false and writes
 * nothing. */
bool fsgs_write_base(const struct vmcb *vmcb, uint32_t msr, uint64_t base);

enum fsgs_result fsgs_emulate(struct guest *guest, const struct insn *insn);

#endif

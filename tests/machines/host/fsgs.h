/* SPDX-License-Identifier: MIT */
/* RDFSBASE and its three siblings in software, with a selectable defect. */
#ifndef HOST_FSGS_H
#define HOST_FSGS_H

#include "insn.h"

enum fsgs_result {
	FSGS_NOT_OURS,   /* not emulated: another instruction, or an encoding that raises #UD */
	FSGS_DONE,       /* emulated; the instruction is to be skipped */
	FSGS_PROTECTION, /* a base that is not canonical: #GP(0) */
};

/* Writes one of the guest's base MSRs; false, and nothing done, if the base is not canonical. */
bool fsgs_write_base(const struct vmcb *vmcb, uint32_t msr, uint64_t base);

enum fsgs_result fsgs_emulate(struct guest *guest, const struct insn *insn);

#endif

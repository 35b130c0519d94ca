/* SPDX-License-Identifier: MIT */
/* The stubs of stubs.S, and the functions of the core that collect the evidence of a check.
 * Private: the protocol of a stub may change together with the code that uses it. */
#ifndef FSGSCHECK_LIB_STUBS_H
#define FSGSCHECK_LIB_STUBS_H

#include <fsgscheck/core.h>

#pragma GCC visibility push(hidden)

/* The steps of fsgs_stub_mark_fs() and fsgs_stub_mark_gs(), in their order. Some other stubs have
 * some of these steps. The comments name the instructions of the GS stub; the FS stub executes the
 * corresponding FS instructions. */
enum fsgs_step {
	FSGS_STEP_SAVE = 1,     /* RDGSBASE r64, to `old`. */
	FSGS_STEP_WRITE64 = 2,  /* WRGSBASE r64 of in[0]. */
	FSGS_STEP_READ64 = 3,   /* RDGSBASE r64, to out[0]. */
	FSGS_STEP_READ32 = 4,   /* RDGSBASE r32 over a register of all ones, to out[1]. */
	FSGS_STEP_WRITE32 = 5,  /* WRGSBASE r32 of in[1]. */
	FSGS_STEP_REREAD64 = 6, /* RDGSBASE r64, to out[2]. */
	FSGS_STEP_RESTORE = 7,  /* WRGSBASE r64 of `old`. */
	FSGS_STEP_VERIFY = 8    /* RDGSBASE r64, to out[3]. */
};

fsgs_stub_fn fsgs_stub_cpuid;  /* CPUID: EAX=in[0], ECX=in[1]; EAX, EBX, ECX, EDX to out[0..3]. */
fsgs_stub_fn fsgs_stub_rdfs64; /* RDFSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_rdgs64; /* RDGSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_wrfs64; /* WRFSBASE r64 of in[0]. */
fsgs_stub_fn fsgs_stub_wrgs64; /* WRGSBASE r64 of in[0]. */
/* Executes all steps of enum fsgs_step: saves the FS base, writes and reads back two markers, and
 * restores the base. Not for a process, which addresses thread-local storage through FS. */
fsgs_stub_fn fsgs_stub_mark_fs;
/* fsgs_stub_mark_fs() for GS. A process can call it, too. */
fsgs_stub_fn fsgs_stub_mark_gs;
/* The two steps FSGS_STEP_WRITE64, WRFSBASE of in[0], and FSGS_STEP_READ64, RDFSBASE to out[0]. */
fsgs_stub_fn fsgs_stub_keep_fs;
/* WRGSBASE r64 of in[0] (FSGS_STEP_WRITE64), then at once of in[1] (FSGS_STEP_RESTORE): for a value
 * of in[0] that must not stay in the base. */
fsgs_stub_fn fsgs_stub_flash_gs;
fsgs_stub_fn fsgs_stub_rdmsr; /* Ring 0. RDMSR of in[0], to out[0]. */
fsgs_stub_fn fsgs_stub_wrmsr; /* Ring 0. WRMSR of in[1] to in[0]. */
fsgs_stub_fn fsgs_stub_rdcr4; /* Ring 0. CR4, to out[0]. */
fsgs_stub_fn fsgs_stub_wrcr4; /* Ring 0. CR4, from in[0]. */
/* Ring 0. `step` is 1 for RDMSR of MSR_FS_BASE to `old`; 4 for WRFSBASE of `old` and RDMSR to
 * out[0]; 7 for WRMSR of `old`, which follows only if out[0] is not `old`. */
fsgs_stub_fn fsgs_stub_rewrite_fs;
/* fsgs_stub_rewrite_fs() for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_rewrite_gs;
/* Ring 0. Tests the instructions against MSR_FS_BASE. `step` is 1 for RDMSR to `old`; 2 for WRMSR
 * of in[0]; 3 for RDFSBASE to out[0]; 4 for WRFSBASE r64 of in[1] and RDMSR to out[1]; 5 for
 * WRFSBASE r32 of in[1] and RDMSR to out[2]; 7 for WRMSR of `old`. */
fsgs_stub_fn fsgs_stub_msr_fs;
/* fsgs_stub_msr_fs() for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_msr_gs;
/* Ring 0. Tests whether the FS base survives exits to a hypervisor. Saves the base and writes
 * in[0]. Stores the base after CPUID in out[0], and the base after a read of I/O port 80H in
 * out[1]. Restores the base. */
fsgs_stub_fn fsgs_stub_exits_fs;
/* fsgs_stub_exits_fs() for GS, with the same operands and results. */
fsgs_stub_fn fsgs_stub_exits_gs;
/* Reads the feature bit from CPUID, if its leaf exists. Fills in cpuid_faulting, and if CPUID does
 * not fault, cpuid_max_leaf, cpuid_fsgsbase and vendor. Leaf 7 is queried only if the maximum basic
 * leaf is at least 7: for a leaf above the maximum, Intel processors return the data of the highest
 * leaf (SDM vol. 2, CPUID). */
void fsgs_core_cpuid(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* Identifies the processor and the hypervisor by CPUID, for the findings and the advice. Fills in
 * family, model, stepping, brand, and the fields that begin with `hypervisor`. The hypervisor
 * leaves are read only if CPUID.1:ECX[31] is 1. A KVM or Xen signature at 40000100H takes
 * precedence over the Hyper-V interface at 40000000H. Call after fsgs_core_cpuid(). */
void fsgs_core_identify(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* The trial of the four instructions on this CPU. Fills in `trials`, or `cr4_set` if the vantage of
 * the report is FSGS_VANTAGE_RING0. Each instruction is executed in its 64-bit form, RDGSBASE and
 * WRGSBASE also in the 32-bit form. The value is compared with the other access to the base, if
 * there is one. WRFSBASE writes only the value that the FS base already has. In ring 0, however, FS
 * is tried in the same way as GS. The GS base is a marker for about 15 instructions inside one
 * stub; it is restored even if the stub faults. WRFSBASE and WRGSBASE are not tried if the old base
 * is not known. Sets a segment's fallback to FSGS_FALLBACK_LIES if the other access contradicts a
 * reading instruction that returned both markers. Interrupts and signals must be off if their
 * handlers use FS or GS. */
void fsgs_core_trial(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* Whether WRGSBASE refuses a non-canonical address: fills in canonical_check. Writes 1<<63,
 * which is non-canonical with 4-level and with 5-level paging, and expects #GP. Does nothing
 * unless the trial found WRGSBASE and RDGSBASE to work. */
void fsgs_core_canonical(struct fsgs_report *report, const struct fsgs_core_ops *ops);

#pragma GCC visibility pop

#endif

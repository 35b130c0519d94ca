/* SPDX-License-Identifier: MIT */
/* The stubs of stubs.S, and the functions of the core that collect the evidence of a check.
 * Private: a stub's protocol changes with the code that uses it. */
#ifndef FSGSCHECK_LIB_STUBS_H
#define FSGSCHECK_LIB_STUBS_H

#include <fsgscheck/core.h>

#pragma GCC visibility push(hidden)

/* The steps of the stubs fsgs_stub_mark_fs() and fsgs_stub_mark_gs(), in their order; other stubs
 * use some of them. The comments name the GS instructions; the FS stub executes the FS instructions
 * in the same steps. */
enum fsgs_step {
	FSGS_STEP_SAVE = 1,     /* RDGSBASE r64: the old base, into old. */
	FSGS_STEP_WRITE64 = 2,  /* WRGSBASE r64 of in[0]. */
	FSGS_STEP_READ64 = 3,   /* RDGSBASE r64, into out[0]. */
	FSGS_STEP_READ32 = 4,   /* RDGSBASE r32 into a register of all ones, then to out[1]. */
	FSGS_STEP_WRITE32 = 5,  /* WRGSBASE r32 of in[1]. */
	FSGS_STEP_REREAD64 = 6, /* RDGSBASE r64, into out[2]. */
	FSGS_STEP_RESTORE = 7,  /* WRGSBASE r64 of old. */
	FSGS_STEP_VERIFY = 8    /* RDGSBASE r64, into out[3]. */
};

fsgs_stub_fn fsgs_stub_cpuid;  /* CPUID: EAX=in[0], ECX=in[1]; EAX, EBX, ECX, EDX to out[0..3]. */
fsgs_stub_fn fsgs_stub_rdfs64; /* RDFSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_rdgs64; /* RDGSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_wrfs64; /* WRFSBASE r64 of in[0]. */
fsgs_stub_fn fsgs_stub_wrgs64; /* WRGSBASE r64 of in[0]. */
/* Saves the base, writes in[0] in 64 bits and in[1] in 32 bits, reads both back, and restores the
 *  base: enum fsgs_step. Not for a process, which addresses thread-local storage through FS. */
fsgs_stub_fn fsgs_stub_mark_fs;
/* The same for GS. */
fsgs_stub_fn fsgs_stub_mark_gs;
/* WRFSBASE r64 of in[0], then RDFSBASE r64 to out[0]: FSGS_STEP_WRITE64, FSGS_STEP_READ64. */
fsgs_stub_fn fsgs_stub_keep_fs;
/* WRGSBASE r64 of in[0], then at once of in[1]: for a value that must not stay. step is
 *  FSGS_STEP_WRITE64 or FSGS_STEP_RESTORE. */
fsgs_stub_fn fsgs_stub_flash_gs;
fsgs_stub_fn fsgs_stub_rdmsr; /* Ring 0. RDMSR of in[0], to out[0]. */
fsgs_stub_fn fsgs_stub_wrmsr; /* Ring 0. WRMSR of in[1] to in[0]. */
fsgs_stub_fn fsgs_stub_rdcr4; /* Ring 0. CR4, to out[0]. */
fsgs_stub_fn fsgs_stub_wrcr4; /* Ring 0. CR4, from in[0]. */
/* Ring 0. MSR_FS_BASE to old, WRFSBASE of old, MSR_FS_BASE to out[0]; WRMSR of old if they differ.
 *  step: 1 RDMSR, 4 WRFSBASE, 7 WRMSR. */
fsgs_stub_fn fsgs_stub_rewrite_fs;
/* The same for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_rewrite_gs;
/* Ring 0. Tests the instructions against MSR_FS_BASE: RDMSR to old; WRMSR of in[0] and RDFSBASE to
 *  out[0]; WRFSBASE r64 of in[1] and RDMSR to out[1]; WRFSBASE r32 of in[1] and RDMSR to out[2];
 *  WRMSR of old. step says how far it came: 1 RDMSR, 2 WRMSR, 3 RDFSBASE, 4 WRFSBASE r64, 5
 *  WRFSBASE r32, 7 the last WRMSR. */
fsgs_stub_fn fsgs_stub_msr_fs;
/* The same for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_msr_gs;
/* Ring 0. Tests whether a base survives exits to a hypervisor. Saves the base and writes in[0].
 *  Then out[0] is the base after CPUID, and out[1] the base after a read of I/O port 80H. Restores
 *  the base. */
fsgs_stub_fn fsgs_stub_exits_fs;
/* The same for GS. */
fsgs_stub_fn fsgs_stub_exits_gs;
/* Reads the feature bit from CPUID, if its leaf exists. Fills in cpuid_max_leaf, cpuid_fsgsbase and
 * vendor; on a fault, cpuid_faulting. Leaf 7 is queried only if the maximum basic leaf is at least
 * 7: for a leaf above the maximum, Intel processors return the data of the highest leaf (SDM vol.
 * 2, CPUID). */
void fsgs_core_cpuid(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* Reads the makers of the processor and the hypervisor from CPUID, for the advice. Fills in family,
 * model, stepping, brand, hypervisor and its build and version. The hypervisor leaves are read only
 * where CPUID.1:ECX[31] says that they exist. A KVM or Xen signature at 40000100H takes precedence
 * over the Hyper-V interface at 40000000H. Call after fsgs_core_cpuid(). */
void fsgs_core_identify(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* The trial of the four instructions on this CPU: fills in trials. Each is executed in its 64-bit
 * form, RDGSBASE and WRGSBASE also in the 32-bit form. The value is compared with the other access
 * to the base, if there is one. WRFSBASE writes only the value that the FS base already has, unless
 * report->vantage is FSGS_VANTAGE_RING0: there FS is tried like GS. The GS base holds a marker for
 * some twenty instructions inside one stub. It is also restored on the fault path. WRFSBASE and
 * WRGSBASE are not tried if the old base is not known. Sets a segment's fallback to
 * FSGS_FALLBACK_LIES if the other access contradicts a reading instruction that returned both
 * markers. Asynchronous interrupts or signals whose handlers use FS or GS must be off. */
void fsgs_core_trial(struct fsgs_report *report, const struct fsgs_core_ops *ops);

/* Whether WRGSBASE refuses a non-canonical address: fills in canonical_check. Writes 1<<63,
 * which is non-canonical with 4-level and with 5-level paging, and expects #GP. Does nothing
 * unless the trial found WRGSBASE and RDGSBASE to work. */
void fsgs_core_canonical(struct fsgs_report *report, const struct fsgs_core_ops *ops);

#pragma GCC visibility pop

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The freestanding core: evidence and trial without an operating system.
 *
 * In `libfsgscheck-core.a` (pkg-config `fsgscheck-core`), which has no undefined symbol, uses
 * general registers only, no red zone, no thread-local storage and no allocation. The Linux library
 * links the same objects. None of this is exported by the shared library.
 */
#ifndef FSGSCHECK_CORE_H
#define FSGSCHECK_CORE_H

#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup core The freestanding core
 * @brief For kernels, boot programs and test harnesses: the trial with the caller's fault hook.
 *
 * An instruction under trial may raise an exception. Each sits in a *stub*: an assembly function
 * without a stack frame, with the addresses that may fault in one table. The caller's exception
 * handler (or signal handler) hands the saved RIP and RDI to fsgs_stub_recover(), which tells
 * whether the fault belongs to a stub, notes it, and gives the address to continue at.
 * @{
 */

#pragma GCC visibility push(hidden)

#if defined(__x86_64__)
/** Leaves follow the System V calling convention, also in a Windows-target (UEFI) build. */
#define FSGS_STUB __attribute__((sysv_abi))
#else
#define FSGS_STUB
#endif

/** @brief What goes into a stub and what comes out. The stub gets its address in RDI. */
struct fsgs_stub {
	uint64_t in[2];    /**< Operands: see each stub. */
	uint64_t out[4];   /**< Results: see each stub. */
	uint64_t old;      /**< The base before a stub that changes it. */
	uint32_t step;     /**< The last instruction that was begun: enum fsgs_step. */
	uint32_t reserved; /**< Zero. */
	int32_t fault;     /**< By fsgs_stub_recover(): signal or vector. */
	int32_t code;      /**< By fsgs_stub_recover(): si_code or error code. */
};

/** @brief The instructions of the stubs fsgs_stub_mark_fs() and fsgs_stub_mark_gs(), in their
 *  order; others use some of them. The names are GS's; FS has the same. */
enum fsgs_step {
	FSGS_STEP_SAVE = 1,     /**< RDGSBASE r64: the old base, into old. */
	FSGS_STEP_WRITE64 = 2,  /**< WRGSBASE r64 of in[0]. */
	FSGS_STEP_READ64 = 3,   /**< RDGSBASE r64, into out[0]. */
	FSGS_STEP_READ32 = 4,   /**< RDGSBASE r32 into a register of ones, into out[1]. */
	FSGS_STEP_WRITE32 = 5,  /**< WRGSBASE r32 of in[1]. */
	FSGS_STEP_REREAD64 = 6, /**< RDGSBASE r64, into out[2]. */
	FSGS_STEP_RESTORE = 7,  /**< WRGSBASE r64 of old. */
	FSGS_STEP_VERIFY = 8    /**< RDGSBASE r64, into out[3]. */
};

/** A stub: 0 when every instruction ran, 1 when one faulted (only where the hook continues at the
 *  address that fsgs_stub_recover() gives; a hook may also never return into the stub). */
typedef FSGS_STUB int fsgs_stub_fn(struct fsgs_stub *io);

fsgs_stub_fn fsgs_stub_cpuid;  /**< CPUID: EAX=in[0], ECX=in[1]; EAX, EBX, ECX, EDX to out[0..3]. */
fsgs_stub_fn fsgs_stub_rdfs64; /**< RDFSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_rdgs64; /**< RDGSBASE r64, to out[0]. */
fsgs_stub_fn fsgs_stub_wrfs64; /**< WRFSBASE r64 of in[0]. */
fsgs_stub_fn fsgs_stub_wrgs64; /**< WRGSBASE r64 of in[0]. */
/** Save, mark with in[0] and in[1] in both widths, read back, restore: enum fsgs_step. Not for a
 *  process, where thread-local storage lives behind FS. */
fsgs_stub_fn fsgs_stub_mark_fs;
/** The same for GS. */
fsgs_stub_fn fsgs_stub_mark_gs;
/** WRFSBASE r64 of in[0], then RDFSBASE r64 to out[0]: ::FSGS_STEP_WRITE64, ::FSGS_STEP_READ64. */
fsgs_stub_fn fsgs_stub_keep_fs;
/** WRGSBASE r64 of in[0], then at once of in[1]: for a value that must not stay. step is
 *  ::FSGS_STEP_WRITE64 or ::FSGS_STEP_RESTORE. */
fsgs_stub_fn fsgs_stub_flash_gs;
fsgs_stub_fn fsgs_stub_rdmsr; /**< Ring 0. RDMSR of in[0], to out[0]. */
fsgs_stub_fn fsgs_stub_wrmsr; /**< Ring 0. WRMSR of in[1] to in[0]. */
fsgs_stub_fn fsgs_stub_rdcr4; /**< Ring 0. CR4, to out[0]. */
fsgs_stub_fn fsgs_stub_wrcr4; /**< Ring 0. CR4, from in[0]. */
/** Ring 0. MSR_FS_BASE to old, WRFSBASE of old, MSR_FS_BASE to out[0]; WRMSR of old if they differ.
 *  step: 1 RDMSR, 4 WRFSBASE, 7 WRMSR. */
fsgs_stub_fn fsgs_stub_rewrite_fs;
/** The same for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_rewrite_gs;
/** Ring 0. The instructions against MSR_FS_BASE: RDMSR to old; WRMSR of in[0] and RDFSBASE to
 *  out[0]; WRFSBASE of in[1] and RDMSR to out[1], in 32 bits to out[2]; WRMSR of old. step says how
 *  far it came: 1 RDMSR, 2 WRMSR, 3 RDFSBASE, 4 WRFSBASE r64, 5 WRFSBASE r32, 7 the last WRMSR. */
fsgs_stub_fn fsgs_stub_msr_fs;
/** The same for GS and MSR_GS_BASE. */
fsgs_stub_fn fsgs_stub_msr_gs;
/** Ring 0. A base over exits to a hypervisor: saves, writes in[0], reads it after CPUID to out[0]
 *  and after a read of I/O port 80H to out[1], restores. */
fsgs_stub_fn fsgs_stub_exits_fs;
/** The same for GS. */
fsgs_stub_fn fsgs_stub_exits_gs;
/** UD2: a fault for certain, to test a hook with, or what outlives a fault. */
fsgs_stub_fn fsgs_stub_undefined;

/**
 * @brief To be called by the handler of \#UD and \#GP (SIGILL, SIGSEGV, SIGBUS).
 *
 * @param[in,out] rip    The saved instruction pointer. On success, the address to continue at: the
 *                       stub then returns 1.
 * @param[in]     rdi    The saved RDI.
 * @param[in]     fault  What to note: the vector, or the signal.
 * @param[in]     code   What to note: the error code, or si_code.
 *
 * @return The stub's argument block, with the fault noted; NULL, and nothing touched, when @p rip
 *         is not an instruction of a stub: the fault is somebody else's.
 *
 * @par Threads and signals
 * Safe in any handler. Does not use FS or GS, which may hold a marker at this moment: neither must
 * the handler before this call.
 * @par Cost
 * A walk over a table of some seventy numbers.
 * @par Source
 * SDM vol. 3, interrupts 6 and 13: both are faults, so the saved RIP is that of the instruction.
 * RDI is the first argument of the System V calling convention.
 * @since 1.0
 */
struct fsgs_stub *fsgs_stub_recover(uint64_t *rip, uint64_t rdi, int32_t fault,
				    int32_t code) FSGS_NOTHROW;

/** @brief What the core asks of its surroundings. Every member may be NULL. */
struct fsgs_core_ops {
	void *context; /**< Handed to each function. */

	/** Runs one stub under the guard. Returns 0 when it ran, 1 when it faulted, with the fault
	 *  noted in @p io. NULL: the stub is called directly, which is right wherever the exception
	 *  handler continues at the address of fsgs_stub_recover(). */
	int (*run)(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

	/** Executes CPUID. Returns 0, or 1 when it faults. NULL: by fsgs_stub_cpuid(). */
	int (*cpuid)(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

	/** Reads a base by another way than the instructions: the MSR, arch_prctl, a self pointer.
	 *  Returns 0 or a negative error. NULL: there is no other way. */
	int (*get_base)(void *context, uint32_t segment, uint64_t *base);

	/** Writes a base by another way than the instructions; used only to put a base back that an
	 *  instruction failed to put back. Returns 0 or a negative error. */
	int (*set_base)(void *context, uint32_t segment, uint64_t base);

	/** Ring 0: told of each step before it is taken, so that a machine that dies has said
	 *  where. The bases are the caller's own at this moment. @p text is static, without a
	 *  newline. */
	void (*step)(void *context, const char *text);

	/** Ring 0: executes HLT and comes back by an interrupt. Returns 0 then, and otherwise when
	 *  there is nothing to wake up by. A marker is in both bases meanwhile: neither this
	 *  function nor the interrupt's handler may use FS or GS. NULL: HLT is not tried. */
	int (*halt)(void *context);
};

/**
 * @brief CPUID: the feature bit behind its leaf guard.
 *
 * Fills in cpuid_max_leaf, cpuid_fsgsbase and vendor; on a fault, cpuid_faulting.
 * Leaf 7 is queried only when the maximum basic leaf is at least 7: below that, Intel processors
 * return the data of their highest leaf (SDM vol. 2, CPUID).
 *
 * @param[in,out] report  Where the evidence is written.
 * @param[in]     ops     The surroundings.
 * @par Threads and signals
 * Safe everywhere that CPUID or the hook in @p ops is; touches nothing but @p report.
 * @par Cost
 * Two CPUID instructions; in a guest each of them leaves to the hypervisor.
 * @par Source
 * SDM vol. 2, CPUID.
 * @since 1.0
 */
void fsgs_core_cpuid(struct fsgs_report *report, const struct fsgs_core_ops *ops) FSGS_NOTHROW;

/**
 * @brief CPUID: who made the processor and the hypervisor, for the words of the advice.
 *
 * Fills in family, model, stepping, brand, hypervisor and its build and version. The hypervisor
 * leaves are read only where CPUID.1:ECX[31] says that they exist. A KVM or Xen signature above
 * 40000100H wins over the Hyper-V interface that it may put in front of it. Call after
 * fsgs_core_cpuid().
 *
 * @param[in,out] report  Where the evidence is written.
 * @param[in]     ops     The surroundings.
 * @par Threads and signals
 * Safe everywhere that CPUID or the hook in @p ops is; touches nothing but @p report.
 * @par Cost
 * Five CPUID instructions, and four to eight more where a hypervisor shows itself.
 * @par Source
 * SDM vol. 2, CPUID; Hyper-V, Top-Level Functional Specification, 40000000H to 40000002H; Linux,
 * Documentation/virt/kvm/x86/cpuid.rst; Xen, public/arch-x86/cpuid.h.
 * @since 1.0
 */
void fsgs_core_identify(struct fsgs_report *report, const struct fsgs_core_ops *ops) FSGS_NOTHROW;

/**
 * @brief The trial of the four instructions on this CPU: fills in trials.
 *
 * Each is executed in its 64-bit form and its value checked, against the other way of reading the
 * base where there is one; RDGSBASE and WRGSBASE in the 32-bit form, too. WRFSBASE writes only the
 * value that the FS base already has, unless report->vantage is ::FSGS_VANTAGE_RING0: there FS is
 * tried like GS. The GS base holds a marker for some twenty instructions inside
 * one stub, and is put back on the fault path, too. An instruction whose old base nobody can tell
 * is not tried. Sets fallback to ::FSGS_FALLBACK_LIES for GS where the other way contradicts a
 * reader that proved right. Asynchronous interrupts or signals whose handlers use GS must be off.
 *
 * @param[in,out] report  Where the evidence is written.
 * @param[in]     ops     The surroundings.
 * @par Threads and signals
 * For any number of threads or CPUs at once, each with a report of its own, as far as the hooks in
 * @p ops allow it. The calling thread's bases are in use meanwhile, see above.
 * @par Cost
 * Where nothing fails, three stubs with eleven of the instructions, in ring 0 two with sixteen, and
 * two calls of get_base. Each instruction that does not run adds an exception.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE.
 * @since 1.0
 */
void fsgs_core_trial(struct fsgs_report *report, const struct fsgs_core_ops *ops) FSGS_NOTHROW;

/**
 * @brief Whether WRGSBASE refuses a non-canonical address: fills in canonical_check.
 *
 * Writes 1<<63, which is non-canonical with 4-level and with 5-level paging, and expects \#GP. Does
 * nothing unless the trial found WRGSBASE and RDGSBASE to work.
 *
 * @param[in,out] report  Where the evidence is written.
 * @param[in]     ops     The surroundings.
 * @par Threads and signals
 * As fsgs_core_trial().
 * @par Cost
 * Two stubs, of which the second faults on a healthy machine.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE, exceptions; vol. 1, canonical addressing.
 * @since 1.0
 */
void fsgs_core_canonical(struct fsgs_report *report, const struct fsgs_core_ops *ops) FSGS_NOTHROW;

/** @brief What fsgs_core_ring0() may do besides: bits. */
enum fsgs_ring0_flag {
	/** Set CR4 bit 16 even where CPUID does not offer it. Every known processor raises \#GP;
	 *  QEMU's emulation (7.2) hangs. */
	FSGS_RING0_FORCE = 1 << 0,
	/** Write to a base nothing but what it holds: for a kernel that needs its bases, and goes
	 *  on. Leaves out the 32-bit forms, the canonical check and what a base has to outlive.
	 *  Where CR4 bit 16 is set already it is never cleared: nothing is executed, and nothing
	 *  tried. An NMI may come, except on a machine that stores a wrong value: from WRGSBASE to
	 *  the WRMSR that repairs it, a few instructions later, the GS base is foreign. */
	FSGS_RING0_KEEP = 1 << 1
};

/**
 * @brief All that ring 0 can find out about this CPU: fills in the evidence half of a report.
 *
 * CPUID; the four instructions with CR4 bit 16 clear, where they must raise \#UD; setting the bit,
 * and reading it back; the trial in both widths, checked against MSR_FS_BASE and MSR_GS_BASE; the
 * non-canonical write; whether a base outlives CPUID, port I/O and HLT; the four once more, for an
 * answer that changes; and with the bit clear again. CR4 and both bases are then what they were.
 * The bit is never set where CPUID does not offer it, except with ::FSGS_RING0_FORCE; where it is
 * found set without an offer, CR4 is left alone.
 *
 * Does not decide: call fsgs_decide() next, with several CPUs after setting cpus_differ by
 * fsgs_core_ring0_same().
 *
 * @param[out] report  Written as a whole.
 * @param[in]  ops     The caller's hooks; get_base and set_base are not used, since the MSRs are
 *                     the other way to a base.
 * @param[in]  flags   Bits of enum fsgs_ring0_flag.
 *
 * @retval 0    The report is filled in.
 * @retval -22  (-EINVAL) Unknown flags. Nothing was done.
 *
 * @par Interrupts
 * Off, on this CPU, from before the call to after it; an NMI or a machine check whose handler uses
 * FS or GS must not come, except with ::FSGS_RING0_KEEP. The handlers of \#UD and \#GP must already
 * lead to fsgs_stub_recover(). 64-bit mode, CPL 0, 2 KiB of stack.
 * @par Cost
 * Some seventy stubs, of which nine fault on a healthy machine; with ::FSGS_RING0_KEEP half as
 * many. In a guest CPUID, port I/O and HLT leave to the hypervisor, and CR4 and the MSRs where it
 * chooses so.
 * @par Source
 * SDM vol. 3, control register CR4, bit 16; vol. 2, RDFSBASE to WRGSBASE, RDMSR and WRMSR; vol. 4,
 * IA32_FS_BASE and IA32_GS_BASE. Each step is in doc/ring0.md.
 * @since 1.0
 */
int fsgs_core_ring0(struct fsgs_report *report, const struct fsgs_core_ops *ops,
		    uint32_t flags) FSGS_NOTHROW;

/**
 * @brief Whether two CPUs gave the same result in ring 0.
 *
 * Compares what fsgs_decide() decides by: CPUID's offer, CR4, every outcome, the canonical check.
 *
 * @param[in] a  The evidence of one CPU.
 * @param[in] b  The evidence of another.
 *
 * @retval 1  They agree.
 * @retval 0  They do not.
 *
 * @par Threads and signals
 * Safe everywhere; reads the two reports.
 * @par Cost
 * Thirteen comparisons.
 * @par Source
 * This library's own rule: what fsgs_decide() decides by.
 * @since 1.0
 */
int fsgs_core_ring0_same(const struct fsgs_report *a,
			 const struct fsgs_report *b) FSGS_NOTHROW FSGS_PURE;

#pragma GCC visibility pop

/** @} */

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The freestanding core: the checks of ring 0, without an operating system.
 *
 * The core is in `libfsgscheck-core.a` (pkg-config `fsgscheck-core`). This archive has no undefined
 * symbol. It uses only general registers, no red zone, no thread-local storage and no allocation.
 * The Linux library is built from the same sources, but the shared library exports none of the
 * functions of this header. The archive also holds the functions of report.h, so that a kernel or
 * boot program can decide and explain the result.
 */
#ifndef FSGSCHECK_CORE_H
#define FSGSCHECK_CORE_H

#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup core The freestanding core
 * @brief For kernels, boot programs and test harnesses: the walk through ring 0 with the caller's
 *        fault hook.
 *
 * An instruction under trial may raise an exception. Each such instruction is in a *stub*, an
 * assembly function without a stack frame. One table lists the addresses that may fault. The
 * caller's exception handler (or signal handler) passes the saved RIP and RDI to
 * fsgs_stub_recover(). This function tells whether the fault belongs to a stub. If it does, the
 * function notes the fault and gives the address to continue at.
 * @{
 */

#pragma GCC visibility push(hidden)

#if defined(__x86_64__)
/** Stubs follow the System V calling convention, also in a Windows-target (UEFI) build. */
#define FSGS_STUB __attribute__((sysv_abi))
#else
#define FSGS_STUB
#endif

/** @brief The argument block of a stub, passed in RDI. Its size never changes. A caller's `run`
 *  hook may access only the members `fault` and `code`. */
struct fsgs_stub {
	/** Operands. */
	uint64_t in[2];
	/** Results. */
	uint64_t out[4];
	/** The base before the stub changed it. */
	uint64_t old;
	/** The step that the stub reached. */
	uint32_t step;
	/** Zero. */
	uint32_t reserved;
	/** Set by fsgs_stub_recover(): the signal or the vector. */
	int32_t fault;
	/** Set by fsgs_stub_recover(): the si_code or the error code. */
	int32_t code;
};

/** A stub. Returns 0 if every instruction ran. Returns 1 if an instruction faulted and the handler
 *  continued at the address that fsgs_stub_recover() gives. If the handler continues elsewhere, the
 *  stub does not return. */
typedef FSGS_STUB int fsgs_stub_fn(struct fsgs_stub *io);

/** Executes UD2, which always faults: to test an exception handler or a `run` hook. */
fsgs_stub_fn fsgs_stub_undefined;

/**
 * @brief Call this in the handler of \#UD and \#GP (SIGILL, SIGSEGV, SIGBUS).
 *
 * @param[in,out] rip    The saved instruction pointer. On success, the address to continue at: the
 *                       stub then returns 1.
 * @param[in]     rdi    The saved RDI.
 * @param[in]     fault  The exception vector or the signal, which is stored in the argument block.
 * @param[in]     code   The error code or si_code, which is stored, too.
 *
 * @return The stub's argument block, with the fault noted; NULL if @p rip is not an instruction of
 *         a stub, so the fault belongs to other code. Nothing is changed then.
 *
 * @par Threads and signals
 * Safe in any handler. Does not use FS or GS, which may hold a marker at this moment. The handler
 * must not use them before this call either.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A walk over a table of about 70 numbers.
 * @par Source
 * SDM vol. 3, interrupts 6 and 13: both are faults, so the saved RIP is that of the instruction.
 * RDI is the first argument of the System V calling convention.
 * @since 1.0
 */
struct fsgs_stub *fsgs_stub_recover(uint64_t *rip, uint64_t rdi, int32_t fault,
				    int32_t code) FSGS_NOTHROW;

/** @brief The functions that the caller provides to the core. Every member may be NULL. The caller
 *  passes the size of the structure. Later versions only add hooks at its end, and a hook beyond
 *  the passed size counts as NULL. */
struct fsgs_core_ops {
	/** Passed to each function. */
	void *context;

	/** Runs one stub under the guard. Returns 0 if the stub ran, or 1 if it faulted, with the
	 *  fault noted in @p io. NULL: the stub is called directly, which is right if the exception
	 *  handler continues at the address that fsgs_stub_recover() gives. */
	int (*run)(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

	/** Executes CPUID. Returns 0, or 1 if CPUID faults. NULL: the core executes CPUID in a
	 *  stub. */
	int (*cpuid)(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

	/** Reads a base from another source than the instructions: the MSR, arch_prctl, a self
	 *  pointer. Returns 0 or a negative error. NULL: there is no other source. */
	int (*get_base)(void *context, uint32_t segment, uint64_t *base);

	/** Writes a base without the instructions. The core passes only the base that the segment
	 *  had before the trial, to restore it. Returns 0 or a negative error. */
	int (*set_base)(void *context, uint32_t segment, uint64_t base);

	/** Ring 0: called before each step, so that the last output names the step at which a
	 *  machine died. Both bases are the caller's at this moment. @p text is static, without a
	 *  newline. */
	void (*step)(void *context, const char *text);

	/** Ring 0: executes HLT and returns 0 after an interrupt. Returns another value if no
	 *  interrupt would end the HLT. Both bases hold a marker meanwhile, so neither this
	 *  function nor the interrupt handler may use FS or GS. NULL: HLT is not tried. */
	int (*halt)(void *context);
};

/** The smallest size of struct fsgs_core_ops that the core accepts. */
#define FSGS_CORE_OPS_MIN sizeof(void *)

/** @brief Flags of fsgs_core_ring0(); may be combined. */
enum fsgs_ring0_flag {
	/** Set CR4 bit 16 even where CPUID does not offer it. At this write, every known processor
	 *  raises \#GP, and QEMU's emulation (7.2) hangs. */
	FSGS_RING0_FORCE = 1 << 0,
	/** Write to each base only the value that it already has: for a kernel that needs its bases
	 *  and continues to run. Leaves out the 32-bit forms, the canonical check and the survival
	 *  checks. If CR4 bit 16 is already set, CR4 is not written and no instruction is tried. An
	 *  NMI may come, except on a machine that stores a wrong value. There the GS base is
	 *  foreign for a few instructions, from WRGSBASE to the WRMSR that repairs it. */
	FSGS_RING0_KEEP = 1 << 1
};

/**
 * @brief Check this CPU from ring 0: fills in the evidence half of a report.
 *
 * The steps are: CPUID; the four instructions with CR4 bit 16 clear, where they must raise \#UD;
 * setting the bit, and reading it back; the trial in both widths, checked against MSR_FS_BASE and
 * MSR_GS_BASE; the non-canonical write; whether a base outlives CPUID, port I/O and HLT; the four
 * instructions again, to notice a result that changes; and once more with the bit clear. CR4 and
 * both bases are then restored. If CPUID does not offer the feature, the bit is not set, except
 * with ::FSGS_RING0_FORCE. If the bit is already set without that offer, CR4 is left alone.
 *
 * Does not decide: call fsgs_decide() next. With several CPUs, compare their reports by
 * fsgs_core_ring0_same() first, and set fsgs_report.cpus_differ.
 *
 * @param[out] report    Filled in as far as @p size reaches; a part beyond what this core knows is
 *                       zeroed.
 * @param[in]  size      `sizeof *report` in bytes.
 * @param[in]  ops       The caller's hooks; get_base and set_base are not used, since the MSRs are
 *                       the other access to a base.
 * @param[in]  ops_size  `sizeof *ops` in bytes.
 * @param[in]  flags     Bits of enum fsgs_ring0_flag.
 *
 * @retval 0    The report is filled in.
 * @retval -22  (-EINVAL) Unknown flags; @p report or @p ops is NULL; @p size is below
 *              ::FSGS_REPORT_MIN or @p ops_size below ::FSGS_CORE_OPS_MIN. Nothing was done.
 *
 * @par Interrupts
 * Interrupts must be off on this CPU during the whole call. An NMI or a machine check whose handler
 * uses FS or GS must not come, except with ::FSGS_RING0_KEEP. The handlers of \#UD and \#GP must
 * already lead to fsgs_stub_recover(). The call needs 64-bit mode, CPL 0 and 4 KiB of stack.
 * @par Early use
 * Everywhere.
 * @par Cost
 * About 70 calls of stubs, of which nine fault on a healthy machine; with ::FSGS_RING0_KEEP half as
 * many. In a guest, CPUID, port I/O and HLT exit to the hypervisor; accesses to CR4 and the MSRs
 * may.
 * @par Source
 * SDM vol. 3, control register CR4, bit 16; vol. 2, RDFSBASE to WRGSBASE, RDMSR and WRMSR; vol. 4,
 * IA32_FS_BASE and IA32_GS_BASE. Each step is in doc/ring0.md.
 * @since 1.0
 */
int fsgs_core_ring0(struct fsgs_report *report, size_t size, const struct fsgs_core_ops *ops,
		    size_t ops_size, uint32_t flags) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief Whether two CPUs gave the same result in ring 0.
 *
 * Compares the evidence that fsgs_decide() uses: CPUID's offer, CR4, every outcome, whether
 * repeated samples differ, the canonical check.
 *
 * @param[in] a     The evidence of one CPU.
 * @param[in] b     The evidence of the other CPU.
 * @param[in] size  `sizeof *a` in bytes; the same for @p b.
 *
 * @retval 1  They agree.
 * @retval 0  They do not.
 *
 * @par Threads and signals
 * Safe everywhere; reads the two reports.
 * @par Early use
 * Everywhere.
 * @par Cost
 * Thirteen comparisons.
 * @par Source
 * None: it compares what fsgs_decide() reads.
 * @since 1.0
 */
int fsgs_core_ring0_same(const struct fsgs_report *a, const struct fsgs_report *b,
			 size_t size) FSGS_NOTHROW FSGS_PURE;

#pragma GCC visibility pop

/** @} */

#ifdef __cplusplus
}
#endif

#endif

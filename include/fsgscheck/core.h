/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The freestanding core: checks a CPU in ring 0, without an operating system.
 *
 * The core is in `libfsgscheck-core.a` (pkg-config `fsgscheck-core`). This archive has no undefined
 * symbol. Its code uses only general registers, no red zone, no thread-local storage and no
 * allocation. The Linux library is built from the same sources, but the shared library exports none
 * of the functions of this header. The archive also holds the functions of report.h, so that a
 * kernel or boot program can decide and explain the result.
 */
#ifndef FSGSCHECK_CORE_H
#define FSGSCHECK_CORE_H

#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup core The freestanding core
 * @brief For kernels, boot programs and test harnesses: the check in ring 0, in which the caller's
 *        exception handler catches the faults.
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
/** Stubs follow the System V calling convention, even if the target is Windows, as for UEFI. */
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

/** A stub that executes UD2, which always faults. For tests of a handler or a `run` hook. */
fsgs_stub_fn fsgs_stub_undefined;

/**
 * @brief Recovers from a fault in a stub. Call this in the handlers of \#UD and \#GP (SIGILL,
 *        SIGSEGV, SIGBUS).
 *
 * @param[in,out] rip    The saved instruction pointer. On success, the address to continue at: the
 *                       stub then returns 1.
 * @param[in]     rdi    The saved RDI.
 * @param[in]     fault  The exception vector or the signal, which is stored in the argument block.
 * @param[in]     code   The error code or si_code, which is also stored there.
 *
 * @return The stub's argument block, with the fault noted; NULL if @p rip is not in the table: the
 *         fault belongs to other code, and nothing is changed.
 *
 * @par Threads and signals
 * Safe in any handler. At this moment, the FS or GS base may be a marker. So this function does not
 * use FS or GS, and the handler must not use them before this call.
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
	/** Passed to each of the functions below. */
	void *context;

	/** Runs one stub. Returns 0 if the stub ran. If the stub faulted, returns 1, with `fault`
	 *  and `code` of @p io filled in. NULL: the core calls the stub directly, which is right if
	 *  the exception handler continues at the address that fsgs_stub_recover() gives. */
	int (*run)(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io);

	/** Executes CPUID, and stores EAX, EBX, ECX and EDX in @p regs, in this order. Returns 0,
	 *  or 1 if CPUID faults. NULL: the core executes CPUID in a stub. */
	int (*cpuid)(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

	/** Reads a base without the instructions: from the MSR, by arch_prctl, or from a self
	 *  pointer. Returns 0 or a negative error. NULL: there is no other access to a base. */
	int (*get_base)(void *context, uint32_t segment, uint64_t *base);

	/** Writes a base without the instructions. The core calls this only to restore the base
	 *  that the segment had before the trial. Returns 0 or a negative error. NULL: there is no
	 *  other access. */
	int (*set_base)(void *context, uint32_t segment, uint64_t base);

	/** Ring 0: called before each step, so that the last output names the step at which a
	 *  machine died. Both bases have the caller's values at this moment. @p text is static,
	 *  without a newline. */
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
	/** Set CR4 bit 16 even if CPUID does not offer the feature. At this write, every known
	 *  processor without the feature raises \#GP, and QEMU's emulation (7.2) hangs. */
	FSGS_RING0_FORCE = 1 << 0,
	/** Write to each base only the value that it already has: for a kernel that needs its bases
	 *  and continues to run. Leaves out the 32-bit forms, the canonical check and the survival
	 *  checks. If CR4 bit 16 is already set, CR4 is not written and no instruction is tried. An
	 *  NMI may occur during the call, except on a machine on which WRGSBASE stores a wrong
	 *  value: there the GS base is wrong for a few instructions, until WRMSR repairs it. */
	FSGS_RING0_KEEP = 1 << 1
};

/**
 * @brief Check this CPU in ring 0, and fill in the evidence half of a report.
 *
 * The steps are: CPUID; the four instructions with CR4 bit 16 clear, where they must raise \#UD;
 * setting the bit, and reading it back; the trial in both widths, checked against MSR_FS_BASE and
 * MSR_GS_BASE; the non-canonical write; whether a base outlives CPUID, port I/O and, with the hook
 * `halt`, HLT; the four instructions again, to notice a result that changes; and the four
 * instructions once more with the bit clear. CR4 and both bases are then restored. If CPUID does
 * not offer the feature, the bit is not set, except with ::FSGS_RING0_FORCE. If the bit is already
 * set without that offer, CR4 is not written.
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
 * Interrupts must be off on this CPU during the whole call. If the handler of NMIs or machine
 * checks uses FS or GS, neither may occur during the call; ::FSGS_RING0_KEEP allows them. The
 * handlers of \#UD and \#GP must already call fsgs_stub_recover(), unless the caller recovers from
 * faults in stubs by other code. The call needs 64-bit mode, CPL 0 and 4 KiB of stack.
 * @par Early use
 * Everywhere.
 * @par Cost
 * About 70 calls of stubs, of which nine fault on a healthy machine; with ::FSGS_RING0_KEEP half as
 * many calls. In a guest, CPUID, port I/O and HLT exit to the hypervisor; accesses to CR4 and the
 * MSRs may.
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
 * repeated samples differ, and the canonical check.
 *
 * @param[in] a     The evidence of one CPU.
 * @param[in] b     The evidence of the other CPU.
 * @param[in] size  `sizeof *a` in bytes, which must also be the size of @p b.
 *
 * @retval 1  The two results are the same.
 * @retval 0  They differ.
 *
 * @par Threads and signals
 * Safe everywhere; only reads the two reports.
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

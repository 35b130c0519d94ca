/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The report: evidence, verdict and findings.
 *
 * Needs no operating system. The Linux library, the ring-0 core and every binding use these types.
 */
#ifndef FSGSCHECK_REPORT_H
#define FSGSCHECK_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <fsgscheck/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup report The report
 * @brief Evidence, verdict and findings in one structure without pointers.
 *
 * The numbers of every enumeration are part of the ABI and are never reused. In the enumerations of
 * evidence and decision, 0 is the cautious value, such as `unknown`, `none` or `not-tried`. So a
 * field that an older library leaves at 0 claims nothing. A newer library may return a number that
 * is not listed here; each enumeration says how to treat it. Instructions, segments, findings,
 * events and signs are numbered from 0, for use as an index or as the number of a bit.
 * @{
 */

/** @brief The four instructions. The number is the /digit of the encoding (SDM vol. 2). This list
 *  never grows. */
enum fsgs_insn {
	FSGS_INSN_RDFSBASE = 0, /**< Read the FS base. */
	FSGS_INSN_RDGSBASE = 1, /**< Read the GS base. */
	FSGS_INSN_WRFSBASE = 2, /**< Write the FS base. */
	FSGS_INSN_WRGSBASE = 3  /**< Write the GS base. */
};

/** How many instructions there are: the length of fsgs_report.trials. */
#define FSGS_INSNS 4

/** @brief The two segments that have a base of their own in 64-bit mode. This list never grows. */
enum fsgs_segment {
	FSGS_SEGMENT_FS = 0, /**< FS: its base is the C library's thread pointer. */
	FSGS_SEGMENT_GS = 1  /**< GS: its base is free for the program's use. */
};

/** How many segments there are. */
#define FSGS_SEGMENTS 2

/** @brief The answer that the evidence gives. Treat an unknown number as ::FSGS_VERDICT_UNKNOWN. */
enum fsgs_verdict {
	/** The evidence is missing, or is not sufficient. */
	FSGS_VERDICT_UNKNOWN = 0,
	/** The kernel advertises the instructions, and no evidence contradicts the kernel. In ring
	 *  0: CPUID offers them, and all of them ran with the right values. */
	FSGS_VERDICT_USABLE = 1,
	/** CPUID does not offer the instructions, and none ran. Or this is not 64-bit x86 code. */
	FSGS_VERDICT_UNSUPPORTED = 2,
	/** CPUID offers the instructions, but the kernel did not enable them. */
	FSGS_VERDICT_DISABLED = 3,
	/** The instructions run although the kernel does not advertise them, or, in ring 0,
	 *  although CPUID does not offer them. */
	FSGS_VERDICT_UNADVERTISED = 4,
	/** The instructions are offered or advertised, but one of them, or their bit in CR4, does
	 *  not work. */
	FSGS_VERDICT_BROKEN = 5,
	/** CPUs or repeated samples differ, or the kernel advertises what CPUID does not offer, or
	 *  a tool intercepts CPUID. */
	FSGS_VERDICT_INCONSISTENT = 6
};

/** @brief The access of a segment: how its base is read and written. Treat an unknown number as
 *  ::FSGS_ACCESS_NONE. */
enum fsgs_access {
	FSGS_ACCESS_NONE = 0,        /**< Neither the instructions nor arch_prctl work here. */
	FSGS_ACCESS_INSTRUCTION = 1, /**< By the FSGSBASE instructions. */
	FSGS_ACCESS_ARCH_PRCTL = 2   /**< By arch_prctl(2); in ring 0, by the MSRs. */
};

/** @brief Whether a trial supports the verdict. Treat an unknown number as
 *  ::FSGS_PROOF_ADVERTISED. */
enum fsgs_proof {
	FSGS_PROOF_ADVERTISED = 0, /**< At least one of the four instructions was not tried. */
	FSGS_PROOF_TRIED = 1       /**< Each of the four instructions was tried. */
};

/** @brief The result of executing one instruction. Treat an unknown number as a failure. */
enum fsgs_outcome {
	FSGS_OUTCOME_NOT_TRIED = 0,   /**< The instruction was not executed. */
	FSGS_OUTCOME_OK = 1,          /**< It ran, and the value was right. */
	FSGS_OUTCOME_UNDEFINED = 2,   /**< Invalid opcode: \#UD, SIGILL. */
	FSGS_OUTCOME_FAULTED = 3,     /**< Another fault, such as \#GP. */
	FSGS_OUTCOME_WRONG_VALUE = 4, /**< It ran, but read or stored a wrong value. */
	FSGS_OUTCOME_VALUE_LOST = 5   /**< It stored the right value, which was lost later. */
};

/** @brief A yes-or-no answer of one source. This list never grows. */
enum fsgs_answer {
	FSGS_ANSWER_UNKNOWN = 0, /**< The source was not queried, or did not answer. */
	FSGS_ANSWER_NO = 1,      /**< The source says no. */
	FSGS_ANSWER_YES = 2      /**< The source says yes. */
};

/** @brief The kind of code for which the library was compiled. Treat an unknown number as
 *  ::FSGS_MODE_NOT_X86. */
enum fsgs_mode {
	FSGS_MODE_UNKNOWN = 0, /**< Not known. */
	FSGS_MODE_64BIT = 1,   /**< 64-bit x86 code, including x32. */
	FSGS_MODE_COMPAT = 2,  /**< 32-bit x86 code. */
	FSGS_MODE_NOT_X86 = 3  /**< Another architecture. */
};

/** @brief Where the evidence was collected. Treat an unknown number as ::FSGS_VANTAGE_UNKNOWN. */
enum fsgs_vantage {
	FSGS_VANTAGE_UNKNOWN = 0, /**< Not known. */
	FSGS_VANTAGE_PROCESS = 1, /**< A process under a kernel. */
	FSGS_VANTAGE_RING0 = 2    /**< Ring 0, where CR4 can be read and written. */
};

/** @brief Whether arch_prctl can read a base. Treat an unknown number as ::FSGS_FALLBACK_DENIED. */
enum fsgs_fallback {
	FSGS_FALLBACK_UNKNOWN = 0, /**< Not tried. */
	FSGS_FALLBACK_OK = 1,      /**< It gives a base that no other source contradicts. */
	FSGS_FALLBACK_DENIED = 2,  /**< It fails: see fsgs_report.fallback_error. */
	FSGS_FALLBACK_LIES = 3 /**< It reports success, but gives a wrong value or does nothing. */
};

/** @brief Why the instructions were not tried in a process. Treat an unknown number as
 *  ::FSGS_REFUSAL_SYSTEM. */
enum fsgs_refusal {
	FSGS_REFUSAL_UNKNOWN = 0, /**< It is not known whether the instructions were tried. */
	FSGS_REFUSAL_NONE = 1,    /**< The instructions were tried. */
	FSGS_REFUSAL_MODE = 2,    /**< Not tried: this is not 64-bit x86 code. */
	/** The caller passed ::FSGS_CHECK_NO_TRIAL, or called fsgs_check_early(). */
	FSGS_REFUSAL_FLAG = 3,
	FSGS_REFUSAL_ENVIRONMENT = 4, /**< FSGSCHECK_TRIAL=0 is set. */
	/** The guard could not be set up: fsgs_report.refusal_error has the errno value. */
	FSGS_REFUSAL_SYSTEM = 5
};

/** @brief Details of a verdict. Each is a bit number in fsgs_report.findings. Ignore an unknown
 *  bit, or print its number: the verdict already takes the finding into account. */
enum fsgs_finding {
	/** The kernel lists the CPU flag, but is too old to enable the feature (before Linux
	 *  5.9). */
	FSGS_FINDING_KERNEL_TOO_OLD = 0,
	FSGS_FINDING_SWITCHED_OFF = 1, /**< Disabled by nofsgsbase, clearcpuid or a policy. */
	/** It is not known whether the instructions would run if the kernel enabled them. */
	FSGS_FINDING_UNPROVEN = 2,
	FSGS_FINDING_UPGRADE_RISK = 3,       /**< Unproven on Hyper-V with an AMD processor. */
	FSGS_FINDING_WRONG_MODE = 4,         /**< Not 64-bit x86 code. */
	FSGS_FINDING_CPUS_DIFFER = 5,        /**< Not all CPUs gave the same result. */
	FSGS_FINDING_CPUID_MASKED = 6,       /**< CPUID is intercepted for this process. */
	FSGS_FINDING_EMULATED = 7,           /**< An emulator ran the instructions. */
	FSGS_FINDING_NO_CANONICAL_CHECK = 8, /**< A non-canonical base was accepted. */
	FSGS_FINDING_VALUE_LOST = 9,         /**< A base was lost: see survival_lost. */
	FSGS_FINDING_SANDBOXED = 10,         /**< A user-space kernel runs this process. */
	FSGS_FINDING_ARCH_PRCTL_DENIED = 11, /**< arch_prctl fails. */
	FSGS_FINDING_ARCH_PRCTL_LIES = 12,   /**< arch_prctl gives wrong answers. */
	FSGS_FINDING_INSTRUMENTED = 13,      /**< A tool changes the evidence in this process. */
	/** The instructions run although the kernel did not enable them: a security risk. */
	FSGS_FINDING_PRIVILEGE_RISK = 14,
	FSGS_FINDING_INSN_UD = 15,        /**< Ring 0: \#UD although CR4.FSGSBASE is set. */
	FSGS_FINDING_CR4_REFUSED = 16,    /**< Ring 0: setting CR4.FSGSBASE faults. */
	FSGS_FINDING_CR4_DROPPED = 17,    /**< Ring 0: CR4.FSGSBASE does not stay set. */
	FSGS_FINDING_CR4_UNENFORCED = 18, /**< Ring 0: executed although CR4.FSGSBASE is clear. */
	/** Disabled by the kernel; ring 0 has shown that the machine executes the instructions. */
	FSGS_FINDING_PROVEN = 19,
	/** An environment variable of this library has an unknown value. */
	FSGS_FINDING_MISCONFIGURED = 20
};

/** How many findings this header knows. */
#define FSGS_FINDINGS             21

/** The bit of one finding in fsgs_report.findings. */
#define FSGS_FINDING_BIT(finding) (UINT64_C(1) << (finding))

/** @brief Signs of an unusual environment. Each is a bit number in fsgs_report.signs. Ignore an
 *  unknown bit. */
enum fsgs_sign {
	FSGS_SIGN_TRACED = 0,         /**< Another process traces this one. */
	FSGS_SIGN_AUXV_DIFFERS = 1,   /**< Copies of the auxiliary vector differ in AT_HWCAP2. */
	FSGS_SIGN_VENDOR_DIFFERS = 2, /**< CPUID and the kernel name different CPU vendors. */
	FSGS_SIGN_UML = 3,            /**< The kernel is user-mode Linux. */
	FSGS_SIGN_GVISOR = 4,         /**< The kernel is gVisor. */
	FSGS_SIGN_XEN_PV = 5,         /**< The kernel is a paravirtual guest of Xen. */
	/** FSGSCHECK_TRIAL or FSGSCHECK_BASE has an unknown value. */
	FSGS_SIGN_MISCONFIGURED = 6
};

/** How many signs this header knows. */
#define FSGS_SIGNS          7

/** The bit of one sign in fsgs_report.signs. */
#define FSGS_SIGN_BIT(sign) (UINT32_C(1) << (sign))

/** @brief Events that must not change a base. Each is a bit number in fsgs_report.survival_tried
 *  and survival_lost. Ignore an unknown bit. */
enum fsgs_event {
	FSGS_EVENT_SYSCALL = 0, /**< A system call. */
	FSGS_EVENT_SIGNAL = 1,  /**< A signal handler that ran and returned. */
	FSGS_EVENT_YIELD = 2,   /**< sched_yield(), which runs a thread with another base. */
	FSGS_EVENT_SLEEP = 3,   /**< A sleep, in which a thread with another base runs. */
	FSGS_EVENT_FORK = 4,    /**< The creation of a child: both must keep the base. */
	FSGS_EVENT_MIGRATE = 5, /**< A move to another CPU. */
	FSGS_EVENT_CPUID = 6,   /**< CPUID, which a hypervisor can intercept. */
	FSGS_EVENT_PORT = 7,    /**< Ring 0: a read of I/O port 80H. */
	FSGS_EVENT_HALT = 8     /**< Ring 0: HLT until an interrupt. */
};

/** How many events this header knows. */
#define FSGS_EVENTS           9

/** The bit of one event in fsgs_report.survival_tried and survival_lost. */
#define FSGS_EVENT_BIT(event) (UINT32_C(1) << (event))

/** @brief The result of trying one instruction. This structure never grows. */
struct fsgs_trial {
	/** enum fsgs_outcome. */
	uint32_t outcome;
	/** Operand width in bits, 64 or 32, of the form of the instruction that failed; 0 if no
	 *  form failed. */
	uint32_t width;
	/** The signal that the instruction raised, in ring 0 the exception vector; 0 if it raised
	 *  none. */
	int32_t signal;
	/** The si_code of that signal, in ring 0 the error code; 0 if there is no signal. */
	int32_t code;
};

/**
 * @brief The report of one check: first the decision, then the evidence for it.
 *
 * The caller allocates the structure and passes its size. It holds no pointers. Later versions only
 * add fields at its end: a program that was compiled against an older header passes a smaller size
 * and gets the fields of that header. A string ends with a zero byte, and is empty if unknown.
 */
struct fsgs_report {
	/* Decision: written by fsgs_decide(). */

	/** enum fsgs_verdict: the worse of the two in `verdicts`. */
	uint32_t verdict;
	/** enum fsgs_proof. */
	uint32_t proof;
	/** enum fsgs_verdict, for FS and for GS. */
	uint32_t verdicts[FSGS_SEGMENTS];
	/** enum fsgs_access, for FS and for GS. */
	uint32_t access[FSGS_SEGMENTS];
	/** Bits: ::FSGS_FINDING_BIT of enum fsgs_finding. */
	uint64_t findings;

	/* Evidence: read by fsgs_decide(). */

	/** enum fsgs_vantage. */
	uint32_t vantage;
	/** enum fsgs_mode. */
	uint32_t mode;
	/** The largest basic leaf, CPUID.0:EAX. */
	uint32_t cpuid_max_leaf;
	/** enum fsgs_answer: CPUID.(EAX=7,ECX=0):EBX[0]. */
	uint32_t cpuid_fsgsbase;
	/** enum fsgs_answer: whether CPUID raises a fault. */
	uint32_t cpuid_faulting;
	/** enum fsgs_answer: whether the auxiliary vector has AT_HWCAP2. */
	uint32_t hwcap2_present;
	/** enum fsgs_answer: whether AT_HWCAP2 bit 1 (mask 2) is set. */
	uint32_t hwcap2_fsgsbase;
	/** enum fsgs_answer: whether /proc/cpuinfo lists `fsgsbase`. */
	uint32_t cpuinfo_flag;
	/** The results of the trials in a process; the index is enum fsgs_insn. */
	struct fsgs_trial trials[FSGS_INSNS];
	/** enum fsgs_refusal: why nothing was tried in a process. */
	uint32_t refusal;
	/** The errno value of ::FSGS_REFUSAL_SYSTEM; 0 with another `refusal`. */
	int32_t refusal_error;
	/** enum fsgs_answer: whether WRGSBASE refused 1<<63, which is not canonical. */
	uint32_t canonical_check;
	/** The events that were tested. Bits: ::FSGS_EVENT_BIT of enum fsgs_event. */
	uint32_t survival_tried;
	/** The events at which a base was lost. Bits: ::FSGS_EVENT_BIT of enum fsgs_event. */
	uint32_t survival_lost;
	/** enum fsgs_fallback, for FS and for GS. */
	uint32_t fallback[FSGS_SEGMENTS];
	/** The errno value of ::FSGS_FALLBACK_DENIED, for FS and for GS. */
	int32_t fallback_error[FSGS_SEGMENTS];
	/** Bits: ::FSGS_SIGN_BIT of enum fsgs_sign. */
	uint32_t signs;
	/** major<<16 | minor<<8 | patch, each 255 at most; 0 if unknown. */
	uint32_t kernel_version;
	/** How many CPUs were checked one by one; 0 if only the current CPU was checked. */
	uint32_t cpus_checked;
	/** enum fsgs_answer: whether the CPUs gave different results. */
	uint32_t cpus_differ;
	/** enum fsgs_answer, ring 0: whether repeated samples gave different results. */
	uint32_t samples_differ;
	/** enum fsgs_outcome, ring 0: the result of setting CR4 bit 16. */
	uint32_t cr4_write;
	/** enum fsgs_answer, ring 0: whether CR4 bit 16 reads back as 1. */
	uint32_t cr4_sticks;
	/** The results of the trials in ring 0 with CR4 bit 16 set; the index is enum fsgs_insn. A
	 *  check in a process leaves them at 0. A caller that has results from ring 0 of the
	 *  running system sets `cr4_set`, `cr4_write`, `cr4_sticks` and `cr4_cleared`, and calls
	 *  fsgs_decide() again. */
	struct fsgs_trial cr4_set[FSGS_INSNS];
	/** The results of the trials in ring 0 with CR4 bit 16 clear; the index is enum
	 *  fsgs_insn. */
	struct fsgs_trial cr4_cleared[FSGS_INSNS];
	/** CPU family, with the extended family added. */
	uint32_t family;
	/** CPU model, with the extended model as bits 4 to 7. */
	uint32_t model;
	/** CPU stepping. */
	uint32_t stepping;
	/** enum fsgs_answer: whether a hypervisor is present (CPUID.1:ECX[31]). */
	uint32_t hypervisor_present;
	/** Hyper-V: CPUID.40000002H:EAX, 0 if unknown. */
	uint32_t hypervisor_build;
	/** Hyper-V and Xen: major<<16 | minor; 0 if unknown. In a paravirtual Xen guest, this is
	 * read from /sys/hypervisor/version, otherwise from CPUID. */
	uint32_t hypervisor_version;
	/** CPU vendor, 12 characters. */
	char vendor[16];
	/** CPU brand string, 48 characters at most. */
	char brand[56];
	/** Hypervisor signature, 12 characters at most. In a paravirtual Xen guest, CPUID does not
	 *  show Xen, but this is set to "XenVMMXenVMM". */
	char hypervisor[16];
	/** Kernel release, as uname(2) gives it. */
	char kernel[72];
};

/** The smallest size of a struct fsgs_report that the library accepts: only the decision fits. */
#define FSGS_REPORT_MIN offsetof(struct fsgs_report, vantage)

/**
 * @brief The size of struct fsgs_report in the library that is running.
 *
 * For bindings: a report of this size holds every field that fsgs_report_field() lists.
 *
 * @return Bytes.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A call that returns a constant.
 * @since 1.0
 */
FSGS_API size_t fsgs_report_size(void) FSGS_NOTHROW FSGS_CONST;

/**
 * @brief Derive verdict, findings and access from the evidence in a report.
 *
 * A pure function of the evidence half of @p report: no system call, no global, no allocation. It
 * can be called in ring 0, in a signal handler, and on evidence from another machine.
 *
 * @param[in,out] report  The evidence is read, the decision half is written.
 * @param[in]     size    `sizeof *report` in bytes; evidence beyond it counts as not known.
 *
 * @retval 0        Decided. ::FSGS_VERDICT_UNKNOWN is a decision, too.
 * @retval -22      (-EINVAL) @p report is NULL or @p size is below ::FSGS_REPORT_MIN.
 *
 * @par Threads and signals
 * Safe everywhere; touches nothing but @p report.
 * @par Early use
 * Everywhere.
 * @par Cost
 * About 500 instructions.
 * @par Source
 * doc/states.md lists the states of a machine, each with its source. The main sources are the SDM,
 * vol. 2, CPUID and RDFSBASE to WRGSBASE, and Linux, Documentation/arch/x86/x86_64/fsgs.rst.
 * @since 1.0
 */
FSGS_API int fsgs_decide(struct fsgs_report *report, size_t size) FSGS_NOTHROW;

/**
 * @brief The answer before a process is set up: from an auxiliary vector and CPUID, without a
 *   trial.
 *
 * For IFUNC resolvers, dynamic loaders, and programs without a C library. Touches no thread-local
 * storage, no errno and nothing that needs a relocation, makes no system call and reads no
 * environment. The core archive has this function, too. The proof is always
 * ::FSGS_PROOF_ADVERTISED.
 *
 * CPUID runs unguarded: if a tool made CPUID fault, the program would already have died in its
 * loader.
 *
 * @param[out] report  Filled in as far as @p size reaches; a part beyond what this library knows is
 *                     zeroed.
 * @param[in]  size    `sizeof *report` in bytes.
 * @param[in]  auxv    The auxiliary vector: pairs of `unsigned long`, up to a pair of type 0
 *                     (AT_NULL). The kernel puts it behind the environment on the initial stack. A
 *                     resolver in a program with a C library makes such a vector: `{AT_HWCAP2,
 *                     getauxval(AT_HWCAP2), AT_NULL, 0}`. With NULL, AT_HWCAP2 counts as not known.
 *
 * @retval 0    The report is filled in.
 * @retval -22  (-EINVAL) @p report is NULL or @p size is below ::FSGS_REPORT_MIN.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere: in an IFUNC resolver, and before the program's own relocation.
 * @par Stack
 * 2 KiB.
 * @par Cost
 * Two CPUID instructions, each of which exits to the hypervisor in a VM.
 * @par Source
 * SDM vol. 2, CPUID; Linux, Documentation/arch/x86/x86_64/fsgs.rst; System V ABI, AMD64 supplement,
 * process initialization.
 * @since 1.0
 */
FSGS_API int fsgs_check_early(struct fsgs_report *report, size_t size,
			      const unsigned long *auxv) FSGS_NOTHROW FSGS_MUST_CHECK;

/** @} */

/**
 * @defgroup names Names and sentences
 * @brief The name and the sentence for every number in a report.
 *
 * All strings are static, in English, without a trailing newline, and never change at run time.
 * @{
 */

/** @brief The lists of names. */
enum fsgs_list {
	FSGS_LIST_NONE = 0,      /**< No list: a plain number. */
	FSGS_LIST_VERDICT = 1,   /**< enum fsgs_verdict. */
	FSGS_LIST_FINDING = 2,   /**< enum fsgs_finding. */
	FSGS_LIST_OUTCOME = 3,   /**< enum fsgs_outcome. */
	FSGS_LIST_INSN = 4,      /**< enum fsgs_insn. */
	FSGS_LIST_ACCESS = 5,    /**< enum fsgs_access. */
	FSGS_LIST_PROOF = 6,     /**< enum fsgs_proof. */
	FSGS_LIST_ANSWER = 7,    /**< enum fsgs_answer. */
	FSGS_LIST_MODE = 8,      /**< enum fsgs_mode. */
	FSGS_LIST_VANTAGE = 9,   /**< enum fsgs_vantage. */
	FSGS_LIST_FALLBACK = 10, /**< enum fsgs_fallback. */
	FSGS_LIST_REFUSAL = 11,  /**< enum fsgs_refusal. */
	FSGS_LIST_EVENT = 12,    /**< enum fsgs_event. */
	FSGS_LIST_SIGN = 13,     /**< enum fsgs_sign. */
	FSGS_LIST_SEGMENT = 14   /**< enum fsgs_segment. */
};

/**
 * @brief The name of a number, as the command, the JSON and every other output write it.
 *
 * @param[in] list   enum fsgs_list.
 * @param[in] value  A number of that list, from 0.
 *
 * @return A static string; NULL when @p list or @p value is not known. Every list is without gaps,
 *         so counting @p value up to the first NULL enumerates it.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A walk along the texts of one list, two kilobytes at most.
 * @since 1.0
 */
FSGS_API const char *fsgs_name(uint32_t list, uint32_t value) FSGS_NOTHROW FSGS_CONST;

/**
 * @brief One or two sentences that explain a number.
 *
 * @param[in] list   enum fsgs_list.
 * @param[in] value  A number of that list, from 0.
 *
 * @return A static string, which ends with a full stop; NULL when @p list or @p value is not known.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A walk along the texts of one list, two kilobytes at most.
 * @since 1.0
 */
FSGS_API const char *fsgs_describe(uint32_t list, uint32_t value) FSGS_NOTHROW FSGS_CONST;

/**
 * @brief The number of a name: the reverse of fsgs_name().
 *
 * @param[in] list  enum fsgs_list.
 * @param[in] name  As fsgs_name() gives it.
 *
 * @return The number, from 0.
 * @retval -22  (-EINVAL) @p name is NULL, or @p list or @p name is not known.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A walk along the texts of one list, two kilobytes at most.
 * @since 1.0
 */
FSGS_API int fsgs_number(uint32_t list, const char *name) FSGS_NOTHROW FSGS_PURE;

/**
 * @brief The reason for the verdict of a decided report, in one or two sentences.
 *
 * @param[in] report  A report that fsgs_check() or fsgs_decide() filled in.
 * @param[in] size    `sizeof *report` in bytes.
 *
 * @return A static string, never NULL.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A copy of the report on the stack, and a walk over about 40 conditions and their texts.
 * @par Source
 * doc/states.md lists the states of a machine, each with its source.
 * @since 1.0
 */
FSGS_API const char *fsgs_reason(const struct fsgs_report *report,
				 size_t size) FSGS_NOTHROW FSGS_PURE;

/**
 * @brief One step of the advice for a decided report.
 *
 * @param[in] report  A report that fsgs_check() or fsgs_decide() filled in.
 * @param[in] size    `sizeof *report` in bytes; a field that a smaller report lacks counts as not
 *   known.
 * @param[in] step    0 for the cheapest step, then 1, 2, ...
 *
 * @return A static string. It names first the side that has to act: `Guest:`, `Host:` or
 *         `Process:`. Or it begins with four blanks, and is a command or setting of the step
 *         before. NULL when there is no such step; a healthy machine has none.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A copy of the report on the stack, and a walk over about 70 conditions and their texts.
 * @par Source
 * doc/states.md lists the states of a machine, each with its source.
 * @since 1.0
 */
FSGS_API const char *fsgs_advice(const struct fsgs_report *report, size_t size,
				 uint32_t step) FSGS_NOTHROW FSGS_PURE;

/**
 * @brief The exit status that stands for a verdict.
 *
 * @param[in] verdict  enum fsgs_verdict.
 *
 * @retval 0  Usable.
 * @retval 1  Not usable, and all sources agree: unsupported or disabled.
 * @retval 2  A defect or a security risk: unadvertised, broken or inconsistent.
 * @retval 3  Unknown, also for a number that the library does not know.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A table look-up.
 * @since 1.0
 */
FSGS_API int fsgs_exit_status(uint32_t verdict) FSGS_NOTHROW FSGS_CONST;

/** @} */

/**
 * @defgroup fields Reports for bindings
 * @brief Access to a report by field names, or as JSON, for programs that cannot include report.h.
 * @{
 */

/** @brief The type of a field's elements. Ignore a field of an unknown type. */
enum fsgs_type {
	FSGS_TYPE_NONE = 0, /**< Not known. */
	/** An unsigned number; if fsgs_field.list is not 0, a number of that list. */
	FSGS_TYPE_UNSIGNED = 1,
	FSGS_TYPE_SIGNED = 2, /**< A signed number. */
	FSGS_TYPE_BITS = 3,   /**< An unsigned number; fsgs_field.list has the names of its bits. */
	FSGS_TYPE_TEXT = 4    /**< Characters up to a zero byte. */
};

/** @brief Describes a field of struct fsgs_report. The caller allocates the structure and passes
 *  its size. Later versions only add members at its end. */
struct fsgs_field {
	/** enum fsgs_type. */
	uint32_t type;
	/** Offset of the first element in the report, in bytes. */
	uint32_t offset;
	/** Bytes of one element: 4 or 8; for a text, the size of its array. */
	uint32_t width;
	/** How many elements. */
	uint32_t count;
	/** Bytes from one element to the next. */
	uint32_t stride;
	/** enum fsgs_list: the list that has the names of an element's values, or of its bits. */
	uint32_t list;
	/** enum fsgs_list: the list that has the names of the elements; ::FSGS_LIST_NONE if there
	 *  is only one element. */
	uint32_t index;
	/** Zero. */
	uint32_t reserved;
};

/** The smallest size of a struct fsgs_field that the library accepts. */
#define FSGS_FIELD_MIN offsetof(struct fsgs_field, reserved)

/**
 * @brief Describes a field of the report: its name, place and type.
 *
 * @param[in]  number  The number of the field, from 0.
 * @param[out] field   Filled in as far as @p size reaches.
 * @param[in]  size    `sizeof *field` in bytes.
 *
 * @return The field's name as in struct fsgs_report, with a dot for a member of a trial, such as
 *         `trials.outcome`; a static string. NULL when there is no such field, @p field is NULL or
 *         @p size is below ::FSGS_FIELD_MIN: counting @p number up to the first NULL enumerates the
 *         fields.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A table look-up.
 * @since 1.0
 */
FSGS_API const char *fsgs_report_field(uint32_t number, struct fsgs_field *field,
				       size_t size) FSGS_NOTHROW;

struct fsgs_cpu_group;

/**
 * @brief A decided report as JSON: the object that the command prints with `--json`.
 *
 * Schema 1, doc/fsgscheck.schema.json. Always valid UTF-8, even if the strings of the report are
 * not. Ends with a newline.
 *
 * @param[in]  report      A report that fsgs_check() or fsgs_decide() filled in.
 * @param[in]  size        `sizeof *report` in bytes.
 * @param[in]  groups      The groups of fsgs_check_cpus(), for the member `cpus`; may be NULL.
 * @param[in]  group_size  `sizeof *groups` in bytes.
 * @param[in]  count       How many groups; 0 leaves `cpus` out.
 * @param[out] text        Written with a terminating zero byte, cut at @p capacity; may be NULL if
 *                         @p capacity is 0.
 * @param[in]  capacity    The room at @p text in bytes.
 *
 * @return The length of the whole text without its zero byte, like snprintf(): the text was cut if
 *         this length is not below @p capacity. 8 KiB are enough for one group.
 * @retval -22  (-EINVAL) @p report is NULL, or @p size is below ::FSGS_REPORT_MIN. Or @p text is
 *              NULL, and @p capacity is not 0. Or @p count is not 0, and @p groups is NULL or
 *              @p group_size is below ::FSGS_CPU_GROUP_MIN.
 *
 * @par Threads and signals
 * Safe everywhere; allocates nothing.
 * @par Early use
 * Everywhere.
 * @par Cost
 * About 20 microseconds.
 * @par Source
 * RFC 8259; this library's own schema.
 * @since 1.0
 */
FSGS_API int fsgs_json(const struct fsgs_report *report, size_t size,
		       const struct fsgs_cpu_group *groups, size_t group_size, uint32_t count,
		       char *text, size_t capacity) FSGS_NOTHROW;

/**
 * @brief The version of the library that is running.
 *
 * @return The ::FSGS_VERSION of the library, for comparison with the ::FSGS_VERSION of the headers.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A call that returns a constant.
 * @since 1.0
 */
FSGS_API uint32_t fsgs_version(void) FSGS_NOTHROW FSGS_CONST;

/**
 * @brief The version of the library that is running, as text.
 *
 * @return A static string such as "1.0.0".
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Early use
 * Everywhere.
 * @par Cost
 * A call that returns a constant.
 * @since 1.0
 */
FSGS_API const char *fsgs_version_string(void) FSGS_NOTHROW FSGS_CONST;

/** @} */

#ifdef __cplusplus
}
#endif

#endif

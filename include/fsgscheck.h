/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Can the FSGSBASE instructions really be used here?
 *
 * The probe API of the Linux library. See the main page for a program of ten lines.
 */
#ifndef FSGSCHECK_H
#define FSGSCHECK_H

#include <fsgscheck/version.h>
#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup probe Probing
 * @brief Ask the witnesses, decide, and report.
 *
 * CPUID tells what the processor offers, AT_HWCAP2 what the kernel enabled, and a trial what really
 * happens. They can disagree. A caller who only wants yes or no uses fsgs_usable().
 * @{
 */

/** @brief What fsgs_check() is asked to do besides the plain check. Flags may be combined. */
enum fsgs_check_flag {
	/** Do not execute the instructions and install no signal handler. */
	FSGS_CHECK_NO_TRIAL = 1 << 0,
	/** Collect also what findings and advice need: /proc/cpuinfo, the copies of the auxiliary
	 *  vector, who made processor and hypervisor, the kernel's release, signs of tools, whether
	 *  arch_prctl answers, and the canonical check. Reads files. */
	FSGS_CHECK_CONTEXT = 1 << 1,
	/** Repeat CPUID and the trial on each CPU that this thread may run on. A thread of the
	 *  library's own moves from CPU to CPU. */
	FSGS_CHECK_ALL_CPUS = 1 << 2,
	/** Test that a base written by WRGSBASE outlives system calls, signals, context switches,
	 *  sleep, fork and moves. In threads of its own; takes some milliseconds. Only where the
	 *  kernel advertises the instructions and the trial succeeded. */
	FSGS_CHECK_SURVIVAL = 1 << 3
};

/** How many ranges of CPUs an fsgs_cpu_group can name. */
#define FSGS_CPU_RANGES 8

/** @brief CPUs that gave the same result. Owned by the caller, holds no pointers; passed with its
 *  size, only ever grows. */
struct fsgs_cpu_group {
	uint32_t count;                  /**< How many CPUs. */
	uint32_t ranges;                 /**< How many of first and last are used. */
	uint32_t first[FSGS_CPU_RANGES]; /**< First CPU of each range. */
	uint32_t last
		[FSGS_CPU_RANGES]; /**< Last CPU of each range; the last range may be open-ended:
					  *  when the ranges do not add up to count, some are not
					  *  named. */
	uint32_t cpuid_fsgsbase;   /**< enum fsgs_answer. */
	uint32_t outcomes[FSGS_INSNS]; /**< enum fsgs_outcome, by enum fsgs_insn. */
	uint32_t reserved[3];          /**< Zero. */
};

/** The smallest group that the library accepts. */
#define FSGS_CPU_GROUP_MIN offsetof(struct fsgs_cpu_group, reserved)

/**
 * @brief Collect evidence on this machine and decide.
 *
 * In this order: CPUID behind its leaf guard (SDM vol. 2, CPUID), AT_HWCAP2 bit 1 (Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst), then the trial of the four instructions, then what @p
 * flags ask for, then fsgs_decide(). Nothing is cached: each call looks again.
 *
 * During the trial, which takes some microseconds, SIGILL, SIGSEGV, SIGBUS and SIGSYS have a
 * handler of the library, and the calling thread takes no other signal. A fault of other code is
 * handed to the action that was there before, with that action's own flags and mask. The handlers,
 * the mask, the bases, errno and everything else are as before when this returns. Every environment
 * variable is ignored in a process that runs with raised privileges (AT_SECURE).
 *
 * @param[out] report  Filled in as far as @p size reaches; a part beyond what this library knows is
 *                     zeroed.
 * @param[in]  size    `sizeof *report` in bytes.
 * @param[in]  flags   enum fsgs_check_flag, or 0.
 *
 * @retval 0    The report is filled in; any verdict can come with success.
 * @retval -22  (-EINVAL) @p report is NULL, @p size is below ::FSGS_REPORT_MIN, or @p flags has an
 *              unknown bit. Nothing was written or run.
 *
 * @par Environment
 * `FSGSCHECK_TRIAL=0` has the effect of ::FSGS_CHECK_NO_TRIAL. No thread may change the environment
 * meanwhile.
 * @par Threads and signals
 * Any number of threads may call this at once; trials take turns. fork() does not wait for a trial,
 * and its child has neither the library's handlers nor its lock. Not for signal handlers: one that
 * interrupts a check of its own thread gets no trial (::FSGS_REFUSAL_SYSTEM with EDEADLK), but no
 * deadlock either. Not a cancellation point. One copy of the library for a process: two that try at
 * the same time do not know of each other's handlers.
 * @par Stack
 * 10 KiB, and what the kernel puts on it or on the alternate stack for a signal (AT_MINSIGSTKSZ).
 * @par Cost
 * Two CPUID instructions, each of which leaves the guest in a VM, and about thirty short system
 * calls; with ::FSGS_CHECK_CONTEXT some hundred microseconds.
 * @par Source
 * SDM vol. 2, CPUID, RDFSBASE/RDGSBASE, WRFSBASE/WRGSBASE; Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst; getauxval(3); arch_prctl(2); proc(5).
 * @since 1.0
 */
FSGS_API int fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags) FSGS_NOTHROW;

/**
 * @brief fsgs_check() on every allowed CPU, with the result of each.
 *
 * @param[out]    report      As for fsgs_check().
 * @param[in]     size        As for fsgs_check().
 * @param[in]     flags       As for fsgs_check(); ::FSGS_CHECK_ALL_CPUS is implied.
 * @param[out]    groups      Room for @p *count groups; one group for each distinct result, in the
 *                            order of their first CPUs. The last takes what did not fit.
 * @param[in]     group_size  `sizeof *groups` in bytes. A part of a group beyond what this library
 * knows is zeroed.
 * @param[in,out] count       In: how many groups there is room for, at least 1. Out: how many were
 * filled in.
 *
 * @retval 0    The report and the groups are filled in. No group, and fsgs_report.cpus_checked of
 *              0, when the affinity could not be read or changed, or when there could be no thread.
 * @retval -22  (-EINVAL) As for fsgs_check(), or @p groups or @p count is NULL, @p *count is 0, or
 *              @p group_size is below ::FSGS_CPU_GROUP_MIN. Nothing was written or run.
 *
 * @par Threads and signals
 * As for fsgs_check(). What is allowed is the affinity of the calling thread, which is not touched:
 * a thread of the library's own moves about.
 * @par Cost
 * fsgs_check(), a thread and, for each CPU, a migration, two CPUID instructions and a trial.
 * @par Source
 * As for fsgs_check(); sched_setaffinity(2).
 * @since 1.0
 */
FSGS_API int fsgs_check_cpus(struct fsgs_report *report, size_t size, uint32_t flags,
			     struct fsgs_cpu_group *groups, size_t group_size,
			     uint32_t *count) FSGS_NOTHROW;

/**
 * @brief Whether all four instructions may be used by this process: the cached answer.
 *
 * The first call does fsgs_check(); later ones read one variable until fsgs_refresh().
 *
 * @retval 1  The verdict is ::FSGS_VERDICT_USABLE.
 * @retval 0  It is another one.
 *
 * @par Threads and signals
 * Safe from any thread. The first call is not for signal handlers, later ones are.
 * @par Cost
 * A load and a test once the answer is there.
 * @par Source
 * As fsgs_check() and fsgs_decide().
 * @since 1.0
 */
FSGS_API int fsgs_usable(void) FSGS_NOTHROW;

/**
 * @brief Look again: renew the answer of fsgs_usable() and the means of base access.
 *
 * To be called when the machine may have become another one: after a resume, a migration, or a
 * restore from a checkpoint. Until it returns, other threads go on with what was known.
 *
 * @par Threads and signals
 * Safe from any thread, not for signal handlers.
 * @par Cost
 * One fsgs_check(), and a second with ::FSGS_CHECK_CONTEXT where a segment is left to arch_prctl.
 * None where both means were decided by hand and nobody has called fsgs_usable().
 * @par Source
 * This library's own rule: neither kernel nor hypervisor announces such a change (doc/limits.md).
 * @since 1.0
 */
FSGS_API void fsgs_refresh(void) FSGS_NOTHROW;

/**
 * @brief The version of the library that is running.
 *
 * @return Its ::FSGS_VERSION, for comparison with that of the headers.
 *
 * @par Threads and signals
 * Safe everywhere.
 * @par Cost
 * A call that returns a constant.
 * @par Source
 * This library's own numbers: fsgscheck/version.h.
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
 * @par Cost
 * A call that returns a constant.
 * @par Source
 * This library's own numbers: fsgscheck/version.h.
 * @since 1.0
 */
FSGS_API const char *fsgs_version_string(void) FSGS_NOTHROW FSGS_CONST;

/** @} */

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Can the FSGSBASE instructions really be used here?
 *
 * The probe API of the Linux library. doc/README.md has a program that calls fsgs_check().
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
 * @brief Collect the evidence, decide, and report.
 *
 * CPUID tells what the processor offers, AT_HWCAP2 what the kernel enabled, and a trial what really
 * happens. They can disagree.
 *
 * Which function to call:
 *  - A runtime that changes a base calls fsgs_base_access() once at its start, for each segment
 *    that it uses, and compares the answer with ::FSGS_ACCESS_INSTRUCTION.
 *  - A caller that wants one answer for all four instructions calls fsgs_usable().
 *  - A caller that wants the evidence, the findings and the access calls fsgs_check().
 *  - Code that runs before the C library is initialised calls fsgs_check_early().
 * @{
 */

/** @brief Options of fsgs_check(). They may be combined. */
enum fsgs_check_flag {
	/** Execute none of the four instructions, and install no signal handler. */
	FSGS_CHECK_NO_TRIAL = 1 << 0,
	/** Also collect the evidence that findings and advice need: /proc/cpuinfo, all copies of
	 *  the auxiliary vector, the processor's model, the hypervisor, the kernel's release and
	 *  signs of tools. Reads files. If a trial is possible, also test whether arch_prctl gives
	 *  the right bases, and, where this is safe, whether WRGSBASE refuses a non-canonical
	 *  address. */
	FSGS_CHECK_CONTEXT = 1 << 1,
	/** Repeat CPUID and the trial on each CPU on which the calling thread may run. The library
	 *  starts a thread that moves from CPU to CPU. */
	FSGS_CHECK_ALL_CPUS = 1 << 2,
	/** Test whether a base that WRGSBASE wrote survives system calls, signals, CPUID, context
	 *  switches, sleep, the creation of a child, and migrations. The test runs in the library's
	 *  own threads and in a child that shares the memory. It takes 1 to 50 ms, whatever the
	 *  size of the process. It is made only if the kernel advertises the instructions and the
	 *  trial of RDGSBASE and WRGSBASE succeeded. */
	FSGS_CHECK_SURVIVAL = 1 << 3
};

/** The largest number of CPU ranges in a struct fsgs_cpu_group. */
#define FSGS_CPU_RANGES 8

/** @brief CPUs that gave the same result. The caller allocates the structure and passes its size.
 *  It holds no pointers. Later versions only add members at its end. */
struct fsgs_cpu_group {
	/** How many CPUs. */
	uint32_t count;
	/** How many elements of `first` and of `last` are used. */
	uint32_t ranges;
	/** First CPU of each range. */
	uint32_t first[FSGS_CPU_RANGES];
	/** Last CPU of each range. */
	uint32_t last[FSGS_CPU_RANGES];
	/** enum fsgs_answer: whether CPUID offers the instructions. */
	uint32_t cpuid_fsgsbase;
	/** enum fsgs_outcome of each instruction; the index is enum fsgs_insn. */
	uint32_t outcomes[FSGS_INSNS];
	/** How many of the counted CPUs are in no range, because there were more than
	 *  ::FSGS_CPU_RANGES ranges. fsgs_check_cpu() gives the result of any one CPU. */
	uint32_t unnamed;
	/** Zero. */
	uint32_t reserved[2];
};

/** The smallest size of a struct fsgs_cpu_group that the library accepts. */
#define FSGS_CPU_GROUP_MIN offsetof(struct fsgs_cpu_group, reserved)

/**
 * @brief Collect evidence on this machine and decide.
 *
 * Collects in this order: with ::FSGS_CHECK_CONTEXT, the kernel's release and signs of tools;
 * AT_HWCAP2 bit 1 (Linux, Documentation/arch/x86/x86_64/fsgs.rst), and with ::FSGS_CHECK_CONTEXT
 * also /proc/cpuinfo; CPUID, where leaf 7 is queried only if it exists (SDM vol. 2, CPUID); the
 * trial of the four instructions; then the other evidence that @p flags request. Decides as
 * fsgs_decide() does. Nothing is cached: each call collects the evidence again.
 *
 * During the trial, a few microseconds long, SIGILL, SIGSEGV, SIGBUS and SIGSYS have a handler of
 * the library. During the trial, every other signal is blocked in the calling thread, except
 * SIGTRAP, which debuggers need. A fault in other code is passed to the action that was installed
 * before, with that action's flags and mask. When the call returns, the handlers, the mask, the
 * bases and errno are restored. With ::FSGS_CHECK_ALL_CPUS or ::FSGS_CHECK_SURVIVAL, the library
 * creates threads. If the process has created no thread before, the C library then initialises its
 * thread support.
 *
 * @param[out] report  Filled in as far as @p size reaches; a part beyond what this library knows is
 *                     zeroed.
 * @param[in]  size    `sizeof *report` in bytes.
 * @param[in]  flags   enum fsgs_check_flag, or 0.
 *
 * @retval 0    The report is filled in, whatever the verdict is.
 * @retval -22  (-EINVAL) @p report is NULL, @p size is below ::FSGS_REPORT_MIN, or @p flags has an
 *              unknown bit. Nothing was written or run.
 *
 * @par Threads and signals
 * Any number of threads may call this at once; trials take turns. fork() does not wait for a trial.
 * A child that is forked during a trial keeps the library's handlers until its own first check;
 * these handlers pass every signal on. Do not call this in a signal handler: if the handler
 * interrupts a check of its own thread, the handler's check is made without a trial
 * (::FSGS_REFUSAL_SYSTEM with EDEADLK). Not a cancellation point. A check waits up to 10 s for a
 * trial of another thread or of another copy of the library, then continues without a trial
 * (EDEADLK).
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation: call
 * fsgs_check_early() there.
 * @par Environment
 * `FSGSCHECK_TRIAL=0` has the effect of ::FSGS_CHECK_NO_TRIAL. An unknown value of
 * `FSGSCHECK_TRIAL` or `FSGSCHECK_BASE` is ignored and reported as ::FSGS_FINDING_MISCONFIGURED.
 * Every environment variable is ignored in a process that runs with raised privileges (AT_SECURE).
 * No thread may change the environment during the call.
 * @par Stack
 * 10 KiB, plus one signal frame (AT_MINSIGSTKSZ), unless the frame goes to the alternate stack.
 * @par Cost
 * Two CPUID instructions, each of which exits to the hypervisor in a VM, and about 25 short system
 * calls. With ::FSGS_CHECK_CONTEXT, 100 to 500 microseconds in all.
 * @par Source
 * SDM vol. 2, CPUID, RDFSBASE/RDGSBASE, WRFSBASE/WRGSBASE; Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst; getauxval(3); arch_prctl(2); proc(5).
 * @since 1.0
 */
FSGS_API int fsgs_check(struct fsgs_report *report, size_t size,
			uint32_t flags) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief fsgs_check() on every allowed CPU; groups the CPUs by their results.
 *
 * @param[out]    report      Filled in as far as @p size reaches.
 * @param[in]     size        `sizeof *report` in bytes.
 * @param[in]     flags       enum fsgs_check_flag; ::FSGS_CHECK_ALL_CPUS is implied.
 * @param[out]    groups      Room for @p *count groups. Each distinct result gets one group, in the
 *                            order of the first CPU of each. If there are more results than groups,
 *                            the last group also holds the CPUs of all further results.
 * @param[in]     group_size  `sizeof *groups` in bytes. A part of a group beyond what this library
 *                            knows is zeroed.
 * @param[in,out] count       In: how many groups there is room for, at least 1. Out: how many were
 *                            filled in.
 *
 * @retval 0    The report and the groups are filled in. If the affinity could not be read or
 *              changed, or no thread could be created, @p *count and fsgs_report.cpus_checked are
 *              0.
 * @retval -22  (-EINVAL) @p report, @p groups or @p count is NULL, @p *count is 0, @p size or
 *              @p group_size is below its minimum, or @p flags has an unknown bit. Nothing was
 *              written or run.
 *
 * @par Threads and signals
 * Any number of threads may call this at once; trials take turns. Do not call this in a signal
 * handler. Not a cancellation point. The allowed CPUs are those of the calling thread's affinity.
 * This affinity is not changed: a thread of the library moves from CPU to CPU.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * `FSGSCHECK_TRIAL=0` has the effect of ::FSGS_CHECK_NO_TRIAL. An unknown value of
 * `FSGSCHECK_TRIAL` or `FSGSCHECK_BASE` is ignored and reported as ::FSGS_FINDING_MISCONFIGURED.
 * Every environment variable is ignored in a process that runs with raised privileges (AT_SECURE).
 * No thread may change the environment during the call.
 * @par Cost
 * That of fsgs_check(), the creation of a thread, and for each CPU a migration, two CPUID
 * instructions and a trial.
 * @par Source
 * SDM vol. 2, CPUID, RDFSBASE/RDGSBASE, WRFSBASE/WRGSBASE; Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst; sched_setaffinity(2).
 * @since 1.0
 */
FSGS_API int fsgs_check_cpus(struct fsgs_report *report, size_t size, uint32_t flags,
			     struct fsgs_cpu_group *groups, size_t group_size,
			     uint32_t *count) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief fsgs_check() on one CPU.
 *
 * @param[in]  cpu     The number of the CPU, as in sched_setaffinity(2). The affinity of the
 *                     calling thread need not include it.
 * @param[out] report  Filled in as far as @p size reaches.
 * @param[in]  size    `sizeof *report` in bytes.
 * @param[in]  flags   enum fsgs_check_flag, without ::FSGS_CHECK_ALL_CPUS.
 *
 * @retval 0    The report is filled in, and fsgs_report.cpus_checked is 1.
 * @retval -22  (-EINVAL) @p report is NULL, @p size is below ::FSGS_REPORT_MIN, or @p flags has an
 *              unknown bit or ::FSGS_CHECK_ALL_CPUS; or there is no such CPU, it is offline, or
 *              the process's cpuset excludes it.
 * @retval -11  (-EAGAIN) No thread could be created. Other negative errno values of
 *              pthread_create(3) and sched_setaffinity(2) are possible.
 *
 * @par Threads and signals
 * Any number of threads may call this at once; trials take turns. Do not call this in a signal
 * handler. Not a cancellation point. The affinity of the calling thread is not changed: a thread of
 * the library runs on that CPU.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * `FSGSCHECK_TRIAL=0` has the effect of ::FSGS_CHECK_NO_TRIAL. An unknown value of
 * `FSGSCHECK_TRIAL` or `FSGSCHECK_BASE` is ignored and reported as ::FSGS_FINDING_MISCONFIGURED.
 * Every environment variable is ignored in a process that runs with raised privileges (AT_SECURE).
 * No thread may change the environment during the call.
 * @par Cost
 * That of fsgs_check(), the creation of a thread, and a migration.
 * @par Source
 * SDM vol. 2, CPUID, RDFSBASE/RDGSBASE, WRFSBASE/WRGSBASE; Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst; sched_setaffinity(2).
 * @since 1.0
 */
FSGS_API int fsgs_check_cpu(uint32_t cpu, struct fsgs_report *report, size_t size,
			    uint32_t flags) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief Whether this process may use all four instructions; the answer is cached.
 *
 * The first call makes a check as fsgs_check() does, unless the first use of a segment has made it.
 * Later calls read the cached answer. fsgs_refresh() renews the answer, and so does
 * fsgs_base_force() with ::FSGS_BASE_AUTO if it makes a check. The answer ignores the accesses that
 * `FSGSCHECK_BASE` and fsgs_base_force() set, and requires all four instructions. A runtime that
 * uses one segment calls fsgs_base_access() instead.
 *
 * @retval 1  The verdict is ::FSGS_VERDICT_USABLE.
 * @retval 0  The verdict is another.
 *
 * @par Threads and signals
 * Safe from any thread. Do not make the first call in a signal handler; later calls are safe there.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first call reads `FSGSCHECK_TRIAL`, as fsgs_check() does. It also decides the access of each
 * segment, and reads `FSGSCHECK_BASE` for that.
 * @par Cost
 * A load and a test once the answer is cached. The first call costs two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, CPUID, RDFSBASE/RDGSBASE, WRFSBASE/WRGSBASE; Linux,
 * Documentation/arch/x86/x86_64/fsgs.rst.
 * @since 1.0
 */
FSGS_API int fsgs_usable(void) FSGS_NOTHROW;

/**
 * @brief Check again: renew the answer of fsgs_usable() and the access of each segment.
 *
 * Call it when the process may be on another machine: after a resume, a migration, or a restore
 * from a checkpoint. Until it returns, other threads use the previous answers. If another thread is
 * deciding at the same time, the previous answers may remain in use until that thread has finished.
 *
 * @retval 1  An access changed or was not decided before, or the answer of fsgs_usable() changed.
 * @retval 0  Nothing changed.
 *
 * @par Threads and signals
 * Safe from any thread, but not in a signal handler.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL` are read again.
 * @par Cost
 * One fsgs_check(). A second one, with ::FSGS_CHECK_CONTEXT, if the first gives the access
 * arch_prctl to a segment that neither fsgs_base_force() nor `FSGSCHECK_BASE` sets. No check if
 * these set both segments and fsgs_usable() has no cached answer.
 * @par Source
 * None: neither kernel nor hypervisor announces a move to another machine (doc/limits.md).
 * @since 1.0
 */
FSGS_API int fsgs_refresh(void) FSGS_NOTHROW;

/** @} */

#ifdef __cplusplus
}
#endif

#endif

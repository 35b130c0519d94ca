/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The FS and GS base, by the fastest means that is safe here.
 *
 * Needs no `-mfsgsbase`: a program that includes this runs on every machine.
 */
#ifndef FSGSCHECK_BASE_H
#define FSGSCHECK_BASE_H

#include <fsgscheck/insn.h>
#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup base Base access
 * @brief Read and write the FS and GS base under one contract, whichever means it takes.
 *
 * The means is one of enum fsgs_access, for each segment on its own: the instruction where
 * fsgs_check() allows it, else the arch_prctl(2) system call, else none. The first use decides;
 * fsgs_refresh() decides again. Someone who knows better can decide: the environment variable
 * `FSGSCHECK_BASE` set to `instruction` or `arch_prctl` (`auto` is as if unset; ignored under
 * AT_SECURE), or fsgs_base_force(), which counts for more.
 *
 * The contract:
 *  - An address from ::FSGS_BASE_LIMIT up, hence every one that is not canonical, is refused with
 *    -EPERM before anything is written. The instruction would take addresses of the kernel's half,
 *    and some kernels and emulators die of them.
 *  - The system call is not believed: a get that leaves the value alone and a set that does not
 *    read back have failed. Where no means works the answer is -ENOTSUP.
 *  - Whether a set leaves the segment's selector as it was (the instruction does) or zeroes it (the
 *    system call does) is not said.
 *  - errno stays as it was.
 *
 * Each access comes twice. fsgs_get_gs_base() and its siblings are inline: where the means is the
 * instruction they are one load, one test and that instruction, else they call the function
 * fsgs_get_base(), fsgs_set_base() or fsgs_ensure_base(), which is what other languages call.
 *
 * @par While the FS base is foreign
 * Thread-local storage, errno and the stack protector's canary live behind FS. From a set of a
 * foreign FS base until the thread's own is restored, a thread must not use thread-local storage,
 * call the C library, return from or call a function with a stack protector or a sanitizer, take a
 * signal, or bind a function lazily (link with `-z now`, or call the function once before). Of this
 * library it may call fsgs_get_base(), fsgs_set_base(), fsgs_ensure_base() and their inline forms,
 * for segments that have been used before: deciding is a C library call like others.
 * @{
 */

/** The address from which on a base is refused: TASK_SIZE_MAX of x86-64 Linux with four levels of
 *  page tables. A kernel with five maps nothing above it unless asked to, and is given the same
 *  bound. */
#define FSGS_BASE_LIMIT UINT64_C(0x00007ffffffff000)

/** For fsgs_base_force(): let the check decide. */
#define FSGS_BASE_AUTO  UINT32_MAX

/** 1 where the inline functions have a fast path: 64-bit x86 code with 64-bit pointers. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define FSGS_BASE_INLINE 1
#else
#define FSGS_BASE_INLINE 0
#endif

/**
 * @brief For each enum fsgs_segment, the address below which the instruction may write its base.
 *
 * ::FSGS_BASE_LIMIT while the means is the instruction, else 0: so one load and one comparison tell
 * both whether the instruction is the means and whether the address is allowed. Only the inline
 * functions below read it and only the library writes it, at any time and with one store an
 * element.
 *
 * It is the only data object that the library exports, of a size that never changes. A function
 * would cost more than the instruction; a copy in each program could not be refreshed.
 * @since 1.0
 */
extern FSGS_API uint64_t fsgs_base_limit[FSGS_SEGMENTS];

/**
 * @brief The means that is in use for a segment.
 *
 * @param[in] segment  enum fsgs_segment.
 *
 * @return enum fsgs_access: ::FSGS_ACCESS_NONE when neither means works, or @p segment is not one.
 *
 * @par Threads and signals
 * As fsgs_get_base().
 * @par Cost
 * A load and a test once it has been decided; the first use may cost as much as two fsgs_check(),
 * the second with ::FSGS_CHECK_CONTEXT, to see whether arch_prctl can be believed.
 * @par Source
 * This library's own rules, as in fsgs_decide(); arch_prctl(2).
 * @since 1.0
 */
FSGS_API uint32_t fsgs_base_access(uint32_t segment) FSGS_NOTHROW;

/**
 * @brief Decide the means for a segment by hand, for this process, until told otherwise.
 *
 * For people who know their sandbox: no check runs and no instruction is tried, so the instruction
 * forced where it is undefined ends the process with SIGILL. Counts for more than `FSGSCHECK_BASE`
 * and is kept over fsgs_refresh().
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] access   ::FSGS_ACCESS_INSTRUCTION, ::FSGS_ACCESS_ARCH_PRCTL, or ::FSGS_BASE_AUTO to
 *                     take an earlier word back: `FSGSCHECK_BASE` counts again, or else the check
 *                     runs at once.
 *
 * @retval 0    It is in force for every thread; where another one is just deciding, too, an instant
 * later.
 * @retval -22  (-EINVAL) @p segment or @p access is not one of those. Nothing changed.
 * @retval -95  (-ENOTSUP) This is not 64-bit x86 code with 64-bit pointers.
 *
 * @par Threads and signals
 * Safe from any thread, not for signal handlers.
 * @par Cost
 * Some atomic stores; with ::FSGS_BASE_AUTO, unless `FSGSCHECK_BASE` decides, that of the first
 * use: fsgs_base_access().
 * @par Source
 * This library's own rule.
 * @since 1.0
 */
FSGS_API int fsgs_base_force(uint32_t segment, uint32_t access) FSGS_NOTHROW;

/**
 * @brief Read a base of the calling thread.
 *
 * @param[in]  segment  enum fsgs_segment.
 * @param[out] base     The base; left alone on an error. Not NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -22  (-EINVAL) @p segment is not one.
 * @retval -95  (-ENOTSUP) No means works here: the system call is denied, or does not tell the
 * truth.
 *
 * @par Threads and signals
 * Safe from any thread. Safe in a signal handler once the segment has been used.
 * @par Cost
 * By the instruction, a call and about 3 ns; else one system call. The first use decides:
 * fsgs_base_access().
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_get_base(uint32_t segment, uint64_t *base) FSGS_NOTHROW;

/**
 * @brief Write a base of the calling thread.
 *
 * For ::FSGS_SEGMENT_FS read first what must not be done until it is restored: @ref base.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] base     The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is not below ::FSGS_BASE_LIMIT. Nothing was written.
 * @retval -22  (-EINVAL) @p segment is not one.
 * @retval -95  (-ENOTSUP) No means works here: the system call is denied, or what it claims to have
 *              written does not read back.
 *
 * @par Threads and signals
 * As fsgs_get_base(). A signal handler runs with the base that the interrupted code had, and what a
 * handler sets stays: neither delivery nor sigreturn(2) saves a base.
 * @par Cost
 * By the instruction, a call and about 10 ns; else two system calls.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_set_base(uint32_t segment, uint64_t base) FSGS_NOTHROW;

/**
 * @brief Write a base of the calling thread unless it is right already.
 *
 * A read is two to ten times cheaper than a write, so this pays where a base is often right: a
 * sandbox that calls itself again, a task that is resumed where it ran. By the system call it saves
 * the read-back.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] base     The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) As for fsgs_set_base().
 * @retval -22  (-EINVAL) As for fsgs_set_base().
 * @retval -95  (-ENOTSUP) As for fsgs_set_base().
 *
 * @par Threads and signals
 * As fsgs_set_base().
 * @par Cost
 * That of fsgs_get_base(), and that of fsgs_set_base() when there is something to write.
 * @par Source
 * As fsgs_get_base() and fsgs_set_base().
 * @since 1.0
 */
FSGS_API int fsgs_ensure_base(uint32_t segment, uint64_t base) FSGS_NOTHROW;

/** @cond internal */

/* One comparison for both questions: is the instruction the means, and is this address allowed? */
static inline int fsgs_may_write_(uint32_t segment, uint64_t base)
{
#if FSGS_BASE_INLINE
	const uint64_t limit = __atomic_load_n(&fsgs_base_limit[segment], __ATOMIC_RELAXED);

	return __builtin_expect(base < limit, 1) != 0;
#else
	(void)segment;
	(void)base;
	return 0;
#endif
}

/* The instructions, volatile to stay in their order. A write changes what memory a segment-relative
 * access means, hence the clobber. */
static inline uint64_t fsgs_read_fs_(void)
{
	uint64_t base = 0;

#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_RDFSBASE, "%0") : "=r"(base));
#endif
	return base;
}

static inline uint64_t fsgs_read_gs_(void)
{
	uint64_t base = 0;

#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_RDGSBASE, "%0") : "=r"(base));
#endif
	return base;
}

static inline void fsgs_write_fs_(uint64_t base)
{
#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_WRFSBASE, "%0") : : "r"(base) : "memory");
#else
	(void)base;
#endif
}

static inline void fsgs_write_gs_(uint64_t base)
{
#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_WRGSBASE, "%0") : : "r"(base) : "memory");
#else
	(void)base;
#endif
}

/* fsgs_get_base() by value, in two registers: so the address of the caller's variable is not taken,
 * and that can be a register, too. Each user has its own, so this is no part of the ABI. */
/** @cond INTERNAL */
struct fsgs_got_ {
	uint64_t base;
	int error;
};
/** @endcond */

/* It runs while the FS base is foreign, where the canary cannot be read. A function of its own that
 * has the address of a local is what -fstack-protector-strong, the distributions' default, would
 * give one. */
#if defined(__has_attribute) && __has_attribute(__no_stack_protector__)
#define FSGS_NO_CANARY_ __no_stack_protector__
#else
#define FSGS_NO_CANARY_ __optimize__("no-stack-protector")
#endif

static __attribute__((__unused__, __noinline__, __cold__, FSGS_NO_CANARY_)) struct fsgs_got_
fsgs_get_by_call_(uint32_t segment)
{
	struct fsgs_got_ got = {0, 0};

	got.error = fsgs_get_base(segment, &got.base);
	return got;
}

static inline int fsgs_get_slowly_(uint32_t segment, uint64_t *base)
{
	const struct fsgs_got_ got = fsgs_get_by_call_(segment);

	if (!got.error)
		*base = got.base;
	return got.error;
}

/** @endcond */

/**
 * @brief fsgs_get_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * @param[out] base  The base; left alone on an error. Not NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -95  (-ENOTSUP) As for fsgs_get_base().
 *
 * @par Threads and signals
 * As fsgs_get_base().
 * @par Cost
 * By the instruction a load, a test and RDFSBASE; else that of fsgs_get_base().
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
static inline int fsgs_get_fs_base(uint64_t *base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_FS, 0))
		return fsgs_get_slowly_(FSGS_SEGMENT_FS, base);
	*base = fsgs_read_fs_();
	return 0;
}

/**
 * @brief fsgs_get_base() of ::FSGS_SEGMENT_GS, inline.
 *
 * @param[out] base  The base; left alone on an error. Not NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -95  (-ENOTSUP) As for fsgs_get_base().
 *
 * @par Threads and signals
 * As fsgs_get_base().
 * @par Cost
 * By the instruction a load, a test and RDGSBASE; else that of fsgs_get_base().
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
static inline int fsgs_get_gs_base(uint64_t *base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, 0))
		return fsgs_get_slowly_(FSGS_SEGMENT_GS, base);
	*base = fsgs_read_gs_();
	return 0;
}

/**
 * @brief fsgs_set_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * Read first what must not be done until it is restored: @ref base.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) As for fsgs_set_base().
 * @retval -95  (-ENOTSUP) As for fsgs_set_base().
 *
 * @par Threads and signals
 * As fsgs_set_base().
 * @par Cost
 * By the instruction a load, a comparison and WRFSBASE; else that of fsgs_set_base().
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
static inline int fsgs_set_fs_base(uint64_t base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_FS, base))
		return fsgs_set_base(FSGS_SEGMENT_FS, base);
	fsgs_write_fs_(base);
	return 0;
}

/**
 * @brief fsgs_set_base() of ::FSGS_SEGMENT_GS, inline.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) As for fsgs_set_base().
 * @retval -95  (-ENOTSUP) As for fsgs_set_base().
 *
 * @par Threads and signals
 * As fsgs_set_base().
 * @par Cost
 * By the instruction a load, a comparison and WRGSBASE; else that of fsgs_set_base().
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
static inline int fsgs_set_gs_base(uint64_t base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, base))
		return fsgs_set_base(FSGS_SEGMENT_GS, base);
	fsgs_write_gs_(base);
	return 0;
}

/**
 * @brief fsgs_ensure_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * Read first what must not be done until it is restored: @ref base.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) As for fsgs_set_base().
 * @retval -95  (-ENOTSUP) As for fsgs_set_base().
 *
 * @par Threads and signals
 * As fsgs_set_base().
 * @par Cost
 * By the instruction a load, a comparison and RDFSBASE, and WRFSBASE when there is something to
 * write; else that of fsgs_ensure_base().
 * @par Source
 * As fsgs_get_base() and fsgs_set_base().
 * @since 1.0
 */
static inline int fsgs_ensure_fs_base(uint64_t base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_FS, base))
		return fsgs_ensure_base(FSGS_SEGMENT_FS, base);
	if (fsgs_read_fs_() != base)
		fsgs_write_fs_(base);
	return 0;
}

/**
 * @brief fsgs_ensure_base() of ::FSGS_SEGMENT_GS, inline.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) As for fsgs_set_base().
 * @retval -95  (-ENOTSUP) As for fsgs_set_base().
 *
 * @par Threads and signals
 * As fsgs_set_base().
 * @par Cost
 * By the instruction a load, a comparison and RDGSBASE, and WRGSBASE when there is something to
 * write; else that of fsgs_ensure_base().
 * @par Source
 * As fsgs_get_base() and fsgs_set_base().
 * @since 1.0
 */
static inline int fsgs_ensure_gs_base(uint64_t base)
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, base))
		return fsgs_ensure_base(FSGS_SEGMENT_GS, base);
	if (fsgs_read_gs_() != base)
		fsgs_write_gs_(base);
	return 0;
}

/** @} */

#ifdef __cplusplus
}
#endif

#endif

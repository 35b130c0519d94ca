/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The FS and GS base, by the fastest safe access.
 *
 * Needs no `-mfsgsbase`: a program that includes this runs on every machine. Assembly files can
 * include it, too: they get the constants of the fast path and the instructions of insn.h.
 */
#ifndef FSGSCHECK_BASE_H
#define FSGSCHECK_BASE_H

#include <fsgscheck/insn.h>

/**
 * @defgroup base Base access
 * @brief Read and write the FS and GS base under one contract, whatever the access.
 *
 * Each segment has an access of its own, one of enum fsgs_access: the instruction where
 * fsgs_check() allows it, else the arch_prctl(2) system call, else none. The first use of a segment
 * decides; fsgs_refresh() decides again. A runtime tests once at its start, for each segment that
 * it uses, whether `fsgs_base_access(segment) == FSGS_ACCESS_INSTRUCTION`, and chooses its code
 * accordingly.
 *
 * A user or a program that knows which access works can set it: by the environment variable
 * `FSGSCHECK_BASE`, or by fsgs_base_force(), which takes precedence.
 *
 * The contract:
 *  - Every address below ::FSGS_BASE_LIMIT is accepted. A later library may also accept higher
 *    addresses of user space, if the kernel has five levels of page tables. An address of the
 *    kernel's half and a non-canonical address are never accepted. For a refused address, a set
 *    returns -EPERM and writes nothing. The instruction would accept an address of the kernel's
 *    half, and some kernels and emulators crash on such a base.
 *  - A get can therefore return a base that a set refuses, if code of the process wrote it by
 *    WRGSBASE itself. Code that saves and restores a base treats -EPERM at the restore as an error
 *    of the code that wrote the base. It can refuse to switch, or leave the base as it is without a
 *    set.
 *  - arch_prctl is tested before it is trusted. If ARCH_GET does not write the value, the get
 *    fails. After each decision, a set by arch_prctl reads the base back, until one of these sets
 *    has been seen to change the segment's base. If no access works, the result is -ENOTSUP.
 *  - The effect of a set on the segment's selector is unspecified: the instruction keeps the
 *    selector, and the system call zeroes it.
 *  - errno stays as it was.
 *
 * Each operation comes in two forms. fsgs_get_gs_base() and its siblings are inline. If the access
 * is the instruction, they execute one load, one comparison and the instruction. Otherwise they
 * call the function fsgs_get_base_value(), fsgs_set_base() or fsgs_ensure_base(). Other languages
 * call fsgs_get_base(), fsgs_set_base() and fsgs_ensure_base().
 *
 * @par The fast path in other code
 * Assembly and code that a JIT emits may do what the inline functions do. The protocol is public.
 * For segment S, load the 64-bit number `fsgs_base_limit[S]`, once. WRFSBASE or WRGSBASE may write
 * a base that is below this number, compared unsigned. RDFSBASE or RDGSBASE may read the base if
 * this number is not 0. Otherwise call fsgs_set_base(), fsgs_ensure_base(), fsgs_get_base() or
 * fsgs_get_base_value(). Load the number each time: the library changes it when a decision changes.
 * The guide for runtimes has the code.
 *
 * @par While the FS base is foreign
 * Thread-local storage, errno and the stack protector's canary are addressed through FS. From a set
 * of a foreign FS base until the thread's own is restored, a thread must not
 *  - use thread-local storage, call the C library, or take a signal;
 *  - call or return from a function with a stack protector, a sanitizer or other instrumentation;
 *  - bind a function lazily: link with `-z now`, or compile with `-fno-plt`. An earlier call of an
 *    inline form may have bound nothing, since its fast path calls nothing.
 *
 * Of the functions of this library, the thread may call fsgs_get_base(), fsgs_get_base_value(),
 * fsgs_set_base(), fsgs_ensure_base() and the inline forms, for segments that have been used
 * before: the first use calls the C library to decide. The thread must call the inline forms by
 * name. A pointer leads to an ordinary function, to which the compiler may add instrumentation.
 *
 * @par Environment
 * `FSGSCHECK_BASE` is read whenever an access is decided: by the first use of a segment, by
 * fsgs_refresh() and by fsgs_base_force() with ::FSGS_BASE_AUTO. Values: `instruction`,
 * `arch_prctl` or `none`; `auto` and the empty string count as unset. Any other value counts as
 * unset, too, and fsgs_check() reports it as ::FSGS_FINDING_MISCONFIGURED. The variable is ignored
 * under AT_SECURE. No thread may change the environment while it is read.
 * @{
 */

/** Every set accepts the addresses below this limit, TASK_SIZE_MAX of x86-64 Linux with four levels
 *  of page tables. In assembly it is a plain number. */
#ifdef __ASSEMBLER__
#define FSGS_BASE_LIMIT 0x00007ffffffff000
#else
#define FSGS_BASE_LIMIT UINT64_C(0x00007ffffffff000)
#endif

/** Offset of the FS element of fsgs_base_limit in bytes, for assembly. */
#define FSGS_BASE_LIMIT_FS 0
#define FSGS_BASE_LIMIT_GS 8 /**< The same for GS. */

/** How many elements fsgs_base_limit has. Those beyond ::FSGS_SEGMENTS are reserved. */
#define FSGS_BASE_LIMITS   8

/** 1 where the inline functions have a fast path: 64-bit x86 code with 64-bit pointers. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define FSGS_BASE_INLINE 1
#else
#define FSGS_BASE_INLINE 0
#endif

#ifndef __ASSEMBLER__

#include <fsgscheck/report.h>

#ifdef __cplusplus
extern "C" {
#endif

/** For fsgs_base_force(): let the check decide. */
#define FSGS_BASE_AUTO UINT32_MAX

/** @cond internal */
#ifndef FSGS_BASE_LIMIT_CONST_ /* the library writes the object */
#define FSGS_BASE_LIMIT_CONST_ const
#endif
#define FSGS_BASE_ALIGNED_ __attribute__((aligned(64)))
/** @endcond */

/**
 * @brief For each enum fsgs_segment, the address below which the instruction may write the
 *        segment's base.
 *
 * 0 while the access is not the instruction or is not decided. One load and one comparison check
 * both the access and the address. Only the library writes the array, at any time, with one 64-bit
 * store for each element. See "The fast path in other code".
 *
 * This is the only data object that the library exports. Its size never changes. It has its own
 * cache line, also in a program that holds it by copy relocation. A function would cost more than
 * the instruction; a copy in each program could not be refreshed.
 * @since 1.0
 */
extern FSGS_API FSGS_BASE_LIMIT_CONST_ volatile uint64_t
	fsgs_base_limit[FSGS_BASE_LIMITS] FSGS_BASE_ALIGNED_;

/**
 * @brief The access of a segment.
 *
 * A runtime calls this once at its start, for each segment that it uses. The answer can be the
 * instruction without proof by a trial: if `FSGSCHECK_TRIAL=0` is set, if no trial was possible, or
 * if `FSGSCHECK_BASE` or fsgs_base_force() decided. A runtime that wants proof calls fsgs_check()
 * and compares fsgs_report.proof with ::FSGS_PROOF_TRIED.
 *
 * To say why the access is not the instruction, print fsgs_reason() and fsgs_advice() of a check.
 * If that check's fsgs_report.access differs from this answer, `FSGSCHECK_BASE` or
 * fsgs_base_force() decided instead.
 *
 * @param[in] segment  enum fsgs_segment.
 *
 * @return enum fsgs_access: ::FSGS_ACCESS_NONE if no access works, or if @p segment is not a
 *         segment.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`, when the access is decided.
 * @par Cost
 * A load and a test once it has been decided. The first use costs up to two fsgs_check(), the
 * second with ::FSGS_CHECK_CONTEXT, to test whether arch_prctl works.
 * @par Source
 * Documentation/arch/x86/x86_64/fsgs.rst in Linux; arch_prctl(2); doc/states.md lists the states
 * and their sources.
 * @since 1.0
 */
FSGS_API uint32_t fsgs_base_access(uint32_t segment) FSGS_NOTHROW;

/**
 * @brief Set the access of a segment for this process, without a check.
 *
 * For callers that know which access their environment allows. No check runs and no instruction is
 * tried. If the instruction is forced where it is undefined, its first use raises SIGILL. If it
 * runs although the kernel did not enable it (::FSGS_VERDICT_UNADVERTISED), a context switch loses
 * the base that it wrote. Takes precedence over `FSGSCHECK_BASE`, and fsgs_refresh() does not
 * change it. A value of fsgs_report.access can be passed.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] access   ::FSGS_ACCESS_INSTRUCTION; ::FSGS_ACCESS_ARCH_PRCTL; ::FSGS_ACCESS_NONE, to
 *                     refuse with -ENOTSUP; or ::FSGS_BASE_AUTO, to undo an earlier call:
 *                     `FSGSCHECK_BASE` counts again, or if it is unset, a check runs at once.
 *
 * @retval 0    The access applies to every thread. If another thread is deciding at the same time,
 *              the access applies when that thread has finished.
 * @retval -22  (-EINVAL) @p segment or @p access has a value not listed above. Nothing changed.
 * @retval -95  (-ENOTSUP) This is not 64-bit x86 code with 64-bit pointers.
 *
 * @par Threads and signals
 * Safe from any thread, not for signal handlers.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL` with ::FSGS_BASE_AUTO.
 * @par Cost
 * Some atomic stores. With ::FSGS_BASE_AUTO, unless `FSGSCHECK_BASE` decides, also the cost of a
 * first use: see fsgs_base_access().
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
 * @retval -22  (-EINVAL) @p segment is not an enum fsgs_segment.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or gives a wrong answer.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction, a call and about 3 ns; else one system call. The first use of a segment costs
 * as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_get_base(uint32_t segment, uint64_t *base) FSGS_NOTHROW FSGS_MUST_CHECK;

/** @brief The result of fsgs_get_base_value(). */
struct fsgs_base_value {
	uint64_t base;     /**< The base; 0 on an error. */
	int32_t error;     /**< 0, or the negative error of fsgs_get_base(). */
	uint32_t reserved; /**< 0; ignore this member. */
};

/**
 * @brief fsgs_get_base() with its result in registers.
 *
 * The inline functions call it if the access is not the instruction. Assembly can call it, too: in
 * 64-bit x86 code the base is in RAX and the error in EDX. It is an ordinary call: caller-saved
 * registers change, and the stack must be aligned to 16 bytes.
 *
 * @param[in] segment  enum fsgs_segment.
 *
 * @return The base, with the error 0, -EINVAL or -ENOTSUP as fsgs_get_base() returns it.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * That of fsgs_get_base().
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2). System V ABI for AMD64, "Returning of Values".
 * @since 1.0
 */
FSGS_API struct fsgs_base_value fsgs_get_base_value(uint32_t segment) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief Write a base of the calling thread.
 *
 * Before a set of the FS base, read "While the FS base is foreign" in @ref base. This section lists
 * what the thread must not do until its own base is restored.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] base     The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -22  (-EINVAL) @p segment is not an enum fsgs_segment.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction, a call and about 10 ns; else one system call, or three until a set has been
 * seen to work. The first use of a segment costs as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_set_base(uint32_t segment, uint64_t base) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief Write a base of the calling thread, unless it has the value already.
 *
 * A read is 2 to 15 times cheaper than a write on the processors that were measured. So use this
 * where the base often has the value already: in a sandbox that calls itself again, for example.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] base     The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -22  (-EINVAL) @p segment is not an enum fsgs_segment.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * fsgs_get_base(), and fsgs_set_base() if the base has another value.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_ensure_base(uint32_t segment, uint64_t base) FSGS_NOTHROW FSGS_MUST_CHECK;

/** @cond internal */

/* True if the access is the instruction and the address is accepted: one comparison checks both. */
FSGS_INLINE int fsgs_may_write_(uint32_t segment, uint64_t base) FSGS_INLINE_NOTHROW
{
#if FSGS_BASE_INLINE
	return __builtin_expect(base < fsgs_base_limit[segment], 1) != 0;
#else
	(void)segment;
	(void)base;
	return 0;
#endif
}

/* The instructions. They are volatile, so that the compiler keeps their order. A write changes the
 * memory that a segment-relative access reaches, hence the memory clobber. */
FSGS_INLINE uint64_t fsgs_read_fs_(void) FSGS_INLINE_NOTHROW
{
	uint64_t base = 0;

#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_RDFSBASE, "%0") : "=r"(base));
#endif
	return base;
}

FSGS_INLINE uint64_t fsgs_read_gs_(void) FSGS_INLINE_NOTHROW
{
	uint64_t base = 0;

#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_RDGSBASE, "%0") : "=r"(base));
#endif
	return base;
}

FSGS_INLINE void fsgs_write_fs_(uint64_t base) FSGS_INLINE_NOTHROW
{
#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_WRFSBASE, "%0") : : "r"(base) : "memory");
#else
	(void)base;
#endif
}

FSGS_INLINE void fsgs_write_gs_(uint64_t base) FSGS_INLINE_NOTHROW
{
#if FSGS_BASE_INLINE
	__asm__ __volatile__(FSGS_ASM(FSGS_WRGSBASE, "%0") : : "r"(base) : "memory");
#else
	(void)base;
#endif
}

/* Calls fsgs_get_base_value(), not fsgs_get_base(): if the address of a variable were passed to a
 * function, -fstack-protector-strong would add a canary to the caller. The canary cannot be read
 * while the FS base is foreign. */
FSGS_INLINE int fsgs_get_slowly_(uint32_t segment, uint64_t *base) FSGS_INLINE_NOTHROW
{
	const struct fsgs_base_value value = fsgs_get_base_value(segment);

	if (!value.error)
		*base = value.base;
	return value.error;
}

/** @endcond */

/**
 * @brief fsgs_get_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * @param[out] base  The base; left alone on an error. Not NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or gives a wrong answer.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a test and RDFSBASE; else one system call. The first use of a segment
 * costs as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_get_fs_base(uint64_t *base) FSGS_INLINE_NOTHROW
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
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or gives a wrong answer.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a test and RDGSBASE; else one system call. The first use of a segment
 * costs as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_get_gs_base(uint64_t *base) FSGS_INLINE_NOTHROW
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, 0))
		return fsgs_get_slowly_(FSGS_SEGMENT_GS, base);
	*base = fsgs_read_gs_();
	return 0;
}

/**
 * @brief fsgs_set_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * Read "While the FS base is foreign" in @ref base first.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and WRFSBASE; else one system call, or three until a set
 * has been seen to work. The first use of a segment costs as much as its decision: two fsgs_check()
 * at most.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_set_fs_base(uint64_t base) FSGS_INLINE_NOTHROW
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
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and WRGSBASE; else one system call, or three until a set
 * has been seen to work. The first use of a segment costs as much as its decision: two fsgs_check()
 * at most.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_set_gs_base(uint64_t base) FSGS_INLINE_NOTHROW
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, base))
		return fsgs_set_base(FSGS_SEGMENT_GS, base);
	fsgs_write_gs_(base);
	return 0;
}

/**
 * @brief fsgs_ensure_base() of ::FSGS_SEGMENT_FS, inline.
 *
 * Read "While the FS base is foreign" in @ref base first.
 *
 * @param[in] base  The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and RDFSBASE, and WRFSBASE if there is something to
 * write; else one system call to read, and the system calls of a set if there is something to
 * write. The first use of a segment costs as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_ensure_fs_base(uint64_t base) FSGS_INLINE_NOTHROW
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
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -95  (-ENOTSUP) No access works here: the system call is denied, or reports success but
 *              the value does not read back.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * In a constructor; not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and RDGSBASE, and WRGSBASE if there is something to
 * write; else one system call to read, and the system calls of a set if there is something to
 * write. The first use of a segment costs as much as its decision: two fsgs_check() at most.
 * @par Source
 * SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_MUST_CHECK FSGS_INLINE int fsgs_ensure_gs_base(uint64_t base) FSGS_INLINE_NOTHROW
{
	if (!fsgs_may_write_(FSGS_SEGMENT_GS, base))
		return fsgs_ensure_base(FSGS_SEGMENT_GS, base);
	if (fsgs_read_gs_() != base)
		fsgs_write_gs_(base);
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* __ASSEMBLER__ */

/** @} */

#endif

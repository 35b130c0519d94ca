/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The FS and GS base, by the fastest safe access.
 *
 * Needs no `-mfsgsbase`: a program that includes this header also runs on machines without the
 * instructions. Assembly files can include the header, too: they get the constants of the fast path
 * and the instructions of insn.h.
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
 *  - A get can return a base that a set refuses, if other code of the process wrote that base by
 *    WRFSBASE or WRGSBASE. Code that saves and restores bases should treat -EPERM at the restore as
 *    an error of the code that wrote the base: it can refuse to switch, or leave the current base.
 *  - arch_prctl is tested before it is trusted. If ARCH_GET_FS or ARCH_GET_GS reports success but
 *    stores no value, the get fails. After each decision, a set by arch_prctl reads the base back,
 *    until one of these sets has changed the segment's base. If no access works, the result is
 *    -ENOTSUP.
 *  - The effect of a set on the segment's selector is unspecified: the instruction keeps the
 *    selector, and the system call zeroes it.
 *  - errno does not change.
 *
 * Each operation is an ordinary function, and for each segment also an inline function, such as
 * fsgs_get_gs_base(). If the access is the instruction, the inline function executes one load, one
 * comparison and the instruction; an ensure executes the reading instruction, and the writing one
 * if needed. Otherwise the inline function calls fsgs_get_base_value(), fsgs_set_base() or
 * fsgs_ensure_base(). Other languages call the ordinary functions fsgs_get_base(), fsgs_set_base()
 * and fsgs_ensure_base().
 *
 * @par The fast path in other code
 * Assembly and code that a JIT emits may do what the inline functions do. The protocol is public.
 * For each operation on segment S, load the 64-bit number `fsgs_base_limit[S]` exactly once. Do not
 * keep the number for a later operation: the library changes it when a decision changes. WRFSBASE
 * or WRGSBASE may write a base that is below this number in an unsigned comparison. RDFSBASE or
 * RDGSBASE may read the base if this number is not 0. In all other cases, call fsgs_set_base(),
 * fsgs_ensure_base(), fsgs_get_base() or fsgs_get_base_value(). doc/guide-runtimes.md has the code.
 *
 * @par While the FS base is foreign
 * An FS base is foreign if it is not the thread's own, which the C library has set. Thread-local
 * storage, errno and the stack protector's canary are addressed through FS. From the set of a
 * foreign FS base until the thread's own base is restored, the thread must not
 *  - use thread-local storage, call the C library, or run a signal handler;
 *  - call or return from a function with a stack protector, a sanitizer or other instrumentation;
 *  - bind a function lazily: link with `-z now`, or compile with `-fno-plt`. An earlier call of an
 *    inline function need not have bound the function that it can call, because the fast path calls
 *    no function.
 *
 * Of the functions of this library, the thread may call fsgs_get_base(), fsgs_get_base_value(),
 * fsgs_set_base(), fsgs_ensure_base() and the inline functions, for segments that have been used
 * before: the first use calls the C library to decide. The thread must call an inline function by
 * its name. A call through a pointer reaches a copy that is not inlined, and the compiler may have
 * instrumented that copy.
 *
 * @par Environment
 * `FSGSCHECK_BASE` is read whenever an access is decided: by the first use of a segment, by the
 * first fsgs_usable(), by fsgs_refresh() and by fsgs_base_force(). Values: `instruction`,
 * `arch_prctl` or `none`; `auto` and the empty string count as unset. Any other value counts as
 * unset, too, and fsgs_check() reports it as ::FSGS_FINDING_MISCONFIGURED. The variable is ignored
 * in a process that runs with raised privileges (AT_SECURE). No thread may change the environment
 * while it is read.
 * @{
 */

/** Every set accepts the addresses below this limit, TASK_SIZE_MAX of x86-64 Linux with four levels
 *  of page tables. In assembly, the number has no suffix. */
#ifdef __ASSEMBLER__
#define FSGS_BASE_LIMIT 0x00007ffffffff000
#else
#define FSGS_BASE_LIMIT UINT64_C(0x00007ffffffff000)
#endif

/** Offset of the FS element of fsgs_base_limit in bytes, for assembly. */
#define FSGS_BASE_LIMIT_FS 0
#define FSGS_BASE_LIMIT_GS 8 /**< Offset of the GS element in bytes. */

/** How many elements fsgs_base_limit has. Only the first ::FSGS_SEGMENTS elements are in use. */
#define FSGS_BASE_LIMITS   8

/** 1 in 64-bit x86 code with 64-bit pointers, where the inline functions have a fast path; else
 *  0. */
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

/** For fsgs_base_force(): undo an earlier call, so that `FSGSCHECK_BASE` or a check decides. */
#define FSGS_BASE_AUTO UINT32_MAX

/** @cond internal */
#ifndef FSGS_BASE_LIMIT_CONST_ /* empty in the library, which writes fsgs_base_limit */
#define FSGS_BASE_LIMIT_CONST_ const
#endif
#define FSGS_BASE_ALIGNED_ __attribute__((aligned(64)))
/** @endcond */

/**
 * @brief For each enum fsgs_segment, a limit: the instruction may write only bases below it.
 *
 * 0 while the access is not the instruction or is not decided. One load and one comparison check
 * both the access and the address. The library may change an element at any time, by one 64-bit
 * store; no other code may write to the array. "The fast path in other code" in @ref base says how
 * to use it.
 *
 * This is the only data object that the library exports. Its size never changes. It has its own
 * cache line, also in a program that holds it by copy relocation. It is not a function, because a
 * call would cost more than the instruction. The inline functions need the library's own object,
 * because the library could not refresh a copy in each program.
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
 * To say why the access is not the instruction, print fsgs_reason() and fsgs_advice() of a check
 * with ::FSGS_CHECK_CONTEXT. If fsgs_report.access of that check differs from this answer,
 * `FSGSCHECK_BASE` or fsgs_base_force() decided instead.
 *
 * @param[in] segment  enum fsgs_segment.
 *
 * @return enum fsgs_access: ::FSGS_ACCESS_NONE if no access works or none is allowed, or if
 *         @p segment is not an enum fsgs_segment.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * A load and a test once the access has been decided. The first use costs up to two fsgs_check().
 * The second one, with ::FSGS_CHECK_CONTEXT, tests whether arch_prctl works.
 * @par Source
 * Documentation/arch/x86/x86_64/fsgs.rst in Linux; arch_prctl(2); doc/states.md lists the states
 * and their sources.
 * @since 1.0
 */
FSGS_API uint32_t fsgs_base_access(uint32_t segment) FSGS_NOTHROW;

/**
 * @brief Set the access of a segment for this process, without a check.
 *
 * For callers that know which access their environment allows. Except with ::FSGS_BASE_AUTO, no
 * check runs and no instruction is tried. If the instruction is forced where it is undefined, its
 * first use raises SIGILL. If the instruction runs although the kernel did not enable it
 * (::FSGS_VERDICT_UNADVERTISED), a context switch can lose a base that it wrote. The forced access
 * takes precedence over `FSGSCHECK_BASE`, and fsgs_refresh() does not change it. A value of
 * fsgs_report.access can be passed.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] access   ::FSGS_ACCESS_INSTRUCTION; ::FSGS_ACCESS_ARCH_PRCTL; ::FSGS_ACCESS_NONE, to
 *                     let every get and set fail with -ENOTSUP; or ::FSGS_BASE_AUTO, to undo an
 *                     earlier call: then `FSGSCHECK_BASE` decides again, or if it is unset, a
 *                     check, which runs at once.
 *
 * @retval 0    The access applies to every thread. If another thread is deciding at the same time,
 *              the access applies when that thread has finished.
 * @retval -22  (-EINVAL) @p segment or @p access has a value not listed above. Nothing changed.
 * @retval -95  (-ENOTSUP) This is not 64-bit x86 code with 64-bit pointers.
 *
 * @par Threads and signals
 * Safe from any thread, but not in a signal handler.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * Reads `FSGSCHECK_BASE`, which may decide the other segment. With ::FSGS_BASE_AUTO, also reads
 * `FSGSCHECK_TRIAL`.
 * @par Cost
 * Some atomic operations. With ::FSGS_BASE_AUTO, unless `FSGSCHECK_BASE` decides, also the cost of
 * a first use: see fsgs_base_access().
 * @since 1.0
 */
FSGS_API int fsgs_base_force(uint32_t segment, uint32_t access) FSGS_NOTHROW;

/**
 * @brief Read a base of the calling thread.
 *
 * @param[in]  segment  enum fsgs_segment.
 * @param[out] base     Receives the base; unchanged on an error. Must not be NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -22  (-EINVAL) @p segment is not an enum fsgs_segment.
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              gives a wrong answer, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
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
 * The inline get functions call this if the access is not the instruction. Assembly can call it,
 * too: in 64-bit x86 code the base is in RAX and the error in EDX. The call follows the ABI:
 * caller-saved registers change, and the stack must be aligned to 16 bytes.
 *
 * @param[in] segment  enum fsgs_segment.
 *
 * @return The base, with the error 0, -EINVAL or -ENOTSUP as fsgs_get_base() returns it.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * The same as that of fsgs_get_base().
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
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction, a call and about 10 ns; else one system call, or three until a set has
 * changed the base. The first use of a segment costs as much as its decision: two fsgs_check() at
 * most.
 * @par Source
 * SDM vol. 2, WRFSBASE/WRGSBASE; arch_prctl(2).
 * @since 1.0
 */
FSGS_API int fsgs_set_base(uint32_t segment, uint64_t base) FSGS_NOTHROW FSGS_MUST_CHECK;

/**
 * @brief Write a base of the calling thread, unless it has the value already.
 *
 * A read is 2 to 15 times cheaper than a write on the processors that were measured. So use this
 * where the base often has the value already, for example when code of a sandbox calls into the
 * same sandbox again.
 *
 * @param[in] segment  enum fsgs_segment.
 * @param[in] base     The base: an address below ::FSGS_BASE_LIMIT, mapped or not.
 *
 * @retval 0    The base is @p base.
 * @retval -1   (-EPERM) @p base is refused, for example because it is an address of the kernel's
 *              half. Nothing was written.
 * @retval -22  (-EINVAL) @p segment is not an enum fsgs_segment.
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * That of fsgs_get_base(), and that of fsgs_set_base() if the base has another value.
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
 * @param[out] base  Receives the base; unchanged on an error. Must not be NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              gives a wrong answer, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
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
 * @param[out] base  Receives the base; unchanged on an error. Must not be NULL.
 *
 * @retval 0    @p *base is the base.
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              gives a wrong answer, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
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
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and WRFSBASE; else one system call, or three until a set
 * has changed the base. The first use of a segment costs as much as its decision: two fsgs_check()
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
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and WRGSBASE; else one system call, or three until a set
 * has changed the base. The first use of a segment costs as much as its decision: two fsgs_check()
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
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and RDFSBASE, and WRFSBASE if the base has another value;
 * else one system call to read, and if the base has another value, the system calls of a set. The
 * first use of a segment costs as much as its decision: two fsgs_check() at most.
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
 * @retval -95  (-ENOTSUP) No access works here, or none is allowed. The system call is denied, or
 *              the base read back is not @p base, or the access was set to `none`.
 *
 * @par Threads and signals
 * Safe from any thread, and in a signal handler once the segment has been used. A signal handler
 * runs with the base of the code that it interrupted, and a base that it sets stays: delivery does
 * not save the base, and sigreturn(2) does not restore it.
 * @par Early use
 * Works in a constructor, but not in an IFUNC resolver or before relocation.
 * @par Environment
 * The first use of a segment reads `FSGSCHECK_BASE` and `FSGSCHECK_TRIAL`.
 * @par Cost
 * By the instruction a load, a comparison and RDGSBASE, and WRGSBASE if the base has another value;
 * else one system call to read, and if the base has another value, the system calls of a set. The
 * first use of a segment costs as much as its decision: two fsgs_check() at most.
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

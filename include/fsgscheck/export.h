/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Attributes of the public declarations.
 */
#ifndef FSGSCHECK_EXPORT_H
#define FSGSCHECK_EXPORT_H

/**
 * Marks a function or object that the shared library exports. The version script lists the same
 * names.
 *
 * Define `FSGS_STATIC` for the static library, as `pkg-config --static --cflags fsgscheck` does.
 * The library's symbols are then hidden, so that two copies in one process do not bind to each
 * other.
 */
#if defined(FSGS_STATIC)
#define FSGS_API __attribute__((visibility("hidden")))
#else
#define FSGS_API __attribute__((visibility("default")))
#endif

/** The result depends only on the arguments; the compiler may merge calls with equal arguments. */
#define FSGS_CONST      __attribute__((const))

/** The result depends on the arguments and on the memory that they point to. */
#define FSGS_PURE       __attribute__((pure))

/** The result shows whether the call did anything, so it must not be ignored. */
#define FSGS_MUST_CHECK __attribute__((warn_unused_result))

/** The function throws no C++ exception. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define FSGS_NOTHROW noexcept
#elif defined(__cplusplus)
#define FSGS_NOTHROW throw()
#else
#define FSGS_NOTHROW __attribute__((nothrow))
#endif

/** @cond internal */
#ifndef FSGS_PLAIN /* defined by the C file of the drop-in form */
#define FSGS_PLAIN
#endif
/** @endcond */

/** Marks a function that is always inlined, even without optimisation, and even into a caller with
 *  another stack protector setting. `-finstrument-functions` adds no calls to it, because these
 *  calls could run while the FS base is foreign. In C++ it has external linkage, for use in module
 *  units, and is hidden, so that shared libraries that take its address do not bind to each
 *  other. */
#if defined(__cplusplus)
#define FSGS_INLINE \
	inline __attribute__((always_inline, visibility("hidden"), no_instrument_function))
#else
#define FSGS_INLINE                  \
	FSGS_PLAIN static __inline__ \
		__attribute__((always_inline, no_instrument_function, unused, nothrow))
#endif

/** ::FSGS_NOTHROW for the definition of a function that is ::FSGS_INLINE. Empty in C, where
 *  ::FSGS_INLINE has the attribute already. */
#if defined(__cplusplus)
#define FSGS_INLINE_NOTHROW FSGS_NOTHROW
#else
#define FSGS_INLINE_NOTHROW
#endif

#endif

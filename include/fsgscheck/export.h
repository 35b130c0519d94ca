/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Attributes of the public declarations, each in one place.
 */
#ifndef FSGSCHECK_EXPORT_H
#define FSGSCHECK_EXPORT_H

/** Marks what the shared library exports; the version script lists the same names. */
#define FSGS_API   __attribute__((visibility("default")))

/** The function's result depends on its arguments alone; calls with equal arguments may be
 * merged. */
#define FSGS_CONST __attribute__((const))

/** The function's result depends on its arguments and on the memory that they point to. */
#define FSGS_PURE  __attribute__((pure))

/** No C++ exception leaves the library. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define FSGS_NOTHROW noexcept
#elif defined(__cplusplus)
#define FSGS_NOTHROW throw()
#else
#define FSGS_NOTHROW __attribute__((nothrow))
#endif

#endif

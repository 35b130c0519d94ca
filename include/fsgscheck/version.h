/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The version of the headers with which a program was compiled.
 *
 * meson.build reads these three numbers and refuses to build if its own version differs. So the
 * macros, the pkg-config file, the soname and fsgs_version() always agree.
 */
#ifndef FSGSCHECK_VERSION_H
#define FSGSCHECK_VERSION_H

#define FSGS_VERSION_MAJOR 1 /**< Raised by incompatible changes. Also the number of the soname. */
#define FSGS_VERSION_MINOR 0 /**< Raised by compatible additions. */
#define FSGS_VERSION_PATCH 0 /**< Raised by a release that only fixes defects. */

/* clang-format off */
/** The three numbers as one, for comparison: 0x00MMmmpp. */
#define FSGS_VERSION \
	((FSGS_VERSION_MAJOR << 16) | (FSGS_VERSION_MINOR << 8) | FSGS_VERSION_PATCH)
/* clang-format on */

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The version of the headers a program was compiled against.
 *
 * meson.build reads these three numbers, so the macros, the pkg-config file, the soname and
 * fsgs_version() cannot drift apart.
 */
#ifndef FSGSCHECK_VERSION_H
#define FSGSCHECK_VERSION_H

#define FSGS_VERSION_MAJOR 1 /**< Incompatible changes. Also the number of the soname. */
#define FSGS_VERSION_MINOR 0 /**< Compatible additions. */
#define FSGS_VERSION_PATCH 0 /**< Fixes only. */

/* clang-format off */
/** The three numbers as one, for comparison: 0x00MMmmpp. */
#define FSGS_VERSION \
	((FSGS_VERSION_MAJOR << 16) | (FSGS_VERSION_MINOR << 8) | FSGS_VERSION_PATCH)
/* clang-format on */

#endif

/* SPDX-License-Identifier: MIT */
/* The kernel has no stdint.h. This file defines the part that the core uses. */
#ifndef FSGSCHECK_KMOD_STDINT_H
#define FSGSCHECK_KMOD_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#define UINT32_C(number) number##U
#define UINT64_C(number) number##ULL
#ifndef UINT8_MAX
#define UINT8_MAX 0xff
#endif

#endif

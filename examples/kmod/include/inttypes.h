/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#define PRId64 "lld"

/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_FUZZ_H
#define FSGSCHECK_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Each target defines this function. libFuzzer and replay.c call it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* The Hyper-V interface that the guest sees: only what Linux needs to recognise and initialise
 * Hyper-V. */
#ifndef HOST_HYPERV_H
#define HOST_HYPERV_H

#include <stdbool.h>
#include "cpu.h"

#define HYPERV_LEAF_FIRST 0x40000000u
#define HYPERV_LEAF_LAST  0x400000ffu

struct cpuid hyperv_cpuid(uint32_t leaf);

/* Read and write the synthetic MSRs. Return false if there is no MSR of this number. */
bool hyperv_read_msr(uint32_t msr, uint64_t *value);
bool hyperv_write_msr(uint32_t msr, uint64_t value);

#endif

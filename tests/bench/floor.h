/* SPDX-License-Identifier: MIT */
/*
 * The floor of a check: the work that no correct check can avoid. It consists of two CPUID
 * instructions and of system calls. The calls block signals, read, install and restore the four
 * actions, and get the GS base. tests/bench/facts.py compares them with the calls of a check.
 */
#ifndef FSGSCHECK_BENCH_FLOOR_H
#define FSGSCHECK_BENCH_FLOOR_H

/* The floor without the arch_prctl calls of fsgs_core_trial(). The number of these calls depends on
 * what the trial finds. */
void floor_begin(void);
void floor_end(void);

/* One raw arch_prctl(ARCH_GET_GS). */
void floor_get_gs(void);

#endif

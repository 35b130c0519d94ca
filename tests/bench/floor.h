/* SPDX-License-Identifier: MIT */
/*
 * The lower bound of a check: the work that no correct check can avoid. Two CPUID instructions, and
 * the system calls that block signals, read, install and restore the four actions, and call
 * arch_prctl. tests/bench/facts.py compares this list with the calls of a check.
 */
#ifndef FSGSCHECK_BENCH_FLOOR_H
#define FSGSCHECK_BENCH_FLOOR_H

/* Without the arch_prctl calls of fsgs_core_trial(), which differ between the paths. */
void floor_begin(void);
void floor_end(void);

/* One raw arch_prctl(ARCH_GET_GS). */
void floor_get_gs(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The floor of a check: what no check that keeps its promises can avoid. Two CPUID instructions,
 * and the system calls that hold back signals, read, install and restore the four actions, and ask
 * arch_prctl. tests/bench/facts.py compares this list with what a check does.
 */
#ifndef FSGSCHECK_BENCH_FLOOR_H
#define FSGSCHECK_BENCH_FLOOR_H

/* Without what fsgs_core_trial() asks arch_prctl: that differs between the paths. */
void floor_begin(void);
void floor_end(void);

/* One raw arch_prctl(ARCH_GET_GS). */
void floor_get_gs(void);

#endif

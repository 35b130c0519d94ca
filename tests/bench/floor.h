/* SPDX-License-Identifier: MIT */
/*
 * The floor of a check: the work that no correct check can avoid. It consists of two CPUID
 * instructions and of system calls. The calls block and unblock signals, read, install and restore
 * the actions of the four caught signals, and get the GS base. tests/bench/facts.py prints how many
 * calls the floor has, and how many a check makes.
 */
#ifndef FSGSCHECK_BENCH_FLOOR_H
#define FSGSCHECK_BENCH_FLOOR_H

/* The two parts of the floor, before and after the trial. Neither calls arch_prctl, because the
 * number of these calls in fsgs_core_trial() depends on what the trial finds. */
void floor_begin(void);
void floor_end(void);

/* One raw arch_prctl(ARCH_GET_GS). */
void floor_get_gs(void);

#endif

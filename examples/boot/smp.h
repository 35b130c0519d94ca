/* SPDX-License-Identifier: MIT */
/*
 * The other processors. Each is started once to tell its identifier, and halts; later each is
 * started again, by number, for its turn. Meanwhile it runs nothing and takes nothing from the
 * host.
 *
 * During its turn a processor owns the console, and the boot processor sleeps. A processor that
 * does not answer is stopped before the boot processor prints again.
 */
#ifndef BOOT_SMP_H
#define BOOT_SMP_H

#include <stdint.h>

/* Starts all, and waits until that many processors have come, the boot processor included; with 0,
 * or when some do not come, until no more do. Returns how many others there are; their numbers
 * begin with 1 and follow their APIC identifiers. */
uint32_t smp_start(uint32_t present);

/* Gives one of them its turn: it executes smp_main(). Returns NULL when it has finished, else why
 * not: it is stopped, and does not run any more. */
const char *smp_run(uint32_t cpu);

/* To be provided: the turn of a processor. Interrupts are off. */
void smp_main(uint32_t cpu);

/* On its turn, before each step: a sign of life. Does not return when the turn is over. */
void smp_sign(void);

/* Called by a processor during its turn: ends the turn with a reason. */
_Noreturn void smp_fail(const char *why);

/* Whether this code runs on a processor on its turn, not on the boot processor. */
int smp_on_turn(void);

#endif

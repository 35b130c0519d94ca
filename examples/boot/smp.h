/* SPDX-License-Identifier: MIT */
/*
 * The other processors. Each is started once to store its identifier, and halts. Later each is
 * started again, by number, for its turn. Between the two it is halted and costs the host no time.
 *
 * During its turn a processor owns the console, and the boot processor sleeps. A processor that
 * does not respond is stopped before the boot processor prints again.
 */
#ifndef BOOT_SMP_H
#define BOOT_SMP_H

#include <stdint.h>

/* Starts all processors and waits until that many have arrived, the boot processor included. With
 * 0, or if some are missing, waits until no more arrive. Returns the number of other processors;
 * their numbers begin at 1, in the order of their APIC identifiers. */
uint32_t smp_start(uint32_t present);

/* Gives one processor its turn: it executes smp_main(). Returns NULL when it has finished,
 * otherwise the reason: it is then stopped and does not run any more. */
const char *smp_run(uint32_t cpu);

/* Provided by the caller: the code of a processor's turn. Interrupts are off. */
void smp_main(uint32_t cpu);

/* Call before each step of a turn: reports progress. Does not return if the turn is over. */
void smp_sign(void);

/* Called by a processor during its turn: ends the turn with a reason. */
_Noreturn void smp_fail(const char *why);

/* Whether this code runs on a processor in its turn, not on the boot processor. */
int smp_on_turn(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The other processors. Each of them is started once, stores its identifier and halts. Later it is
 * started again, by its number, to run its part of the test: its turn. While it is halted it costs
 * the host no time.
 *
 * During its turn a processor owns the console, and the boot processor sleeps. A processor that
 * does not respond is stopped before the boot processor prints again.
 */
#ifndef BOOT_SMP_H
#define BOOT_SMP_H

#include <stdint.h>

/* Starts the other processors and waits until `present` processors have arrived, including the boot
 * processor. If `present` is 0, or if some are missing, waits until no more arrive. Returns the
 * number of other processors. Their numbers begin at 1, in the order of their APIC identifiers. */
uint32_t smp_start(uint32_t present);

/* Gives one processor its turn: the processor executes smp_main(). Returns NULL if the processor
 * has finished. Otherwise stops the processor for good and returns the reason. */
const char *smp_run(uint32_t cpu);

/* Provided by the caller: the code of a processor's turn. Interrupts are off. */
void smp_main(uint32_t cpu);

/* Call before each step of a turn: reports progress. Does not return if the boot processor has
 * ended the turn. */
void smp_sign(void);

/* Called by a processor during its turn: ends the turn, with the reason for the failure. */
_Noreturn void smp_fail(const char *why);

/* Whether the caller runs on a processor that has its turn, and not on the boot processor. */
int smp_on_turn(void);

#endif

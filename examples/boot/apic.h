/* SPDX-License-Identifier: MIT */
/* The local interrupt controller (APIC). It starts and stops the other processors, and its timer
 * wakes the calling processor. */
#ifndef BOOT_APIC_H
#define BOOT_APIC_H

#include <stdint.h>

/* Call before the other functions, on each processor. Returns 1, or 0 if the processor has no
 * enabled controller. */
int apic_start(void);

/* Call last, on the boot processor: stops the other processors and restores the registers that
 * apic_start() changed. */
void apic_stop(void);

/* The parameter `id` below is a processor's identifier, or APIC_OTHERS for every processor except
 * the caller. */
#define APIC_OTHERS UINT64_MAX

/* Sends INIT: the processor stops until apic_startup() starts it again. */
void apic_init(uint64_t id);

/* Sends a startup interrupt. A processor that waits for this interrupt begins to run at
 * TRAMPOLINE. */
void apic_startup(uint64_t id);

/* Sleeps until the timer interrupts, about 10 ms at most. Does not sleep if the timer does not
 * run. */
void apic_wait(void);

/* The core's halt hook: executes HLT until the timer interrupts. Returns 0, or -1 if the timer does
 * not run. */
int apic_halt(void *context);

#endif

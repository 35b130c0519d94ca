/* SPDX-License-Identifier: MIT */
/* The local interrupt controller: starts the other processors, and wakes the calling processor. */
#ifndef BOOT_APIC_H
#define BOOT_APIC_H

#include <stdint.h>

/* Call first on each processor. Returns 0 if there is no controller. */
int apic_start(void);

/* Call last on the boot processor: restores the state that was there before apic_start(), and stops
 * the other processors. */
void apic_stop(void);

/* The parameter `id` below is a processor's identifier, or APIC_OTHERS for every processor except
 * the caller. */
#define APIC_OTHERS UINT64_MAX

/* Stops a processor until it is started again. */
void apic_init(uint64_t id);

/* Starts a processor at TRAMPOLINE if it waits for a startup interrupt. */
void apic_startup(uint64_t id);

/* Sleeps until the timer interrupts, about 10 ms at most. Does not sleep if the timer does not
 * run. */
void apic_wait(void);

/* The core's halt hook: executes HLT until the timer interrupts. Returns 0, or -1 if the timer does
 * not run. */
int apic_halt(void *context);

#endif

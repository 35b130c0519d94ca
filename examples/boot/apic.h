/* SPDX-License-Identifier: MIT */
/* The processor's own interrupt controller: to start the others, and to be woken. */
#ifndef BOOT_APIC_H
#define BOOT_APIC_H

#include <stdint.h>

/* On each processor, before the rest. Returns 0 when there is none. */
int apic_start(void);

/* On the boot processor, at the end: everything as apic_start() found it, and the others stopped
 * until they are started. */
void apic_stop(void);

/* A processor's identifier, or this for every processor except the calling one. */
#define APIC_OTHERS UINT64_MAX

/* Stops it until it is started. */
void apic_init(uint64_t id);

/* Starts it at TRAMPOLINE, if it waits for that. */
void apic_startup(uint64_t id);

/* Sleeps for a fraction of a millisecond; returns at once where there is no timer. */
void apic_wait(void);

/* HLT until the timer's interrupt; the halt hook of the core. */
int apic_halt(void *context);

#endif

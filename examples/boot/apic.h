/* SPDX-License-Identifier: MIT */
/* The processor's own interrupt controller: to start the others, and to be woken. */
#ifndef BOOT_APIC_H
#define BOOT_APIC_H

/* On each processor, before the rest. Returns 0 when there is none. */
int apic_start(void);

/* Sends all other processors to TRAMPOLINE. */
void apic_start_others(void);

/* HLT until the timer's interrupt; the halt hook of the core. */
int apic_halt(void *context);

#endif

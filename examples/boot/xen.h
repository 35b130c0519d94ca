/* SPDX-License-Identifier: MIT */
/* The console and the clock of a Xen guest. */
#ifndef BOOT_XEN_H
#define BOOT_XEN_H

#include <stdint.h>

/* Looks for Xen and its console. Without Xen the functions below do nothing. */
void xen_console_start(void);

void xen_console_put(char c);

/* Waits until the console's reader has read everything, but with a limit: when a guest ends, the
 * rest is lost. */
void xen_console_drain(void);

/* The frequency of the time-stamp counter; 0 if Xen does not give it. */
uint64_t xen_ticks_per_ms(void);

#endif

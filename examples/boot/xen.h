/* SPDX-License-Identifier: MIT */
/* The console and the clock of a Xen guest. */
#ifndef BOOT_XEN_H
#define BOOT_XEN_H

#include <stdint.h>

/* Looks for Xen and its console. Without Xen, xen_console_put() and xen_console_drain() do
 * nothing. */
void xen_console_start(void);

void xen_console_put(char c);

/* Waits until the console's reader has read everything, with a time limit. Text that was not read
 * is lost when the guest ends. */
void xen_console_drain(void);

/* The ticks of the time-stamp counter in one millisecond; 0 if Xen does not give the frequency. */
uint64_t xen_ticks_per_ms(void);

#endif

/* SPDX-License-Identifier: MIT */
/* What a guest of Xen has where a PC has a serial port and a timer. */
#ifndef BOOT_XEN_H
#define BOOT_XEN_H

#include <stdint.h>

/* Looks for Xen and its console. Without Xen the functions below do nothing. */
void xen_console_start(void);

void xen_console_put(char c);

/* Waits until the console's reader has taken everything, but not for ever: a guest that ends takes
 * the rest with it. */
void xen_console_drain(void);

/* The frequency of the time-stamp counter; 0 where Xen does not tell. */
uint64_t xen_ticks_per_ms(void);

#endif

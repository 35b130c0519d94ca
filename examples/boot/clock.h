/* SPDX-License-Identifier: MIT */
/* Time, measured by the time-stamp counter. */
#ifndef BOOT_CLOCK_H
#define BOOT_CLOCK_H

#include <stdint.h>

/* Finds the counter's frequency, within a few milliseconds. Call before clock_ms_since() and
 * clock_wait_us(). */
void clock_start(void);

/* Sets a frequency that the caller has measured, so that clock_start() is not needed. Ignores an
 * implausible frequency. */
void clock_use(uint64_t ticks_per_ms);

uint64_t clock_now(void);

/* The milliseconds since clock_now() returned `then`. */
uint64_t clock_ms_since(uint64_t then);

void clock_wait_us(uint32_t microseconds);

#endif

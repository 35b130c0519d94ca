/* SPDX-License-Identifier: MIT */
/* Time, measured by the time-stamp counter. */
#ifndef BOOT_CLOCK_H
#define BOOT_CLOCK_H

#include <stdint.h>

/* Finds the counter's frequency within a few milliseconds. Call before the functions below. */
void clock_start(void);

/* Call this instead of clock_start() if the caller has measured the frequency. */
void clock_use(uint64_t ticks_per_ms);

uint64_t clock_now(void);

/* The milliseconds since clock_now() returned `then`. */
uint64_t clock_ms_since(uint64_t then);

void clock_wait_us(uint32_t microseconds);

#endif

/* SPDX-License-Identifier: MIT */
/* Time, by the time-stamp counter. */
#ifndef BOOT_CLOCK_H
#define BOOT_CLOCK_H

#include <stdint.h>

/* Finds the counter's frequency within a few milliseconds. Call before the functions below. */
void clock_start(void);

/* The same with a frequency that the caller has measured. */
void clock_use(uint64_t ticks_per_ms);

uint64_t clock_now(void);

/* Milliseconds since a value of clock_now(). */
uint64_t clock_ms_since(uint64_t then);

void clock_wait_us(uint32_t microseconds);

#endif

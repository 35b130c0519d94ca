/* SPDX-License-Identifier: MIT */
/*
 * Timing for the benchmarks.
 *
 * In each run, the time of a row is the minimum of many short samples. The samples of all rows are
 * interleaved, so that a disturbance hits every row alike. Each ratio is computed from the times of
 * one run. The table prints the medians of several runs.
 */
#ifndef FSGSCHECK_BENCH_HARNESS_H
#define FSGSCHECK_BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

enum bound {
	NO_BOUND,
	RATIO,    /* at most this many times the floor */
	EXCESS,   /* at most the floor plus this many nanoseconds */
	ABSOLUTE, /* at most this many nanoseconds */
	SPEEDUP   /* the floor takes at least this many times as long */
};

#define NO_FLOOR (-1)
#define MAX_ROWS 48

struct row {
	const char *name;
	void (*body)(unsigned times);
	unsigned times; /* repetitions in one sample, which should take tens of microseconds */
	int floor;      /* the index of the row to compare with, or NO_FLOOR */
	enum bound bound;
	double limit;
	void (*before)(void); /* runs before each sample, untimed */
	const char *skip;     /* why this row cannot be measured here; NULL if it can */
};

/* Measures, prints the table, and writes the JSON file if its name is given. Returns the program's
 * exit status: 0 if every bound holds; 1 if a bound does not hold, if the file cannot be written,
 * or if there are more than MAX_ROWS rows. */
int bench(const char *title, const struct row *rows, size_t count, const char *json);

/* Forces the compiler to compute the value. */
static inline void keep(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

#endif

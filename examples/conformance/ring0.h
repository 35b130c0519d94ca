/* SPDX-License-Identifier: MIT */
/* The ring-0 half of the suite: what its cases (ring0-cases.c) and its runner (ring0.c) share. */
#ifndef CONFORMANCE_RING0_H
#define CONFORMANCE_RING0_H

#include <stddef.h>
#include <stdint.h>

#define CR4_FSGSBASE (UINT64_C(1) << 16)

/* The rule, and known ways in which machines break it; NULL: none. */
struct promise {
	const char *text, *known;
};

struct test {
	unsigned number; /* never reused, never changed */
	const char *name;
	const struct promise *rule;
	const char *source;
	void (*run)(const struct test *test);
	uint64_t a, b;
};

/* The maximum number of cases. */
#define RING0_MOST 128
extern const struct test ring0_tests[];
extern const size_t ring0_count;

/* The case that sets CR4.FSGSBASE. It runs even if setting the bit failed before. */
void ring0_can_be_set(const struct test *test);

/* Provided by the runner for the cases: expect() notes a deviation unless both values are equal;
 * skip() gives the reason why a case could not be tested. */
void expect(uint64_t expected, uint64_t seen, const char *what);
void skip(const char *why);
/* The timer runs, so a HLT ends. */
extern int have_timer;

/* Writes CR4. Returns the vector of the exception, or 0. */
int try_cr4(uint64_t value);
uint64_t read_cr4(void);

#endif

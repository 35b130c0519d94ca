/* SPDX-License-Identifier: MIT */
/* The ring-0 half of the suite: what its cases (ring0-cases.c) and its runner (ring0.c) share. */
#ifndef CONFORMANCE_RING0_H
#define CONFORMANCE_RING0_H

#include <stddef.h>
#include <stdint.h>

#define CR4_FSGSBASE (UINT64_C(1) << 16)

/* A rule, and known ways in which machines break it; NULL: none. */
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

/* The case that tests whether CR4.FSGSBASE can be set. The runner calls it even if the runner could
 * not set the bit. */
void ring0_can_be_set(const struct test *test);

/* The runner defines these functions for the cases. expect() notes a deviation unless both values
 * are equal. skip() notes why a case cannot be tested, and returns. */
void expect(uint64_t expected, uint64_t seen, const char *what);
void skip(const char *why);
/* Not 0: the timer runs, so a HLT ends. */
extern int have_timer;

/* Writes CR4. Returns the vector of the exception, or 0. */
int try_cr4(uint64_t value);
uint64_t read_cr4(void);

#endif

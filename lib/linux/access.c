/* SPDX-License-Identifier: MIT */
/*
 * The decided access of each segment and the answer of fsgs_usable(), kept until fsgs_refresh().
 *
 * One word holds all of it, and the ticket of the survey that found it: surveys run without a lock,
 * and one that was begun before another has to give way to it. The accessors see the old access or
 * the new one, and nothing in between: a thread with a foreign FS base could not survive a survey.
 */
#include "linux.h"

#include <fsgscheck/base.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Fields of two bits, 0 while undecided. A segment's is its enum fsgs_access, plus 1. */
#define ACCESS_SHIFT(segment) (2 * (segment))
#define ACCESS(segment)       (3u << ACCESS_SHIFT(segment))
#define FIELD(access)         ((access) + 1u)
#define UNDECIDED             0u
#define USABLE_SHIFT          4
#define USABLE                (3u << USABLE_SHIFT)
#define FIELDS                0xffu
#define TICKET                0x100u

static atomic_uint decided;
static atomic_uint tickets;
/* As fields: 0 for FSGS_BASE_AUTO. */
static atomic_uint forced[FSGS_SEGMENTS];

uint64_t fsgs_base_limit[FSGS_SEGMENTS];

static uint32_t from_environment(void)
{
	const char *text = secure_getenv("FSGSCHECK_BASE");

	for (uint32_t access = FSGS_ACCESS_INSTRUCTION; text && access <= FSGS_ACCESS_ARCH_PRCTL;
	     access++)
		if (strcmp(text, fsgs_name(FSGS_LIST_ACCESS, access)) == 0)
			return FIELD(access);
	return UNDECIDED;
}

/* The field of a segment that the program or its environment has decided. */
static uint32_t by_hand(uint32_t segment)
{
	const uint32_t field = atomic_load(&forced[segment]);

	if (!FSGS_BASE_INLINE)
		return FIELD(FSGS_ACCESS_NONE);
	return field ? field : from_environment();
}

/* Decides the fields that are undecided by a check, and gives that of fsgs_usable(). */
static uint32_t ask(uint32_t fields[FSGS_SEGMENTS])
{
	struct fsgs_report report;
	uint32_t usable;
	int slow = 0;

	fsgs_check(&report, sizeof report, 0);
	usable = 1u + (report.verdict == FSGS_VERDICT_USABLE);
	/* Only the longer check tells whether the system call can be believed, and only where it is
	 * needed is that worth its time. */
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		slow |= fields[segment] == UNDECIDED &&
			report.access[segment] == FSGS_ACCESS_ARCH_PRCTL;
	if (slow)
		fsgs_check(&report, sizeof report, FSGS_CHECK_CONTEXT);
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (fields[segment] == UNDECIDED)
			fields[segment] = FIELD(report.access[segment]);
	return usable << USABLE_SHIFT;
}

/* Finds out the fields in `wanted`, and tells by `found` which it found out. */
static uint32_t survey(uint32_t wanted, uint32_t *found)
{
	uint32_t fields[FSGS_SEGMENTS], word = 0;
	int check = (wanted & USABLE) != 0;

	*found = 0;
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
		fields[segment] = by_hand(segment);
		check |= fields[segment] == UNDECIDED && (wanted & ACCESS(segment));
	}
	if (check) {
		word = ask(fields);
		*found = USABLE;
	}
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (fields[segment] != UNDECIDED) {
			word |= fields[segment] << ACCESS_SHIFT(segment);
			*found |= ACCESS(segment);
		}
	return word;
}

static uint32_t field_of(uint32_t word, uint32_t segment)
{
	return (word & ACCESS(segment)) >> ACCESS_SHIFT(segment);
}

/* For the inline functions. Re-reads after storing, so that the last writer publishes the newest
 * decision. */
static void store_limits(void)
{
#if FSGS_BASE_INLINE
	uint32_t word;

	do {
		word = atomic_load(&decided);
		for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
			const uint64_t limit =
				field_of(word, segment) == FIELD(FSGS_ACCESS_INSTRUCTION)
					? FSGS_BASE_LIMIT
					: 0;

			__atomic_store_n(&fsgs_base_limit[segment], limit, __ATOMIC_SEQ_CST);
		}
	} while (atomic_load(&decided) != word);
#endif
}

/* Brings the fields in `wanted` up to date and gives the word that has them. */
static uint32_t update(uint32_t wanted)
{
	for (;;) {
		const uint32_t ticket = atomic_fetch_add(&tickets, TICKET) + TICKET;
		uint32_t found;
		const uint32_t fields = survey(wanted, &found);
		uint32_t old = atomic_load(&decided);

		/* Otherwise a later survey was quicker; what it looked for may be something
		 * else. */
		while ((int32_t)(ticket - (old & ~FIELDS)) > 0) {
			const uint32_t word = ticket | (old & FIELDS & ~found) | fields;

			if (atomic_compare_exchange_weak(&decided, &old, word)) {
				store_limits();
				return word;
			}
		}
	}
}

uint32_t fsgs_decided_access(uint32_t segment)
{
	uint32_t word = atomic_load_explicit(&decided, memory_order_relaxed);

	if (!(word & ACCESS(segment)))
		word = update(ACCESS(segment));
	return field_of(word, segment) - 1;
}

uint32_t fsgs_base_access(uint32_t segment)
{
	return segment < FSGS_SEGMENTS ? fsgs_decided_access(segment) : (uint32_t)FSGS_ACCESS_NONE;
}

int fsgs_base_force(uint32_t segment, uint32_t access)
{
	if (segment >= FSGS_SEGMENTS ||
	    (access > FSGS_ACCESS_ARCH_PRCTL && access != FSGS_BASE_AUTO))
		return -EINVAL;
	if (!FSGS_BASE_INLINE)
		return -ENOTSUP;
	atomic_store(&forced[segment], access == FSGS_BASE_AUTO ? UNDECIDED : FIELD(access));
	update(ACCESS(segment));
	return 0;
}

int fsgs_usable(void)
{
	uint32_t word = atomic_load_explicit(&decided, memory_order_relaxed);

	if (!(word & USABLE))
		word = update(USABLE);
	return ((word & USABLE) >> USABLE_SHIFT) == 2;
}

void fsgs_refresh(void)
{
	/* The verdict only if a caller has asked for it: where both segments are decided by hand,
	 * nothing has to be tried. */
	update(ACCESS(FSGS_SEGMENT_FS) | ACCESS(FSGS_SEGMENT_GS) |
	       (atomic_load(&decided) & USABLE));
}

/* SPDX-License-Identifier: MIT */
/*
 * What was decided, kept until somebody asks to look again.
 *
 * One word holds all of it, and the ticket of the survey that found it: surveys run without a lock, and
 * one that was begun before another has to give way to it. The accessors see the old means or the
 * new one, and nothing in between: a thread with a foreign FS base could not survive a survey.
 */
#include "linux.h"

#include <fsgscheck/base.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Fields of two bits, 0 while unknown. A means is its enum fsgs_access, or NO_MEANS for none. */
#define MEANS_SHIFT(segment) (2 * (segment))
#define MEANS(segment)       (3u << MEANS_SHIFT(segment))
#define NO_MEANS             3u
#define USABLE_SHIFT         4
#define USABLE               (3u << USABLE_SHIFT)
#define FIELDS               0xffu
#define TICKET               0x100u

static atomic_uint decided;
static atomic_uint tickets;
static atomic_uint forced[FSGS_SEGMENTS];

uint64_t fsgs_base_limit[FSGS_SEGMENTS];

static uint32_t from_environment(void)
{
	const char *text = secure_getenv("FSGSCHECK_BASE");

	for (uint32_t access = FSGS_ACCESS_INSTRUCTION; text && access <= FSGS_ACCESS_ARCH_PRCTL;
	     access++)
		if (strcmp(text, fsgs_name(FSGS_LIST_ACCESS, access)) == 0)
			return access;
	return FSGS_BASE_AUTO;
}

/* What a person has decided about a segment. */
static uint32_t by_hand(uint32_t segment)
{
	const uint32_t access = atomic_load(&forced[segment]);

	if (!FSGS_BASE_INLINE)
		return NO_MEANS;
	return access != FSGS_BASE_AUTO ? access : from_environment();
}

/* What the check says of both segments, and what fsgs_usable() answers. */
static uint32_t ask(uint32_t means[FSGS_SEGMENTS])
{
	struct fsgs_report report;
	uint32_t usable;
	int slow = 0;

	fsgs_check(&report, sizeof report, 0);
	usable = 1u + (report.verdict == FSGS_VERDICT_USABLE);
	/* Only the longer check tells whether the system call can be believed, and only where it is
	 * needed is that worth its time. */
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		slow |= means[segment] == FSGS_BASE_AUTO &&
			report.access[segment] == FSGS_ACCESS_ARCH_PRCTL;
	if (slow)
		fsgs_check(&report, sizeof report, FSGS_CHECK_CONTEXT);
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (means[segment] == FSGS_BASE_AUTO)
			means[segment] = report.access[segment] == FSGS_ACCESS_NONE
						 ? NO_MEANS
						 : report.access[segment];
	return usable << USABLE_SHIFT;
}

/* Finds out the fields in `wanted`, and tells by `found` which it found out. */
static uint32_t survey(uint32_t wanted, uint32_t *found)
{
	uint32_t means[FSGS_SEGMENTS], fields = 0;
	int check = (wanted & USABLE) != 0;

	*found = 0;
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
		means[segment] = by_hand(segment);
		check |= means[segment] == FSGS_BASE_AUTO && (wanted & MEANS(segment));
	}
	if (check) {
		fields = ask(means);
		*found = USABLE;
	}
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (means[segment] != FSGS_BASE_AUTO) {
			fields |= means[segment] << MEANS_SHIFT(segment);
			*found |= MEANS(segment);
		}
	return fields;
}

/* For the inline functions. Whoever stores last has seen the last word, since each looks again. */
static void store_limits(void)
{
#if FSGS_BASE_INLINE
	uint32_t word;

	do {
		word = atomic_load(&decided);
		for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
			const uint32_t means = (word & MEANS(segment)) >> MEANS_SHIFT(segment);
			const uint64_t limit =
				means == FSGS_ACCESS_INSTRUCTION ? FSGS_BASE_LIMIT : 0;

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

		/* Otherwise a later survey was quicker; what it looked for may be something else. */
		while ((int32_t)(ticket - (old & ~FIELDS)) > 0) {
			const uint32_t word = ticket | (old & FIELDS & ~found) | fields;

			if (atomic_compare_exchange_weak(&decided, &old, word)) {
				store_limits();
				return word;
			}
		}
	}
}

uint32_t fsgs_means(uint32_t segment)
{
	uint32_t word = atomic_load_explicit(&decided, memory_order_relaxed);

	if (!(word & MEANS(segment)))
		word = update(MEANS(segment));

	const uint32_t means = (word & MEANS(segment)) >> MEANS_SHIFT(segment);

	return means == NO_MEANS ? (uint32_t)FSGS_ACCESS_NONE : means;
}

uint32_t fsgs_base_access(uint32_t segment)
{
	return segment < FSGS_SEGMENTS ? fsgs_means(segment) : (uint32_t)FSGS_ACCESS_NONE;
}

int fsgs_base_force(uint32_t segment, uint32_t access)
{
	if (segment >= FSGS_SEGMENTS || access > FSGS_ACCESS_ARCH_PRCTL)
		return -EINVAL;
	if (!FSGS_BASE_INLINE)
		return -ENOTSUP;
	atomic_store(&forced[segment], access);
	update(MEANS(segment));
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
	/* The verdict only if somebody has asked for it: where both means are decided by hand, nothing
	 * has to be tried. */
	update(MEANS(FSGS_SEGMENT_FS) | MEANS(FSGS_SEGMENT_GS) | (atomic_load(&decided) & USABLE));
}

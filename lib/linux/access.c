/* SPDX-License-Identifier: MIT */
/*
 * The decided access of each segment and the answer of fsgs_usable(), kept until fsgs_refresh().
 *
 * One word holds all of these, and the ticket of the last survey() that stored its result. Surveys
 * run without a lock, so an earlier survey must not overwrite what a later survey has stored. Once
 * an access is decided, a new decision replaces it in one step, so that no accessor finds it
 * undecided. The accessor would start a survey, which calls the C library, and a thread with a
 * foreign FS base would crash there. tests/torture/deciding.py takes the steps of these functions
 * in every order.
 */
#define FSGS_BASE_LIMIT_CONST_ /* this file writes fsgs_base_limit */

#include "linux.h"

#include <fsgscheck/base.h>

#include <errno.h>
#include <stdatomic.h>

/* The word, from bit 0. First three fields of two bits, each 0 while undecided: the access of FS,
 * the access of GS (enum fsgs_access plus 1) and the answer of fsgs_usable() (plus 1). Then one bit
 * for each segment: arch_prctl has changed its base since the decision, and the change was read
 * back. The higher bits are the ticket. */
#define ACCESS_SHIFT(segment) (2 * (segment))
#define ACCESS(segment)       (3u << ACCESS_SHIFT(segment))
#define FIELD(access)         ((access) + 1u)
#define UNDECIDED             0u
#define USABLE_SHIFT          4
#define USABLE                (3u << USABLE_SHIFT)
#define TRUSTED(segment)      (0x40u << (segment))
#define FIELDS                0xffu
#define TICKET                0x100u

static atomic_uint decided;
static atomic_uint tickets;
/* For each segment, FIELD() of the access that fsgs_base_force() has set; UNDECIDED if none is
 * set. */
static atomic_uint forced[FSGS_SEGMENTS];

volatile uint64_t fsgs_base_limit[FSGS_BASE_LIMITS];

static uint32_t field_of_access(uint32_t access)
{
	return access == FSGS_BASE_AUTO ? UNDECIDED : FIELD(access);
}

/* The access field of a segment, if fsgs_base_force(), FSGSCHECK_BASE or the platform decides it.
 * UNDECIDED if a check has to decide. */
static uint32_t by_hand(uint32_t segment)
{
	const uint32_t field = atomic_load(&forced[segment]);
	int known;

	if (!FSGS_BASE_INLINE)
		return FIELD(FSGS_ACCESS_NONE);
	return field ? field : field_of_access(fsgs_environment_access(&known));
}

/* Runs one or two checks, and fills in the undecided fields. Returns the answer of fsgs_usable() as
 * a field of the word. */
static uint32_t ask(uint32_t fields[FSGS_SEGMENTS])
{
	struct fsgs_report report;
	uint32_t usable;
	int slow = 0;

	/* With these arguments fsgs_check() always succeeds. */
	(void)!fsgs_check(&report, sizeof report, 0);
	usable = 1u + (report.verdict == FSGS_VERDICT_USABLE);
	/* Only a check with FSGS_CHECK_CONTEXT tests arch_prctl. It takes longer, so it runs only
	 * if a segment needs arch_prctl. */
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		slow |= fields[segment] == UNDECIDED &&
			report.access[segment] == FSGS_ACCESS_ARCH_PRCTL;
	if (slow)
		(void)!fsgs_check(&report, sizeof report, FSGS_CHECK_CONTEXT);
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (fields[segment] == UNDECIDED)
			fields[segment] = FIELD(report.access[segment]);
	return usable << USABLE_SHIFT;
}

/* Determines at least the fields in `wanted`. Sets `found` to the mask of all fields that the
 * result holds. */
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
			*found |= ACCESS(segment) | TRUSTED(segment);
		}
	return word;
}

static uint32_t field_of(uint32_t word, uint32_t segment)
{
	return (word & ACCESS(segment)) >> ACCESS_SHIFT(segment);
}

/* Publishes the limits for the inline functions. Afterwards reads the decision again, so that the
 * thread that stores last publishes the newest decision. */
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

/* Updates the fields in `wanted` and returns the word that holds them. */
static uint32_t update(uint32_t wanted)
{
	for (;;) {
		const uint32_t ticket = atomic_fetch_add(&tickets, TICKET) + TICKET;
		uint32_t found;
		const uint32_t fields = survey(wanted, &found);
		uint32_t old = atomic_load(&decided);

		/* Stores the result, unless a later survey has stored its own result first. That
		 * survey may not have determined all fields in `wanted`, so this function then
		 * starts another survey. */
		while ((int32_t)(ticket - (old & ~FIELDS)) > 0) {
			const uint32_t word = ticket | (old & FIELDS & ~found) | fields;

			if (atomic_compare_exchange_weak(&decided, &old, word)) {
				store_limits();
				return word;
			}
		}
	}
}

uint32_t fsgs_decided(uint32_t segment)
{
	const uint32_t word = atomic_load_explicit(&decided, memory_order_relaxed);

	return word & ACCESS(segment) ? word : update(ACCESS(segment));
}

uint32_t fsgs_access_in(uint32_t word, uint32_t segment)
{
	return field_of(word, segment) - 1;
}

int fsgs_trusted_in(uint32_t word, uint32_t segment)
{
	return (word & TRUSTED(segment)) != 0;
}

void fsgs_trust(uint32_t word, uint32_t segment)
{
	/* Records nothing if the decision has changed meanwhile: the process may have been restored
	 * from a checkpoint, on another machine. */
	atomic_compare_exchange_strong(&decided, &word, word | TRUSTED(segment));
}

uint32_t fsgs_base_access(uint32_t segment)
{
	return segment < FSGS_SEGMENTS ? fsgs_access_in(fsgs_decided(segment), segment)
				       : (uint32_t)FSGS_ACCESS_NONE;
}

int fsgs_base_force(uint32_t segment, uint32_t access)
{
	if (segment >= FSGS_SEGMENTS ||
	    (access > FSGS_ACCESS_ARCH_PRCTL && access != FSGS_BASE_AUTO))
		return -EINVAL;
	if (!FSGS_BASE_INLINE)
		return -ENOTSUP;
	atomic_store(&forced[segment], field_of_access(access));
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

int fsgs_refresh(void)
{
	const uint32_t before = atomic_load(&decided);
	/* Updates the answer of fsgs_usable() only if it was known before. If it was not, and
	 * neither access needs a check, no check runs. */
	const uint32_t wanted =
		ACCESS(FSGS_SEGMENT_FS) | ACCESS(FSGS_SEGMENT_GS) | (before & USABLE ? USABLE : 0);

	return ((update(wanted) ^ before) & wanted) != 0;
}

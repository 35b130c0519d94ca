/* SPDX-License-Identifier: MIT */
/* Tests how the results of many CPUs are grouped: one group for each distinct result, and a limited
 * number of groups. */
#include <criterion/criterion.h>

#include <linux/linux.h>
#include <string.h>

#define ROOM 8

static struct fsgs_report result(uint32_t outcome)
{
	struct fsgs_report r = {.cpuid_fsgsbase = FSGS_ANSWER_YES};

	for (int i = 0; i < FSGS_INSNS; i++)
		r.trials[i].outcome = outcome;
	return r;
}

Test(sweep, ranges)
{
	const struct fsgs_report ok = result(FSGS_OUTCOME_OK), ud = result(FSGS_OUTCOME_UNDEFINED);
	struct fsgs_cpu_group groups[ROOM];
	struct fsgs_groups all = {groups, sizeof *groups, ROOM, 0};

	for (uint32_t cpu = 0; cpu < 8; cpu++)
		if (cpu != 5)
			fsgs_cpu_group_add(&all, cpu, cpu == 2 ? &ud : &ok);
	cr_assert_eq(all.count, 2);
	cr_expect_eq(groups[0].count, 6);
	cr_expect_eq(groups[0].ranges, 3);
	cr_expect_eq(groups[0].first[1], 3);
	cr_expect_eq(groups[0].last[1], 4);
	cr_expect_eq(groups[1].first[0], 2);
	cr_expect_eq(groups[1].outcomes[FSGS_INSN_WRGSBASE], FSGS_OUTCOME_UNDEFINED);
}

Test(sweep, four_thousand_cpus)
{
	const struct fsgs_report ok = result(FSGS_OUTCOME_OK), ud = result(FSGS_OUTCOME_UNDEFINED);
	struct fsgs_cpu_group groups[ROOM];
	struct fsgs_groups all = {groups, sizeof *groups, ROOM, 0};

	for (uint32_t cpu = 0; cpu < 4096; cpu++)
		fsgs_cpu_group_add(&all, cpu, cpu % 2 ? &ud : &ok);
	cr_assert_eq(all.count, 2);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(groups[i].count, 2048);
		cr_expect_eq(groups[i].ranges, FSGS_CPU_RANGES, "named as far as there is room");
		cr_expect_eq(groups[i].unnamed, 2048 - FSGS_CPU_RANGES);
	}
}

/* If there are more results than groups, the last group gets the rest. Every CPU is counted
 * once. */
Test(sweep, more_results_than_room)
{
	struct fsgs_cpu_group groups[2];
	struct fsgs_groups all = {groups, sizeof *groups, 2, 0};
	uint32_t total = 0;

	for (uint32_t cpu = 0; cpu < 6; cpu++) {
		const struct fsgs_report r = result(cpu);

		fsgs_cpu_group_add(&all, cpu, &r);
	}
	cr_assert_eq(all.count, 2);
	for (uint32_t i = 0; i < all.count; i++)
		total += groups[i].count;
	cr_expect_eq(total, 6);
}

/* A trial that was refused on one CPU shows nothing about that CPU, and hides no difference between
 * the others. */
Test(sweep, a_refused_trial_is_no_difference)
{
	const struct fsgs_report ok = result(FSGS_OUTCOME_OK), ud = result(FSGS_OUTCOME_UNDEFINED),
				 none = result(FSGS_OUTCOME_NOT_TRIED);
	struct fsgs_report known = none, other = ok;

	cr_expect_eq(fsgs_cpu_differs(&known, &none), 0);
	cr_expect_eq(fsgs_cpu_differs(&known, &ok), 0);
	cr_expect_eq(fsgs_cpu_differs(&known, &none), 0);
	cr_expect_eq(fsgs_cpu_differs(&known, &ok), 0);
	cr_expect_eq(fsgs_cpu_differs(&known, &ud), 1);
	other.cpuid_fsgsbase = FSGS_ANSWER_YES + FSGS_ANSWER_NO - other.cpuid_fsgsbase;
	other.trials[0].outcome = FSGS_OUTCOME_NOT_TRIED;
	cr_expect_eq(fsgs_cpu_differs(&known, &other), 1, "by CPUID alone");
}

/* The caller's structure may be older (shorter) or newer (longer) than the library's. The members
 * that both know are filled in, further members are 0, and nothing beyond the structure is
 * written. */
Test(sweep, groups_of_any_size)
{
	const struct fsgs_report ok = result(FSGS_OUTCOME_OK), ud = result(FSGS_OUTCOME_UNDEFINED);

	for (size_t size = FSGS_CPU_GROUP_MIN; size <= sizeof(struct fsgs_cpu_group) + 24;
	     size += 4) {
		unsigned char bytes[3 * (sizeof(struct fsgs_cpu_group) + 24)];
		struct fsgs_groups all = {bytes, size, 2, 0};

		memset(bytes, 0x5a, sizeof bytes);
		for (uint32_t cpu = 0; cpu < 6; cpu++)
			fsgs_cpu_group_add(&all, cpu, cpu % 3 ? &ok : &ud);
		cr_assert_eq(all.count, 2);
		for (uint32_t i = 0; i < 2; i++) {
			struct fsgs_cpu_group group;

			memcpy(&group, bytes + i * size, FSGS_CPU_GROUP_MIN);
			cr_expect_eq(group.count, i ? 4 : 2);
			cr_expect_eq(group.first[0], i);
			for (size_t at = FSGS_CPU_GROUP_MIN; at < size; at++)
				cr_assert_eq(bytes[i * size + at], 0);
		}
		for (size_t at = 2 * size; at < sizeof bytes; at++)
			cr_assert_eq(bytes[at], 0x5a, "size %zu: byte %zu was written", size, at);
	}
}

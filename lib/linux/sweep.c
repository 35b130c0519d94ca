/* SPDX-License-Identifier: MIT */
/* The same question on each CPU: mixed processors, or a hypervisor that prepared only some of them. */
#include "linux.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The most that Linux can be built for on x86 (CONFIG_NR_CPUS). */
#define MAX_CPUS 8192
#define WORD     (8 * sizeof(unsigned long))

struct cpu_mask {
	unsigned long words[MAX_CPUS / WORD];
};

static int same_result(const struct fsgs_cpu_group *group, const struct fsgs_report *report)
{
	int same = group->cpuid_fsgsbase == report->cpuid_fsgsbase;

	for (int i = 0; i < FSGS_INSNS; i++)
		same = same && group->outcomes[i] == report->trials[i].outcome;
	return same;
}

static void extend(struct fsgs_cpu_group *group, uint32_t cpu)
{
	group->count++;
	if (group->ranges && group->last[group->ranges - 1] + 1 == cpu) {
		group->last[group->ranges - 1] = cpu;
	} else if (group->ranges < FSGS_CPU_RANGES) {
		group->first[group->ranges] = group->last[group->ranges] = cpu;
		group->ranges++;
	}
}

void fsgs_cpu_group_add(struct fsgs_cpu_group *groups, uint32_t *count, uint32_t room, uint32_t cpu,
			const struct fsgs_report *report)
{
	struct fsgs_cpu_group *group = NULL;

	for (uint32_t i = 0; i < *count && !group; i++)
		if (same_result(&groups[i], report))
			group = &groups[i];
	if (!group && *count < room) {
		group = &groups[(*count)++];
		memset(group, 0, sizeof *group);
		group->cpuid_fsgsbase = report->cpuid_fsgsbase;
		for (int i = 0; i < FSGS_INSNS; i++)
			group->outcomes[i] = report->trials[i].outcome;
	}
	extend(group ? group : &groups[room - 1], cpu);
}

/* One CPU's answer, on that CPU. */
static int check_on(uint32_t cpu, struct fsgs_report *report, enum fsgs_refusal refusal)
{
	struct cpu_mask only = {{0}};

	only.words[cpu / WORD] = 1UL << cpu % WORD;
	if (syscall(SYS_sched_setaffinity, 0, (cpu / WORD + 1) * sizeof *only.words, &only))
		return -1; /* taken offline, or out of the cpuset */
	fsgs_try(report, 0, refusal);
	return 0;
}

void fsgs_sweep(struct fsgs_report *report, enum fsgs_refusal refusal,
		struct fsgs_cpu_group *groups, uint32_t *count)
{
	const uint32_t room = *count;
	struct cpu_mask allowed = {{0}};
	struct fsgs_cpu_group differing[2];
	uint32_t distinct = 0;
	const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof allowed, &allowed);

	*count = 0;
	if (bytes <= 0)
		return;
	for (uint32_t cpu = 0; cpu < (uint32_t)bytes * 8; cpu++) {
		struct fsgs_report one = *report;

		if (!(allowed.words[cpu / WORD] >> cpu % WORD & 1) || check_on(cpu, &one, refusal))
			continue;
		report->cpus_checked++;
		/* Whether they differ must not depend on the caller's room. */
		fsgs_cpu_group_add(differing, &distinct, 2, cpu, &one);
		fsgs_cpu_group_add(groups, count, room, cpu, &one);
	}
	syscall(SYS_sched_setaffinity, 0, (size_t)bytes, &allowed);
	if (report->cpus_checked)
		report->cpus_differ = distinct > 1 ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
}

/* SPDX-License-Identifier: MIT */
/* Runs CPUID and the trial on each CPU, because a machine may have different processors, and a
 * hypervisor may have prepared only some CPUs. */
#include "linux.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The largest CONFIG_NR_CPUS of Linux on x86. */
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
	} else {
		group->unnamed++;
	}
}

static struct fsgs_cpu_group group_at(const struct fsgs_groups *groups, uint32_t index)
{
	struct fsgs_cpu_group group;

	memset(&group, 0, sizeof group);
	memcpy(&group, (const char *)groups->first + index * groups->size,
	       groups->size < sizeof group ? groups->size : sizeof group);
	return group;
}

/* A later version of the structure may be larger: the fields that this library does not know become
 * zero. */
static void put_group(struct fsgs_groups *groups, uint32_t index,
		      const struct fsgs_cpu_group *group)
{
	char *const to = (char *)groups->first + index * groups->size;

	memset(to, 0, groups->size);
	memcpy(to, group, groups->size < sizeof *group ? groups->size : sizeof *group);
}

void fsgs_cpu_group_add(struct fsgs_groups *groups, uint32_t cpu, const struct fsgs_report *report)
{
	struct fsgs_cpu_group group;
	uint32_t index = 0;

	while (index < groups->count) {
		group = group_at(groups, index);
		if (same_result(&group, report))
			break;
		index++;
	}
	if (index == groups->count && groups->count < groups->room) {
		groups->count++;
		memset(&group, 0, sizeof group);
		group.cpuid_fsgsbase = report->cpuid_fsgsbase;
		for (int i = 0; i < FSGS_INSNS; i++)
			group.outcomes[i] = report->trials[i].outcome;
	} else if (index == groups->count) {
		index = groups->room - 1;
		group = group_at(groups, index);
	}
	extend(&group, cpu);
	put_group(groups, index, &group);
}

int fsgs_cpu_differs(struct fsgs_report *known, const struct fsgs_report *one)
{
	int differs = known->cpuid_fsgsbase != one->cpuid_fsgsbase;

	for (int i = 0; i < FSGS_INSNS; i++) {
		if (known->trials[i].outcome == FSGS_OUTCOME_NOT_TRIED)
			known->trials[i] = one->trials[i];
		else if (one->trials[i].outcome != FSGS_OUTCOME_NOT_TRIED &&
			 one->trials[i].outcome != known->trials[i].outcome)
			differs = 1;
	}
	return differs;
}

int fsgs_move_to(uint32_t cpu)
{
	struct cpu_mask only = {{0}};

	if (cpu >= MAX_CPUS)
		return -EINVAL;
	only.words[cpu / WORD] = 1UL << cpu % WORD;
	if (syscall(SYS_sched_setaffinity, 0, (cpu / WORD + 1) * sizeof *only.words, &only))
		return -errno; /* no such CPU, or it is offline, or not in the cpuset */
	return 0;
}

struct sweep {
	struct fsgs_report *report;
	struct fsgs_groups *groups;
	enum fsgs_refusal refusal;
};

static void *sweep(void *argument)
{
	const struct sweep *const sweep = argument;
	struct fsgs_report *const report = sweep->report;
	struct cpu_mask allowed = {{0}};
	struct fsgs_report known = *report;
	int differ = 0;
	const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof allowed, &allowed);

	for (uint32_t cpu = 0; bytes > 0 && cpu < (uint32_t)bytes * 8; cpu++) {
		struct fsgs_report one = *report;
		struct fsgs_guarded guarded;

		if (!(allowed.words[cpu / WORD] >> cpu % WORD & 1) || fsgs_move_to(cpu))
			continue;
		fsgs_guarded_begin(&guarded, &one, sweep->refusal);
		fsgs_core_cpuid(&one, &guarded.ops);
		fsgs_try(&one, &guarded);
		fsgs_guarded_end(&guarded);
		if (!report->cpus_checked++)
			known = one;
		/* Not computed from the groups, which cannot show a difference if the caller has
		 * room for only one group. */
		differ |= fsgs_cpu_differs(&known, &one);
		fsgs_cpu_group_add(sweep->groups, cpu, &one);
	}
	if (report->cpus_checked)
		report->cpus_differ = differ ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	return NULL;
}

void fsgs_sweep(struct fsgs_report *report, enum fsgs_refusal refusal, struct fsgs_groups *groups)
{
	struct sweep argument = {report, groups, refusal};

	/* In a separate thread: once a thread's affinity has been set, the thread does not get CPUs
	 * that are plugged in later, even if the same affinity is set again. */
	(void)fsgs_apart(sweep, &argument);
}

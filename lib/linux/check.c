/* SPDX-License-Identifier: MIT */
/* fsgs_check(), fsgs_check_cpus() and fsgs_check_cpu(): collect the evidence, decide, fill in the
 * report. */
#include "../core/core.h"
#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS                                                                    \
	((uint32_t)(FSGS_CHECK_NO_TRIAL | FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS | \
		    FSGS_CHECK_SURVIVAL))

static enum fsgs_refusal refusal(uint32_t flags, int wanted)
{
	if (flags & FSGS_CHECK_NO_TRIAL)
		return FSGS_REFUSAL_FLAG;
	return wanted == 0 ? FSGS_REFUSAL_ENVIRONMENT : FSGS_REFUSAL_NONE;
}

static int is_misconfigured(int trial_wanted)
{
	int known;

	(void)fsgs_environment_access(&known);
	return !known || trial_wanted < 0;
}

/* Runs, under one guard, the instructions and system calls that may fault. */
static void collect_guarded(struct fsgs_report *report, uint32_t flags, enum fsgs_refusal no)
{
	struct fsgs_guarded guarded;

	fsgs_guarded_begin(&guarded, report, no);
	fsgs_core_cpuid(report, &guarded.ops);
	fsgs_try(report, &guarded);
	if (flags & FSGS_CHECK_CONTEXT) {
		fsgs_identify(report, &guarded);
		fsgs_try_canonical(report, &guarded);
		fsgs_try_fallback(report, &guarded);
	}
	fsgs_guarded_end(&guarded);
}

static void collect(struct fsgs_report *report, uint32_t flags, struct fsgs_groups *groups)
{
	const int trial_wanted = fsgs_environment_trial();
	const enum fsgs_refusal no = refusal(flags, trial_wanted);
	char vendor[16] = "";

	report->vantage = FSGS_VANTAGE_PROCESS;
	report->mode = FSGS_THIS_MODE;
	if (is_misconfigured(trial_wanted))
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_MISCONFIGURED);
	if (flags & FSGS_CHECK_CONTEXT)
		fsgs_surroundings(report);
	/* On other architectures this bit of AT_HWCAP2 means another feature. */
	if (FSGS_THIS_MODE != FSGS_MODE_NOT_X86) {
		fsgs_auxv(report);
		if (flags & FSGS_CHECK_CONTEXT) {
			fsgs_auxv_compare(report);
			fsgs_cpuinfo(report, vendor);
		}
	}
	collect_guarded(report, flags, no);
	fsgs_name_paravirtual(report);
	if (vendor[0] && report->vendor[0] && strcmp(vendor, report->vendor) != 0)
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS);
	if (flags & FSGS_CHECK_ALL_CPUS)
		fsgs_sweep(report, no, groups);
	if (flags & FSGS_CHECK_SURVIVAL)
		fsgs_survive(report);
}

/* Touches the 10 KiB of stack that a check needs at most (fsgscheck.h): see fsgs_touch(). */
static __attribute__((noinline)) void touch_check_stack(void)
{
	volatile char below[10 * 1024];

	fsgs_touch(below, sizeof below);
}

static int refused(const struct fsgs_report *report, size_t size, uint32_t flags)
{
	return !report || size < FSGS_REPORT_MIN || (flags & ~ALL_FLAGS);
}

static void check(struct fsgs_report *report, size_t size, uint32_t flags,
		  struct fsgs_groups *groups)
{
	const int error = errno;
	struct fsgs_report full;
	int cancel;

	touch_check_stack();
	memset(&full, 0, sizeof full);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	/* `groups` is NULL only if fsgs_check_cpu() has pinned this thread to one CPU. */
	full.cpus_checked = !groups;
	collect(&full, flags, groups);
	pthread_setcancelstate(cancel, &cancel);
	fsgs_decide_whole(&full);
	memcpy(report, &full, size < sizeof full ? size : sizeof full);
	if (size > sizeof full)
		memset((char *)report + sizeof full, 0, size - sizeof full);
	errno = error;
}

int fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags)
{
	struct fsgs_cpu_group group;
	struct fsgs_groups one = {&group, sizeof group, 1, 0};

	if (refused(report, size, flags))
		return -EINVAL;
	check(report, size, flags, &one);
	return 0;
}

int fsgs_check_cpus(struct fsgs_report *report, size_t size, uint32_t flags,
		    struct fsgs_cpu_group *groups, size_t group_size, uint32_t *count)
{
	struct fsgs_groups all = {groups, group_size, 0, 0};

	if (refused(report, size, flags) || !groups || group_size < FSGS_CPU_GROUP_MIN || !count ||
	    *count == 0)
		return -EINVAL;
	all.room = *count;
	check(report, size, flags | FSGS_CHECK_ALL_CPUS, &all);
	*count = all.count;
	return 0;
}

struct on_cpu {
	struct fsgs_report *report;
	size_t size;
	uint32_t cpu, flags;
	int error;
};

static void *check_on_cpu(void *argument)
{
	struct on_cpu *const asked = argument;

	asked->error = fsgs_move_to(asked->cpu);
	if (!asked->error)
		check(asked->report, asked->size, asked->flags, NULL);
	return NULL;
}

int fsgs_check_cpu(uint32_t cpu, struct fsgs_report *report, size_t size, uint32_t flags)
{
	struct on_cpu asked = {report, size, cpu, flags, 0};
	const int saved = errno;
	int cancel, error;

	if (refused(report, size, flags) || (flags & FSGS_CHECK_ALL_CPUS))
		return -EINVAL;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	error = fsgs_apart(check_on_cpu, &asked);
	pthread_setcancelstate(cancel, &cancel);
	errno = saved;
	return error ? -error : asked.error;
}

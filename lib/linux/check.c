/* SPDX-License-Identifier: MIT */
/* The public face: collect, decide, hand out. */
#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define THIS_MODE FSGS_MODE_64BIT
#elif defined(__i386__)
#define THIS_MODE FSGS_MODE_COMPAT
#else
#define THIS_MODE FSGS_MODE_NOT_X86
#endif

#define ALL_FLAGS                                                                    \
	((uint32_t)(FSGS_CHECK_NO_TRIAL | FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS | \
		    FSGS_CHECK_SURVIVAL))

static enum fsgs_refusal refusal(uint32_t flags)
{
	/* Nothing from the environment in a process that was given privileges. */
	const char *trial = secure_getenv("FSGSCHECK_TRIAL");

	if (flags & FSGS_CHECK_NO_TRIAL)
		return FSGS_REFUSAL_FLAG;
	if (trial && strcmp(trial, "0") == 0)
		return FSGS_REFUSAL_ENVIRONMENT;
	return FSGS_REFUSAL_NONE;
}

static void collect(struct fsgs_report *report, uint32_t flags, struct fsgs_groups *groups)
{
	const enum fsgs_refusal no = refusal(flags);
	char vendor[16] = "";

	report->vantage = FSGS_VANTAGE_PROCESS;
	report->mode = THIS_MODE;
	if (flags & FSGS_CHECK_CONTEXT)
		fsgs_surroundings(report);
	/* Elsewhere that bit of AT_HWCAP2 means another feature. */
	if (THIS_MODE != FSGS_MODE_NOT_X86) {
		fsgs_auxv(report);
		if (flags & FSGS_CHECK_CONTEXT) {
			fsgs_auxv_compare(report);
			fsgs_cpuinfo(report, vendor);
		}
	}
	fsgs_try(report, flags, no);
	fsgs_name_paravirtual(report);
	if (vendor[0] && report->vendor[0] && strcmp(vendor, report->vendor) != 0)
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS);
	if (flags & FSGS_CHECK_ALL_CPUS)
		fsgs_sweep(report, no, groups);
	if (flags & FSGS_CHECK_SURVIVAL)
		fsgs_survive(report);
}

static int check(struct fsgs_report *report, size_t size, uint32_t flags,
		 struct fsgs_groups *groups)
{
	const int error = errno;
	struct fsgs_report full;
	int cancel;

	if (!report || size < FSGS_REPORT_MIN || (flags & ~ALL_FLAGS))
		return -EINVAL;
	memset(&full, 0, sizeof full);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	collect(&full, flags, groups);
	pthread_setcancelstate(cancel, &cancel);
	fsgs_decide(&full, sizeof full);
	memcpy(report, &full, size < sizeof full ? size : sizeof full);
	if (size > sizeof full)
		memset((char *)report + sizeof full, 0, size - sizeof full);
	errno = error;
	return 0;
}

int fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags)
{
	struct fsgs_cpu_group group;
	struct fsgs_groups one = {&group, sizeof group, 1, 0};

	return check(report, size, flags, &one);
}

int fsgs_check_cpus(struct fsgs_report *report, size_t size, uint32_t flags,
		    struct fsgs_cpu_group *groups, size_t group_size, uint32_t *count)
{
	struct fsgs_groups all = {groups, group_size, 0, 0};
	int error;

	if (!groups || group_size < FSGS_CPU_GROUP_MIN || !count || *count == 0)
		return -EINVAL;
	all.room = *count;
	error = check(report, size, flags | FSGS_CHECK_ALL_CPUS, &all);
	if (!error)
		*count = all.count;
	return error;
}

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

uint32_t fsgs_version(void)
{
	return FSGS_VERSION;
}

const char *fsgs_version_string(void)
{
	return STRING(FSGS_VERSION_MAJOR) "." STRING(FSGS_VERSION_MINOR) "." STRING(
		FSGS_VERSION_PATCH);
}

/* SPDX-License-Identifier: MIT */
/* The check for code that runs before relocation and before the C library is initialised. So this
 * file must not need a relocation, thread-local storage or a C library. */
#include "core.h"

#define AT_NULL   0
#define AT_HWCAP2 26

static void read_hwcap2(struct fsgs_report *report, const unsigned long *auxv)
{
	report->hwcap2_present = FSGS_ANSWER_NO;
	report->hwcap2_fsgsbase = FSGS_ANSWER_NO;
	for (; auxv[0] != AT_NULL; auxv += 2)
		if (auxv[0] == AT_HWCAP2) {
			report->hwcap2_present = FSGS_ANSWER_YES;
			if (auxv[1] & FSGS_HWCAP2_FSGSBASE)
				report->hwcap2_fsgsbase = FSGS_ANSWER_YES;
		}
}

int fsgs_check_early(struct fsgs_report *report, size_t size, const unsigned long *auxv)
{
	static const struct fsgs_core_ops bare = {0};
	const uint32_t mode = FSGS_THIS_MODE;
	struct fsgs_report full;

	if (!report || size < FSGS_REPORT_MIN)
		return -FSGS_EINVAL;
	fsgs_report_clear(&full);
	full.vantage = FSGS_VANTAGE_PROCESS;
	full.mode = mode;
	full.refusal = mode == FSGS_MODE_64BIT ? FSGS_REFUSAL_FLAG : FSGS_REFUSAL_MODE;
	/* On other architectures this bit of AT_HWCAP2 means another feature. */
	if (auxv && mode != FSGS_MODE_NOT_X86)
		read_hwcap2(&full, auxv);
	fsgs_core_cpuid(&full, &bare);
	fsgs_decide_whole(&full);
	fsgs_copy_out(report, size, &full, sizeof full);
	return 0;
}

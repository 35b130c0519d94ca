/* SPDX-License-Identifier: MIT */
/* In place of trial.c and survival.c where the code is not 64-bit x86: there is nothing to try. */
#include "linux.h"

void fsgs_try(struct fsgs_report *report, uint32_t flags, enum fsgs_refusal refusal)
{
	static const struct fsgs_core_ops bare = {0};

	(void)refusal;
	report->refusal = FSGS_REFUSAL_MODE;
	fsgs_core_cpuid(report, &bare);
	if (flags & FSGS_CHECK_CONTEXT)
		fsgs_core_identify(report, &bare);
}

void fsgs_survive(struct fsgs_report *report)
{
	(void)report;
}

/* SPDX-License-Identifier: MIT */
/* Replaces trial.c and survival.c if the code is not 64-bit x86: there is nothing to try. */
#include "linux.h"

void fsgs_guarded_begin(struct fsgs_guarded *guarded, struct fsgs_report *report,
			enum fsgs_refusal refusal)
{
	(void)refusal;
	*guarded = (struct fsgs_guarded){0};
	report->refusal = FSGS_REFUSAL_MODE;
}

void fsgs_guarded_end(const struct fsgs_guarded *guarded)
{
	(void)guarded;
}

void fsgs_identify(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	fsgs_core_identify(report, &guarded->ops);
}

void fsgs_try(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	(void)report;
	(void)guarded;
}

void fsgs_try_canonical(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	(void)report;
	(void)guarded;
}

void fsgs_try_fallback(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	(void)report;
	(void)guarded;
}

void fsgs_survive(struct fsgs_report *report)
{
	(void)report;
}

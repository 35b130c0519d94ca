/* SPDX-License-Identifier: MIT */
/* Reads the output of cpuid(1): the features in words (cpuid -1), or the registers of leaf 7 (cpuid
 * -r). */
#include "explain.h"

#include <string.h>

void explain_cpuid_end(struct explain *e)
{
	struct explain_description *d = &e->cpuid;
	struct explain_source *s = &d->source;
	struct fsgs_report *r = &s->report;

	if (!d->open)
		return;
	d->open = 0;
	if (!r->cpuid_fsgsbase)
		return;
	s->notes |= EXPLAIN_NOTE(CPUID_ONLY);
	if (r->cpuid_fsgsbase == FSGS_ANSWER_NO) {
		r->hwcap2_fsgsbase = FSGS_ANSWER_NO; /* kernels enable only what CPUID offers */
		r->cpuinfo_flag = FSGS_ANSWER_NO;
	}
	explain_machine_give(e, s);
}

static void begin(struct explain *e, const struct explain_message *m)
{
	struct explain_description *d = &e->cpuid;
	struct explain_source *s = &d->source;

	explain_cpuid_end(e);
	memset(d, 0, sizeof *d);
	d->open = 1;
	s->kind = EXPLAIN_CPUID;
	s->cpu = -1;
	s->line = m->line;
	s->report.vantage = FSGS_VANTAGE_PROCESS;
	s->report.mode = FSGS_MODE_64BIT;
}

/* Copies the text between the first two quotation marks, as in "AuthenticAMD". */
static void copy_quoted(struct text t, char *to, size_t size)
{
	if (text_find(&t, "\""))
		text_copy(&t, "\"", to, size);
}

void explain_cpuid_read(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	struct explain_description *d = &e->cpuid;
	struct fsgs_report *r = &d->source.report;
	uint64_t ebx;

	if (code == CPUID_BEGIN ? text_ends(t) : !d->open)
		begin(e, m);
	switch (code) {
	case CPUID_VENDOR:
		copy_quoted(t, r->vendor, sizeof r->vendor);
		break;
	case CPUID_BRAND:
		copy_quoted(t, r->brand, sizeof r->brand);
		break;
	case CPUID_HYPERVISOR:
		copy_quoted(t, r->hypervisor, sizeof r->hypervisor);
		d->source.mark[EXPLAIN_MARK_HYPERVISOR] = m->line;
		break;
	case CPUID_FEATURE:
		if (!text_find(&t, "="))
			return;
		text_blank(&t);
		r->cpuid_fsgsbase = text_skip(&t, "true")    ? FSGS_ANSWER_YES
				    : text_skip(&t, "false") ? FSGS_ANSWER_NO
							     : FSGS_ANSWER_UNKNOWN;
		d->source.mark[EXPLAIN_MARK_FLAGS] = m->line;
		break;
	case CPUID_RAW:
		if (!text_find(&t, "ebx=") || text_hex(&t, &ebx) != 8)
			return;
		r->cpuid_fsgsbase = ebx & 1 ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
		d->source.mark[EXPLAIN_MARK_FLAGS] = m->line;
		break;
	}
}

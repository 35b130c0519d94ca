/* SPDX-License-Identifier: MIT */
/* Reads the output of lscpu: the content of /proc/cpuinfo under other keys, and the hypervisor's
 * name. */
#include "explain.h"

#include <string.h>

/* Maximum distance in lines between two keys of one description. lscpu prints about 40 lines. */
#define LSCPU_LINES 60

void explain_lscpu_end(struct explain *e)
{
	struct explain_description *d = &e->lscpu;
	struct explain_source *s = &d->source;

	if (!d->open)
		return;
	d->open = 0;
	if (!s->mark[EXPLAIN_MARK_FLAGS])
		return;
	if (s->report.cpuinfo_flag == FSGS_ANSWER_YES)
		s->notes |= EXPLAIN_NOTE(FLAG_ONLY);
	if (s->report.cpuinfo_flag == FSGS_ANSWER_UNKNOWN)
		s->notes |= EXPLAIN_NOTE(CUT_FLAGS);
	explain_machine_give(e, s);
}

void explain_lscpu_read(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	struct explain_description *d = &e->lscpu;
	struct explain_source *s = &d->source;
	struct fsgs_report *r = &s->report;
	uint32_t number;

	if (!d->open || m->line - d->last_line > LSCPU_LINES ||
	    (code == CPU_VENDOR && r->vendor[0])) {
		explain_lscpu_end(e);
		memset(d, 0, sizeof *d);
		d->open = 1;
		s->kind = EXPLAIN_LSCPU;
		s->cpu = -1;
		s->line = m->line;
		r->vantage = FSGS_VANTAGE_PROCESS;
		r->mode = FSGS_MODE_64BIT;
	}
	d->last_line = m->last;
	text_blank(&t);
	switch (code) {
	case CPU_VENDOR:
		text_copy(&t, "", r->vendor, sizeof r->vendor);
		break;
	case CPU_BRAND:
		text_copy(&t, "", r->brand, sizeof r->brand);
		break;
	case CPU_FAMILY:
	case CPU_MODEL:
	case CPU_STEPPING:
		if (text_number(&t, &number))
			*(code == CPU_FAMILY  ? &r->family
			  : code == CPU_MODEL ? &r->model
					      : &r->stepping) = number;
		break;
	case CPU_HYPERVISOR:
		strcpy(r->hypervisor, explain_signature(t));
		s->mark[EXPLAIN_MARK_HYPERVISOR] = m->line;
		break;
	case CPU_FLAGS:
		r->cpuinfo_flag = explain_flags(t, false);
		s->hypervisor_flag =
			text_has_word(t, "hypervisor") ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
		s->mark[EXPLAIN_MARK_FLAGS] = m->line;
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Reads copies of /proc/cpuinfo, whole or partial. Processors can be compared only if their records
 * are complete and in one list that begins with processor 0. A truncated list of flags without
 * fsgsbase proves nothing.
 */
#include "explain.h"

#include <string.h>

/* Linux shows this microcode revision on Hyper-V, which returns all ones for the MSR with the
 * revision. */
#define HYPERV_MICROCODE "0xffffffff"

/* Linux lists flags in the order of its capability words. These flags come after fsgsbase (word 9,
 * bit 0) in arch/x86/include/asm/cpufeatures.h. A list that has one of them was not truncated
 * before fsgsbase. */
static bool has_later_flag(struct text t)
{
	static const char *const later[] = {
		"tsc_adjust", "bmi1",       "hle",
		"avx2",       "smep",       "bmi2",
		"erms",       "invpcid",    "rtm",
		"cqm",        "mpx",        "avx512f",
		"rdseed",     "adx",        "smap",
		"clwb",       "arat",       "umip",
		"xsaveopt",   "clflushopt", "npt",
		"xsavec",     "sha_ni",     "pku",
		"rdpid",      "md_clear",   "arch_capabilities",
	};

	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (text_has_word(t, later[i]))
			return true;
	return false;
}

/* Whether the length of a list of flags shows that the list is whole. A list may be truncated even
 * if other lines follow. Buffers truncate near multiples of 256 characters, screens at fewer than
 * 200. */
static bool is_whole(struct text t)
{
	const size_t length = (size_t)(t.end - t.at);

	return length >= 200 && length % 256 > 1 && length % 256 < 255;
}

uint32_t explain_flags(struct text t, bool whole)
{
	if (text_has_word(t, "fsgsbase"))
		return FSGS_ANSWER_YES;
	if (has_later_flag(t) || (whole && is_whole(t)))
		return FSGS_ANSWER_NO;
	return FSGS_ANSWER_UNKNOWN;
}

static bool is_same_model(const struct explain_processor *p, const struct fsgs_report *r)
{
	return strcmp(p->vendor, r->vendor) == 0 && strcmp(p->brand, r->brand) == 0 &&
	       p->family == r->family && p->model == r->model && p->stepping == r->stepping;
}

static void end_list(struct explain *e)
{
	struct explain_cpuinfo *c = &e->cpuinfo;
	struct explain_source *s = &c->source;
	struct fsgs_report *r = &s->report;

	if (!c->open)
		return;
	c->open = 0;
	if (!c->with && !c->without && !c->cut)
		return; /* no flags: another architecture, or an incomplete record */
	s->kind = EXPLAIN_CPUINFO;
	s->cpu = -1;
	r->vantage = FSGS_VANTAGE_PROCESS;
	r->mode = FSGS_MODE_64BIT;
	r->cpuinfo_flag = c->with ? FSGS_ANSWER_YES : c->cut ? FSGS_ANSWER_UNKNOWN : FSGS_ANSWER_NO;
	if (c->with && c->without && c->comparable && !c->cut)
		r->cpus_differ = FSGS_ANSWER_YES;
	else if (c->with && c->without)
		s->notes |= EXPLAIN_NOTE(NOT_COMPARABLE);
	else if (c->with + c->without > 1 && c->comparable && !c->cut)
		r->cpus_differ = FSGS_ANSWER_NO;
	if (c->cut)
		s->notes |= EXPLAIN_NOTE(CUT_FLAGS);
	if (strcmp(r->vendor, "User Mode Linux") == 0)
		r->signs |= FSGS_SIGN_BIT(FSGS_SIGN_UML);
	if (s->hypervisor_flag == FSGS_ANSWER_YES && strcmp(s->microcode, HYPERV_MICROCODE) == 0) {
		strcpy(r->hypervisor, "Microsoft Hv");
		s->notes |= EXPLAIN_NOTE(HYPERV_TRAIT);
	}
	if (r->cpuinfo_flag == FSGS_ANSWER_YES && r->cpus_differ != FSGS_ANSWER_YES)
		s->notes |= EXPLAIN_NOTE(FLAG_ONLY);
	explain_machine_give(e, s);
}

static void begin_list(struct explain *e, const struct explain_processor *p)
{
	struct explain_cpuinfo *c = &e->cpuinfo;
	struct explain_source *s = &c->source;

	end_list(e);
	c->open = 1;
	c->with = c->without = c->cut = 0;
	c->comparable = p->has_number && p->number == 0;
	c->shape = p->shape;
	memset(s, 0, sizeof *s);
	s->line = p->line;
	s->report.family = p->family;
	s->report.model = p->model;
	s->report.stepping = p->stepping;
	memcpy(s->report.vendor, p->vendor, sizeof p->vendor);
	memcpy(s->report.brand, p->brand, sizeof p->brand);
	memcpy(s->microcode, p->microcode, sizeof p->microcode);
}

/* Ends a processor's record: adds the processor to the open list, or begins a new list with it. */
static void end_processor(struct explain *e)
{
	struct explain_cpuinfo *c = &e->cpuinfo;
	struct explain_processor *p = &c->now;
	struct explain_source *s = &c->source;

	if (!p->open)
		return;
	p->open = 0;
	if (p->has_flags && p->lists == FSGS_ANSWER_UNKNOWN)
		p->lists = explain_flags((struct text){p->flags, p->flags + p->flags_length},
					 p->after > 0);

	const bool goes_on = c->open && p->has_number && p->number == c->number + 1 &&
			     p->line - c->last_line <= 2;

	if (!goes_on || (p->vendor[0] && !is_same_model(p, &s->report)))
		begin_list(e, p);
	else if (p->shape != c->shape || !p->after)
		c->comparable = 0;
	c->comparable &= p->after > 0;
	c->number = p->number;
	c->last_line = p->last_line;
	s->processors++;
	if (!p->has_flags)
		return;
	if (!s->mark[EXPLAIN_MARK_FLAGS])
		s->mark[EXPLAIN_MARK_FLAGS] = p->flags_line;
	c->with += p->lists == FSGS_ANSWER_YES;
	c->without += p->lists == FSGS_ANSWER_NO;
	c->cut += p->lists == FSGS_ANSWER_UNKNOWN;
	if (p->hypervisor_flag == FSGS_ANSWER_YES || !s->hypervisor_flag)
		s->hypervisor_flag = p->hypervisor_flag;
}

static void begin_processor(struct explain *e, const struct explain_message *m)
{
	struct explain_processor *p = &e->cpuinfo.now;

	end_processor(e);
	memset(p, 0, sizeof *p);
	p->open = 1;
	p->line = m->line;
	p->shape = 5381;
}

static void take_flags(struct explain_processor *p, const struct explain_message *m, struct text t)
{
	p->has_flags = 1;
	p->flags_line = m->line;
	p->lists = explain_flags(t, false);
	p->hypervisor_flag = text_has_word(t, "hypervisor") ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	/* Keep the flags, because only a following line can show that the list of flags is
	 * whole. */
	p->flags_length = (uint32_t)(t.end - t.at < (long)sizeof p->flags ? t.end - t.at
									  : (long)sizeof p->flags);
	memcpy(p->flags, t.at, p->flags_length);
}

static void copy_once(struct text t, char *to, size_t size)
{
	if (!to[0])
		text_copy(&t, "", to, size);
}

/* Finds the value after a key and its colon. A blank before the colon is required, because a log
 * line has no blank there. Only the last key of a record, "power management", needs no blank. */
static bool find_value(struct text *t, bool last)
{
	const char *blank = t->at;

	text_blank(t);
	if ((t->at == blank && !last) || !text_skip(t, ":"))
		return false;
	text_skip(t, " ");
	return true;
}

void explain_cpuinfo_read(struct explain *e, const struct explain_message *m, uint32_t code,
			  struct text t)
{
	struct explain_processor *p = &e->cpuinfo.now;
	uint32_t number = 0;

	/* The key may be longer than the entry in the table of readers: "fpu_exception" matches
	 * "fpu". */
	while (code == CPU_ANY && t.at < t.end && *t.at != ' ' && *t.at != '\t' && *t.at != ':')
		t.at++;
	if (!find_value(&t, code == CPU_LAST))
		return;
	/* A second list of flags begins a new record, because the output of `grep flags` has no
	 * line "processor". */
	if (code == CPU_PROCESSOR || !p->open || m->line - p->last_line > 2 ||
	    (code == CPU_FLAGS && p->has_flags))
		begin_processor(e, m);
	for (const char *at = m->text.at; at < t.at; at++)
		p->shape = p->shape * 33 + (unsigned char)*at;
	p->last_line = m->last;
	p->after += p->has_flags;
	switch (code) {
	case CPU_PROCESSOR:
		p->has_number = text_number(&t, &p->number);
		break;
	case CPU_VENDOR:
		copy_once(t, p->vendor, sizeof p->vendor);
		break;
	case CPU_BRAND:
		copy_once(t, p->brand, sizeof p->brand);
		break;
	case CPU_MICROCODE:
		copy_once(t, p->microcode, sizeof p->microcode);
		break;
	case CPU_FLAGS:
		take_flags(p, m, t);
		break;
	case CPU_FAMILY:
	case CPU_MODEL:
	case CPU_STEPPING:
		if (text_number(&t, &number))
			*(code == CPU_FAMILY  ? &p->family
			  : code == CPU_MODEL ? &p->model
					      : &p->stepping) = number;
		break;
	}
}

void explain_cpuinfo_end(struct explain *e)
{
	end_processor(e);
	end_list(e);
}

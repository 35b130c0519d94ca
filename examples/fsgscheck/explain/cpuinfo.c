/* SPDX-License-Identifier: MIT */
/*
 * Dumps of /proc/cpuinfo. A dump goes from a `processor` line to the next one whose number does not
 * rise. Its lines are told from a log's by the blank before the colon.
 */
#include "explain.h"

#include <string.h>

/* What Linux shows as the microcode revision on Hyper-V, which gives all ones for that MSR. */
#define HYPERV_MICROCODE "0xffffffff"

enum key { NONE, PROCESSOR, VENDOR, FAMILY, MODEL, BRAND, STEPPING, MICROCODE, FLAGS };

static enum key find_key(struct text *t)
{
	static const struct {
		const char *name;
		enum key key;
	} keys[] = {
		{"processor", PROCESSOR}, {"vendor_id", VENDOR}, {"cpu family", FAMILY},
		{"model name", BRAND},    {"model", MODEL},      {"stepping", STEPPING},
		{"microcode", MICROCODE}, {"flags", FLAGS},
	};

	text_blank(t);
	if (t->at == t->end || !memchr("cfmpsv", *t->at, 6))
		return NONE; /* as nearly every line of a log */
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct text rest = *t;

		if (!text_skip(&rest, keys[i].name))
			continue;

		const char *blank = rest.at;

		text_blank(&rest);
		if (rest.at == blank || !text_skip(&rest, ":"))
			continue;
		text_skip(&rest, " ");
		*t = rest;
		return keys[i].key;
	}
	return NONE;
}

static bool has_word(struct text t, const char *word)
{
	while (t.at < t.end) {
		text_blank(&t);
		if (text_skip(&t, word) && (t.at == t.end || *t.at == ' ' || *t.at == '\t'))
			return true;
		while (t.at < t.end && *t.at != ' ' && *t.at != '\t')
			t.at++;
	}
	return false;
}

static void take_flags(struct explain_cpuinfo *c, struct text t)
{
	struct explain_source *s = &c->source;

	c->flags++;
	c->offers += has_word(t, "fsgsbase");
	if (has_word(t, "hypervisor"))
		s->hypervisor_flag = FSGS_ANSWER_YES;
	else if (!s->hypervisor_flag)
		s->hypervisor_flag = FSGS_ANSWER_NO;
}

static void begin_processor(struct explain *e, uint32_t number)
{
	struct explain_cpuinfo *c = &e->cpuinfo;

	if (c->open && number <= c->processor)
		explain_cpuinfo_end(e);
	if (!c->open) {
		memset(c, 0, sizeof *c);
		c->open = 1;
		c->source.line = e->lines;
	}
	c->processor = number;
	c->source.processors++;
}

static void copy_once(struct text t, char *to, size_t size)
{
	if (!to[0])
		text_copy(&t, "", to, size);
}

bool explain_cpuinfo_line(struct explain *e, const char *line, size_t length)
{
	struct text t = {line, line + length};
	struct explain_source *s = &e->cpuinfo.source;
	struct fsgs_report *r = &s->report;
	const enum key key = find_key(&t);
	uint32_t number = 0;

	if (key == PROCESSOR && text_number(&t, &number))
		begin_processor(e, number);
	if (!e->cpuinfo.open || key == NONE)
		return false;
	if (key == VENDOR)
		copy_once(t, r->vendor, sizeof r->vendor);
	else if (key == BRAND)
		copy_once(t, r->brand, sizeof r->brand);
	else if (key == MICROCODE)
		copy_once(t, s->microcode, sizeof s->microcode);
	else if (key == FLAGS)
		take_flags(&e->cpuinfo, t);
	else if (key != PROCESSOR && s->processors == 1 && text_number(&t, &number))
		*(key == FAMILY ? &r->family : key == MODEL ? &r->model : &r->stepping) = number;
	return true;
}

void explain_cpuinfo_end(struct explain *e)
{
	struct explain_cpuinfo *c = &e->cpuinfo;
	struct explain_source *s = &c->source;
	struct fsgs_report *r = &s->report;

	if (!c->open)
		return;
	c->open = 0;
	if (!c->flags || !r->vendor[0])
		return; /* another architecture's, or too little of it */
	s->kind = EXPLAIN_CPUINFO;
	s->notes = EXPLAIN_FLAG_ONLY;
	s->cpu = -1;
	r->vantage = FSGS_VANTAGE_PROCESS;
	r->mode = FSGS_MODE_64BIT;
	r->cpuinfo_flag = c->offers ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	r->cpus_checked = c->flags;
	if (c->flags > 1)
		r->cpus_differ =
			c->offers && c->offers < c->flags ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	if (strcmp(r->vendor, "User Mode Linux") == 0)
		r->signs |= FSGS_SIGN_BIT(FSGS_SIGN_UML);
	if (s->hypervisor_flag == FSGS_ANSWER_YES && strcmp(s->microcode, HYPERV_MICROCODE) == 0) {
		strcpy(r->hypervisor, "Microsoft Hv");
		s->notes |= EXPLAIN_HYPERV_TRAIT;
	}
	if (r->cpuinfo_flag != FSGS_ANSWER_YES || r->cpus_differ == FSGS_ANSWER_YES)
		s->notes &= ~(uint32_t)EXPLAIN_FLAG_ONLY;
	fsgs_decide(r, sizeof *r);
	explain_give(e, s);
}

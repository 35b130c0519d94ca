/* SPDX-License-Identifier: MIT */
/*
 * Reads a report from the JSON that report-json.c writes. The verdict is read, too, and not decided
 * again: the JSON contains only a part of the evidence for it.
 */
#include "explain/explain.h"

#include <stdlib.h>
#include <string.h>

uint32_t explain_number_of(uint32_t list, const char *name, uint32_t none)
{
	const int number = fsgs_number(list, name);

	return number < 0 ? none : (uint32_t)number;
}

enum { SEEN_SCHEMA = 1, SEEN_VERDICT = 2 };

/* A value in the JSON: its path, its form, and its place in the report. */
struct field {
	const char *path[4];
	enum { STRING, NAME, NUMBER, ANSWER } form;
	uint32_t list;
	size_t offset;
	size_t size;
};

#define AT(member)       offsetof(struct fsgs_report, member)
#define TEXT(member)     STRING, 0, AT(member), sizeof((struct fsgs_report *)NULL)->member
#define NAMED(l, member) NAME, FSGS_LIST_##l, AT(member), 0
#define NUMBERED(member) NUMBER, 0, AT(member), 0
#define ANSWERED(member) ANSWER, 0, AT(member), 0

static const struct field fields[] = {
	{{"fs"}, NAMED(VERDICT, verdicts[FSGS_SEGMENT_FS])},
	{{"gs"}, NAMED(VERDICT, verdicts[FSGS_SEGMENT_GS])},
	{{"proof"}, NAMED(PROOF, proof)},
	{{"cpuid", "max_leaf"}, NUMBERED(cpuid_max_leaf)},
	{{"cpuid", "fsgsbase"}, ANSWERED(cpuid_fsgsbase)},
	{{"cpuid", "vendor"}, TEXT(vendor)},
	{{"cpuid", "brand"}, TEXT(brand)},
	{{"cpuid", "family"}, NUMBERED(family)},
	{{"cpuid", "model"}, NUMBERED(model)},
	{{"cpuid", "stepping"}, NUMBERED(stepping)},
	{{"cpuid", "hypervisor"}, TEXT(hypervisor)},
	{{"cpuid", "hypervisor_build"}, NUMBERED(hypervisor_build)},
	{{"hwcap2", "present"}, ANSWERED(hwcap2_present)},
	{{"hwcap2", "fsgsbase"}, ANSWERED(hwcap2_fsgsbase)},
	{{"cpuinfo_flag"}, ANSWERED(cpuinfo_flag)},
	{{"access", "fs"}, NAMED(ACCESS, access[FSGS_SEGMENT_FS])},
	{{"access", "gs"}, NAMED(ACCESS, access[FSGS_SEGMENT_GS])},
	{{"kernel", "release"}, TEXT(kernel)},
	{{"ring0", "cr4_write"}, NAMED(OUTCOME, cr4_write)},
	{{"ring0", "cr4_sticks"}, ANSWERED(cr4_sticks)},
	{{"ring0", "cpus_differ"}, ANSWERED(cpus_differ)},
	{{"ring0", "samples_differ"}, ANSWERED(samples_differ)},
};

/* Paths of the outcomes of the four instructions. The instruction's name replaces the star. */
static const struct {
	const char *path[4];
	size_t offset;
} outcomes[] = {
	{{"trials", "*", "outcome"}, AT(trials)},
	{{"ring0", "set", "*"}, AT(cr4_set)},
	{{"ring0", "cleared", "*"}, AT(cr4_cleared)},
};

static void put_field(struct fsgs_report *r, const struct field *field,
		      const struct json_reader *reader, enum json_type type)
{
	char *to = (char *)r + field->offset;
	uint32_t value;

	if (field->form == STRING) {
		if (type == JSON_STRING)
			text_clean(reader->text, to, field->size);
		return;
	}
	if (field->form == NAME && type == JSON_STRING)
		value = explain_number_of(field->list, reader->text, 0);
	else if (field->form == NUMBER && type == JSON_NUMBER)
		value = (uint32_t)strtoul(reader->text, NULL, 10);
	else if (field->form == ANSWER && (type == JSON_TRUE || type == JSON_FALSE))
		value = type == JSON_TRUE ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	else
		return;
	memcpy(to, &value, sizeof value);
}

void explain_report_finding(const struct explain *e, struct fsgs_report *r, const char *name)
{
	/* Findings of a later version, which this version does not know, are ignored. */
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (strcmp(e->findings[i], name) == 0)
			r->findings |= FSGS_FINDING_BIT(i);
}

static void put_outcome(struct fsgs_report *r, const struct json_reader *reader)
{
	const uint32_t outcome =
		explain_number_of(FSGS_LIST_OUTCOME, reader->text, FSGS_OUTCOME_NOT_TRIED);

	for (size_t n = 0; n < sizeof outcomes / sizeof *outcomes; n++)
		for (uint32_t i = 0; i < FSGS_INSNS; i++) {
			const char *path[4];

			for (int level = 0; level < 4; level++) {
				path[level] = outcomes[n].path[level];
				if (path[level] && path[level][0] == '*')
					path[level] = fsgs_name(FSGS_LIST_INSN, i);
			}
			if (json_reader_at(reader, path))
				((struct fsgs_trial *)(void *)((char *)r + outcomes[n].offset))[i]
					.outcome = outcome;
		}
}

void explain_report_field(struct fsgs_report *r, const struct json_reader *reader,
			  enum json_type type)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (json_reader_at(reader, fields[i].path)) {
			put_field(r, &fields[i], reader, type);
			return;
		}
	if (type == JSON_STRING && reader->depth > 1)
		put_outcome(r, reader);
}

void explain_report_scalar(struct explain *e, const struct json_reader *reader, enum json_type type)
{
	static const char *const schema[] = {"schema", NULL}, *const verdict[] = {"verdict", NULL},
				 *const host[] = {"host", NULL},
				 *const finding[] = {"findings", "", NULL};
	struct explain_source *s = &e->report;

	if (json_reader_at(reader, schema)) {
		/* In another schema, the same keys may have other meanings. */
		if (type == JSON_NUMBER && strcmp(reader->text, "1") == 0)
			e->report_seen |= SEEN_SCHEMA;
		return;
	}
	if (json_reader_at(reader, verdict) && type == JSON_STRING) {
		s->report.verdict =
			explain_number_of(FSGS_LIST_VERDICT, reader->text, FSGS_VERDICT_UNKNOWN);
		e->report_seen |= SEEN_VERDICT;
		return;
	}
	if (json_reader_at(reader, host) && type == JSON_STRING) {
		text_clean(reader->text, s->host, sizeof s->host);
		return;
	}
	if (json_reader_at(reader, finding) && type == JSON_STRING) {
		explain_report_finding(e, &s->report, reader->text);
		return;
	}
	/* Other arrays of a report are not evidence. Foreign JSON may have long arrays: skip them
	 * fast. */
	if (reader->bracket[reader->depth - 1] == '[')
		return;
	explain_report_field(&s->report, reader, type);
}

void explain_report_begin(struct explain *e)
{
	memset(&e->report, 0, sizeof e->report);
	e->report.kind = EXPLAIN_REPORT;
	e->report.line = e->lines;
	e->report.cpu = -1;
	e->report_seen = 0;
}

/* Findings that need evidence from ring 0. They are also in the JSON that `explain` writes about a
 * crash, which this file reads as a report, too. */
static const uint64_t ring0_findings =
	FSGS_FINDING_BIT(FSGS_FINDING_INSN_UD) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_REFUSED) |
	FSGS_FINDING_BIT(FSGS_FINDING_CR4_DROPPED) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_UNENFORCED);

void explain_report_end(struct explain *e)
{
	struct fsgs_report *r = &e->report.report;

	if (e->report_seen != (SEEN_SCHEMA | SEEN_VERDICT))
		return; /* another program's JSON */
	r->mode = (r->findings & FSGS_FINDING_BIT(FSGS_FINDING_WRONG_MODE)) ? FSGS_MODE_UNKNOWN
									    : FSGS_MODE_64BIT;
	/* A report from a process that read the kernel module's device has such findings, too, but
	 * it also has AT_HWCAP2. */
	if ((r->findings & ring0_findings) && r->hwcap2_fsgsbase == FSGS_ANSWER_UNKNOWN)
		r->vantage = FSGS_VANTAGE_RING0;
	else
		r->vantage = FSGS_VANTAGE_PROCESS;
	explain_give(e, &e->report);
}

/* SPDX-License-Identifier: MIT */
/* Writes the results of `explain` as JSON. */
#include "found.h"

#include <inttypes.h>

#include "../json.h"
#include "../output.h"

static const char *advice(const void *report, uint32_t step)
{
	return fsgs_advice(report, sizeof(struct fsgs_report), step);
}

/* Writes the decision about a source, or about a group of machines. */
static void json_decision(struct json *json, const struct explain_source *s)
{
	const struct fsgs_report *r = &s->report;

	json_string(json, "verdict", fsgs_name(FSGS_LIST_VERDICT, r->verdict));
	json_string(json, "side", found_side(s)->name);
	json_string(json, "fault", found_side(s)->words);
	json_begin(json, "findings", '[');
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (has_finding(r, i))
			json_string(json, NULL, fsgs_name(FSGS_LIST_FINDING, i));
	json_end(json, ']');
	json_begin(json, "finding_texts", '[');
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (has_finding(r, i))
			json_string(json, NULL, fsgs_describe(FSGS_LIST_FINDING, i));
	json_end(json, ']');
	json_string(json, "reason", fsgs_reason(r, sizeof *r));
	json_lines(json, "advice", advice, r);
}

static void json_source(struct json *json, const struct found_item *item)
{
	const struct explain_source *s = &item->source;
	const struct fsgs_report *r = &s->report;
	char text[FOUND_TEXT];

	json_begin(json, NULL, '{');
	json_string(json, "name", item->name);
	json_number(json, "line", (int64_t)s->line);
	json_string(json, "kind", found_kind_name(s->kind));
	json_string(json, "kind_text", found_kind_text(s->kind));
	json_number(json, "count", (int64_t)item->count);
	json_decision(json, s);
	if (s->kind == EXPLAIN_CRASH || s->has_insn) {
		json_string(json, "instruction",
			    s->has_insn ? fsgs_name(FSGS_LIST_INSN, s->insn) : NULL);
		json_string(json, "symbol", s->symbol);
		if (s->cpu >= 0)
			json_number(json, "cpu", s->cpu);
		json_string(json, "code", found_code(s, text));
		snprintf(text, sizeof text, "0x%" PRIx64, s->cr4);
		json_string(json, "cr4", s->has_cr4 ? text : NULL);
		json_begin(json, "cr4_bits", '[');
		for (uint32_t bit = 0; bit < 64; bit++)
			if ((s->cr4 >> bit & 1) && explain_cr4_bit(bit))
				json_string(json, NULL, explain_cr4_bit(bit));
		json_end(json, ']');
	}
	json_string(json, "vendor", r->vendor);
	json_string(json, "brand", r->brand);
	json_string(json, "hypervisor", r->hypervisor);
	snprintf(text, sizeof text, "%u.%u.%u", r->hypervisor_version >> 16,
		 r->hypervisor_version & 0xffff, r->hypervisor_build);
	if (r->hypervisor_build)
		json_string(json, "hypervisor_build", text);
	json_string(json, "microcode", s->microcode);
	json_string(json, "kernel", r->kernel);
	if (r->cpuinfo_flag)
		json_bool(json, "cpuinfo_flag", r->cpuinfo_flag == FSGS_ANSWER_YES);
	if (s->uptime)
		json_number(json, "uptime", s->uptime);
	if (s->misspelt[0])
		json_string(json, "misspelt", s->misspelt);
	json_begin(json, "notes", '[');
	for (uint32_t i = 0; i < EXPLAIN_NOTES; i++)
		if (s->notes >> i & 1)
			json_string(json, NULL, explain_note_text(i));
	json_end(json, ']');
	json_begin(json, "missing", '[');
	for (uint32_t i = 0; i < EXPLAIN_NOTES; i++)
		if ((s->notes >> i & 1) && explain_note_missing(i))
			json_string(json, NULL, explain_note_missing(i));
	json_end(json, ']');
	json_begin(json, "lines", '{');
	for (uint32_t i = 0; i < EXPLAIN_MARKS; i++)
		if (s->mark[i])
			json_number(json, explain_mark_name(i), (int64_t)s->mark[i]);
	json_end(json, '}');
	json_end(json, '}');
}

static void json_hosts(struct json *json, const struct found *found, uint32_t group)
{
	json_begin(json, "hosts", '[');
	for (size_t i = 0; i < found->machine_count; i++)
		if (found->machines[i].group == group)
			json_string(json, NULL, found->machines[i].name);
	json_end(json, ']');
}

static void json_fleet(struct json *json, const struct found *found)
{
	const uint32_t usual = found_usual(found);
	const char *name;

	json_begin(json, "verdicts", '{');
	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_VERDICT, i)); i++)
		json_number(json, name, (int64_t)found_count_verdict(found, i));
	json_end(json, '}');
	json_begin(json, "odd", '[');
	for (size_t i = 0; i < found->machine_count; i++) {
		const struct machine *m = &found->machines[i];
		const uint32_t verdict = found->groups[m->group].source.report.verdict;

		if (m->group == usual)
			continue;
		json_begin(json, NULL, '{');
		json_string(json, "host", m->name);
		json_string(json, "verdict", fsgs_name(FSGS_LIST_VERDICT, verdict));
		json_end(json, '}');
	}
	json_end(json, ']');
	json_begin(json, "groups", '[');
	for (uint32_t i = 0; i < found->group_count; i++) {
		json_begin(json, NULL, '{');
		json_number(json, "count", (int64_t)found->groups[i].count);
		json_bool(json, "usual", i == usual);
		json_decision(json, &found->groups[i].source);
		if (i != usual)
			json_hosts(json, found, i);
		json_end(json, '}');
	}
	json_end(json, ']');
}

/* Writes the table of machines, row by row, and the conclusions from the differences. Both arrays
 * are empty unless there are 2 to MAX_COLUMNS machines. */
static void json_table(struct json *json, const struct found *found)
{
	const bool fits = found->machine_count > 1 && found->machine_count <= MAX_COLUMNS;
	char text[FOUND_TEXT];
	const char *title, *lesson;

	json_begin(json, "table", '[');
	for (uint32_t row = 0;
	     fits && found_row(row, &found->columns[0].source, &title, text, sizeof text); row++) {
		json_begin(json, NULL, '{');
		json_string(json, "title", title);
		json_begin(json, "cells", '[');
		for (size_t i = 0; i < found->machine_count; i++) {
			found_row(row, &found->columns[i].source, &title, text, sizeof text);
			json_string(json, NULL, text);
		}
		json_end(json, ']');
		json_end(json, '}');
	}
	json_end(json, ']');
	json_begin(json, "lessons", '[');
	for (uint32_t i = 0; fits && (lesson = found_lesson(found, i)); i++)
		json_string(json, NULL, lesson);
	json_end(json, ']');
}

/* Writes the worst result with the keys of a report, so that programs that read reports can read
 * this JSON, too. The evidence follows under the key "explain". */
void found_json(FILE *out, const struct found *found)
{
	static const struct result nothing;
	struct result result = nothing;
	struct json json = {.out = out};
	char command[2 * FOUND_TEXT];

	result.report = found->worst.source.report;
	report_json(&json, &result);
	json_begin(&json, "explain", '{');
	json_bool(&json, "evidence", found->worst.count != 0);
	if (found->worst.count) {
		json_string(&json, "side", found_side(&found->worst.source)->name);
		json_string(&json, "fault", found_side(&found->worst.source)->words);
	}
	json_number(&json, "lines", (int64_t)found->lines);
	json_number(&json, "crashes", (int64_t)found->crashes);
	json_number(&json, "other_crashes", (int64_t)found->foreign);
	json_number(&json, "unread_crashes", (int64_t)found->unread);
	if (found->unread) {
		json_number(&json, "unread_line", (int64_t)found->unread_line);
		json_string(&json, "unread_text", found_unread_text);
	}
	json_begin(&json, "packed", '[');
	for (uint32_t i = 0; i < found->packed_count; i++) {
		json_begin(&json, NULL, '{');
		json_string(&json, "name", found->packed[i].name);
		json_string(&json, "is", found->packed[i].packed->name);
		json_string(&json, "command", found_packed_command(&found->packed[i], command));
		json_end(&json, '}');
	}
	json_end(&json, ']');
	json_number(&json, "files", (int64_t)found->files);
	json_begin(&json, "without_evidence", '[');
	for (size_t i = 0; i < found->without.count; i++)
		json_string(&json, NULL, found->without.list[i]);
	json_end(&json, ']');
	json_number(&json, "machines", (int64_t)found->machine_count);
	if (!found->worst.count && explain_hint_text(&found->hint)) {
		json_begin(&json, "hint", '{');
		json_number(&json, "line", (int64_t)found->hint.line);
		json_string(&json, "name", found->hint.name);
		json_string(&json, "text", explain_hint_text(&found->hint));
		json_string(&json, "command", explain_hint_command(&found->hint));
		json_end(&json, '}');
	}
	json_begin(&json, "sources", '[');
	for (uint32_t i = 0; i < found->page_count; i++)
		json_source(&json, &found->pages[i]);
	for (uint32_t i = 0; i < found->machine_count && i < MAX_COLUMNS; i++)
		json_source(&json, &found->columns[i]);
	json_end(&json, ']');
	json_number(&json, "more", (int64_t)found->more);
	json_fleet(&json, found);
	json_table(&json, found);
	json_end(&json, '}');
	json_end(&json, '}');
}

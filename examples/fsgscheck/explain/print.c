/* SPDX-License-Identifier: MIT */
/* What `explain` has found, for a person and as JSON. */
#include "found.h"

#include <inttypes.h>
#include <string.h>

#include "../json.h"
#include "../output.h"

#define TEXT 256

static void put_row(FILE *out, const char *what, const char *text)
{
	if (*text)
		fprintf(out, "  %-14s %s\n", what, text);
}

static const char *code_text(const struct explain_source *s, char text[TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->code_length; i++)
		used += (size_t)snprintf(text + used, TEXT - used, i ? " %02x" : "%02x",
					 s->code[i]);
	return text;
}

static void put_crash(FILE *out, const struct explain_source *s)
{
	char text[TEXT], code[TEXT];
	size_t used;

	if (s->has_insn) {
		snprintf(text, sizeof text, "%-10s %s", fsgs_name(FSGS_LIST_INSN, s->insn),
			 code_text(s, code));
		put_row(out, "instruction", text);
	} else {
		put_row(out, "code", code_text(s, text));
	}
	if (s->cpu >= 0) {
		snprintf(text, sizeof text, "%s%son CPU %d", s->symbol, s->symbol[0] ? " " : "",
			 (int)s->cpu);
		put_row(out, "RIP", text);
	} else {
		put_row(out, "RIP", s->symbol);
	}
	if (!s->has_cr4)
		return;
	used = (size_t)snprintf(text, sizeof text, "0x%" PRIx64 ":", s->cr4);
	for (uint32_t bit = 0; bit < 64; bit++)
		if ((s->cr4 >> bit & 1) && explain_cr4_bit(bit))
			used += (size_t)snprintf(text + used, sizeof text - used, " %s",
						 explain_cr4_bit(bit));
	fprintf(out, "  %-14s ", "CR4");
	print_wrapped(out, text, 17, 17);
	if (!(s->cr4 >> EXPLAIN_CR4_BIT & 1))
		put_row(out, "", "FSGSBASE (bit 16) is clear");
}

static void put_surroundings(FILE *out, const struct fsgs_report *r)
{
	char text[TEXT];

	put_row(out, "processor", r->brand[0] ? r->brand : r->vendor);
	snprintf(text, sizeof text, "%s", r->hypervisor);
	if (r->hypervisor_build)
		snprintf(text, sizeof text, "%s, build %u.%u.%u", r->hypervisor,
			 r->hypervisor_version >> 16, r->hypervisor_version & 0xffff,
			 r->hypervisor_build);
	put_row(out, "hypervisor", text);
	if (r->kernel[0]) {
		snprintf(text, sizeof text, "Linux %s", r->kernel);
		put_row(out, "kernel", text);
	}
}

static void put_notes(FILE *out, const struct explain_source *s)
{
	if (s->notes)
		fputs("\nNotes\n", out);
	for (uint32_t i = 0; i < EXPLAIN_NOTES; i++)
		if (s->notes >> i & 1) {
			fputs("  ", out);
			print_wrapped(out, explain_note_text(i), 2, 2);
		}
}

static const char *kind_text(uint32_t kind)
{
	static const char *const texts[] = {
		[EXPLAIN_CRASH] = "a crash in a kernel log",
		[EXPLAIN_BOOT] = "a kernel log",
		[EXPLAIN_CPUINFO] = "a dump of /proc/cpuinfo",
		[EXPLAIN_REPORT] = "a report of fsgscheck",
		[EXPLAIN_IMAGE] = "the boot image's output",
	};

	return texts[kind];
}

/* For programs: short, and never changed. */
static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[EXPLAIN_CRASH] = "crash",     [EXPLAIN_BOOT] = "log",
		[EXPLAIN_CPUINFO] = "cpuinfo", [EXPLAIN_REPORT] = "report",
		[EXPLAIN_IMAGE] = "image",
	};

	return names[kind];
}

static void put_page(FILE *out, const struct found_item *item)
{
	const struct explain_source *s = &item->source;
	const struct fsgs_report *r = &s->report;

	fprintf(out, "%s, line %" PRIu64 ": %s", item->name, s->line, kind_text(s->kind));
	if (item->count > 1)
		fprintf(out, ", %" PRIu64 " times", item->count);
	fputc('\n', out);
	print_verdict(out, r);
	if (s->kind == EXPLAIN_CRASH)
		put_crash(out, s);
	put_surroundings(out, r);
	if (r->cpuinfo_flag)
		put_row(out, "cpuinfo flag", fsgs_name(FSGS_LIST_ANSWER, r->cpuinfo_flag));
	put_row(out, "microcode", s->microcode);
	print_findings(out, r);
	put_notes(out, s);
	print_advice(out, r);
}

#define TITLE  21
#define COLUMN 26

static bool differs(const struct found *found, uint32_t row, uint32_t columns)
{
	char first[TEXT], text[TEXT];
	const char *title;

	found_row(row, &found->columns[0].source, &title, first, sizeof first);
	for (uint32_t i = 1; i < columns; i++) {
		found_row(row, &found->columns[i].source, &title, text, sizeof text);
		if (strcmp(first, text) != 0)
			return true;
	}
	return false;
}

/* A row whose cells are wider than their column takes as many lines as it needs. */
static void put_cells(FILE *out, const struct found *found, uint32_t row, uint32_t columns)
{
	const char *title = "";
	char text[MAX_COLUMNS][TEXT];
	size_t shown[MAX_COLUMNS] = {0};
	bool more = false, first = true;

	for (uint32_t i = 0; i < columns; i++) {
		found_row(row, &found->columns[i].source, &title, text[i], TEXT);
		more |= text[i][0] != '\0';
	}
	for (; more; first = false) {
		fprintf(out, "%c %-*s", first && differs(found, row, columns) ? '*' : ' ', TITLE,
			first ? title : "");
		more = false;
		for (uint32_t i = 0; i < columns; i++) {
			const char *rest = text[i] + shown[i];
			size_t length = strlen(rest);

			if (length > COLUMN) {
				for (length = COLUMN; length && rest[length] != ' ';)
					length--;
				length = length ? length : COLUMN;
			}
			fprintf(out, "  %-*.*s", i + 1 < columns ? COLUMN : 0, (int)length, rest);
			shown[i] += length;
			shown[i] += text[i][shown[i]] == ' ';
			more |= text[i][shown[i]] != '\0';
		}
		fputc('\n', out);
	}
}

static void put_table(FILE *out, const struct found *found)
{
	const uint32_t columns = (uint32_t)found->machine_count;
	const char *title, *lesson;
	char text[TEXT];

	fprintf(out, "  %-*s", TITLE, "");
	for (uint32_t i = 0; i < columns; i++) {
		const char *name = found->columns[i].name;
		const size_t length = strlen(name);

		/* Of a long name the end differs. */
		fprintf(out, "  %-*s", i + 1 < columns ? COLUMN : 0,
			name + (length > COLUMN ? length - COLUMN : 0));
	}
	fputc('\n', out);
	for (uint32_t row = 0; found_row(row, &found->columns[0].source, &title, text, sizeof text);
	     row++)
		put_cells(out, found, row, columns);
	fputs("\nWhat the differences (*) prove, and what not\n", out);
	for (uint32_t i = 0; (lesson = found_lesson(found, i)); i++) {
		fputs("  ", out);
		print_wrapped(out, lesson, 2, 2);
	}
	for (uint32_t i = 0; i < columns; i++) {
		const struct explain_source *s = &found->columns[i].source;

		fprintf(out, "\n%s: ", found->columns[i].name);
		print_verdict(out, &s->report);
		print_findings(out, &s->report);
		put_notes(out, s);
		print_advice(out, &s->report);
	}
}

static void put_names(FILE *out, const struct found *found, uint32_t group)
{
	size_t column = 4;

	fputs("    ", out);
	for (size_t i = 0; i < found->machine_count; i++) {
		const struct machine *m = &found->machines[i];
		const size_t length = m->name ? strlen(m->name) : 0;

		if (m->group != group)
			continue;
		if (column > 4 && column + 1 + length > 80) {
			fputs("\n    ", out);
			column = 4;
		}
		column +=
			(size_t)fprintf(out, "%s%s", column > 4 ? " " : "", m->name ? m->name : "");
	}
	fputc('\n', out);
}

static uint64_t count_verdict(const struct found *found, uint32_t verdict)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < found->group_count; i++)
		if (found->groups[i].source.report.verdict == verdict)
			count += found->groups[i].count;
	return count;
}

static void put_fleet(FILE *out, const struct found *found)
{
	const uint32_t usual = found_usual(found);
	const char *name;

	fprintf(out, "%zu machines\n", found->machine_count);
	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_VERDICT, i)); i++) {
		const uint64_t count = count_verdict(found, i);

		if (count)
			fprintf(out, "  %-14s %8" PRIu64 "\n", name, count);
	}
	for (uint32_t i = 0; i < found->group_count; i++) {
		const struct fsgs_report *r = &found->groups[i].source.report;

		if (i == usual && fsgs_exit_status(r->verdict) < 2)
			continue; /* nothing odd about them */
		fprintf(out, "\n%s%" PRIu64 " machines: ", i == usual ? "Most, " : "",
			found->groups[i].count);
		print_verdict(out, r);
		if (i != usual)
			put_names(out, found, i);
		print_findings(out, r);
		print_advice(out, r);
	}
}

static void put_nothing(FILE *out, const struct found *found)
{
	fprintf(out, "no evidence of FSGSBASE here: %" PRIu64 " lines", found->lines);
	if (found->crashes)
		fprintf(out, ", %" PRIu64 " crash%s with another cause", found->crashes,
			found->crashes > 1 ? "es" : "");
	fputc('\n', out);
}

void found_print(FILE *out, const struct found *found)
{
	if (!found->worst.count) {
		put_nothing(out, found);
		return;
	}
	for (uint32_t i = 0; i < found->page_count; i++) {
		put_page(out, &found->pages[i]);
		if (i + 1 < found->page_count || found->machine_count)
			fputs("\n----\n\n", out);
	}
	if (found->more)
		fprintf(out, "%" PRIu64 " more, of other kinds, are not shown\n\n----\n\n",
			found->more);
	if (found->machine_count == 1)
		put_page(out, &found->columns[0]);
	else if (found->machine_count > MAX_COLUMNS)
		put_fleet(out, found);
	else if (found->machine_count)
		put_table(out, found);
}

static void json_source(struct json *json, const struct found_item *item)
{
	const struct explain_source *s = &item->source;
	const struct fsgs_report *r = &s->report;
	char text[TEXT];

	json_begin(json, NULL, '{');
	json_string(json, "name", item->name);
	json_number(json, "line", (int64_t)s->line);
	json_string(json, "kind", kind_name(s->kind));
	json_number(json, "count", (int64_t)item->count);
	json_string(json, "verdict", fsgs_name(FSGS_LIST_VERDICT, r->verdict));
	json_begin(json, "findings", '[');
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (has_finding(r, i))
			json_string(json, NULL, fsgs_name(FSGS_LIST_FINDING, i));
	json_end(json, ']');
	if (s->kind == EXPLAIN_CRASH) {
		json_string(json, "instruction",
			    s->has_insn ? fsgs_name(FSGS_LIST_INSN, s->insn) : NULL);
		json_string(json, "symbol", s->symbol);
		json_string(json, "code", code_text(s, text));
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
	json_string(json, "microcode", s->microcode);
	json_string(json, "kernel", r->kernel);
	json_begin(json, "notes", '[');
	for (uint32_t i = 0; i < EXPLAIN_NOTES; i++)
		if (s->notes >> i & 1)
			json_string(json, NULL, explain_note_text(i));
	json_end(json, ']');
	json_end(json, '}');
}

static void json_fleet(struct json *json, const struct found *found)
{
	const uint32_t usual = found_usual(found);
	const char *name;

	json_begin(json, "verdicts", '{');
	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_VERDICT, i)); i++)
		json_number(json, name, (int64_t)count_verdict(found, i));
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
}

/* The keys of a report, for the worst that was found, so that a program that reads reports can read this
 * one; and how that came about. */
void found_json(FILE *out, const struct found *found)
{
	static const struct result nothing;
	struct result result = nothing;
	struct json json = {.out = out};
	const char *lesson;

	result.report = found->worst.source.report;
	json_begin(&json, NULL, '{');
	report_json(&json, &result);
	json_begin(&json, "explain", '{');
	json_bool(&json, "evidence", found->worst.count != 0);
	json_number(&json, "lines", (int64_t)found->lines);
	json_number(&json, "crashes", (int64_t)found->crashes);
	json_number(&json, "other_crashes", (int64_t)found->foreign);
	json_number(&json, "machines", (int64_t)found->machine_count);
	json_begin(&json, "sources", '[');
	for (uint32_t i = 0; i < found->page_count; i++)
		json_source(&json, &found->pages[i]);
	for (uint32_t i = 0; i < found->machine_count && i < MAX_COLUMNS; i++)
		json_source(&json, &found->columns[i]);
	json_end(&json, ']');
	json_fleet(&json, found);
	json_begin(&json, "lessons", '[');
	if (found->machine_count > 1 && found->machine_count <= MAX_COLUMNS)
		for (uint32_t i = 0; (lesson = found_lesson(found, i)); i++)
			json_string(&json, NULL, lesson);
	json_end(&json, ']');
	json_end(&json, '}');
	json_end(&json, '}');
}

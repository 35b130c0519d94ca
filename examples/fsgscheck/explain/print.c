/* SPDX-License-Identifier: MIT */
/* Prints the results of `explain` for people. */
#include "found.h"

#include <inttypes.h>
#include <string.h>

#include "../output.h"

static const char *plural(uint64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

static void put_row(FILE *out, const char *what, const char *text)
{
	if (*text)
		fprintf(out, "  %-14s %s\n", what, text);
}

static void put_crash(FILE *out, const struct explain_source *s)
{
	char text[FOUND_TEXT], code[FOUND_TEXT];
	size_t used;

	if (s->has_insn) {
		snprintf(text, sizeof text, s->code_length ? "%-10s %s" : "%s",
			 fsgs_name(FSGS_LIST_INSN, s->insn), found_code(s, code));
		put_row(out, "instruction", text);
	} else {
		put_row(out, "code", found_code(s, text));
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
	if (!(s->cr4 >> EXPLAIN_CR4_FSGSBASE & 1))
		put_row(out, "", "FSGSBASE (bit 16) is clear");
}

static void put_surroundings(FILE *out, const struct fsgs_report *r)
{
	char text[FOUND_TEXT];

	put_row(out, "processor", r->brand[0] ? r->brand : r->vendor);
	snprintf(text, sizeof text, "%s", r->hypervisor);
	if (r->hypervisor_build)
		snprintf(text, sizeof text, "%s%sbuild %u.%u.%u", r->hypervisor,
			 r->hypervisor[0] ? ", " : "", r->hypervisor_version >> 16,
			 r->hypervisor_version & 0xffff, r->hypervisor_build);
	put_row(out, "hypervisor", text);
	if (r->kernel[0]) {
		snprintf(text, sizeof text, "Linux %s", r->kernel);
		put_row(out, "kernel", text);
	}
}

void found_print_notes(FILE *out, const struct explain_source *s)
{
	if (s->notes)
		fputs("\nNotes\n", out);
	for (uint32_t i = 0; i < EXPLAIN_NOTES; i++)
		if (s->notes >> i & 1) {
			fputs("  ", out);
			print_wrapped(out, explain_note_text(i), 2, 2);
		}
}

static void put_uptime(FILE *out, uint32_t seconds)
{
	char text[FOUND_TEXT];
	const uint32_t days = seconds / 86400, hours = seconds / 3600 % 24;

	if (!seconds)
		return;
	if (days)
		snprintf(text, sizeof text, "%u %s, %u %s", days, plural(days, "day", "days"),
			 hours, plural(hours, "hour", "hours"));
	else
		snprintf(text, sizeof text, "%u:%02u hours", hours, seconds / 60 % 60);
	put_row(out, "ran for", text);
}

static void put_page(FILE *out, const struct found_item *item)
{
	const struct explain_source *s = &item->source;
	const struct fsgs_report *r = &s->report;

	fprintf(out, "%s, line %" PRIu64 ": %s", item->name, s->line, found_kind_text(s->kind));
	if (item->count > 1)
		fprintf(out, ", %" PRIu64 " times", item->count);
	fputc('\n', out);
	print_verdict_words(out, r, found_side(s)->words);
	if (s->kind == EXPLAIN_CRASH || s->has_insn)
		put_crash(out, s);
	put_surroundings(out, r);
	if (r->cpuinfo_flag)
		put_row(out, "cpuinfo flag", fsgs_name(FSGS_LIST_ANSWER, r->cpuinfo_flag));
	put_row(out, "microcode", s->microcode);
	put_row(out, "misspelt", s->misspelt);
	put_uptime(out, s->uptime);
	print_findings(out, r);
	found_print_notes(out, s);
	print_advice(out, r);
}

static void put_hint(FILE *out, const struct explain_hint *hint)
{
	if (!explain_hint_text(hint))
		return;
	fprintf(out, "\nLine %" PRIu64 "%s%s: ", hint->line, hint->name[0] ? ", " : "", hint->name);
	print_wrapped(out, explain_hint_text(hint), 0, 0);
	fprintf(out, "    %s\n", explain_hint_command(hint));
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

static void put_fleet(FILE *out, const struct found *found)
{
	const uint32_t usual = found_usual(found);
	const char *name;

	fprintf(out, "%zu machines\n", found->machine_count);
	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_VERDICT, i)); i++) {
		const uint64_t count = found_count_verdict(found, i);

		if (count)
			fprintf(out, "  %-14s %8" PRIu64 "\n", name, count);
	}
	for (uint32_t i = 0; i < found->group_count; i++) {
		const struct fsgs_report *r = &found->groups[i].source.report;

		if (i == usual && fsgs_exit_status(r->verdict) < 2)
			continue; /* usual machines without a defect need no advice */
		fprintf(out, "\n%s%" PRIu64 " %s: ", i == usual ? "Most, " : "",
			found->groups[i].count,
			plural(found->groups[i].count, "machine", "machines"));
		print_verdict_words(out, r, found_side(&found->groups[i].source)->words);
		if (i != usual)
			put_names(out, found, i);
		print_findings(out, r);
		print_advice(out, r);
	}
}

/* Prints what has no page: crashes with another cause, crashes with too little data, packed files,
 * and files without evidence. */
static void put_rest(FILE *out, const struct found *found)
{
	char command[2 * FOUND_TEXT];

	if (found->foreign)
		fprintf(out, "%" PRIu64 " %s with another cause\n", found->foreign,
			plural(found->foreign, "crash", "crashes"));
	if (found->unread) {
		fprintf(out,
			"%" PRIu64 " %s that could not be read, the first at line %" PRIu64 "\n",
			found->unread, plural(found->unread, "crash", "crashes"),
			found->unread_line);
		fputs("  ", out);
		print_wrapped(out, found_unread_text, 2, 2);
	}
	for (uint32_t i = 0; i < found->packed_count; i++) {
		const struct found_packed *p = &found->packed[i];

		fprintf(out, "%s is %s%s\n", p->name, p->packed->name,
			p->packed->command ? "; run:" : "");
		if (found_packed_command(p, command))
			fprintf(out, "    %s\n", command);
	}
	if (!found->worst.count || !found->without.count)
		return;
	fprintf(out, "%zu of %" PRIu64 " files without evidence of FSGSBASE:\n",
		found->without.count, found->files);
	for (size_t i = 0; i < found->without.count; i++)
		fprintf(out, "    %s\n", found->without.list[i]);
}

static void put_nothing(FILE *out, const struct found *found)
{
	fprintf(out, "no evidence of FSGSBASE here: %" PRIu64 " %s\n", found->lines,
		plural(found->lines, "line", "lines"));
	put_rest(out, found);
}

void found_print(FILE *out, const struct found *found)
{
	if (!found->worst.count) {
		put_nothing(out, found);
		put_hint(out, &found->hint);
		return;
	}
	for (uint32_t i = 0; i < found->page_count; i++) {
		put_page(out, &found->pages[i]);
		if (i + 1 < found->page_count || found->machine_count)
			fputs("\n----\n\n", out);
	}
	if (found->more)
		fprintf(out, "%" PRIu64 " more %s not shown\n\n----\n\n", found->more,
			found->more == 1 ? "result that differs from these is"
					 : "results that differ from these are");
	if (found->machine_count == 1)
		put_page(out, &found->columns[0]);
	else if (found->machine_count > MAX_COLUMNS)
		put_fleet(out, found);
	else if (found->machine_count)
		found_print_table(out, found);
	if (found->foreign || found->unread || found->packed_count || found->without.count) {
		fputs("\n----\n\n", out);
		put_rest(out, found);
	}
}

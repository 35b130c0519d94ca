/* SPDX-License-Identifier: MIT */
/* JUnit XML, which CI systems read: one <testcase> for each case. A <failure> has the rule, its
 * source, and the expected and the seen value. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

/* The <testsuite> element comes first and has the counts as attributes, so the cases are collected
 * in memory. */
static char *text;
static size_t length;
static FILE *cases;

/* Writes the text of an attribute or an element. XML forbids most control characters even if
 * escaped, so a blank replaces each control character except a newline. */
static void put_escaped(FILE *to, const char *from)
{
	for (; *from; from++) {
		switch (*from) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc((unsigned char)*from < ' ' && *from != '\n' ? ' ' : *from, to);
			break;
		}
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	put_escaped(to, value);
	fputc('"', to);
}

static void put_line(const char *name, const char *value)
{
	fprintf(cases, "%s: ", name);
	put_escaped(cases, value);
	fputc('\n', cases);
}

static void put_property(const char *name, const char *value)
{
	fputs("      <property", stdout);
	put_attribute(stdout, "name", name);
	put_attribute(stdout, "value", value);
	fputs("/>\n", stdout);
}

static void begin(unsigned total)
{
	(void)total;
	cases = open_memstream(&text, &length);
	if (!cases)
		perror("fsgs-conformance: open_memstream");
}

static void put_failure(const struct result *r)
{
	const struct rule_text *const rule = &rules[r->test->rule];
	char message[sizeof r->record.what + sizeof r->record.expected + sizeof r->record.seen +
		     32];

	snprintf(message, sizeof message, "%s: expected %s, seen %s", r->record.what,
		 r->record.expected, r->record.seen);
	fputs("      <failure", cases);
	put_attribute(cases, "type", rule->name);
	put_attribute(cases, "message", message);
	fputc('>', cases);
	put_line("rule", rule->text);
	put_line("source", rule->source);
	if (r->record.note[0])
		put_line("note", r->record.note);
	put_line("known of", rule->known ? rule->known : "none");
	fputs("</failure>\n", cases);
}

static void result(const struct result *r, unsigned index)
{
	char name[128];

	(void)index;
	if (!cases)
		return;
	snprintf(name, sizeof name, "%u %s", r->test->number, r->test->name);
	fputs("    <testcase", cases);
	fprintf(cases, " classname=\"fsgs-conformance.%s\"", r->theme->name);
	put_attribute(cases, "name", name);
	fprintf(cases, " time=\"%.6f\">\n", r->seconds);
	if (r->record.word == WORD_FAIL) {
		put_failure(r);
	} else if (r->record.word == WORD_SKIP) {
		fputs("      <skipped", cases);
		put_attribute(cases, "message", r->record.note);
		fputs("/>\n", cases);
	} else if (r->record.note[0]) {
		fputs("      <system-out>", cases);
		put_escaped(cases, r->record.note);
		fputs("</system-out>\n", cases);
	}
	fputs("    </testcase>\n", cases);
}

static void end(const struct summary *s)
{
	const struct fsgs_report *const r = &machine.report;

	if (!cases || fclose(cases)) {
		fputs("fsgs-conformance: no memory for the report\n", stderr);
		exit(CANNOT_RUN);
	}
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	       "  <testsuite name=\"fsgs-conformance\" tests=\"%u\" failures=\"%u\" errors=\"0\" "
	       "skipped=\"%u\" time=\"%.6f\">\n    <properties>\n",
	       s->total, s->counts[WORD_FAIL], s->counts[WORD_SKIP], s->seconds);
	put_property("version", fsgs_version_string());
	put_property("cpu", r->brand[0] ? r->brand : r->vendor);
	put_property("hypervisor", r->hypervisor);
	put_property("kernel", r->kernel);
	fputs("    </properties>\n", stdout);
	fwrite(text, 1, length, stdout);
	fputs("  </testsuite>\n</testsuites>\n", stdout);
	free(text);
}

const struct output output_junit = {begin, result, end};

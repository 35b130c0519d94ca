/* SPDX-License-Identifier: MIT */
/* The output as TAP and KTAP, which programs read line by line, and as text for people. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *word_name(unsigned word)
{
	static const char *const names[] = {"none", "skip", "pass", "classified", "fail"};

	return names[word];
}

/* Prints the details of a deviation, each line with a prefix. */
static void explain(const struct result *r, const char *prefix)
{
	const struct rule_text *const rule = &rules[r->test->rule];

	printf("%srule: %s\n", prefix, rule->text);
	printf("%ssource: %s\n", prefix, rule->source);
	printf("%s%s: expected %s, seen %s\n", prefix, r->record.what, r->record.expected,
	       r->record.seen);
	if (r->record.failures > 1)
		printf("%sthe first of %u deviations in %u checks\n", prefix, r->record.failures,
		       r->record.checks);
	if (r->runs > 1)
		printf("%s%u of %u runs failed, %u were skipped\n", prefix, r->failed_runs, r->runs,
		       r->skipped_runs);
	if (r->record.note[0])
		printf("%s%s\n", prefix, r->record.note);
	printf("%sknown of: %s\n", prefix, rule->known ? rule->known : "none");
}

/* Writes the reason of a skip. In both protocols a number sign begins a directive and a newline
 * ends the result, so blanks replace both. */
static void put_clean(const char *text)
{
	for (; *text; text++)
		putchar(*text == '#' || *text == '\n' ? ' ' : *text);
}

static void tap_line(const struct result *r, unsigned index)
{
	printf("%s %u - %u %s/%s", r->record.word == WORD_FAIL ? "not ok" : "ok", index,
	       r->test->number, r->theme->name, r->test->name);
	if (r->record.word == WORD_SKIP) {
		fputs(" # SKIP ", stdout);
		put_clean(r->record.note);
	}
	putchar('\n');
}

/* Whether some runs of the case were skipped, and the others passed or were measured. */
static bool partial(const struct result *r)
{
	return r->record.word != WORD_SKIP && r->record.word != WORD_FAIL && r->skipped_runs;
}

static void tap_diagnostics(const struct result *r)
{
	if (partial(r))
		printf("# %u of %u runs were skipped\n", r->skipped_runs, r->runs);
	if (r->record.word == WORD_FAIL)
		explain(r, "# ");
	else if (r->record.word == WORD_CLASSIFIED)
		printf("# measured: %s\n", r->record.note);
	else if (r->record.word == WORD_PASS && r->record.note[0])
		printf("# note: %s\n", r->record.note);
}

static void tap_result(const struct result *r, unsigned index)
{
	tap_line(r, index);
	tap_diagnostics(r);
	fflush(stdout);
}

/* KTAP requires a test's comments before its result line. */
static void ktap_result(const struct result *r, unsigned index)
{
	tap_diagnostics(r);
	tap_line(r, index);
	fflush(stdout);
}

static void tap_begin(unsigned total)
{
	printf("TAP version 13\n1..%u\n", total);
}

static void tap_end(const struct summary *s)
{
	printf("# %u passed, %u classified, %u failed, %u skipped\n", s->counts[WORD_PASS],
	       s->counts[WORD_CLASSIFIED], s->counts[WORD_FAIL], s->counts[WORD_SKIP]);
}

static void ktap_begin(unsigned total)
{
	printf("KTAP version 1\n1..%u\n", total);
}

/* Prints the last line in the form of kselftest.h. */
static void ktap_end(const struct summary *s)
{
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       s->counts[WORD_PASS] + s->counts[WORD_CLASSIFIED], s->counts[WORD_FAIL],
	       s->counts[WORD_SKIP]);
}

const struct output output_tap = {tap_begin, tap_result, tap_end};
const struct output output_ktap = {ktap_begin, ktap_result, ktap_end};

static void human_begin(unsigned total)
{
	const struct fsgs_report *const r = &machine.report;

	printf("FSGSBASE conformance, %u cases\n", total);
	printf("  CPU     %s\n", r->brand[0] ? r->brand : r->vendor);
	printf("  kernel  %s\n", r->kernel);
	if (r->hypervisor[0])
		printf("  guest of %s\n", r->hypervisor);
	printf("  CPUID %s, AT_HWCAP2 %s\n\n",
	       r->cpuid_fsgsbase == FSGS_ANSWER_YES ? "offers it" : "does not offer it",
	       r->hwcap2_fsgsbase == FSGS_ANSWER_YES ? "advertises it"
	       : r->hwcap2_present == FSGS_ANSWER_NO ? "is absent"
						     : "does not advertise it");
}

/* Prints a pass only if it has a note, and a skip only if its reason differs from that of the
 * previous skip. */
static void human_result(const struct result *r, unsigned index)
{
	static char last[sizeof r->record.note];

	(void)index;
	if (partial(r))
		printf("note  %u %s/%s: %u of %u runs were skipped\n", r->test->number,
		       r->theme->name, r->test->name, r->skipped_runs, r->runs);
	switch (r->record.word) {
	case WORD_FAIL:
		printf("FAIL  %u %s/%s\n", r->test->number, r->theme->name, r->test->name);
		explain(r, "      ");
		break;
	case WORD_CLASSIFIED:
		printf("note  %u %s/%s: %s\n", r->test->number, r->theme->name, r->test->name,
		       r->record.note);
		break;
	case WORD_SKIP:
		if (strcmp(last, r->record.note) != 0)
			printf("skip  %u %s/%s: %s\n", r->test->number, r->theme->name,
			       r->test->name, r->record.note);
		snprintf(last, sizeof last, "%s", r->record.note);
		break;
	default:
		if (r->record.note[0])
			printf("pass  %u %s/%s: %s\n", r->test->number, r->theme->name,
			       r->test->name, r->record.note);
		break;
	}
}

static void human_end(const struct summary *s)
{
	printf("\n%u passed, %u classified, %u failed, %u skipped in %.1f s\n",
	       s->counts[WORD_PASS], s->counts[WORD_CLASSIFIED], s->counts[WORD_FAIL],
	       s->counts[WORD_SKIP], s->seconds);
}

const struct output output_human = {human_begin, human_result, human_end};

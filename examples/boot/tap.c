/* SPDX-License-Identifier: MIT */
/* The serial output for programs, in the format TAP 13. Each step of the test is printed as a
 * comment before it is executed. */
#include "machine.h"
#include "screen.h"
#include "serial.h"

static uint32_t points;

static void comment(const char *what, const char *text)
{
	serial_text("# ");
	serial_text(what);
	serial_text(text);
	serial_text("\n");
}

void tap_comment(const char *text)
{
	serial_fresh_line();
	comment("", text);
}

void tap_start(void)
{
	struct line version = {0};

	machine_version_line(&version);
	serial_text("\nTAP version 13\n");
	comment(version.text, "");
}

void tap_step(uint32_t cpu, const char *text)
{
	struct line line = {0};

	line_text(&line, "CPU ");
	line_number(&line, cpu);
	line_text(&line, ": ");
	line_text(&line, text);
	tap_comment(line.text);
	screen_line(line.text);
}

/* Prints the beginning of a line, such as "ok 3 - CPUs 0-3: ". */
static void begin(int good, const struct result *result)
{
	struct line line = {0};

	line_text(&line, good ? "ok " : "not ok ");
	line_number(&line, ++points);
	line_text(&line, " - ");
	if (result) {
		machine_cpus(&line, result);
		line_text(&line, ": ");
	}
	serial_text(line.text);
}

static void point(int good, const struct result *result, const char *text)
{
	begin(good, result);
	serial_text(text);
	serial_text("\n");
}

static void skip(const struct result *result, const char *text, const char *why)
{
	begin(1, result);
	serial_text(text);
	serial_text(" # SKIP ");
	serial_text(why);
	serial_text("\n");
}

static const char *why_not_tried(const struct fsgs_report *r)
{
	return r->cpuid_fsgsbase == FSGS_ANSWER_YES ? "an earlier step failed"
						    : "CPUID does not offer it";
}

static void put_insn(const struct result *result, uint32_t insn)
{
	const struct fsgs_trial *trial = &result->report.cr4_set[insn];
	struct line line = {0};

	if (trial->outcome == FSGS_OUTCOME_NOT_TRIED) {
		skip(result, fsgs_name(FSGS_LIST_INSN, insn), why_not_tried(&result->report));
		return;
	}
	line_text(&line, fsgs_name(FSGS_LIST_INSN, insn));
	if (trial->width) {
		line_text(&line, ", ");
		line_number(&line, trial->width);
		line_text(&line, "-bit form");
	}
	line_text(&line, ": ");
	line_text(&line, fsgs_describe(FSGS_LIST_OUTCOME, trial->outcome));
	point(trial->outcome == FSGS_OUTCOME_OK, result, line.text);
}

static void put_cr4(const struct result *result)
{
	static const char set[] = "CR4.FSGSBASE can be set", kept[] = "CR4.FSGSBASE stays set";
	const struct fsgs_report *r = &result->report;

	if (r->cr4_write == FSGS_OUTCOME_NOT_TRIED)
		skip(result, set, why_not_tried(r));
	else
		point(r->cr4_write == FSGS_OUTCOME_OK, result, set);
	if (r->cr4_sticks == FSGS_ANSWER_UNKNOWN)
		skip(result, kept, why_not_tried(r));
	else
		point(r->cr4_sticks == FSGS_ANSWER_YES, result, kept);
}

static void put_result(const struct result *result)
{
	static const char canonical[] = "wrgsbase refuses a non-canonical address";
	const struct fsgs_report *r = &result->report;
	int undefined = 1;

	for (int i = 0; i < FSGS_INSNS; i++)
		undefined = undefined && r->cr4_cleared[i].outcome == FSGS_OUTCOME_UNDEFINED;
	point(r->cpuid_fsgsbase == FSGS_ANSWER_YES, result, "CPUID offers FSGSBASE");
	point(undefined, result, "all four raise #UD while CR4.FSGSBASE is clear");
	put_cr4(result);
	for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
		put_insn(result, insn);
	if (r->canonical_check == FSGS_ANSWER_UNKNOWN)
		skip(result, canonical, why_not_tried(r));
	else
		point(r->canonical_check == FSGS_ANSWER_YES, result, canonical);
	for (uint32_t i = 0; i < FSGS_EVENTS; i++) {
		if (r->survival_tried >> i & 1)
			point(!(r->survival_lost >> i & 1), result,
			      fsgs_describe(FSGS_LIST_EVENT, i));
	}
}

static void put_summary(void)
{
	const struct fsgs_report *r = &machine.report;
	struct line line = {0};

	machine_tested_line(&line);
	point(machine.tested >= machine.present, NULL, line.text);
	point(r->cpus_differ != FSGS_ANSWER_YES, NULL, "the CPUs agree");
	line.used = 0;
	line_text(&line, "verdict is ");
	line_text(&line, fsgs_name(FSGS_LIST_VERDICT, r->verdict));
	point(r->verdict == FSGS_VERDICT_USABLE, NULL, line.text);
}

static void put_words(void)
{
	const struct fsgs_report *r = &machine.report;
	struct line host = {0}, processor = {0};
	const char *step;

	machine_processor_line(&processor);
	machine_host_line(&host);
	comment("processor: ", processor.text);
	comment("hypervisor: ", host.text);
	for (uint32_t i = 0; i < machine.result_count; i++) {
		struct line line = {0};

		machine_result_line(&line, &machine.results[i]);
		comment("", line.text);
	}
	comment("reason: ", fsgs_reason(r, sizeof *r));
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (r->findings & FSGS_FINDING_BIT(i)) {
			serial_text("# finding: ");
			serial_text(fsgs_name(FSGS_LIST_FINDING, i));
			serial_text(": ");
			serial_text(fsgs_describe(FSGS_LIST_FINDING, i));
			serial_text("\n");
		}
	for (uint32_t i = 0; (step = fsgs_advice(r, sizeof *r, i)); i++)
		comment("advice: ", step);
}

void tap_finish(void)
{
	struct line line = {0};

	for (uint32_t i = 0; i < machine.result_count; i++)
		put_result(&machine.results[i]);
	put_summary();
	line_text(&line, "1..");
	line_number(&line, points);
	line_text(&line, "\n");
	serial_text(line.text);
	put_words();
}

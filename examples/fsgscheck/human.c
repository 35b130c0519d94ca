/* SPDX-License-Identifier: MIT */
/* Prints the report for a person: verdict, evidence, findings, advice. */
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/ioctl.h>
#endif

#define WIDTH     80
#define NARROWEST 40

static const char *const colours[] = {"\033[1;32m", "\033[1;33m", "\033[1;31m", "\033[1;35m"};

static bool in_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return !(no && *no) && isatty(fileno(out));
}

/* Returns the terminal's width if it is at least NARROWEST and less than WIDTH, else WIDTH. The
 * terminal would break longer lines inside words. */
static size_t line_width(FILE *out)
{
#ifdef TIOCGWINSZ
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= NARROWEST &&
	    size.ws_col < WIDTH)
		return size.ws_col;
#else
	(void)out;
#endif
	return WIDTH;
}

/* Breaks lines between words, and indents continued lines by `indent`. */
void print_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
	const size_t width = line_width(out);

	while (*text) {
		const size_t word = strcspn(text, " ");

		if (column > indent && column + 1 + word > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, word, out);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void row(FILE *out, const char *source, const char *says, const char *more)
{
	size_t length = strlen(more);

	/* Print no blanks at the end of a row. A hypervisor's signature may end in a blank: "bhyve
	 * bhyve ". */
	while (length > 0 && more[length - 1] == ' ')
		length--;
	if (length > 0)
		fprintf(out, "  %-14s %-10s %.*s\n", source, says, (int)length, more);
	else
		fprintf(out, "  %-14s %s\n", source, says);
}

static const char *answer(uint32_t value)
{
	return fsgs_name(FSGS_LIST_ANSWER, value);
}

static void put_machine(FILE *out, const struct fsgs_report *r)
{
	char text[128];

	snprintf(text, sizeof text, "%s", r->brand[0] ? r->brand : r->vendor);
	row(out, "CPUID", answer(r->cpuid_fsgsbase), text);
	row(out, "AT_HWCAP2", answer(r->hwcap2_fsgsbase),
	    r->hwcap2_present == FSGS_ANSWER_NO ? "the entry is absent" : "");
	snprintf(text, sizeof text, "Linux %s", r->kernel);
	row(out, "/proc/cpuinfo", answer(r->cpuinfo_flag), r->kernel[0] ? text : "");
	if (!r->hypervisor[0])
		return;
	snprintf(text, sizeof text, "%s", r->hypervisor);
	if (r->hypervisor_build)
		snprintf(text, sizeof text, "%s, build %u.%u.%u", r->hypervisor,
			 r->hypervisor_version >> 16, r->hypervisor_version & 0xffff,
			 r->hypervisor_build);
	row(out, "hypervisor", "", text);
}

static void put_trials(FILE *out, const struct fsgs_report *r)
{
	for (uint32_t i = 0; i < FSGS_INSNS; i++) {
		const struct fsgs_trial *trial = &r->trials[i];
		char text[96] = "";

		if (trial->outcome == FSGS_OUTCOME_NOT_TRIED)
			snprintf(text, sizeof text, "%s",
				 fsgs_describe(FSGS_LIST_REFUSAL, r->refusal));
		else if (trial->signal)
			snprintf(text, sizeof text, "%s, si_code %d%s", strsignal(trial->signal),
				 trial->code, trial->width == 32 ? ", 32-bit form" : "");
		else if (trial->width)
			snprintf(text, sizeof text, "%u-bit form", trial->width);
		row(out, fsgs_name(FSGS_LIST_INSN, i), fsgs_name(FSGS_LIST_OUTCOME, trial->outcome),
		    text);
	}
}

static void put_ring0(FILE *out, const struct fsgs_report *r)
{
	char text[128] = "";

	if (r->cr4_write == FSGS_OUTCOME_NOT_TRIED)
		return;
	snprintf(text, sizeof text, "set in ring 0, reads as set: %s", answer(r->cr4_sticks));
	row(out, "CR4.FSGSBASE", fsgs_name(FSGS_LIST_OUTCOME, r->cr4_write),
	    r->cr4_write == FSGS_OUTCOME_OK ? text : "when set in ring 0");
	if (r->cr4_sticks == FSGS_ANSWER_UNKNOWN)
		return;
	text[0] = '\0';
	for (uint32_t i = 0; i < FSGS_INSNS; i++) {
		const size_t used = strlen(text);

		snprintf(text + used, sizeof text - used, "%s%s %s", used ? ", " : "",
			 fsgs_name(FSGS_LIST_INSN, i),
			 fsgs_name(FSGS_LIST_OUTCOME, r->cr4_set[i].outcome));
	}
	fprintf(out, "  %-14s ", "in ring 0");
	print_wrapped(out, text, 17, 17);
}

static void put_fallback(FILE *out, const struct fsgs_report *r)
{
	char text[64];

	if (r->fallback[FSGS_SEGMENT_FS] == FSGS_FALLBACK_UNKNOWN)
		return;
	snprintf(text, sizeof text, "FS %s, GS %s",
		 fsgs_name(FSGS_LIST_FALLBACK, r->fallback[FSGS_SEGMENT_FS]),
		 fsgs_name(FSGS_LIST_FALLBACK, r->fallback[FSGS_SEGMENT_GS]));
	row(out, "arch_prctl", "", text);
}

static void put_survival(FILE *out, const struct fsgs_report *r)
{
	char text[160] = "over";

	if (!r->survival_tried)
		return;
	for (uint32_t i = 0; i < FSGS_EVENTS; i++) {
		const size_t used = strlen(text);

		if (r->survival_tried >> i & 1)
			snprintf(text + used, sizeof text - used, " %s%s",
				 fsgs_name(FSGS_LIST_EVENT, i),
				 r->survival_lost >> i & 1 ? " (lost)" : "");
	}
	row(out, "survival", r->survival_lost ? "lost" : "kept", text);
}

static void put_cpus(FILE *out, const struct result *result)
{
	for (uint32_t i = 0; i < result->group_count; i++) {
		const struct fsgs_cpu_group *group = &result->groups[i];
		char list[CPU_LIST_SIZE], text[CPU_LIST_SIZE + 160];
		size_t used =
			(size_t)snprintf(text, sizeof text, "CPUs %s: CPUID %s",
					 cpu_list(group, list), answer(group->cpuid_fsgsbase));

		for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
			used += (size_t)snprintf(
				text + used, sizeof text - used, ", %s %s",
				fsgs_name(FSGS_LIST_INSN, insn),
				fsgs_name(FSGS_LIST_OUTCOME, group->outcomes[insn]));
		fputs("  ", out);
		print_wrapped(out, text, 2, 4);
	}
}

void print_findings(FILE *out, const struct fsgs_report *r)
{
	if (r->findings)
		fputs("\nFindings\n", out);
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (has_finding(r, i)) {
			const int width = fprintf(out, "  %s:", fsgs_name(FSGS_LIST_FINDING, i));

			print_wrapped(out, fsgs_describe(FSGS_LIST_FINDING, i), (size_t)width, 4);
		}
}

void print_steps(FILE *out, const char *title, print_step *step, const void *context)
{
	const char *text;
	uint32_t number = 0;

	for (uint32_t i = 0; (text = step(context, i)); i++) {
		if (i == 0)
			fprintf(out, "\n%s\n", title);
		if (text[0] == ' ') {
			fprintf(out, "   %s\n", text);
			continue;
		}
		fprintf(out, "  %u. ", ++number);
		print_wrapped(out, text, 5, 5);
	}
}

static const char *advice_step(const void *report, uint32_t n)
{
	return fsgs_advice(report, sizeof(struct fsgs_report), n);
}

void print_advice(FILE *out, const struct fsgs_report *r)
{
	print_steps(out, "What to do, cheapest first", advice_step, r);
}

void print_verdict_words(FILE *out, const struct fsgs_report *r, const char *words)
{
	const bool colour = in_colour(out);

	fprintf(out, "FSGSBASE: %s%s%s, %s\n", colour ? colours[fsgs_exit_status(r->verdict)] : "",
		fsgs_name(FSGS_LIST_VERDICT, r->verdict), colour ? "\033[0m" : "", words);
	print_wrapped(out, fsgs_reason(r, sizeof *r), 0, 0);
	fputc('\n', out);
}

void print_verdict(FILE *out, const struct fsgs_report *r)
{
	print_verdict_words(out, r, report_side(r)->words);
}

void print_human(FILE *out, const struct result *result)
{
	const struct fsgs_report *r = &result->report;

	print_verdict(out, r);
	put_machine(out, r);
	put_trials(out, r);
	put_ring0(out, r);
	put_fallback(out, r);
	put_survival(out, r);
	put_cpus(out, result);
	fprintf(out, "  %-14s FS by %s, GS by %s\n", "access",
		fsgs_name(FSGS_LIST_ACCESS, r->access[FSGS_SEGMENT_FS]),
		fsgs_name(FSGS_LIST_ACCESS, r->access[FSGS_SEGMENT_GS]));
	print_findings(out, r);
	print_advice(out, r);
}

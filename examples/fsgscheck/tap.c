/* SPDX-License-Identifier: MIT */
/* Prints the report as TAP 13: one test for the verdict, one for each instruction, and one for each
 * group of CPUs. */
#include "output.h"

static void put_insn(FILE *out, uint32_t number, uint32_t insn, const struct fsgs_report *r)
{
	const struct fsgs_trial *trial = &r->trials[insn];
	const char *name = fsgs_name(FSGS_LIST_INSN, insn);

	if (trial->outcome == FSGS_OUTCOME_NOT_TRIED) {
		fprintf(out, "ok %u - %s # SKIP %s\n", number, name,
			fsgs_describe(FSGS_LIST_REFUSAL, r->refusal));
		return;
	}
	fprintf(out, "%s %u - %s: %s\n", trial->outcome == FSGS_OUTCOME_OK ? "ok" : "not ok",
		number, name, fsgs_describe(FSGS_LIST_OUTCOME, trial->outcome));
	if (trial->signal)
		fprintf(out, "# signal %d, si_code %d\n", trial->signal, trial->code);
}

static void put_group(FILE *out, uint32_t number, const struct fsgs_cpu_group *group, bool alone)
{
	char text[CPU_LIST_SIZE];

	fprintf(out, "%s %u - CPUs %s agree with the others\n", alone ? "ok" : "not ok", number,
		cpu_list(group, text));
}

void print_tap(FILE *out, const struct result *result)
{
	const struct fsgs_report *r = &result->report;
	const bool usable = r->verdict == FSGS_VERDICT_USABLE;
	const char *step;
	uint32_t number = 0;

	fprintf(out, "TAP version 13\n1..%u\n", 1 + FSGS_INSNS + result->group_count);
	fprintf(out, "%s %u - verdict is %s\n", usable ? "ok" : "not ok", ++number,
		fsgs_name(FSGS_LIST_VERDICT, r->verdict));
	fprintf(out, "# %s\n", fsgs_reason(r, sizeof *r));
	for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
		put_insn(out, ++number, insn, r);
	for (uint32_t i = 0; i < result->group_count; i++)
		put_group(out, ++number, &result->groups[i], result->group_count == 1);
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (has_finding(r, i))
			fprintf(out, "# finding: %s: %s\n", fsgs_name(FSGS_LIST_FINDING, i),
				fsgs_describe(FSGS_LIST_FINDING, i));
	for (uint32_t i = 0; (step = fsgs_advice(r, sizeof *r, i)); i++)
		fprintf(out, "# advice: %s\n", step);
}

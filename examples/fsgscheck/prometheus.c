/* SPDX-License-Identifier: MIT */
/* Prints the report in the Prometheus text format, for a node exporter's textfile directory. All
 * labels are names from this project, which need no escaping. A series that does not apply is
 * printed with the value 0, so that an alert can distinguish it from a series that is not
 * reported. */
#include "output.h"

static void put_head(FILE *out, const char *metric, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
}

void print_prometheus(FILE *out, const struct result *result)
{
	const struct fsgs_report *r = &result->report;
	const char *name;

	put_head(out, "fsgscheck_verdict",
		 "Whether this is the verdict on the FSGSBASE instructions.");
	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_VERDICT, i)); i++)
		fprintf(out, "fsgscheck_verdict{verdict=\"%s\"} %d\n", name, r->verdict == i);
	put_head(out, "fsgscheck_insn_ok", "Whether the instruction was tried and worked.");
	for (uint32_t i = 0; i < FSGS_INSNS; i++)
		fprintf(out, "fsgscheck_insn_ok{insn=\"%s\"} %d\n", fsgs_name(FSGS_LIST_INSN, i),
			r->trials[i].outcome == FSGS_OUTCOME_OK);
	put_head(out, "fsgscheck_finding", "Whether the finding was made.");
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		fprintf(out, "fsgscheck_finding{finding=\"%s\"} %d\n",
			fsgs_name(FSGS_LIST_FINDING, i), has_finding(r, i));
	put_head(out, "fsgscheck_proof_tried", "Whether each of the four instructions was tried.");
	fprintf(out, "fsgscheck_proof_tried %d\n", r->proof == FSGS_PROOF_TRIED);
}

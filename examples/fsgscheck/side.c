/* SPDX-License-Identifier: MIT */
/* Finds the side at fault. The line with the verdict in the output for people contains the side's
 * words. The JSON of `explain` contains both its name and its words. */
#include "output.h"

#define BIT(finding) FSGS_FINDING_BIT(FSGS_FINDING_##finding)

/* Conditions for a row of the table, besides its verdict and findings. */
enum {
	ALWAYS,
	TRIED,
	VIRTUAL,
	SAME_RESULTS, /* neither the CPUs nor repeated tests gave different results */
};

/* The first matching row gives the side at fault. If a different side has to act, the advice names
 * that side. */
static const struct {
	uint32_t verdict;
	uint64_t with; /* one of these findings is required; 0: none is required */
	uint32_t when;
	struct side side;
} rows[] = {
	{FSGS_VERDICT_USABLE, 0, TRIED, {"none", "tried"}},
	{FSGS_VERDICT_USABLE, 0, ALWAYS, {"none", "advertised by the kernel; not tried"}},
	{FSGS_VERDICT_UNSUPPORTED, BIT(WRONG_MODE), ALWAYS, {"process", "not 64-bit x86 code"}},
	{FSGS_VERDICT_UNSUPPORTED, 0, ALWAYS, {"none", "not offered by CPUID"}},
	{FSGS_VERDICT_DISABLED, BIT(KERNEL_TOO_OLD), ALWAYS, {"guest", "the kernel is too old"}},
	{FSGS_VERDICT_DISABLED, BIT(SWITCHED_OFF), ALWAYS, {"guest", "switched off on purpose"}},
	{FSGS_VERDICT_DISABLED, 0, ALWAYS, {"guest", "not enabled by the kernel"}},
	{FSGS_VERDICT_UNADVERTISED,
	 BIT(EMULATED) | BIT(SANDBOXED) | BIT(INSTRUMENTED),
	 ALWAYS,
	 {"process", "the effect of an emulator, sandbox or tool"}},
	{FSGS_VERDICT_UNADVERTISED,
	 BIT(KERNEL_TOO_OLD),
	 ALWAYS,
	 {"guest", "the fault of a kernel module or of the host"}},
	{FSGS_VERDICT_UNADVERTISED, 0, ALWAYS, {"host", "the host's fault"}},
	{FSGS_VERDICT_BROKEN,
	 BIT(INSTRUMENTED),
	 ALWAYS,
	 {"process", "the fault of a tool around this process"}},
	{FSGS_VERDICT_BROKEN, 0, VIRTUAL, {"host", "the host's fault"}},
	{FSGS_VERDICT_BROKEN,
	 0,
	 ALWAYS,
	 {"host", "the machine's fault, or its host's if this is a VM"}},
	{FSGS_VERDICT_INCONSISTENT,
	 BIT(CPUID_MASKED),
	 SAME_RESULTS,
	 {"process", "a tool intercepts CPUID in this process"}},
	{FSGS_VERDICT_INCONSISTENT, 0, VIRTUAL, {"host", "the host's fault"}},
	{FSGS_VERDICT_INCONSISTENT,
	 0,
	 ALWAYS,
	 {"host", "the machine's fault, or its host's if this is a VM"}},
	{FSGS_VERDICT_UNKNOWN, BIT(UNPROVEN), ALWAYS, {"unknown", "listed, but not tried"}},
	{FSGS_VERDICT_UNKNOWN, 0, ALWAYS, {"unknown", "too little evidence to name a fault"}},
};

static bool holds(uint32_t when, const struct fsgs_report *r)
{
	switch (when) {
	case TRIED:
		return r->proof == FSGS_PROOF_TRIED;
	case VIRTUAL:
		return r->hypervisor[0] != '\0';
	case SAME_RESULTS:
		/* A report from JSON may lack cpus_differ, but has the finding. */
		return !(r->findings & BIT(CPUS_DIFFER)) && r->samples_differ != FSGS_ANSWER_YES;
	default:
		return true;
	}
}

const struct side *report_side(const struct fsgs_report *r)
{
	const size_t last = sizeof rows / sizeof *rows - 1;

	for (size_t i = 0; i < last; i++)
		if (rows[i].verdict == r->verdict &&
		    (!rows[i].with || (r->findings & rows[i].with)) && holds(rows[i].when, r))
			return &rows[i].side;
	return &rows[last].side;
}

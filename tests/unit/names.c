/* SPDX-License-Identifier: MIT */
/* The names are a contract: every number has a name, all names differ, and no name has been
 * removed. */
#include <criterion/criterion.h>

#include <fsgscheck/report.h>
#include <string.h>

static const struct {
	uint32_t list;
	uint32_t count;
	const char *names; /* in the order of their numbers */
} contract[] = {
	{FSGS_LIST_VERDICT, 7,
	 "unknown usable unsupported disabled unadvertised broken inconsistent"},
	{FSGS_LIST_FINDING, FSGS_FINDINGS,
	 "kernel-too-old switched-off unproven upgrade-risk wrong-mode cpus-differ cpuid-masked "
	 "emulated "
	 "no-canonical-check value-lost sandboxed arch-prctl-denied arch-prctl-lies instrumented "
	 "privilege-risk insn-ud cr4-refused cr4-dropped cr4-unenforced proven misconfigured"},
	{FSGS_LIST_OUTCOME, 6, "not-tried ok undefined faulted wrong-value value-lost"},
	{FSGS_LIST_INSN, FSGS_INSNS, "rdfsbase rdgsbase wrfsbase wrgsbase"},
	{FSGS_LIST_ACCESS, 3, "none instruction arch_prctl"},
	{FSGS_LIST_PROOF, 2, "advertised tried"},
	{FSGS_LIST_ANSWER, 3, "unknown no yes"},
	{FSGS_LIST_MODE, 4, "unknown 64-bit 32-bit not-x86"},
	{FSGS_LIST_VANTAGE, 3, "unknown process ring0"},
	{FSGS_LIST_FALLBACK, 4, "unknown ok denied lies"},
	{FSGS_LIST_REFUSAL, 6, "unknown none mode flag environment system"},
	{FSGS_LIST_EVENT, FSGS_EVENTS, "syscall signal yield sleep fork migrate cpuid port halt"},
	{FSGS_LIST_SIGN, FSGS_SIGNS,
	 "traced auxv-differs vendor-differs uml gvisor xen-pv misconfigured"},
	{FSGS_LIST_SEGMENT, FSGS_SEGMENTS, "fs gs"},
};

Test(names, contract)
{
	for (size_t i = 0; i < sizeof contract / sizeof *contract; i++) {
		char names[1024] = "";

		for (uint32_t value = 0; value < contract[i].count; value++) {
			const char *name = fsgs_name(contract[i].list, value);

			cr_assert_not_null(name, "list %u, value %u", contract[i].list, value);
			if (value)
				strcat(names, " ");
			strcat(names, name);
			cr_expect_not_null(fsgs_describe(contract[i].list, value));
		}
		cr_expect_str_eq(names, contract[i].names);
		cr_expect_null(fsgs_name(contract[i].list, contract[i].count));
		cr_expect_null(fsgs_describe(contract[i].list, UINT32_MAX));
	}
	cr_expect_null(fsgs_name(FSGS_LIST_NONE, 0));
	cr_expect_null(fsgs_name(sizeof contract / sizeof *contract + 1, 0));
	cr_expect_null(fsgs_name(UINT32_MAX, 0));
}

/* Each description is one sentence or two. It begins with a capital, unless its first word is
 * arch_prctl. */
Test(names, describes_by_sentences)
{
	for (uint32_t list = FSGS_LIST_VERDICT; list <= FSGS_LIST_SEGMENT; list++)
		for (uint32_t value = 0; fsgs_name(list, value); value++) {
			const char *text = fsgs_describe(list, value);

			cr_expect(strncmp(text, "arch_prctl", 10) == 0 ||
					  (text[0] >= 'A' && text[0] <= 'Z'),
				  "'%s'", text);
			cr_expect(strlen(text) > 10 && text[strlen(text) - 1] == '.', "'%s'", text);
		}
}

/* The constants of events and signs are the numbers that fsgs_name() takes, and each has its bit in
 * a report. */
Test(names, of_events_and_signs)
{
	cr_expect_str_eq(fsgs_name(FSGS_LIST_EVENT, FSGS_EVENT_SLEEP), "sleep");
	cr_expect_str_eq(fsgs_name(FSGS_LIST_EVENT, FSGS_EVENT_MIGRATE), "migrate");
	cr_expect_str_eq(fsgs_name(FSGS_LIST_SIGN, FSGS_SIGN_XEN_PV), "xen-pv");
	cr_expect_eq(FSGS_EVENT_BIT(FSGS_EVENT_HALT), 0x100);
	cr_expect_eq(FSGS_SIGN_BIT(FSGS_SIGN_UML), 8);
}

Test(names, exit_statuses)
{
	static const int statuses[] = {3, 0, 1, 1, 2, 2, 2};

	for (uint32_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		cr_expect_eq(fsgs_exit_status(i), statuses[i], "%s",
			     fsgs_name(FSGS_LIST_VERDICT, i));
	cr_expect_eq(fsgs_exit_status(7), 3);
	cr_expect_eq(fsgs_exit_status(UINT32_MAX), 3);
}

/* For each verdict, vantage and finding, the list of advice is finite. Each step names the side
 * that has to act, or is an indented command after such a step. */
Test(names, advice_names_a_side)
{
	struct fsgs_report r = {0};

	for (uint32_t verdict = 0; verdict < 7; verdict++)
		for (uint32_t finding = 0; finding < FSGS_FINDINGS; finding++)
			for (uint32_t vantage = 0; fsgs_name(FSGS_LIST_VANTAGE, vantage);
			     vantage++) {
				const char *step;

				r.verdict = verdict;
				r.vantage = vantage;
				r.findings = FSGS_FINDING_BIT(finding);
				for (uint32_t i = 0; (step = fsgs_advice(&r, sizeof r, i)); i++) {
					cr_assert_lt(i, 16);
					cr_expect(strncmp(step, "Guest: ", 7) == 0 ||
							  strncmp(step, "Host: ", 6) == 0 ||
							  strncmp(step, "Process: ", 9) == 0 ||
							  (i > 0 && strncmp(step, "    ", 4) == 0),
						  "%s", step);
				}
				cr_expect_not_null(fsgs_reason(&r, sizeof r));
			}
	cr_expect_null(fsgs_advice(NULL, 0, 0));
}

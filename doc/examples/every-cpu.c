/* SPDX-License-Identifier: MIT */
#include <fsgscheck.h>
#include <stdio.h>

int main(void)
{
	struct fsgs_report report;
	struct fsgs_cpu_group groups[8];
	uint32_t count = 8;

	if (fsgs_check_cpus(&report, sizeof report, FSGS_CHECK_CONTEXT | FSGS_CHECK_SURVIVAL,
			    groups, sizeof *groups, &count))
		return 3;
	for (uint32_t i = 0; i < count; i++)
		printf("%u CPUs like CPU %u: wrgsbase %s\n", groups[i].count, groups[i].first[0],
		       fsgs_name(FSGS_LIST_OUTCOME, groups[i].outcomes[FSGS_INSN_WRGSBASE]));
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (report.findings & FSGS_FINDING_BIT(i))
			printf("%s\n", fsgs_describe(FSGS_LIST_FINDING, i));
	printf("%s\n", fsgs_name(FSGS_LIST_VERDICT, report.verdict));
	return fsgs_exit_status(report.verdict);
}

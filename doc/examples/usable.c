/* SPDX-License-Identifier: MIT */
#include <fsgscheck.h>
#include <stdio.h>

int main(void)
{
	struct fsgs_report report;

	if (fsgs_check(&report, sizeof report, FSGS_CHECK_CONTEXT))
		return 3;
	printf("%s: %s\n", fsgs_name(FSGS_LIST_VERDICT, report.verdict),
	       fsgs_reason(&report, sizeof report));
	return fsgs_exit_status(report.verdict);
}

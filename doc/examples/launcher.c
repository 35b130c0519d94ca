/* SPDX-License-Identifier: MIT */
/* A launcher checks once, so that its short or sandboxed programs need no check of their own. */
#define _GNU_SOURCE
#include <fsgscheck/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const uint32_t access = fsgs_base_access(FSGS_SEGMENT_GS);
	uint64_t base;

	if (argc < 2) { /* The launcher. FSGSCHECK_BASE sets one access for both segments. */
		char *const program[] = {argv[0], (char[]){"launched"}, NULL};

		if (access == fsgs_base_access(FSGS_SEGMENT_FS) &&
		    setenv("FSGSCHECK_BASE", fsgs_name(FSGS_LIST_ACCESS, access), 1))
			return 1;
		execv("/proc/self/exe", program);
		return 1;
	}
	if (fsgs_get_gs_base(&base)) /* The program, which has decided by FSGSCHECK_BASE. */
		return access != FSGS_ACCESS_NONE;
	printf("%s: GS base by %s\n", argv[1], fsgs_name(FSGS_LIST_ACCESS, access));
	return 0;
}

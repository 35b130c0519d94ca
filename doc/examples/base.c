/* SPDX-License-Identifier: MIT */
#include <fsgscheck/base.h>
#include <stdio.h>

static char heap[65536];

int main(void)
{
	uint64_t before = 0;

	if (fsgs_get_gs_base(&before) || fsgs_set_gs_base((uintptr_t)heap)) {
		puts("no access to the GS base here: use a register, or a thread-local variable");
		return 1;
	}
	/* Code that was compiled for GS runs here. */
	if (fsgs_set_gs_base(before))
		return 1; /* fsgs_set_gs_base() refuses the old base: base.h says when */
	printf("GS base by %s\n", fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)));
	return 0;
}

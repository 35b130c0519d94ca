/* SPDX-License-Identifier: MIT */
/* Calls the code of switch.S. */
#include <fsgscheck/base.h>
#include <stdio.h>

int switch_gs(uint64_t base);
int enter(uint64_t base, int (*guest)(void));

static uint64_t memory[4] = {0, 42};

static int guest(void)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(value));
	return (int)value;
}

int main(void)
{
	uint64_t before = 0, after = 0;

	if (fsgs_get_gs_base(&before))
		return 1; /* no access works here */
	if (enter((uintptr_t)memory, guest) != 42)
		return 1;
	if (fsgs_get_gs_base(&after) || after != before)
		return 1;
	if (switch_gs(FSGS_BASE_LIMIT) != -1 || enter(~UINT64_C(0), guest) != -1)
		return 1; /* -EPERM: nothing was written, and the guest has not run */
	/* A forced access takes effect at once. */
	if (fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_NONE) || switch_gs(before) != -95 ||
	    fsgs_base_force(FSGS_SEGMENT_GS, FSGS_BASE_AUTO))
		return 1;
	printf("entered and left by %s\n",
	       fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)));
	return 0;
}

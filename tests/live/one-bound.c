/* SPDX-License-Identifier: MIT */
/*
 * The program and the shared library must use the same object fsgs_base_limit, whether or not the
 * program is position-independent. If it is not, the linker places a copy of the object in the
 * program (a copy relocation), and the library must use this copy.
 */
#include <fsgscheck/base.h>

#include <stdio.h>

int main(void)
{
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
		const uint64_t before = fsgs_base_limit[segment];
		const int error = fsgs_base_force(segment, FSGS_ACCESS_INSTRUCTION);
		const uint64_t during = fsgs_base_limit[segment];

		if (error || before != 0 || during != FSGS_BASE_LIMIT ||
		    fsgs_base_force(segment, FSGS_ACCESS_ARCH_PRCTL) || fsgs_base_limit[segment]) {
			printf("not ok: segment %u\n", segment);
			return 1;
		}
	}
	puts("ok");
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * This program is linked with the static library, exports all its symbols, and loads the shared
 * library. Neither copy of the library may bind to the other: a decision in one must not affect the
 * other.
 *
 *     two-copies LIBFSGSCHECK.SO
 */
#include <fsgscheck.h>
#include <fsgscheck/base.h>

#include <dlfcn.h>
#include <stdio.h>

static int wrong;

static void expect(int holds, const char *what)
{
	if (!holds)
		printf("not ok: %s\n", what);
	wrong |= !holds;
}

static void *symbol(void *library, const char *name)
{
	void *const found = dlsym(library, name);

	expect(found != NULL, name);
	return found;
}

int main(int argc, char **argv)
{
	void *const library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	int (*force)(uint32_t, uint32_t);
	uint32_t (*access)(uint32_t);
	const uint64_t *limit;
	const uint32_t all[] = {FSGS_ACCESS_NONE, FSGS_ACCESS_INSTRUCTION, FSGS_ACCESS_ARCH_PRCTL};

	if (!library) {
		printf("not ok: %s\n", argc > 1 ? dlerror() : "no library");
		return 1;
	}
	*(void **)&force = symbol(library, "fsgs_base_force");
	*(void **)&access = symbol(library, "fsgs_base_access");
	limit = symbol(library, "fsgs_base_limit");
	if (wrong)
		return 1;
	expect(dlsym(RTLD_DEFAULT, "fsgs_base_force") == *(void **)&force,
	       "the static copy is not exported");
	expect((const void *)limit != (const void *)fsgs_base_limit, "two limits");
	for (size_t here = 0; here < sizeof all / sizeof *all; here++)
		for (size_t there = 0; there < sizeof all / sizeof *all; there++) {
			expect(fsgs_base_force(FSGS_SEGMENT_GS, all[here]) == 0, "force here");
			expect(force(FSGS_SEGMENT_GS, all[there]) == 0, "force there");
			expect(fsgs_base_access(FSGS_SEGMENT_GS) == all[here], "access here");
			expect(access(FSGS_SEGMENT_GS) == all[there], "access there");
			expect((fsgs_base_limit[FSGS_SEGMENT_GS] != 0) ==
				       (all[here] == FSGS_ACCESS_INSTRUCTION),
			       "limit here");
			expect((limit[FSGS_SEGMENT_GS] != 0) ==
				       (all[there] == FSGS_ACCESS_INSTRUCTION),
			       "limit there");
		}
	return wrong;
}

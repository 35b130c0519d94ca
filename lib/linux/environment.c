/* SPDX-License-Identifier: MIT */
/* The environment variables of the library. All are ignored in a process with raised privileges. */
#include "linux.h"

#include <fsgscheck/base.h>

#include <stdlib.h>
#include <string.h>

static int is(const char *value, const char *word)
{
	return value && strcmp(value, word) == 0;
}

int fsgs_environment_trial(void)
{
	const char *value = secure_getenv("FSGSCHECK_TRIAL");

	if (is(value, "0"))
		return 0;
	return !value || !*value || is(value, "1") ? 1 : -1;
}

uint32_t fsgs_environment_access(int *known)
{
	const char *value = secure_getenv("FSGSCHECK_BASE");
	const int access = fsgs_number(FSGS_LIST_ACCESS, value);

	*known = access >= 0 || !value || !*value || is(value, "auto");
	return access >= 0 ? (uint32_t)access : FSGS_BASE_AUTO;
}

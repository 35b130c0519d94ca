/* SPDX-License-Identifier: MIT */
/* A user of the inline functions, for fast-path.py to look at. */
#include <fsgscheck/base.h>

uint64_t user_get_gs(void);
uint64_t user_get_fs(void);
int user_set_gs(uint64_t base);
int user_set_fs(uint64_t base);

uint64_t user_get_gs(void)
{
	uint64_t base = 0;

	return fsgs_get_gs_base(&base) ? 0 : base;
}

uint64_t user_get_fs(void)
{
	uint64_t base = 0;

	return fsgs_get_fs_base(&base) ? 0 : base;
}

int user_set_gs(uint64_t base)
{
	return fsgs_set_gs_base(base);
}

int user_set_fs(uint64_t base)
{
	return fsgs_set_fs_base(base);
}

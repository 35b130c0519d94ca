/* SPDX-License-Identifier: MIT */
/* Functions that call the inline functions. fast-path.py and inline-forms.py check their compiled
 * code. */
#include <fsgscheck/base.h>

/* With FOREIGN, the functions that are marked USER stand for code that runs while the FS base is
 * foreign. guarded() stands for the other functions of the unit. They may have a stack protector or
 * be instrumented, as the compiler's options say. */
#if defined(FOREIGN)
#define USER __attribute__((no_stack_protector, no_instrument_function))

int guarded(int value);

int guarded(int value)
{
	return value + 1;
}
#else
#define USER
#endif

uint64_t user_get_gs(void);
uint64_t user_get_fs(void);
int user_set_gs(uint64_t base);
int user_set_fs(uint64_t base);

USER uint64_t user_get_gs(void)
{
	uint64_t base = 0;

	return fsgs_get_gs_base(&base) ? 0 : base;
}

USER uint64_t user_get_fs(void)
{
	uint64_t base = 0;

	return fsgs_get_fs_base(&base) ? 0 : base;
}

USER int user_set_gs(uint64_t base)
{
	return fsgs_set_gs_base(base);
}

USER int user_set_fs(uint64_t base)
{
	return fsgs_set_fs_base(base);
}

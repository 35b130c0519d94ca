/* SPDX-License-Identifier: MIT */
/* From the Linux library, which the page and the Windows command do without. */
#include <fsgscheck.h>

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

const char *fsgs_version_string(void)
{
	return STRING(FSGS_VERSION_MAJOR) "." STRING(FSGS_VERSION_MINOR) "." STRING(
		FSGS_VERSION_PATCH);
}

/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <string.h>

bool flushed(FILE *out)
{
	if (fflush(out) == 0 && !ferror(out))
		return true;
	fprintf(stderr, "fsgscheck: cannot write the output: %s\n", strerror(errno));
	return false;
}

/* SPDX-License-Identifier: MIT */
/* A build for another mode or processor: it does not read the registers of 64-bit programs. */
#include "tracer.h"

#include <errno.h>

int64_t tracer_now(void)
{
	return 0;
}

int tracer_seize(pid_t program)
{
	(void)program;
	return ENOSYS;
}

void tracer_serve(const struct tracing *tracing)
{
	(void)tracing;
}

/* SPDX-License-Identifier: MIT */
#include "clean.h"
#include "explain/text.h"

#include <stdio.h>

static void clean(char *text, size_t size)
{
	char from[128];

	snprintf(from, sizeof from, "%s", text);
	text_clean(from, text, size);
}

void clean_report(struct fsgs_report *r)
{
	clean(r->vendor, sizeof r->vendor);
	clean(r->brand, sizeof r->brand);
	clean(r->hypervisor, sizeof r->hypervisor);
	clean(r->kernel, sizeof r->kernel);
}

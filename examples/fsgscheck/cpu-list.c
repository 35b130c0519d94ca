/* SPDX-License-Identifier: MIT */
#include "output.h"

const char *cpu_list(const struct fsgs_cpu_group *group, char text[CPU_LIST_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < group->ranges; i++) {
		const uint32_t first = group->first[i], last = group->last[i];

		used += (size_t)snprintf(text + used, CPU_LIST_SIZE - used,
					 first == last ? "%s%u" : "%s%u-%u", i ? "," : "", first,
					 last);
	}
	if (group->unnamed)
		snprintf(text + used, CPU_LIST_SIZE - used, ",... (%u in all)", group->count);
	return text;
}

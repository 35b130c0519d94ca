/* SPDX-License-Identifier: MIT */
/* Finds the module that an address belongs to. */
#include "death.h"
#include "../explain/explain.h"

#include <inttypes.h>
#include <string.h>

#define LINE 4352 /* bytes for a line of /proc/TID/maps: its fields and a path */

void place_module(pid_t thread, uint64_t address, struct place *place)
{
	char path[64], line[LINE], name[LINE], first[LINE] = "";
	uint64_t begin, end, base = 0;
	FILE *maps;

	place->in_module = false;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)thread);
	maps = fopen(path, "re");
	if (!maps)
		return;
	while (fgets(line, sizeof line, maps)) {
		name[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %4351[^\n]", &begin, &end,
			   name) < 2)
			continue;
		/* The mappings of one file follow each other. The first one begins at the load
		 * address. */
		if (strcmp(name, first) != 0) {
			memcpy(first, name, sizeof first);
			base = begin;
		}
		if (address < begin || address >= end)
			continue;
		place->in_module = true;
		place->offset = address - base;
		text_clean(name, place->module, sizeof place->module);
		break;
	}
	fclose(maps);
}

void place_death(struct death *death)
{
	place_module(death->thread, death->fault.address, &death->here);
	place_symbols(death);
	text_clean(death->here.symbol, death->here.symbol, sizeof death->here.symbol);
	text_clean(death->here.source, death->here.source, sizeof death->here.source);
	text_clean(death->caller.symbol, death->caller.symbol, sizeof death->caller.symbol);
	text_clean(death->caller.source, death->caller.source, sizeof death->caller.source);
}

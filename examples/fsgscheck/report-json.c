/* SPDX-License-Identifier: MIT */
/* Prints the report as the JSON text that the library's fsgs_json() writes. */
#include "json.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

static char *report_text(const struct result *result)
{
	const size_t size = sizeof result->report, group_size = sizeof *result->groups;
	const int length = fsgs_json(&result->report, size, result->groups, group_size,
				     result->group_count, NULL, 0);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);

	if (text)
		fsgs_json(&result->report, size, result->groups, group_size, result->group_count,
			  text, (size_t)length + 1);
	return text;
}

void print_json(FILE *out, const struct result *result)
{
	char *text = report_text(result);

	if (text)
		fputs(text, out);
	free(text);
}

void report_json(struct json *json, const struct result *result)
{
	static const char end[] = "\n}\n";
	char *text = report_text(result);

	if (text) {
		fwrite(text, 1, strlen(text) - strlen(end), json->out);
		json->depth = 1;
		json->filled = true;
	}
	free(text);
}

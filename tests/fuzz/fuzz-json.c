/* SPDX-License-Identifier: MIT */
/* Fuzzes the JSON reader. Text must always end with a NUL, and the depth must stay within its
 * limit. A document must be accepted exactly at the bracket that closes its outermost object or
 * array. */
#include "fuzz.h"

#include <explain/json-reader.h>
#include <stdlib.h>
#include <string.h>

static void check(int condition)
{
	if (!condition)
		abort();
}

static void take(void *context, const struct json_reader *reader, enum json_type type)
{
	static const char *const path[] = {"cpuid", "fsgsbase", NULL};
	uint32_t *scalars = context;

	++*scalars;
	check(reader->depth > 0 && reader->depth <= JSON_DEPTH);
	check(strnlen(reader->text, sizeof reader->text) == reader->length);
	check(type <= JSON_NULL && (type == JSON_STRING || reader->length > 0));
	for (uint32_t i = 0; i < reader->depth && i < JSON_PATH; i++)
		check(strnlen(reader->key[i], JSON_KEY) < JSON_KEY);
	check(!json_reader_at(reader, path) || reader->depth == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_reader reader;
	uint32_t scalars = 0;

	json_reader_begin(&reader, take, &scalars);
	for (size_t i = 0; i < size; i++) {
		const enum json_progress progress = json_reader_push(&reader, (char)data[i]);

		if (progress == JSON_BAD)
			return 0;
		check((progress == JSON_DONE) ==
		      (reader.depth == 0 && strchr("}]", data[i]) && data[i]));
		if (progress == JSON_DONE)
			return 0;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A JSON writer: correct by construction, as long as what is begun is ended. */
#ifndef FSGSCHECK_JSON_H
#define FSGSCHECK_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	int depth;
	bool filled; /* the innermost object or array has an element already */
};

/* In an array, and at the top, the key is NULL. */
void json_begin(struct json *json, const char *key, char bracket);       /* '{' or '[' */
void json_end(struct json *json, char bracket);                          /* '}' or ']' */
void json_string(struct json *json, const char *key, const char *value); /* NULL and "" give null */
/* The lines 0, 1, ... up to NULL, as one string; null without any. */
typedef const char *json_line(const void *context, uint32_t n);
void json_lines(struct json *json, const char *key, json_line *line, const void *context);
void json_number(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif

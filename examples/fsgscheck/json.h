/* SPDX-License-Identifier: MIT */
/* A JSON writer. The output is valid JSON if the caller ends each object and array that it
 * begins. */
#ifndef FSGSCHECK_JSON_H
#define FSGSCHECK_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	int depth;
	bool filled; /* the innermost object or array already has an element */
};

/* `key` is NULL for an element of an array, and for the outermost value. */
void json_begin(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_end(struct json *json, char bracket);                    /* '}' or ']' */
/* If the value is NULL or "", writes null. */
void json_string(struct json *json, const char *key, const char *value);
/* Calls `line` for 0, 1, ... until it returns NULL, and writes the lines as one string, with \n
 * between them. Writes null if there is no line. */
typedef const char *json_line(const void *context, uint32_t n);
void json_lines(struct json *json, const char *key, json_line *line, const void *context);
void json_number(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif

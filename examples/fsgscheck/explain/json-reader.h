/* SPDX-License-Identifier: MIT */
/*
 * A JSON reader for streams: one byte at a time, a fixed state, no allocation.
 *
 * The libraries that distributions carry build a tree of the whole document, or are C++. This one
 * gives each scalar with the path to it and forgets it; what it accepts is RFC 8259, except that
 * it does not check UTF-8 and that nesting ends at JSON_DEPTH.
 */
#ifndef FSGSCHECK_JSON_READER_H
#define FSGSCHECK_JSON_READER_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH 32
/* How deep a path is remembered, and how long its keys may be. */
#define JSON_PATH  4
#define JSON_KEY   24
/* Longer strings are cut. */
#define JSON_TEXT  128

enum json_type { JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_reader {
	/* A scalar has been read: its type, and for a string or number its text. */
	void (*take)(void *context, const struct json_reader *reader, enum json_type type);
	void *context;
	/* Each byte of a string that is a value, before take() gets as much of it as JSON_TEXT
	 * holds. May be NULL. */
	void (*put)(void *context, const struct json_reader *reader, char c);
	void (*end)(void *context); /* an object was closed. May be NULL. */
	uint32_t depth;             /* how many containers are open */
	char bracket[JSON_DEPTH];   /* which */
	char key[JSON_PATH]
		[JSON_KEY];   /* the last key of each of the outer containers; "" in an array */
	char text[JSON_TEXT]; /* terminated */
	uint32_t length;      /* of text */
	uint32_t state;
	uint32_t digits;  /* of an escape that are still to come */
	uint32_t code;    /* what they have given so far */
	uint32_t high;    /* the first half of a surrogate pair */
	const char *word; /* what has to follow of true, false, null */
};

enum json_progress { JSON_MORE, JSON_DONE, JSON_BAD };

void json_reader_begin(struct json_reader *reader,
		       void (*take)(void *context, const struct json_reader *reader,
				    enum json_type type),
		       void *context);

/* One document, which must be an object or an array. After JSON_DONE and JSON_BAD it must begin
 * anew. */
enum json_progress json_reader_push(struct json_reader *reader, char c);

/* Whether a scalar stands at this path of keys, which ends with NULL. */
bool json_reader_at(const struct json_reader *reader, const char *const *path);

#endif

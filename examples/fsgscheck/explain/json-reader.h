/* SPDX-License-Identifier: MIT */
/*
 * A JSON reader for streams. It takes one byte at a time and uses a fixed amount of memory.
 *
 * The JSON libraries of distributions build a tree of the whole document, or are written in C++.
 * This reader only passes each scalar, with its path, to the caller. It accepts an object or an
 * array as RFC 8259 defines it, but does not check UTF-8, and limits nesting to JSON_DEPTH.
 */
#ifndef FSGSCHECK_JSON_READER_H
#define FSGSCHECK_JSON_READER_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH 32
/* Maximum depth of a path, and maximum size of a key in it, with its zero byte. */
#define JSON_PATH  4
#define JSON_KEY   24
/* Size of `text`. Longer strings and numbers are truncated. */
#define JSON_TEXT  128

enum json_type { JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_reader {
	/* Called after each scalar, with its type. reader->text has the text of a string or a
	 * number. */
	void (*take)(void *context, const struct json_reader *reader, enum json_type type);
	void *context;
	/* Called for each byte of a string value, because take() gets only the beginning of a long
	 * string. May be NULL. */
	void (*put)(void *context, const struct json_reader *reader, char c);
	void (*end)(void *context);    /* called at the end of each object; may be NULL */
	uint32_t depth;                /* number of open containers */
	char bracket[JSON_DEPTH];      /* '{' or '[' for each open container */
	char key[JSON_PATH][JSON_KEY]; /* the last key in each open container; "" in an array */
	char text[JSON_TEXT];          /* the last scalar or key, with a terminating zero byte */
	uint32_t length;               /* length of text */
	uint32_t state;
	uint32_t digits;  /* remaining digits of a \u escape */
	uint32_t code;    /* value of the digits so far */
	uint32_t high;    /* a high surrogate whose low surrogate has not been read; else 0 */
	const char *word; /* remaining characters of true, false or null */
};

enum json_progress { JSON_MORE, JSON_DONE, JSON_BAD };

void json_reader_begin(struct json_reader *reader,
		       void (*take)(void *context, const struct json_reader *reader,
				    enum json_type type),
		       void *context);

/* Reads one character of a document, which must be an object or an array. After JSON_DONE or
 * JSON_BAD, call json_reader_begin() before the next character. */
enum json_progress json_reader_push(struct json_reader *reader, char c);

/* Whether the current scalar is at this path of keys, which ends with NULL. */
bool json_reader_at(const struct json_reader *reader, const char *const *path);

#endif

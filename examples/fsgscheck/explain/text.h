/* SPDX-License-Identifier: MIT */
/*
 * A part of a line, which is not terminated.
 *
 * Where two wrapped lines were put together there is a joint: whether a blank stood there is not
 * known. A joint matches a blank, and nothing at all inside of a word or a number. A tab matches a
 * blank, too: editors and terminals put one in place of the other.
 */
#ifndef FSGSCHECK_TEXT_H
#define FSGSCHECK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_JOINT '\1'

struct text {
	const char *at;
	const char *end;
};

bool text_skip_all(struct text *t, const char *what);

/* Skips it, if it is next. Mostly another character is: not worth a call. */
static inline bool text_skip(struct text *t, const char *what)
{
	if (t->at < t->end && *t->at != *what && (unsigned char)*t->at > '\t')
		return false;
	return text_skip_all(t, what);
}

void text_blank(struct text *t); /* skips blanks and joints */
bool text_ends(struct text t);   /* only blanks are left */

static inline bool text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline int text_hex_digit(char c) /* -1 if it is not a digit */
{
	if (text_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1 to 16 digits, with or without 0x. Returns their number; stops after the 16th. */
uint32_t text_hex(struct text *t, uint64_t *value);
bool text_number(struct text *t, uint32_t *value);
bool text_find(struct text *t, const char *what); /* skips to after the first one */
/* Whether the word is there, between blanks. */
bool text_has_word(struct text t, const char *word);
/* Copies up to a stop character or the end, through the filter; truncates the rest. */
void text_copy(struct text *t, const char *stops, char *to, size_t size);
void text_clean(const char *from, char *to, size_t size); /* the same for a string */

/* The length of the UTF-8 sequence, and its code; 0 if it is not valid (RFC 3629: no surrogates, no
 * overlong form, at most U+10FFFF). At least one byte must be left. */
size_t text_code(const char *bytes, size_t left, uint32_t *code);

/* The filter for all foreign text. Characters that control a terminal, reorder a line or are
 * invisible become question marks: C0, C1, bidirectional controls, line separators, and invalid
 * UTF-8. */
void text_filter(const char *from, size_t length, char *to, size_t size);

#endif

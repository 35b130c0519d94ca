/* SPDX-License-Identifier: MIT */
/*
 * A part of a line, without a terminating zero.
 *
 * Where two wrapped lines were joined, the text has a joint, because it is unknown whether there
 * was a blank. A joint matches a blank. Inside a word or a number it matches nothing and is
 * skipped. A tab matches a blank, too, because editors and terminals replace one by the other.
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

/* Skips `what` if the text begins with it. The first character usually differs. The check here then
 * saves the call of text_skip_all(). */
static inline bool text_skip(struct text *t, const char *what)
{
	if (t->at < t->end && *t->at != *what && (unsigned char)*t->at > '\t')
		return false;
	return text_skip_all(t, what);
}

void text_blank(struct text *t); /* skips blanks and joints */
bool text_ends(struct text t);   /* whether only blanks are left */

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

/* Reads 1 to 16 hexadecimal digits, with or without "0x" before them. Returns the number of digits,
 * 0 if there is none. */
uint32_t text_hex(struct text *t, uint64_t *value);
bool text_number(struct text *t, uint32_t *value);
bool text_find(struct text *t, const char *what); /* skips all up to the end of the first `what` */
/* Whether the text contains the word, between blanks or commas. */
bool text_has_word(struct text t, const char *word);
/* Skips the text before the first of the characters `stops`, or to the end. Copies the skipped text
 * to `to` without joints, through text_filter(), truncated to `size` and to at most 256 bytes. */
void text_copy(struct text *t, const char *stops, char *to, size_t size);
void text_clean(const char *from, char *to, size_t size); /* text_filter() for a string */

/* The length of the UTF-8 sequence at `bytes`, and its code; 0 if it is not valid (RFC 3629: no
 * surrogates, no overlong form, at most U+10FFFF). At least one byte must be left. */
size_t text_code(const char *bytes, size_t left, uint32_t *code);

/* The filter for all foreign text. Puts a question mark in place of each control character (C0,
 * C1), each line separator, each character that reorders a line or is invisible, and each byte of
 * invalid UTF-8. */
void text_filter(const char *from, size_t length, char *to, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* Decodes base64 (RFC 4648), also if it is split into several lines, in mail, YAML, shell commands
 * or web pages. */
#include "explain.h"

#include <string.h>

/* The value of a base64 digit; -1 for any other character. URLs use "-" and "_" in place of "+" and
 * "/". */
static int base64_digit(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+' || c == '-' ? 62
	       : c == '/' || c == '_' ? 63
				      : -1;
}

/* The fewest digits in the first line of base64: mail has 76 in a line, PEM 64. A shorter line with
 * at least BASE64_SHORT digits counts, too, if it decodes to text. */
#define BASE64_LEAST 60
#define BASE64_SHORT 16

/* Whether the first 64 digits decode to ASCII text. A long word hardly ever does, because most byte
 * values do not occur in such text. */
static bool is_base64_of_text(const char *text, size_t size)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < size && i < 64; i++) {
		const int digit = base64_digit(text[i]);
		const uint32_t byte = (bits << 6 | (uint32_t)digit) >> (6 - 2 * (i & 3)) & 0xff;

		if (digit < 0)
			return i >= BASE64_SHORT;
		if ((i & 3) && !(byte >= ' ' && byte < 0x7f) && !strchr("\t\n\r\033", (int)byte))
			return false;
		bits = (uint32_t)digit;
	}
	return true;
}

/* Finds the base64 digits in a line. Quote marks, an XML tag, a key, or the beginning of a data URL
 * may come before the digits, and padding or a quotation mark after them. */
static struct text body(const char *line, size_t size)
{
	struct text t = {line, line + size}, rest;
	const char *at;

	while (t.at < t.end && base64_digit(*t.at) < 0 && strchr(" \t>|\"'", *t.at))
		t.at++;
	/* Skip the start tag of an XML element. */
	at = memchr(t.at, '>', t.end - t.at > 200 ? 200 : (size_t)(t.end - t.at));
	if (t.at < t.end && *t.at == '<' && at && t.end - at > BASE64_LEAST)
		t.at = at + 1;
	rest = (struct text){t.at, t.end - t.at > 200 ? t.at + 200 : t.end};
	if (t.end - t.at > BASE64_LEAST && text_find(&rest, ";base64,")) {
		t.at = rest.at;
	} else if (t.end - t.at > BASE64_LEAST) {
		for (at = t.at; at < t.end && at - t.at < 40 && base64_digit(*at) >= 0; at++)
			;
		if (at > t.at && at < t.end && (*at == ':' || *at == '=')) {
			for (rest.at = at + 1; rest.at < t.end && strchr(" \"'", *rest.at);)
				rest.at++;
			t.at = t.end - rest.at >= BASE64_LEAST ? rest.at : t.at;
		}
	}
	for (at = t.at; at < t.end && base64_digit(*at) >= 0;)
		at++;
	rest = (struct text){at, t.end};
	while (rest.at < rest.end && rest.at - at < 2 && *rest.at == '=')
		rest.at++;
	/* Only padding, blanks, or the end of a quotation or an element may follow the digits. */
	return text_ends(rest) || strchr("\"',<", *rest.at) ? (struct text){t.at, at}
							    : (struct text){t.at, t.at};
}

/* Whether the text, which consists of base64 digits, is base64, and not a word or a hexadecimal
 * number. After a line of base64, any such text counts as base64. */
static bool is_base64(const struct explain_stream *s, struct text t)
{
	const size_t size = (size_t)(t.end - t.at);
	bool other = s->base64.active;

	if (size < (s->base64.active ? 1 : BASE64_SHORT) ||
	    (size < BASE64_LEAST && !s->base64.active && !is_base64_of_text(t.at, size)))
		return false;
	for (; t.at < t.end && !other; t.at++)
		other = *t.at > 'f';
	return other;
}

bool explain_base64_take(struct explain_stream *s, const char *line, size_t size)
{
	struct explain_stream *to = explain_stream_deeper(s);
	/* For speed, do not search lines that begin with a bracket, as nearly all lines of a log
	 * do. */
	const struct text t =
		to && size && *line != '[' ? body(line, size) : (struct text){line, line};

	if (!to || !is_base64(s, t)) {
		if (s->base64.active) {
			s->base64.active = 0;
			explain_stream_end(to);
		}
		return false;
	}
	if (!s->base64.active)
		s->base64.bits = s->base64.count = 0;
	s->base64.active = 1;
	for (const char *at = t.at; at < t.end; at++) {
		s->base64.bits = s->base64.bits << 6 | (uint32_t)base64_digit(*at);
		s->base64.count += 6;
		if (s->base64.count >= 8) {
			s->base64.count -= 8;
			explain_stream_put(to, (char)(s->base64.bits >> s->base64.count));
		}
	}
	return true;
}

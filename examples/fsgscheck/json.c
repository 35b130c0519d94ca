/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/* The length of the UTF-8 sequence at `s`; 0 if it is not valid (RFC 3629: no surrogates, no
 * overlong form, at most U+10FFFF). Brand strings and log text may contain any bytes. */
static size_t utf8_length(const unsigned char *s)
{
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4;
	else
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0; /* also for the zero byte that ends the text */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void escape(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		const size_t length = utf8_length(s);

		if (length == 0)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", out);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
}

static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	escape(out, text);
	fputc('"', out);
}

static void indent(struct json *json)
{
	fputc('\n', json->out);
	for (int i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

static void element(struct json *json, const char *key)
{
	if (json->filled)
		fputc(',', json->out);
	if (json->depth)
		indent(json);
	json->filled = true;
	if (key) {
		quote(json->out, key);
		fputs(": ", json->out);
	}
}

void json_begin(struct json *json, const char *key, char bracket)
{
	element(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->filled = false;
}

void json_end(struct json *json, char bracket)
{
	json->depth--;
	if (json->filled)
		indent(json);
	fputc(bracket, json->out);
	json->filled = true;
	if (json->depth == 0)
		fputc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	element(json, key);
	if (value && *value)
		quote(json->out, value);
	else
		fputs("null", json->out);
}

void json_lines(struct json *json, const char *key, json_line *line, const void *context)
{
	const char *text = line(context, 0);

	if (!text) {
		json_null(json, key);
		return;
	}
	element(json, key);
	fputc('"', json->out);
	for (uint32_t i = 1; text; text = line(context, i++)) {
		if (i > 1)
			escape(json->out, "\n");
		escape(json->out, text);
	}
	fputc('"', json->out);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	element(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	element(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	element(json, key);
	fputs("null", json->out);
}

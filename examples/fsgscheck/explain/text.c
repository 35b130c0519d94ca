/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include <string.h>

bool text_skip(struct text *t, const char *what)
{
	const size_t length = strlen(what);

	if ((size_t)(t->end - t->at) < length || memcmp(t->at, what, length) != 0)
		return false;
	t->at += length;
	return true;
}

void text_blank(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_hex(struct text *t, uint64_t *value)
{
	int digit;
	uint32_t digits = 0;

	text_skip(t, "0x");
	*value = 0;
	while (t->at < t->end && (digit = hex_digit(*t->at)) >= 0) {
		*value = *value << 4 | (uint64_t)digit;
		digits++;
		t->at++;
	}
	return digits > 0 && digits <= 16;
}

bool text_number(struct text *t, uint32_t *value)
{
	uint64_t n = 0;
	const char *start = t->at;

	while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
		n = n * 10 + (uint64_t)(*t->at++ - '0');
		if (n > UINT32_MAX)
			n = UINT32_MAX;
	}
	*value = (uint32_t)n;
	return t->at > start;
}

void text_copy(struct text *t, const char *stops, char *to, size_t size)
{
	size_t length = 0;

	while (t->at < t->end && *t->at && !strchr(stops, *t->at)) {
		if (length < size - 1)
			to[length++] = (unsigned char)*t->at < ' ' || *t->at == 0x7f ? '?' : *t->at;
		t->at++;
	}
	to[length] = '\0';
}

void text_clean(const char *from, char *to, size_t size)
{
	struct text t = {from, from + strlen(from)};

	text_copy(&t, "", to, size);
}

bool text_find(struct text *t, const char *what)
{
	const size_t length = strlen(what);
	const char *found = memmem(t->at, (size_t)(t->end - t->at), what, length);

	if (!found)
		return false;
	t->at = found + length;
	return true;
}

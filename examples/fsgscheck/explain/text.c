/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

static void skip_joints(struct text *t)
{
	while (t->at < t->end && *t->at == TEXT_JOINT)
		t->at++;
}

/* Continues text_skip_all() at the first character that differs, which may be a joint or a tab. */
static bool skip_rest(struct text *t, struct text rest, const char *what)
{
	for (; *what; what++) {
		const char *start = rest.at;

		skip_joints(&rest);
		if (rest.at < rest.end && (*rest.at == *what || (*rest.at == '\t' && *what == ' ')))
			rest.at++;
		else if (*what != ' ' || rest.at == start)
			return false;
	}
	*t = rest;
	return true;
}

bool text_skip_all(struct text *t, const char *what)
{
	struct text rest = *t;

	for (; *what && rest.at < rest.end && *rest.at == *what; what++)
		rest.at++;
	return skip_rest(t, rest, what);
}

void text_blank(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == TEXT_JOINT))
		t->at++;
}

bool text_ends(struct text t)
{
	text_blank(&t);
	return t.at == t.end;
}

uint32_t text_hex(struct text *t, uint64_t *value)
{
	uint64_t number = 0;
	uint32_t digits = 0;
	const char *at;

	text_skip(t, "0x");
	at = t->at;
	while (digits < 16 && at < t->end) {
		const int digit = text_hex_digit(*at);

		/* Another digit may follow a joint. */
		if (digit < 0 && *at != TEXT_JOINT)
			break;
		at++;
		if (digit < 0)
			continue;
		number = number << 4 | (uint64_t)digit;
		digits++;
		t->at = at;
	}
	*value = number;
	return digits;
}

bool text_number(struct text *t, uint32_t *value)
{
	uint64_t n = 0;
	bool any = false;

	for (;;) {
		struct text rest = *t;

		skip_joints(&rest);
		if (rest.at == rest.end || *rest.at < '0' || *rest.at > '9')
			break;
		n = n * 10 + (uint64_t)(*rest.at - '0');
		if (n > UINT32_MAX)
			n = UINT32_MAX;
		t->at = rest.at + 1;
		any = true;
	}
	*value = (uint32_t)n;
	return any;
}

/* The first place where a text with this first character may begin. A joint or a tab counts, too,
 * if the character is a blank. */
static const char *find_first(struct text t, char first)
{
	const char *at = memchr(t.at, first, (size_t)(t.end - t.at));

	if (!at)
		at = t.end;
	if (first != ' ')
		return at;
	for (const char *other = t.at; other < at; other++)
		if (*other == TEXT_JOINT || *other == '\t')
			return other;
	return at;
}

bool text_find(struct text *t, const char *what)
{
	struct text rest = *t;

	for (; (rest.at = find_first(rest, *what)) < rest.end; rest.at++) {
		struct text here = rest;

		if (text_skip(&here, what)) {
			*t = here;
			return true;
		}
	}
	return false;
}

static bool at_blank(struct text t)
{
	return t.at == t.end || *t.at == ' ' || *t.at == '\t' || *t.at == TEXT_JOINT ||
	       *t.at == ',';
}

bool text_has_word(struct text t, const char *word)
{
	bool begins = true;

	for (; t.at < t.end; t.at++) {
		struct text here = t;

		if (begins && text_skip(&here, word) && at_blank(here))
			return true;
		begins = at_blank(t);
	}
	return false;
}

size_t text_code(const char *bytes, size_t left, uint32_t *code)
{
	const unsigned char *const s = (const unsigned char *)bytes;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || length > left)
		return 0;
	*code = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3fu);
	}
	if (*code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return length;
}

/* Whether the code is in category Cc, Zl or Zp of Unicode 15, in category Cf and reorders text or
 * is invisible, or from U+E0000 to U+E0FFF (tags and variation selectors). */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);
}

void text_filter(const char *from, size_t length, char *to, size_t size)
{
	size_t kept = 0, at = 0;

	while (at < length && from[at]) {
		uint32_t code = 0;
		const size_t bytes = text_code(from + at, length - at, &code);
		const bool bad = !bytes || is_control(code);

		if (kept + (bad ? 1 : bytes) >= size)
			break;
		if (bad)
			to[kept++] = '?';
		else
			memcpy(to + kept, from + at, bytes);
		kept += bad ? 0 : bytes;
		at += bytes ? bytes : 1;
	}
	to[kept] = '\0';
}

void text_copy(struct text *t, const char *stops, char *to, size_t size)
{
	char plain[256];
	size_t length = 0;

	while (t->at < t->end && *t->at && !strchr(stops, *t->at)) {
		if (*t->at != TEXT_JOINT && length < sizeof plain)
			plain[length++] = *t->at;
		t->at++;
	}
	text_filter(plain, length, to, size);
}

void text_clean(const char *from, char *to, size_t size)
{
	text_filter(from, strlen(from), to, size);
}

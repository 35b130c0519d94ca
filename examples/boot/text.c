/* SPDX-License-Identifier: MIT */
#include "text.h"

void line_text(struct line *line, const char *text)
{
	while (*text && line->used < sizeof line->text - 1)
		line->text[line->used++] = *text++;
	line->text[line->used] = '\0';
}

void line_number(struct line *line, uint32_t number)
{
	char digits[11];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	line_text(line, digits + at);
}

void line_hex(struct line *line, uint64_t number)
{
	char digits[19];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = "0123456789abcdef"[number & 15];
	while (number >>= 4);
	digits[--at] = 'x';
	digits[--at] = '0';
	line_text(line, digits + at);
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

size_t text_word(const char *text)
{
	size_t length = 0;

	while (text[length] && text[length] != ' ')
		length++;
	return length;
}

int text_has_word(const char *text, const char *word)
{
	const size_t length = text_length(word);

	while (*text) {
		const size_t here = text_word(text);
		size_t same = 0;

		while (same < here && same < length && text[same] == word[same])
			same++;
		if (same == length && same == here)
			return 1;
		text += here;
		while (*text == ' ')
			text++;
	}
	return 0;
}

void *memset(void *to, int byte, size_t size)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
	return to;
}

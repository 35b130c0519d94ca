/* SPDX-License-Identifier: MIT */
#include "text.h"

void line_text(struct line *line, const char *text)
{
	while (*text && line->used < sizeof line->text - 1)
		line->text[line->used++] = *text++;
	line->text[line->used] = '\0';
}

void line_foreign(struct line *line, const char *text)
{
	for (; *text && line->used < sizeof line->text - 1; text++)
		line->text[line->used++] = *text >= ' ' && *text <= '~' ? *text : '?';
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

const char *text_next(const char *text)
{
	text += text_word(text);
	while (*text == ' ')
		text++;
	return text;
}

int text_starts(const char *text, const char *with)
{
	while (*with && *text == *with) {
		text++;
		with++;
	}
	return !*with;
}

int text_is_word(const char *text, const char *word)
{
	return text_starts(text, word) && text_word(text) == text_length(word);
}

int text_has_word(const char *text, const char *word)
{
	for (; *text; text = text_next(text))
		if (text_is_word(text, word))
			return 1;
	return 0;
}

void *memset(void *to, int byte, size_t size)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

/* Copies 8 bytes at a time, because an emulator takes as long for 8 bytes as for one. */
void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;
	size_t pieces = size / 8, rest = size % 8;

	__asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(pieces) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

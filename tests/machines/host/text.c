/* SPDX-License-Identifier: MIT */
#include "text.h"

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool text_copy(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
	return from[i] == '\0';
}

static const char *skip_prefix(const char *text, const char *prefix)
{
	for (; *prefix; prefix++, text++) {
		if (*text != *prefix)
			return NULL;
	}
	return text;
}

bool text_option(const char *line, const char *key, char *value, size_t size)
{
	while (*line) {
		const char *found = skip_prefix(line, key);
		size_t i = 0;

		if (found) {
			for (; i + 1 < size && found[i] && found[i] != ' '; i++)
				value[i] = found[i];
			value[i] = '\0';
			return true;
		}
		line = text_arguments(line);
	}
	return false;
}

const char *text_arguments(const char *line)
{
	while (*line && *line != ' ')
		line++;
	while (*line == ' ')
		line++;
	return line;
}

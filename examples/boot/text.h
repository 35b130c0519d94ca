/* SPDX-License-Identifier: MIT */
/* A line of text that is built piece by piece; text that does not fit is dropped. */
#ifndef BOOT_TEXT_H
#define BOOT_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct line {
	size_t used;
	char text[512];
};

void line_text(struct line *line, const char *text);
/* Like line_text(), for text from the hypervisor: characters that are not printable ASCII become
 * question marks. */
void line_foreign(struct line *line, const char *text);
void line_number(struct line *line, uint32_t number);
void line_hex(struct line *line, uint64_t number);

size_t text_length(const char *text);

/* The length of the first word of the text. */
size_t text_word(const char *text);

/* True if `text` begins with `with`. */
int text_starts(const char *text, const char *with);

/* The start of the next word, or the end of the text. */
const char *text_next(const char *text);

/* True if the first word of the text is this word. */
int text_is_word(const char *text, const char *word);

/* True when a command line has this word. */
int text_has_word(const char *text, const char *word);

/* The compiler generates calls of these functions. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

#endif

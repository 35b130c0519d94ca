/* SPDX-License-Identifier: MIT */
/* A line of text that is put together piece by piece; what does not fit is dropped. */
#ifndef BOOT_TEXT_H
#define BOOT_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct line {
	size_t used;
	char text[512];
};

void line_text(struct line *line, const char *text);
/* The same for what the hypervisor chose: a character that steers a terminal becomes a question
 * mark. */
void line_foreign(struct line *line, const char *text);
void line_number(struct line *line, uint32_t number);
void line_hex(struct line *line, uint64_t number);

size_t text_length(const char *text);

/* The length of the word that text begins with. */
size_t text_word(const char *text);

/* True when the text begins with another. */
int text_starts(const char *text, const char *with);

/* Where the next word begins, or the end. */
const char *text_next(const char *text);

/* True when the text begins with this word, whole. */
int text_is_word(const char *text, const char *word);

/* True when a command line has this word. */
int text_has_word(const char *text, const char *word);

/* For the compiler, which calls these by itself. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

#endif

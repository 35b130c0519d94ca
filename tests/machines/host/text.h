/* SPDX-License-Identifier: MIT */
/* Memory and strings, as far as a program without a C library needs them. */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The compiler may call these two by itself; the boot image has them. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

bool text_equal(const char *a, const char *b);

/* Copies what fits, always with an end; returns false when something was cut off. */
bool text_copy(char *to, size_t size, const char *from);

/*
 * Looks for the word "key=value" in a command line and copies the value, cut to what fits; false
 * when there is none.  @key includes the equals sign.
 */
bool text_option(const char *line, const char *key, char *value, size_t size);

/* The text after the first word: a loader puts the file's name before its arguments. */
const char *text_arguments(const char *line);

#endif

/* SPDX-License-Identifier: MIT */
/* The functions for memory and strings that a program without a C library needs. */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The compiler may add calls of these two functions. examples/boot/text.c defines them. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

bool text_equal(const char *a, const char *b);

/* Copies as much as fits, and always terminates the copy. Returns false if the text was cut off. */
bool text_copy(char *to, size_t size, const char *from);

/*
 * Looks for the word "key=value" in a command line, and copies as much of the value as fits.
 * Returns false if there is no such word. @key includes the equals sign.
 */
bool text_option(const char *line, const char *key, char *value, size_t size);

/* The text after the first word, because a loader puts the file's name before its arguments. */
const char *text_arguments(const char *line);

#endif

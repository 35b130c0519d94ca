/* SPDX-License-Identifier: MIT */
/*
 * Finds a prefix that the lines of a file share, for example a file's name, a logger's columns or
 * quote marks. The prefix is learnt from consecutive lines, in which its numbers, levels and blanks
 * may differ. It is then removed from each line before the line is read.
 *
 * A user must not be able to forge kernel messages by such a prefix. So if a file has kernel lines
 * without a prefix, no prefix is learnt from this file. Nothing is learnt from lines that a program
 * wrote to a system log, either. A prefix must not contain a word with which the kernel or an init
 * system introduces a user-chosen name.
 */
#include "explain.h"

#include <string.h>

/* This many lines in a row must begin with the prefix. All but the last are stored, and are read
 * once the prefix is known. */
#define LEARNT      (EXPLAIN_COMMON_KEPT + 1)
/* If no prefix has been found after this many lines, the file is read without one. */
#define MOST_TRIES  65536
/* The maximum number of words in a prefix. Levels, single letters, pairs of key and value, and
 * words after "/" or "." do not count. */
#define MOST_WORDS  6

/* Up to this many lines in a row may lack the prefix, because another tool or a person wrote
 * them. */
#define MOST_MISSES 3

#define LEVEL       '!'

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of the severity level with which the text begins, as loggers write it; 0 if there is
 * none. */
static size_t level_length(struct text t)
{
	static const char *const levels[] = {"TRACE", "DEBUG", "INFO",     "NOTICE",  "WARNING",
					     "WARN",  "ERROR", "CRITICAL", "FATAL",   "trace",
					     "debug", "info",  "notice",   "warning", "warn",
					     "error", "err",   "critical", "fatal",   NULL};

	for (const char *const *level = levels; *level; level++) {
		const size_t length = strlen(*level);

		if ((size_t)(t.end - t.at) > length && memcmp(t.at, *level, length) == 0 &&
		    !is_letter(t.at[length]))
			return length;
	}
	return 0;
}

struct shape {
	uint32_t length;
	char text[EXPLAIN_COMMON];
	uint16_t end[EXPLAIN_COMMON]; /* where in the line each character of the shape ends */
};

/* Gets the shape of a line, in which each number, level and run of blanks is one character. A "-"
 * becomes ":", because `grep -A` writes "-" instead of ":" for lines that do not match. */
static void shape_of(struct text t, uint32_t most, struct shape *s)
{
	const char *const start = t.at;

	s->length = 0;
	while (t.at < t.end && s->length < most && t.at - start < UINT16_MAX) {
		char c = *t.at++;

		if (text_is_digit(c)) {
			while (t.at < t.end && text_is_digit(*t.at))
				t.at++;
			c = '0';
		} else if (c == ' ' || c == '\t') {
			while (t.at < t.end && (*t.at == ' ' || *t.at == '\t'))
				t.at++;
			c = ' ';
		} else if (c == '-') {
			c = ':';
		} else if (is_letter(c) && (t.at - 1 == start || !is_letter(t.at[-2]))) {
			const size_t length = level_length((struct text){t.at - 1, t.end});

			/* "W/kernel" of Android */
			if (length || (t.at < t.end && *t.at == '/' && strchr("VDIWEF", c))) {
				t.at += length ? length - 1 : 0;
				c = LEVEL;
			}
		}
		s->text[s->length] = c;
		s->end[s->length++] = (uint16_t)(t.at - start);
	}
}

/* The maximum length of a prefix in a line of this shape. A prefix ends after a blank or
 * punctuation, and before the kernel's own timestamp or level, which prefix.c parses. */
static uint32_t boundary(const char *shape, uint32_t length)
{
	static const char *const own[] = {"[0.0]", "[ 0.0]", "[0.0][", "<0>"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		const char *at = memmem(shape, length, own[i], strlen(own[i]));

		if (at)
			length = (uint32_t)(at - shape);
	}
	while (length && !strchr(" :|]>)}\"'`=+#*;,/%@~", shape[length - 1]))
		length--;
	return length;
}

/* Whether a tool may have written a prefix of this shape. If not, the prefix may contain a
 * user-chosen name. */
static bool is_of_a_tool(const char *shape, uint32_t length)
{
	/* A prefix must not contain these words, which introduce names of programs, files, devices
	 * and units. */
	static const char *const names[] = {
		"traps",   "trap",       "audit",    "systemd", "init",     "input",   "usb",
		"process", "Product",    "segfault", "comm",    "exe",      "Comm",    "Killed",
		"cgroup",  "ip",         "sp",       "in",      "warning",  "Modules", "launched",
		"COMMAND", "CMD",        "mount",    "option",  "missing",  "task",    "unit",
		"profile", "OK",         "FAILED",   "Started", "Starting", "label",   "renamed",
		"port",    "constraint", "Direct",   "module",  "Tasks"};
	uint32_t words = 0;
	bool marks = false;

	for (uint32_t i = 0; i < length; i++) {
		uint32_t end = i;

		marks |= shape[i] != ' ';
		if (!is_letter(shape[i]))
			continue;
		while (end < length && (is_letter(shape[end]) || shape[end] == '_'))
			end++;
		for (size_t n = 0; n < sizeof names / sizeof *names; n++)
			if (strlen(names[n]) == end - i &&
			    memcmp(shape + i, names[n], end - i) == 0)
				return false;
		words += end - i > 1 && !(end < length && shape[end] == '=') &&
			 !(i && strchr("=/.", shape[i - 1]));
		i = end - 1;
	}
	return marks && words <= MOST_WORDS;
}

static uint32_t same_length(const char *a, uint32_t length, const struct shape *b)
{
	uint32_t i = 0;

	while (i < length && i < b->length && a[i] == b->text[i])
		i++;
	return i;
}

static void start_again(struct explain_common *c, const struct shape *s)
{
	c->lines = c->learnt = c->misses = 0;
	c->length = s->length;
	memcpy(c->shape, s->text, s->length);
}

static void keep(struct explain_common *c, struct text t, uint64_t line, bool was_read)
{
	const size_t length = (size_t)(t.end - t.at);
	struct explain_kept *kept = &c->kept[c->lines];

	kept->line = line;
	kept->length = was_read || length > sizeof kept->text ? 0 : (uint32_t)length;
	memcpy(kept->text, t.at, kept->length);
}

void explain_common_bar(struct explain_common *c)
{
	c->barred = 1;
	c->learnt = 0;
}

/* Skips the prefix if the line begins with its shape. If nothing follows the prefix, the blank at
 * its end may be missing. */
static bool skip(const struct explain_common *c, struct text *t)
{
	struct shape s;
	uint32_t same;

	shape_of(*t, c->length, &s);
	same = same_length(c->shape, c->length, &s);
	if (same == c->length) {
		t->at += s.end[same - 1];
		return true;
	}
	if (same == s.length && s.length < c->length &&
	    strspn(c->shape + same, " ") == c->length - same) {
		t->at = t->end;
		return true;
	}
	return false;
}

/* If the prefix ends with a quotation mark, a logger quoted the message. The message then ends at
 * the next such mark that has no backslash before it. */
static void end_quote(const struct explain_common *c, struct text *t)
{
	const char quote = c->shape[c->length - 1];

	if (quote != '"' && quote != '\'')
		return;
	for (const char *at = t->at; at < t->end; at++) {
		if (*at == '\\' && at + 1 < t->end)
			at++;
		else if (*at == quote) {
			t->end = at;
			return;
		}
	}
}

bool explain_common_skip(const struct explain_common *c, struct text *t)
{
	if (!c->learnt || !skip(c, t))
		return false;
	end_quote(c, t);
	return true;
}

bool explain_common_learn(struct explain_common *c, struct text t, uint64_t line, bool was_read)
{
	struct shape s;
	uint32_t same;

	if (c->barred || text_ends(t))
		return false;
	if (!c->learnt && c->tries++ == MOST_TRIES) {
		explain_common_bar(c);
		return false;
	}
	shape_of(t, EXPLAIN_COMMON, &s);
	same = same_length(c->shape, c->length, &s);
	if (!c->lines || !boundary(c->shape, same)) {
		if (c->learnt && c->misses++ < MOST_MISSES)
			return false;
		start_again(c, &s);
	} else {
		c->misses = 0;
		c->length = c->learnt || c->lines + 1 == LEARNT ? boundary(c->shape, same) : same;
		if (c->lines + 1 == LEARNT && !is_of_a_tool(c->shape, c->length)) {
			start_again(c, &s);
		} else if (c->lines + 1 == LEARNT || c->learnt) {
			const bool first = !c->learnt;

			c->learnt = 1;
			c->lines = LEARNT - 1;
			return first;
		}
	}
	keep(c, t, line, was_read);
	c->lines++;
	return false;
}

/* SPDX-License-Identifier: MIT */
/* What `explain` has found in all files, and the forms in which it says it. */
#ifndef FSGSCHECK_FOUND_H
#define FSGSCHECK_FOUND_H

#include <stdio.h>

#include "../output.h"
#include "explain.h"

/* Distinct crashes and boots of which each gets a page; a machine in a boot loop dies the same
 * way. */
#define MAX_PAGES              8
/* Machines that fit beside each other. */
#define MAX_COLUMNS            4
/* Distinct pairs of verdict and findings; the last takes what did not fit. */
#define MAX_GROUPS_OF_MACHINES 64
#define MAX_NAME               96
#define FOUND_STANDARD_INPUT   "standard input"

struct found_item {
	struct explain_source source;
	char name[MAX_NAME]; /* the file's, or the host's */
	uint64_t count;      /* how often the same was found */
};

/* One machine, as far as a list of names needs it. */
struct machine {
	char *name;
	uint32_t group;
};

/* Names, as many as there are. */
struct names {
	char **list;
	size_t count, room;
};

/* A file that has to be unpacked before it can be read. */
struct found_packed {
	const struct explain_packed *packed;
	char name[MAX_NAME];
};

struct found {
	struct found_item pages[MAX_PAGES];
	uint32_t page_count;
	uint64_t more; /* pages that did not fit */

	struct found_item groups[MAX_GROUPS_OF_MACHINES];
	uint32_t group_count;
	struct found_item columns[MAX_COLUMNS];
	struct machine *machines;
	size_t machine_count, machine_room;

	struct found_item worst; /* count is 0 when there is nothing */
	uint64_t lines, crashes, foreign, unread;
	uint64_t unread_line; /* the first of them */
	struct found_packed packed[MAX_PAGES];
	uint32_t packed_count;
	uint64_t files;
	struct names without; /* evidence: files */
	bool out_of_memory;
	struct explain_hint hint; /* for when there is nothing else */

	const char *file; /* that is being read */
	bool file_has_evidence;
	uint32_t from_this_file; /* machines */
};

/* Around a file: its name is used until the end. */
void found_begin_file(struct found *found, const char *name);
void found_add(struct found *found, const struct explain_source *source);
void found_end_file(struct found *found, struct explain *explain, bool all_read);
/* After the last file. */
void found_end(struct found *found, const struct explain *explain);
void found_free(struct found *found);

/* The group that a healthy fleet would consist of: the largest. */
uint32_t found_usual(const struct found *found);

/* found.c: words that the page and the JSON share. */
#define FOUND_TEXT 256
const char *found_code(const struct explain_source *s, char text[FOUND_TEXT]);
uint64_t found_count_verdict(const struct found *found, uint32_t verdict);
/* Whose fault it is. */
const struct side *found_side(const struct explain_source *s);
const char *found_kind_name(uint32_t kind);
const char *found_kind_text(uint32_t kind);
/* The command that unpacks it, to be copied into a shell; NULL without one. */
const char *found_packed_command(const struct found_packed *packed, char text[2 * FOUND_TEXT]);
/* What to do about crashes that could not be read. */
extern const char found_unread_text[];

void found_print(FILE *out, const struct found *found);
void found_print_notes(FILE *out, const struct explain_source *s);
void found_print_table(FILE *out, const struct found *found);
void found_json(FILE *out, const struct found *found);

/* What a table of machines proves and what not: sentence `n`, NULL after the last. */
const char *found_lesson(const struct found *found, uint32_t n);

/* A row of that table. Gives false after the last. */
bool found_row(uint32_t row, const struct explain_source *source, const char **title, char *text,
	       size_t size);

#endif

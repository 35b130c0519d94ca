/* SPDX-License-Identifier: MIT */
/* The results of `explain` from all files, and their output formats. */
#ifndef FSGSCHECK_FOUND_H
#define FSGSCHECK_FOUND_H

#include <stdio.h>

#include "../output.h"
#include "explain.h"

/* Maximum number of distinct crashes, boots, hosts' messages and programs' deaths with a page of
 * their own. Equal results share a page, so a machine in a boot loop needs only one. The list of
 * packed files has the same maximum length. */
#define MAX_PAGES              8
/* Maximum number of machines in a table, one in each column. */
#define MAX_COLUMNS            4
/* Maximum number of groups of machines with the same verdict and findings. If there are more
 * groups, the last one also counts the machines of all further groups. */
#define MAX_GROUPS_OF_MACHINES 64
#define MAX_NAME               96
#define FOUND_STANDARD_INPUT   "standard input"

struct found_item {
	struct explain_source source;
	char name[MAX_NAME]; /* the name of the file or the host */
	uint64_t count;      /* number of equal results; in a group, of machines */
};

/* A machine's name, and the index of its group in `groups`. */
struct machine {
	char *name;
	uint32_t group;
};

/* A list of names that grows as needed. */
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
	uint64_t more; /* number of results that got no page */

	struct found_item groups[MAX_GROUPS_OF_MACHINES];
	uint32_t group_count;
	struct found_item columns[MAX_COLUMNS];
	struct machine *machines;
	size_t machine_count, machine_room;

	struct found_item worst; /* the worst result; its count is 0 if there is no result */
	uint64_t lines, crashes, foreign, unread;
	uint64_t unread_line; /* the line of the first unread crash */
	struct found_packed packed[MAX_PAGES];
	uint32_t packed_count;
	uint64_t files;
	struct names without; /* files without evidence */
	bool out_of_memory;
	struct explain_hint hint; /* shown if no file has evidence */

	const char *file; /* the current file */
	bool file_has_evidence;
	uint32_t from_this_file; /* number of machines in the current file so far */
};

/* Call found_begin_file() before and found_end_file() after each file. `name` must stay valid until
 * found_end_file() returns. */
void found_begin_file(struct found *found, const char *name);
void found_add(struct found *found, const struct explain_source *source);
void found_end_file(struct found *found, struct explain *explain, bool all_read);
/* Call after the last file. */
void found_end(struct found *found, const struct explain *explain);
void found_free(struct found *found);

/* The index of the largest group, which shows the usual result in a fleet. Among the largest
 * groups, chooses the one with the best verdict. */
uint32_t found_usual(const struct found *found);

/* found.c: values that both print.c and found-json.c print. */
#define FOUND_TEXT 256
const char *found_code(const struct explain_source *s, char text[FOUND_TEXT]);
uint64_t found_count_verdict(const struct found *found, uint32_t verdict);
/* The side at fault. */
const struct side *found_side(const struct explain_source *s);
const char *found_kind_name(uint32_t kind);
const char *found_kind_text(uint32_t kind);
/* The command that unpacks the file, to be copied into a shell; NULL if there is none. */
const char *found_packed_command(const struct found_packed *packed, char text[2 * FOUND_TEXT]);
/* The text about crashes that could not be read, with advice. */
extern const char found_unread_text[];

void found_print(FILE *out, const struct found *found);
void found_print_notes(FILE *out, const struct explain_source *s);
void found_print_table(FILE *out, const struct found *found);
void found_json(FILE *out, const struct found *found);

/* Sentence `n` about what a table of machines proves and does not prove; NULL after the last. */
const char *found_lesson(const struct found *found, uint32_t n);

/* Gets a row of the table: its title, and the text for one machine. Returns false after the last
 * row. */
bool found_row(uint32_t row, const struct explain_source *source, const char **title, char *text,
	       size_t size);

#endif

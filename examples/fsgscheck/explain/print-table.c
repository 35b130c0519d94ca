/* SPDX-License-Identifier: MIT */
/* Prints several machines side by side: the differences, and the conclusions from them. */
#include "found.h"

#include <string.h>

#include "../output.h"

#define TITLE  21
#define COLUMN 26

static bool differs(const struct found *found, uint32_t row, uint32_t columns)
{
	char first[FOUND_TEXT], text[FOUND_TEXT];
	const char *title;

	found_row(row, &found->columns[0].source, &title, first, sizeof first);
	for (uint32_t i = 1; i < columns; i++) {
		found_row(row, &found->columns[i].source, &title, text, sizeof text);
		if (strcmp(first, text) != 0)
			return true;
	}
	return false;
}

/* Prints a row. If a cell is wider than its column, the row takes several lines. */
static void put_cells(FILE *out, const struct found *found, uint32_t row, uint32_t columns)
{
	const char *title = "";
	char text[MAX_COLUMNS][FOUND_TEXT];
	size_t shown[MAX_COLUMNS] = {0};
	bool more = false, first = true;

	for (uint32_t i = 0; i < columns; i++) {
		found_row(row, &found->columns[i].source, &title, text[i], FOUND_TEXT);
		more |= text[i][0] != '\0';
	}
	for (; more; first = false) {
		fprintf(out, "%c %-*s", first && differs(found, row, columns) ? '*' : ' ', TITLE,
			first ? title : "");
		more = false;
		for (uint32_t i = 0; i < columns; i++) {
			const char *rest = text[i] + shown[i];
			size_t length = strlen(rest);

			if (length > COLUMN) {
				for (length = COLUMN; length && rest[length] != ' ';)
					length--;
				length = length ? length : COLUMN;
			}
			fprintf(out, "  %-*.*s", i + 1 < columns ? COLUMN : 0, (int)length, rest);
			shown[i] += length;
			shown[i] += text[i][shown[i]] == ' ';
			more |= text[i][shown[i]] != '\0';
		}
		fputc('\n', out);
	}
}

void found_print_table(FILE *out, const struct found *found)
{
	const uint32_t columns = (uint32_t)found->machine_count;
	const char *title, *lesson;
	char text[FOUND_TEXT];

	fprintf(out, "  %-*s", TITLE, "");
	for (uint32_t i = 0; i < columns; i++) {
		const char *name = found->columns[i].name;
		const size_t length = strlen(name);

		/* Show the end of a long name, because names usually differ there. */
		fprintf(out, "  %-*s", i + 1 < columns ? COLUMN : 0,
			name + (length > COLUMN ? length - COLUMN : 0));
	}
	fputc('\n', out);
	for (uint32_t row = 0; found_row(row, &found->columns[0].source, &title, text, sizeof text);
	     row++)
		put_cells(out, found, row, columns);
	fputs("\nWhat the differences (*) prove, and what they do not prove\n", out);
	for (uint32_t i = 0; (lesson = found_lesson(found, i)); i++) {
		fputs("  ", out);
		print_wrapped(out, lesson, 2, 2);
	}
	for (uint32_t i = 0; i < columns; i++) {
		const struct explain_source *s = &found->columns[i].source;

		fprintf(out, "\n%s: ", found->columns[i].name);
		print_verdict_words(out, &s->report, found_side(s)->words);
		print_findings(out, &s->report);
		found_print_notes(out, s);
		print_advice(out, &s->report);
	}
}

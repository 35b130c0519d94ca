/* SPDX-License-Identifier: MIT */
/*
 * The page for people: the verdict in large letters and its meaning, then the steps to take, the
 * cheapest first, then the evidence.
 */
#include "machine.h"
#include "screen.h"

#define LETTER_ROWS    5
#define LETTER_COLUMNS 5
#define BANNER_ROWS    (LETTER_ROWS + 2)
#define MARGIN         2

/* The letters A to Z, as rows from the top. Bit 4 is the leftmost column. */
static const uint8_t letters[26][LETTER_ROWS] = {
	{0x0e, 0x11, 0x1f, 0x11, 0x11}, /* A */
	{0x1e, 0x11, 0x1e, 0x11, 0x1e}, /* B */
	{0x0f, 0x10, 0x10, 0x10, 0x0f}, /* C */
	{0x1e, 0x11, 0x11, 0x11, 0x1e}, /* D */
	{0x1f, 0x10, 0x1e, 0x10, 0x1f}, /* E */
	{0x1f, 0x10, 0x1e, 0x10, 0x10}, /* F */
	{0x0f, 0x10, 0x13, 0x11, 0x0f}, /* G */
	{0x11, 0x11, 0x1f, 0x11, 0x11}, /* H */
	{0x0e, 0x04, 0x04, 0x04, 0x0e}, /* I */
	{0x07, 0x02, 0x02, 0x12, 0x0c}, /* J */
	{0x11, 0x12, 0x1c, 0x12, 0x11}, /* K */
	{0x10, 0x10, 0x10, 0x10, 0x1f}, /* L */
	{0x11, 0x1b, 0x15, 0x11, 0x11}, /* M */
	{0x11, 0x19, 0x15, 0x13, 0x11}, /* N */
	{0x0e, 0x11, 0x11, 0x11, 0x0e}, /* O */
	{0x1e, 0x11, 0x1e, 0x10, 0x10}, /* P */
	{0x0e, 0x11, 0x15, 0x12, 0x0d}, /* Q */
	{0x1e, 0x11, 0x1e, 0x12, 0x11}, /* R */
	{0x0f, 0x10, 0x0e, 0x01, 0x1e}, /* S */
	{0x1f, 0x04, 0x04, 0x04, 0x04}, /* T */
	{0x11, 0x11, 0x11, 0x11, 0x0e}, /* U */
	{0x11, 0x11, 0x11, 0x0a, 0x04}, /* V */
	{0x11, 0x11, 0x15, 0x1b, 0x11}, /* W */
	{0x11, 0x0a, 0x04, 0x0a, 0x11}, /* X */
	{0x11, 0x0a, 0x04, 0x04, 0x04}, /* Y */
	{0x1f, 0x02, 0x04, 0x08, 0x1f}, /* Z */
};

/* What the verdict means for booting this machine. */
static const char *const meanings[] = {
	[FSGS_VERDICT_UNKNOWN] = "The test did not finish. Nothing is known about this machine "
				 "yet.",
	[FSGS_VERDICT_USABLE] = "Kernels and programs can use FSGSBASE on this machine.",
	[FSGS_VERDICT_UNSUPPORTED] = "The machine does not offer FSGSBASE. Kernels boot, and use "
				     "MSRs instead.",
	[FSGS_VERDICT_DISABLED] = "FSGSBASE is switched off here. Kernels use MSRs instead.",
	[FSGS_VERDICT_UNADVERTISED] = "The machine executes the FSGSBASE instructions, but CPUID "
				      "does not offer them. Kernels boot, and use MSRs instead.",
	[FSGS_VERDICT_BROKEN] = "The machine offers FSGSBASE, but it does not work. Linux 5.9 and "
				"later, and other kernels that rely on it, crash at boot or lose "
				"data.",
	[FSGS_VERDICT_INCONSISTENT] = "The CPUs differ, or repeated tests differ. A kernel may "
				      "boot at first, and later crash or lose data.",
};

/* The colour of the banner by exit status: 0 usable, 1 not usable but consistent, 2 defective, 3
 * unknown. */
static const uint8_t banner_colours[] = {SCREEN_GREEN, SCREEN_BROWN, SCREEN_RED, SCREEN_MAGENTA};

static screen_cell cells[SCREEN_ROWS * SCREEN_COLUMNS];
static int row;
static int cut;

static void fill(int from, int rows, screen_cell cell)
{
	for (int i = from * SCREEN_COLUMNS; i < (from + rows) * SCREEN_COLUMNS; i++)
		cells[i] = cell;
}

static void put(int at_row, int column, const char *text, unsigned foreground, unsigned background)
{
	for (; *text && column < SCREEN_COLUMNS; column++)
		cells[at_row * SCREEN_COLUMNS + column] =
			screen_make(*text++, foreground, background);
}

/* Prints a paragraph from the next free row on. Wraps it at words, with continued lines indented
 * like the text. Drops text that would reach the last row, which is reserved, and then sets
 * `cut`. */
static void paragraph(const char *label, const char *text, unsigned colour)
{
	const int indent = MARGIN + (int)text_length(label);
	int column = indent;

	if (row >= SCREEN_ROWS - 1) {
		cut = 1;
		return;
	}
	put(row, MARGIN, label, SCREEN_WHITE, SCREEN_BLACK);
	while (*text) {
		const int length = (int)text_word(text);

		if (column > indent && column + length > SCREEN_COLUMNS - MARGIN) {
			column = indent;
			if (++row >= SCREEN_ROWS - 1) {
				cut = 1;
				return;
			}
		}
		for (int i = 0; i < length; i++, column++)
			if (column < SCREEN_COLUMNS)
				cells[row * SCREEN_COLUMNS + column] =
					screen_make(text[i], colour, SCREEN_BLACK);
		column++;
		text += length;
		while (*text == ' ')
			text++;
	}
	row++;
}

static void put_banner(const char *word, unsigned background)
{
	const int width = (int)text_length(word) * (LETTER_COLUMNS + 1) - 1;
	int column = (SCREEN_COLUMNS - width) / 2;

	fill(row, BANNER_ROWS, screen_make(' ', SCREEN_WHITE, background));
	for (; *word; word++, column += LETTER_COLUMNS + 1)
		for (int y = 0; y < LETTER_ROWS; y++)
			for (int x = 0; x < LETTER_COLUMNS; x++)
				if (letters[*word - 'a'][y] >> (LETTER_COLUMNS - 1 - x) & 1)
					cells[(row + 1 + y) * SCREEN_COLUMNS + column + x] =
						screen_make((char)SCREEN_BLOCK, SCREEN_WHITE,
							    background);
	row += BANNER_ROWS;
}

static void put_steps(const struct fsgs_report *r)
{
	const char *step;
	uint32_t number = 0;

	if (!fsgs_advice(r, sizeof *r, 0)) {
		paragraph("What to do: ", "nothing.", SCREEN_GREY);
		return;
	}
	paragraph("What to do, cheapest first:", "", SCREEN_GREY);
	for (uint32_t i = 0; (step = fsgs_advice(r, sizeof *r, i)); i++) {
		struct line label = {0};

		/* A command belongs to the step before it, so it gets no number. */
		if (step[0] != ' ') {
			line_number(&label, ++number);
			line_text(&label, ". ");
			paragraph(label.text, step, SCREEN_WHITE);
		} else {
			paragraph("   ", step + 4, SCREEN_YELLOW);
		}
	}
}

/* Lists the distinct results in one paragraph, if there is more than one. */
static void put_results(void)
{
	struct line tested = {0};

	for (uint32_t i = 0; i < machine.result_count; i++) {
		line_text(&tested, i ? ", " : "");
		machine_cpus(&tested, &machine.results[i]);
		line_text(&tested, " ");
		line_text(&tested, fsgs_name(FSGS_LIST_VERDICT, machine.results[i].report.verdict));
	}
	if (machine.result_count > 1)
		paragraph("Tested:     ", tested.text, SCREEN_GREY);
}

static void put_machine(void)
{
	struct line host = {0}, processor = {0};

	machine_host_line(&host);
	machine_processor_line(&processor);
	paragraph("Hypervisor: ", host.text, SCREEN_GREY);
	paragraph("Processor:  ", processor.text, SCREEN_GREY);
}

static void put_findings(const struct fsgs_report *r)
{
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++) {
		struct line label = {0};

		if (!(r->findings & FSGS_FINDING_BIT(i)))
			continue;
		line_text(&label, fsgs_name(FSGS_LIST_FINDING, i));
		line_text(&label, ": ");
		paragraph(label.text, fsgs_describe(FSGS_LIST_FINDING, i), SCREEN_GREY);
	}
}

static void put_title(void)
{
	struct line title = {0};

	machine_version_line(&title);
	line_text(&title, ": ");
	machine_tested_line(&title);
	put(0, MARGIN, title.text, SCREEN_GREY, SCREEN_BLACK);
	put(0, SCREEN_COLUMNS - MARGIN - (int)text_length(screen_hint), screen_hint, SCREEN_WHITE,
	    SCREEN_BLACK);
}

/* Draws the page. With `spacing` 1, a blank row is added above the meaning and above the reason.
 * Returns whether everything except the findings fits. */
static int put_page(const struct fsgs_report *r, int spacing)
{
	int complete;

	fill(0, SCREEN_ROWS, screen_make(' ', SCREEN_GREY, SCREEN_BLACK));
	cut = 0;
	put_title();
	row = 1;
	put_banner(fsgs_name(FSGS_LIST_VERDICT, r->verdict),
		   banner_colours[fsgs_exit_status(r->verdict)]);
	row += spacing;
	paragraph("", meanings[r->verdict], SCREEN_WHITE);
	row++;
	put_steps(r);
	row += spacing;
	paragraph("Why: ", fsgs_reason(r, sizeof *r), SCREEN_GREY);
	put_results();
	put_machine();
	complete = !cut;
	put_findings(r);
	return complete;
}

void page_show(void)
{
	const struct fsgs_report *r = &machine.report;
	struct line last = {0};

	if (!put_page(r, 1))
		(void)put_page(r, 0);
	/* The last row names all findings, also those that did not fit above it. */
	machine_contract_line(&last);
	fill(SCREEN_ROWS - 1, 1, screen_make(' ', SCREEN_BLACK, SCREEN_GREY));
	put(SCREEN_ROWS - 1, MARGIN, last.text, SCREEN_BLACK, SCREEN_GREY);
	screen_show(cells);
}

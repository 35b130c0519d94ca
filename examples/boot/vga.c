/* SPDX-License-Identifier: MIT */
/* The screen of a BIOS machine: VGA text mode, in which loaders start an image that requests no
 * graphics mode. */
#include "cpu.h"
#include "screen.h"
#include "text.h"

#define CELLS       (SCREEN_ROWS * SCREEN_COLUMNS)
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CRTC_CURSOR 0x0a
#define CURSOR_OFF  0x20
#define CRTC_START  0x0c

#define ORDINARY(c) screen_make((c), SCREEN_GREY, SCREEN_BLACK)

const char screen_hint[] = "You may switch off now.";

/*
 * In a guest, each access to video memory may exit to the hypervisor. So four cells are written at
 * once, and only if they changed.
 */
#define CELLS_PER_PIECE 4
#define PIECES          (CELLS / CELLS_PER_PIECE)

static volatile uint64_t *const memory = (volatile uint64_t *)0xb8000;
static uint64_t shown[PIECES];

static screen_cell wanted[CELLS];
static int started, row;

static void crtc(uint8_t reg, uint8_t value)
{
	outb(CRTC_INDEX, reg);
	outb(CRTC_DATA, value);
}

static uint64_t piece_of(const screen_cell cells[CELLS], int piece)
{
	uint64_t value;

	memcpy(&value, cells + piece * CELLS_PER_PIECE, sizeof value);
	return value;
}

void screen_start(void)
{
	started = 1;
	crtc(CRTC_CURSOR, CURSOR_OFF);
	crtc(CRTC_START, 0);
	crtc(CRTC_START + 1, 0);
	for (int i = 0; i < CELLS; i++)
		wanted[i] = ORDINARY(' ');
	for (int i = 0; i < PIECES; i++)
		memory[i] = shown[i] = piece_of(wanted, i);
}

/* Clears a full screen instead of scrolling it, because scrolling would change every row. */
void screen_line(const char *text)
{
	if (!started)
		return;
	if (row == SCREEN_ROWS)
		row = 0;
	for (int i = row * SCREEN_COLUMNS; i < CELLS; i++)
		wanted[i] = ORDINARY(i < (row + 1) * SCREEN_COLUMNS && *text ? *text++ : ' ');
	row++;
	screen_show(wanted);
}

void screen_show(const screen_cell cells[CELLS])
{
	for (int i = 0; i < PIECES; i++) {
		const uint64_t value = piece_of(cells, i);

		if (shown[i] != value)
			memory[i] = shown[i] = value;
	}
}

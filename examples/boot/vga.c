/* SPDX-License-Identifier: MIT */
/* The screen of a machine that started from a BIOS: VGA text, which every loader leaves it in. */
#include "cpu.h"
#include "screen.h"

#define CELLS       (SCREEN_ROWS * SCREEN_COLUMNS)
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CRTC_CURSOR 0x0a
#define CURSOR_OFF  0x20
#define CRTC_START  0x0c

#define ORDINARY(c) screen_make((c), SCREEN_GREY, SCREEN_BLACK)

const char screen_hint[] = "You may switch off now.";

static volatile screen_cell *const memory = (volatile screen_cell *)0xb8000;

/* Kept here as well: reading video memory is slow everywhere. */
static screen_cell shown[CELLS];

static void crtc(uint8_t reg, uint8_t value)
{
	outb(CRTC_INDEX, reg);
	outb(CRTC_DATA, value);
}

void screen_start(void)
{
	crtc(CRTC_CURSOR, CURSOR_OFF);
	crtc(CRTC_START, 0);
	crtc(CRTC_START + 1, 0);
	for (int i = 0; i < CELLS; i++)
		memory[i] = shown[i] = ORDINARY(' ');
}

void screen_line(const char *text)
{
	const int last = CELLS - SCREEN_COLUMNS;

	for (int i = 0; i < last; i++)
		shown[i] = shown[i + SCREEN_COLUMNS];
	for (int i = last; i < CELLS; i++)
		shown[i] = ORDINARY(*text ? *text++ : ' ');
	screen_show(shown);
}

void screen_show(const screen_cell cells[CELLS])
{
	for (int i = 0; i < CELLS; i++)
		memory[i] = cells[i];
}

/* SPDX-License-Identifier: MIT */
/* The screen: 80 columns, 25 rows, the colours of the text mode. */
#ifndef BOOT_SCREEN_H
#define BOOT_SCREEN_H

#include <stdint.h>

#define SCREEN_COLUMNS 80
#define SCREEN_ROWS    25

/* A character of code page 437 and its colours: foreground in bits 8 to 11, background in 12 to
 * 14. */
typedef uint16_t screen_cell;

#define SCREEN_BLOCK 0xdb /* the full block of code page 437 */

enum screen_colour {
	SCREEN_BLACK = 0,
	SCREEN_GREEN = 2,
	SCREEN_RED = 4,
	SCREEN_MAGENTA = 5,
	SCREEN_BROWN = 6,
	SCREEN_GREY = 7,
	SCREEN_YELLOW = 14,
	SCREEN_WHITE = 15
};

static inline screen_cell screen_make(char c, unsigned foreground, unsigned background)
{
	return (screen_cell)((uint8_t)c | foreground << 8 | background << 12);
}

/* The text on the page that says how to continue. */
extern const char screen_hint[];

void screen_start(void);

/* Prints a line below the previous line. */
void screen_line(const char *text);

/* Draws the whole screen. */
void screen_show(const screen_cell cells[SCREEN_ROWS * SCREEN_COLUMNS]);

#endif

/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include "console.h"
#include "cpu.h"

#define PORT                  0x3f8
#define PORT_DIVISOR          (PORT + 1)
#define PORT_FIFO             (PORT + 2)
#define PORT_LINE             (PORT + 3)
#define PORT_MODEM            (PORT + 4)
#define PORT_STATUS           (PORT + 5)

#define STATUS_TRANSMIT_EMPTY 0x20

/* Without a serial port, STATUS_TRANSMIT_EMPTY may never be set, so put() polls only this often. */
#define WAIT_LIMIT            100000

#define DEBUG_EXIT_PORT       0xf4
#define DEBUG_EXIT_HOST       0x7f /* QEMU exits with 2 * 0x7f + 1 = 255 */
#define RESET_PORT            0xcf9
#define RESET_HARD            0x06

void console_init(void)
{
	outb(PORT_DIVISOR, 0);
	outb(PORT_LINE, 0x80);
	outb(PORT, 1); /* 115200 baud */
	outb(PORT_DIVISOR, 0);
	outb(PORT_LINE, 0x03); /* 8 bits, no parity, one stop bit */
	outb(PORT_FIFO, 0xc7);
	outb(PORT_MODEM, 0x03);
}

static void put(char c)
{
	for (int i = 0; i < WAIT_LIMIT && !(inb(PORT_STATUS) & STATUS_TRANSMIT_EMPTY); i++)
		;
	outb(PORT, (uint8_t)c);
}

void console_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

void console_hex(uint64_t value)
{
	int shift = 60;

	console_text("0x");
	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put("0123456789abcdef"[value >> shift & 15]);
}

void stop(const char *reason, uint64_t value)
{
	console_text("host: stopped: ");
	console_text(reason);
	console_text(" ");
	console_hex(value);
	console_text("\n");
	outb(DEBUG_EXIT_PORT, DEBUG_EXIT_HOST);
	outb(RESET_PORT, RESET_HARD);
	for (;;)
		__asm__ volatile("cli; hlt");
}

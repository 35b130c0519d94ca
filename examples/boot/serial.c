/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include "serial.h"
#include "xen.h"

#define COM1              0x3f8
#define COM1_INTERRUPTS   (COM1 + 1)
#define COM1_FIFO         (COM1 + 2)
#define COM1_LINE         (COM1 + 3)
#define COM1_MODEM        (COM1 + 4)
#define COM1_STATUS       (COM1 + 5)
#define COM1_SCRATCH      (COM1 + 7)

#define LINE_DIVISOR      0x80
#define LINE_8N1          0x03
#define TRANSMITTER_EMPTY 0x20

#define DEBUG_PORT        0xe9

/* The number of polls after which a character is written even if the port is not ready. So many
 * polls take longer than the transfer of a byte at 115200 baud. The limit is needed because the
 * test must continue if the port does not respond. */
#define WAIT_LIMIT        100000

static int have_com1, have_debug_port;
/* Whether the current line is incomplete. Set before a character is sent, because a CPU that hangs
 * can be stopped at any instruction. */
static volatile int line_begun;

void serial_start(void)
{
	xen_console_start();
	/* Only an existing port returns the number that was written to its scratch register. */
	outb(COM1_SCRATCH, 0x5a);
	have_com1 = inb(COM1_SCRATCH) == 0x5a;
	have_debug_port = inb(DEBUG_PORT) == DEBUG_PORT;
	if (!have_com1)
		return;
	outb(COM1_INTERRUPTS, 0);
	outb(COM1_LINE, LINE_DIVISOR | LINE_8N1);
	outb(COM1, 1); /* 115200 baud */
	outb(COM1_INTERRUPTS, 0);
	outb(COM1_LINE, LINE_8N1);
	outb(COM1_FIFO, 0xc7);
	outb(COM1_MODEM, 0x03);
}

static void put(char c)
{
	xen_console_put(c);
	if (have_debug_port)
		outb(DEBUG_PORT, (uint8_t)c);
	if (!have_com1)
		return;
	for (int i = 0; i < WAIT_LIMIT && !(inb(COM1_STATUS) & TRANSMITTER_EMPTY); i++)
		;
	outb(COM1, (uint8_t)c);
}

void serial_text(const char *text)
{
	for (; *text; text++) {
		line_begun = 1;
		if (*text == '\n')
			put('\r');
		put(*text);
		line_begun = *text != '\n';
	}
}

void serial_fresh_line(void)
{
	if (line_begun)
		serial_text("\n");
}

void serial_drain(void)
{
	xen_console_drain();
}

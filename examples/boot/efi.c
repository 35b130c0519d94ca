/* SPDX-License-Identifier: MIT */
/*
 * The image that UEFI firmware starts. It leaves boot services running, because it needs them for
 * the screen and for the other processors. So it loads its own exception table only while a stub
 * runs.
 */
#include "clock.h"
#include "cpu.h"
#include "efi-guard.h"
#include "guard.h"
#include "machine.h"
#include "screen.h"
#include "serial.h"
#include "trap.h"

#define FLAGS_INTERRUPTS (1u << 9)
#define UNICODE_BLOCK    0x2588
#define TEST_LIMIT       20000000 /* time limit for one processor, in microseconds */
#define NUMBER_LIMIT     0x10000  /* maximum of tested processors; firmware may report more */
#define CALIBRATION_US   1000

efi_status efi_main(efi_handle image, struct efi_system_table *system);

const char screen_hint[] = "Press a key to switch off.";

static struct efi_system_table *firmware;
static struct table_register firmware_exceptions;
static uint32_t flags;

/* Set while another processor is tested. Only the boot processor may call firmware's services, so
 * nothing is written to the screen while this is set. */
static int other_at_work;

/* Runs a stub with this program's exception table. Interrupts are off meanwhile, because this table
 * would drop firmware's interrupts. */
static int run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	struct table_register before;
	uint64_t rflags;
	int faulted;

	(void)context;
	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(rflags) : : "memory");
	__asm__ volatile("sidt %0" : "=m"(before));
	trap_use();
	faulted = stub(io);
	__asm__ volatile("lidt %0" : : "m"(before));
	if (rflags & FLAGS_INTERRUPTS)
		__asm__ volatile("sti" : : : "memory");
	return faulted;
}

static const struct fsgs_core_ops aloud = {.run = run, .step = machine_step}, quiet = {.run = run};
static int guarding;

void trap_unexpected(uint64_t vector, uint64_t rip)
{
	struct line line = {0};

	/* Halts this processor. Firmware stops it when its time limit is over. */
	if (guarding && other_at_work)
		halt_for_ever();
	__asm__ volatile("lidt %0" : : "m"(firmware_exceptions));
	if (guarding) {
		__asm__ volatile("sti");
		machine.report.verdict = FSGS_VERDICT_UNKNOWN;
		efi_guard_finish(1);
	}
	line_text(&line, "unexpected exception ");
	line_number(&line, (uint32_t)vector);
	line_text(&line, " at ");
	line_hex(&line, rip);
	machine_exit(machine_give_up(line.text));
	halt_for_ever();
}

void trap_timer(void)
{
	/* Never called: interrupts are off while this program's exception table is loaded. */
}

void screen_start(void)
{
	struct efi_output *out = firmware->output;

	(void)out->set_mode(out, 0); /* mode 0 is 80 x 25, which all firmware has */
	(void)out->set_attribute(out, SCREEN_GREY);
	(void)out->clear_screen(out);
	(void)out->enable_cursor(out, 0);
}

static efi_char to_unicode(screen_cell cell)
{
	const uint8_t c = (uint8_t)cell;

	return c == SCREEN_BLOCK ? UNICODE_BLOCK : c;
}

/* Much firmware copies the screen to the serial port, too. The leading # makes the copied line a
 * comment in the TAP output. */
void screen_line(const char *text)
{
	efi_char line[SCREEN_COLUMNS + 1] = {'#', ' '};
	int at = 2;

	if (other_at_work)
		return;
	for (; *text && at < SCREEN_COLUMNS - 2; at++)
		line[at] = (uint8_t)*text++;
	line[at++] = '\r';
	line[at++] = '\n';
	line[at] = 0;
	(void)firmware->output->output_string(firmware->output, line);
}

/* Whether both cells can be written in the colours of `first`. A blank looks the same in every
 * foreground colour. */
static int same_colours(screen_cell first, screen_cell next)
{
	return first >> 8 == next >> 8 || ((uint8_t)next == ' ' && first >> 12 == next >> 12);
}

static void show_row(const screen_cell *cells, int length)
{
	struct efi_output *out = firmware->output;
	efi_char text[SCREEN_COLUMNS + 1];

	for (int from = 0, to; from < length; from = to) {
		for (to = from; to < length && same_colours(cells[from], cells[to]); to++)
			text[to - from] = to_unicode(cells[to]);
		text[to - from] = 0;
		(void)out->set_attribute(out, cells[from] >> 8);
		(void)out->output_string(out, text);
	}
}

void screen_show(const screen_cell cells[SCREEN_ROWS * SCREEN_COLUMNS])
{
	struct efi_output *out = firmware->output;

	if (other_at_work)
		return;
	(void)out->set_attribute(out, SCREEN_GREY);
	(void)out->clear_screen(out);
	for (int row = 0; row < SCREEN_ROWS; row++) {
		/* A character in the last cell would scroll the screen. */
		(void)out->set_cursor_position(out, 0, (uint64_t)row);
		show_row(cells + row * SCREEN_COLUMNS,
			 row < SCREEN_ROWS - 1 ? SCREEN_COLUMNS : SCREEN_COLUMNS - 1);
	}
	(void)out->set_attribute(out, SCREEN_GREY);
	serial_text("\n");
}

/* The argument of check_other(), which firmware runs on another processor: the number of that
 * processor, and its report. */
struct turn {
	uint32_t cpu;
	struct fsgs_report report;
};

static void check_other(void *argument)
{
	struct turn *turn = argument;
	struct fsgs_core_ops ops = guarding ? quiet : aloud;

	ops.context = &turn->cpu;
	/* Cannot fail: the flags are valid. */
	(void)!fsgs_core_ring0(&turn->report, sizeof turn->report, &ops, sizeof ops, flags);
}

static void check_all(void)
{
	static const struct efi_guid guid = EFI_MP_SERVICES;
	static struct turn turn;
	const struct fsgs_core_ops *const hooks = guarding ? &quiet : &aloud;
	struct efi_mp_services *mp;
	uint64_t all, enabled, self;

	if (firmware->boot->locate_protocol(&guid, NULL, (void **)&mp) ||
	    mp->get_number(mp, &all, &enabled) || mp->who_am_i(mp, &self)) {
		machine_check(0, hooks, flags);
		return;
	}
	machine.present = (uint32_t)enabled;
	machine_check((uint32_t)self, hooks, flags);
	other_at_work = 1;
	for (turn.cpu = 0; turn.cpu < all && turn.cpu < NUMBER_LIMIT; turn.cpu++) {
		efi_status status;

		if (turn.cpu == self)
			continue;
		status = mp->start_one(mp, check_other, turn.cpu, NULL, TEST_LIMIT, &turn, NULL);
		/* This CPU hung, so firmware has stopped it. The next CPU would most likely hang,
		 * too, so no further CPU is tested. */
		if (status == EFI_TIMEOUT)
			break;
		/* start_one() fails for a disabled CPU, which is not tested. */
		if (!status)
			machine_file(turn.cpu, &turn.report);
	}
	other_at_work = 0;
}

/* Measures the time-stamp counter by firmware's stall(), because some UEFI machines do not have the
 * PC's timer. */
static void measure_clock(void)
{
	const uint64_t then = clock_now();

	if (!firmware->boot->stall(CALIBRATION_US))
		clock_use((clock_now() - then) * 1000 / CALIBRATION_US);
}

efi_status efi_main(efi_handle image, struct efi_system_table *system)
{
	static const struct efi_guid guid = EFI_LOADED_IMAGE;
	struct efi_loaded_image *loaded;
	const char *words = "", *arguments;
	const uint64_t since = clock_now();
	uint64_t index;

	firmware = system;
	__asm__ volatile("sidt %0" : "=m"(firmware_exceptions));
	measure_clock();
	serial_start();
	trap_start();
	if (!system->boot->handle_protocol(image, &guid, (void **)&loaded))
		words = efi_guard_options(image, system, loaded);
	arguments = guard_arguments(words);
	guarding = arguments != NULL;
	if (guarding) {
		const int wanted = efi_guard_start(loaded, arguments, since);

		if (wanted) {
			check_all();
			machine_add_up();
		}
		efi_guard_finish(wanted);
	}
	if (text_has_word(words, "force"))
		flags = FSGS_RING0_FORCE;
	(void)system->boot->set_watchdog(0, 0, 0, NULL); /* off, because a person reads the page */
	screen_start();
	tap_start();
	check_all();
	machine_exit(machine_finish());
	(void)system->boot->wait_for_event(1, &system->input->wait_for_key, &index);
	system->runtime->reset_system(EFI_RESET_SHUTDOWN, 0, 0, NULL);
	return 0;
}

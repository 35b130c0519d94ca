/* SPDX-License-Identifier: MIT */
/* The ELF image. A boot loader or a hypervisor starts it, by Multiboot or PVH. */
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "guard.h"
#include "linux.h"
#include "loader.h"
#include "machine.h"
#include "screen.h"
#include "serial.h"
#include "smp.h"
#include "trap.h"

_Noreturn void boot_main(uint32_t magic, const void *information);

/* How long a message stays on the screen before the reset. */
#define STOP_SECONDS 10

static uint32_t flags;
static int have_apic;
static int ended;

/* Set if the image runs as the boot guard. The guard prints one line instead of the steps and the
 * page, and then continues the boot. */
static int guarding;
static uint64_t guard_since;
static struct linux_boot kernel;
static char kernel_line[LOADER_COMMAND_LINE];

_Noreturn static void end(int status)
{
	ended = 1;
	machine_exit(status);
	halt_for_ever();
}

/* Stops the boot. Shows a message and resets the machine, so that another menu entry can be
 * chosen. */
_Noreturn static void guard_stop(const char *why)
{
	struct line line = {0};

	line_text(&line, "fsgscheck: guard stopped: ");
	line_text(&line, why);
	screen_start();
	screen_line(line.text);
	screen_line("The machine resets in 10 seconds.");
	line_text(&line, "\n");
	serial_fresh_line();
	serial_text(line.text);
	serial_drain();
	machine_exit(fsgs_exit_status(FSGS_VERDICT_UNKNOWN));
	clock_wait_us(STOP_SECONDS * 1000000);
	machine_reset();
}

/* Starts the kernel. Adds nofsgsbase if `tested` is set and the verdict in machine.report requires
 * it. */
_Noreturn static void guard_go_on(int tested)
{
	const uint32_t limit = linux_command_line_limit(kernel.kernel, kernel.kernel_size);
	int added = tested && guard_adds();
	struct line line = {0};
	const char *why;

	if (added &&
	    guard_add(kernel_line, limit < sizeof kernel_line ? limit : sizeof kernel_line - 1)) {
		/* This is no reason to stop: the kernel starts without nofsgsbase. */
		tap_comment("the kernel's command line has no room for nofsgsbase");
		added = 0;
	}
	why = linux_load(&kernel);
	if (why)
		guard_stop(why);
	if (have_apic)
		apic_stop();
	guard_line(&line, added, clock_ms_since(guard_since));
	line_text(&line, "\n");
	serial_text(line.text);
	serial_drain();
	linux_enter(&kernel);
}

void trap_unexpected(uint64_t vector, uint64_t rip)
{
	static struct line line; /* static: the boot processor may print it after smp_fail() */

	/* The image is ending already, so this exception, which may be an NMI, does not matter. */
	if (ended)
		return;
	line_text(&line, "unexpected exception ");
	line_number(&line, (uint32_t)vector);
	line_text(&line, " at ");
	line_hex(&line, rip);
	if (smp_on_turn())
		smp_fail(line.text);
	ended = 1;
	if (!guarding)
		end(machine_give_up(line.text));
	/* The exception came before the kernel was found, so there is no kernel to start. */
	if (!kernel.kernel_size)
		guard_stop(line.text);
	tap_comment(line.text);
	machine.report.verdict = FSGS_VERDICT_UNKNOWN;
	guard_go_on(1);
}

/* Filled in by the processor whose turn it is, which also runs other_step() and smp_main(). */
static struct fsgs_report other_report;

static void other_step(void *context, const char *text)
{
	smp_sign();
	if (!guarding)
		machine_step(context, text);
}

void smp_main(uint32_t cpu)
{
	const struct fsgs_core_ops ops = {
		.context = &cpu, .step = other_step, .halt = apic_start() ? apic_halt : NULL};

	trap_use();
	/* Cannot fail: the flags are valid. */
	(void)!fsgs_core_ring0(&other_report, sizeof other_report, &ops, sizeof ops, flags);
}

static void check_others(void)
{
	const uint32_t others = machine.present == 1 ? 0 : smp_start(machine.present);
	const char *why;

	for (uint32_t cpu = 1; cpu <= others; cpu++) {
		why = smp_run(cpu);
		if (why) {
			/* The other CPUs would most likely fail in the same way, so they are not
			 * tested. `present` must count them, so that the verdict does not become
			 * `usable`. */
			tap_step(cpu, why);
			if (machine.present < others + 1)
				machine.present = others + 1;
			return;
		}
		machine_file(cpu, &other_report);
	}
}

static void check_all(void)
{
	const struct fsgs_core_ops ops = {.step = guarding ? NULL : machine_step,
					  .halt = have_apic ? apic_halt : NULL};

	machine_check(0, &ops, flags);
	if (have_apic)
		check_others();
}

_Noreturn static void guard(const char *arguments)
{
	const char *const why = loader_linux(&kernel, arguments, kernel_line);

	if (why)
		guard_stop(why);
	if (guard_is_off(kernel_line))
		guard_go_on(0);
	check_all();
	machine_add_up();
	guard_go_on(1);
}

void boot_main(uint32_t magic, const void *information)
{
	const char *arguments;

	guard_since = clock_now();
	loader_start(magic, information);
	arguments = guard_arguments(loader_command_line());
	guarding = arguments != NULL;
	if (!guarding && text_has_word(loader_command_line(), "force"))
		flags = FSGS_RING0_FORCE;
	clock_start();
	serial_start();
	if (!guarding) {
		screen_start();
		tap_start();
	}
	trap_start();
	trap_use();
	machine.present = acpi_processors(loader_root_pointer());
	have_apic = apic_start();
	if (guarding)
		guard(arguments);
	check_all();
	end(machine_finish());
}

/* SPDX-License-Identifier: MIT */
/* The image that a BIOS, a boot loader or a hypervisor starts: Multiboot or PVH. */
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "layout.h"
#include "machine.h"
#include "screen.h"
#include "serial.h"
#include "smp.h"
#include "trap.h"

/* Multiboot 0.6.96, section 3.3. */
#define MULTIBOOT_HAS_CMDLINE (1u << 2)

struct multiboot_info {
	uint32_t flags;
	uint32_t memory[2];
	uint32_t boot_device;
	uint32_t cmdline;
};

/* Xen, public/arch-x86/hvm/start_info.h. */
struct pvh_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, cmdline, root_pointer;
};

_Noreturn void boot_main(uint32_t magic, const void *information);

static const struct fsgs_core_ops with_timer = {.step = machine_step, .halt = apic_halt},
				  without_timer = {.step = machine_step};
static uint32_t flags;
static int ended;

_Noreturn static void end(int status)
{
	ended = 1;
	machine_exit(status);
	halt_for_ever();
}

void trap_unexpected(uint64_t vector, uint64_t rip)
{
	static struct line line; /* another processor reads it */

	/* An NMI, say: the verdict has been given. */
	if (ended)
		return;
	line_text(&line, "unexpected exception ");
	line_number(&line, (uint32_t)vector);
	line_text(&line, " at ");
	line_hex(&line, rip);
	if (smp_on_turn())
		smp_fail(line.text);
	end(machine_give_up(line.text));
}

/* Of the processor on its turn. */
static struct fsgs_report other_report;

static void other_step(void *context, const char *text)
{
	smp_sign();
	machine_step(context, text);
}

void smp_main(uint32_t cpu)
{
	const struct fsgs_core_ops ops = {
		.context = &cpu, .step = other_step, .halt = apic_start() ? apic_halt : NULL};

	trap_use();
	(void)fsgs_core_ring0(&other_report, &ops, flags);
}

static void check_others(void)
{
	const uint32_t others = machine.present == 1 ? 0 : smp_start(machine.present);
	const char *why;

	for (uint32_t cpu = 1; cpu <= others; cpu++) {
		why = smp_run(cpu);
		if (why) {
			/* What it was doing is its last step; the others would most likely do the same. */
			serial_fresh_line();
			tap_step(cpu, why);
			if (machine.present < others + 1)
				machine.present = others + 1;
			return;
		}
		machine_file(cpu, &other_report);
	}
}

static const char *command_line(uint32_t magic, const void *information, uint64_t *root_pointer)
{
	const struct multiboot_info *multiboot = information;
	const struct pvh_start_info *pvh = information;

	*root_pointer = 0;
	if (magic == MULTIBOOT_LOADER && (multiboot->flags & MULTIBOOT_HAS_CMDLINE))
		return (const char *)(uintptr_t)multiboot->cmdline;
	if (magic == MULTIBOOT_LOADER || pvh->magic != PVH_START_INFO)
		return "";
	*root_pointer = pvh->root_pointer;
	return pvh->cmdline ? (const char *)(uintptr_t)pvh->cmdline : "";
}

void boot_main(uint32_t magic, const void *information)
{
	uint64_t root_pointer;
	int have_apic;

	if (text_has_word(command_line(magic, information, &root_pointer), "force"))
		flags = FSGS_RING0_FORCE;
	clock_start();
	serial_start();
	screen_start();
	tap_start();
	trap_start();
	trap_use();
	machine.present = acpi_processors(root_pointer);
	have_apic = apic_start();
	machine_check(0, have_apic ? &with_timer : &without_timer, flags);
	if (have_apic)
		check_others();
	end(machine_finish());
}

/* SPDX-License-Identifier: MIT */
/* The image that a BIOS, a boot loader or a hypervisor starts: Multiboot or PVH. */
#include "acpi.h"
#include "apic.h"
#include "cpu.h"
#include "layout.h"
#include "machine.h"
#include "screen.h"
#include "serial.h"
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

/* How long to wait, in io_delay()s: about a microsecond each on a physical machine. */
#define ARRIVAL_LIMIT   5000000
#define ARRIVAL_SETTLED 1000000
#define TEST_LIMIT      20000000

/* entry.S counts in the first and last, and waits for the second. */
volatile uint32_t smp_arrived, smp_turn, smp_finished;
extern const uint8_t trampoline[], trampoline_end[];

_Noreturn void boot_main(uint32_t magic, const void *information);
void smp_main(uint32_t cpu);

static const struct fsgs_core_ops with_timer = {.halt = apic_halt}, without = {0};
static uint32_t flags;
static int ended;

_Noreturn static void end(int status)
{
	ended = 1;
	machine_exit(status);
	for (;;)
		halt_for_ever();
}

void trap_unexpected(uint64_t vector, uint64_t rip)
{
	struct line line = {0};

	/* An NMI, say: the verdict has been given. */
	if (ended)
		return;
	line_text(&line, "unexpected exception ");
	line_number(&line, (uint32_t)vector);
	line_text(&line, " at ");
	line_hex(&line, rip);
	end(machine_give_up(line.text));
}

void smp_main(uint32_t cpu)
{
	trap_use();
	machine_check(cpu, apic_start() ? &with_timer : &without, flags);
}

/* Where firmware gives no number, the processors have arrived when no more of them do. */
static void await_arrival(void)
{
	const uint32_t others = machine.present ? machine.present - 1 : 0;
	uint32_t seen = 0;

	for (int i = 0, since = 0; i < ARRIVAL_LIMIT; i++, since++) {
		if (machine.present ? smp_arrived >= others : since >= ARRIVAL_SETTLED)
			return;
		if (smp_arrived != seen) {
			seen = smp_arrived;
			since = 0;
		}
		io_delay();
	}
}

static void check_others(void)
{
	if (machine.present == 1)
		return;
	memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	apic_start_others();
	await_arrival();
	for (uint32_t cpu = 1; cpu <= smp_arrived; cpu++) {
		smp_turn = cpu;
		for (int i = 0; i < TEST_LIMIT && smp_finished < cpu; i++)
			io_delay();
		if (smp_finished < cpu)
			return; /* it hangs in the step that it announced last */
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
	serial_start();
	screen_start();
	tap_start();
	trap_start();
	trap_use();
	machine.present = acpi_processors(root_pointer);
	have_apic = apic_start();
	machine_check(0, have_apic ? &with_timer : &without, flags);
	if (have_apic)
		check_others();
	end(machine_finish());
}

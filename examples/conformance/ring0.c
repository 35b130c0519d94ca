/* SPDX-License-Identifier: MIT */
/*
 * The runner of the suite's ring-0 half: an image that shares the boot image's entry, traps and
 * serial output. Runs all cases on one processor, then on the next. A case fails if it fails on any
 * processor. Interrupts are off except during HLT.
 */
#include "ring0.h"

#include <fsgscheck/core.h>

#include "../boot/acpi.h"
#include "../boot/apic.h"
#include "../boot/clock.h"
#include "../boot/cpu.h"
#include "../boot/layout.h"
#include "../boot/memory.h"
#include "../boot/serial.h"
#include "../boot/smp.h"
#include "../boot/text.h"
#include "../boot/trap.h"

#define EXIT_PORT 0xf4
#define EXIT_BASE 16
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_CRASH = 3, EXIT_SKIP = 4 };

_Noreturn void boot_main(uint32_t magic, const void *information);

/* On a processor without 64-bit mode, entry.S prints this text and ends with this status. */
extern const char long_mode_missing[];
extern const uint8_t long_mode_missing_status;
const char long_mode_missing[] = "\nTAP version 13\n1..0 # SKIP this CPU has no 64-bit mode\n"
				 "fsgs-conformance: passed=0 failed=0 skipped=0 cpus=1\n";
const uint8_t long_mode_missing_status = EXIT_BASE + EXIT_SKIP;

/* The results of one case on all processors. */
struct tally {
	uint32_t passed, failed, skipped;
	uint32_t first_failed; /* the processor */
	char what[96];
	uint64_t expected, seen;
	const char *why;
};

static struct tally *current;
static uint32_t processor, failures;
int have_timer;
static const char *skipped;
/* The case that the current processor runs or ran last: its index plus 1. 0: none yet. */
static volatile uint32_t announced;
/* The processor that hung, or 0. A hang of the boot processor is not detected. */
static uint32_t hung;

static struct tally tallies[RING0_MOST];
/* The case that "only=NUMBER" on the command line selects: its index plus 1. 0: all cases. */
static size_t chosen;

static void say(const char *text)
{
	serial_text(text);
}

void expect(uint64_t expected, uint64_t seen, const char *what)
{
	if (expected == seen || failures++ || current->failed)
		return;
	for (size_t i = 0; i + 1 < sizeof current->what && what[i]; i++)
		current->what[i] = what[i];
	current->expected = expected;
	current->seen = seen;
	current->first_failed = processor;
}

void skip(const char *why)
{
	skipped = why;
}

_Noreturn static void end(int status)
{
	serial_drain();
	outb(EXIT_PORT, (uint8_t)(EXIT_BASE + status));
	halt_for_ever();
}

void trap_unexpected(uint64_t vector, uint64_t rip)
{
	struct line line = {0};

	line_text(&line, "Bail out! unexpected exception ");
	line_number(&line, (uint32_t)vector);
	line_text(&line, " at ");
	line_hex(&line, rip);
	line_text(&line, "\nfsgs-conformance: crashed\n");
	say(line.text);
	end(EXIT_CRASH);
}

/* -- the choice */

static const char *command_line(uint32_t magic, const void *information)
{
	const uint32_t *const multiboot = information;
	const uint64_t *const pvh = information;
	uint64_t line = 0;

	if (magic == MULTIBOOT_LOADER)
		line = multiboot[0] & MULTIBOOT_WORDS ? multiboot[4] : 0;
	else if ((uint32_t)*pvh == PVH_START_INFO)
		line = pvh[3];
	return line && line < MEMORY_MAPPED ? (const char *)(uintptr_t)line : "";
}

static void choose(const char *line)
{
	for (; *line; line = text_next(line)) {
		if (!text_starts(line, "only="))
			continue;
		for (size_t i = 0; i < ring0_count; i++) {
			struct line word = {0};

			line_text(&word, "only=");
			line_number(&word, ring0_tests[i].number);
			if (text_is_word(line, word.text))
				chosen = i + 1;
		}
		if (!chosen) {
			say("Bail out! only=: no case has this number\n");
			end(EXIT_CRASH);
		}
	}
}

static int selected(size_t i)
{
	return !chosen || chosen == i + 1;
}

/* -- the run */

static int offered(void)
{
	uint32_t eax = 0, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (eax < 7)
		return 0;
	eax = 7;
	ecx = 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ebx & 1;
}

/* Prints the name of a case before the case runs, because the case may kill the machine. */
static void announce(const struct test *t)
{
	struct line line = {0};

	if (smp_on_turn())
		smp_sign();
	line_text(&line, "# CPU ");
	line_number(&line, processor);
	line_text(&line, ": ");
	line_number(&line, t->number);
	line_text(&line, " ");
	line_text(&line, t->name);
	line_text(&line, "\n");
	say(line.text);
}

/* Makes the second processor hang in the case HANG_IN, which only an image of the tests defines. */
static void hang_here(const struct test *t)
{
#ifdef HANG_IN
	while (processor == 1 && t->number == HANG_IN)
		halt_for_ever();
#else
	(void)t;
#endif
}

static void run_all(uint32_t cpu)
{
	/* Some emulators hang if CR4.FSGSBASE is set although CPUID does not offer it. */
	const char *why = offered() ? NULL : "CPUID does not offer FSGSBASE";

	processor = cpu;
	announced = 0;
	if (!why && try_cr4(read_cr4() | CR4_FSGSBASE))
		why = "CR4.FSGSBASE cannot be set";
	for (size_t i = 0; i < ring0_count; i++) {
		if (!selected(i))
			continue;
		current = &tallies[i];
		failures = 0;
		/* ring0_can_be_set() tests that the bit can be set, so it runs even if setting the
		 * bit has just failed. */
		skipped = ring0_tests[i].run == ring0_can_be_set && offered() ? NULL : why;
		if (!skipped) {
			announce(&ring0_tests[i]);
			announced = (uint32_t)i + 1;
			hang_here(&ring0_tests[i]);
			ring0_tests[i].run(&ring0_tests[i]);
		}
		if (failures)
			current->failed++;
		else if (skipped)
			current->skipped++;
		else
			current->passed++;
		current->why = skipped ? skipped : current->why;
	}
}

static void comment(const char *what, const char *text)
{
	say("# ");
	say(what);
	say(text);
	say("\n");
}

static void put(size_t i, uint32_t point)
{
	const struct tally *const tally = &tallies[i];
	struct line line = {0};

	line_text(&line, tally->failed ? "not ok " : "ok ");
	line_number(&line, point);
	line_text(&line, " - ");
	line_number(&line, ring0_tests[i].number);
	line_text(&line, " ring0/");
	line_text(&line, ring0_tests[i].name);
	if (!tally->failed && !tally->passed) {
		line_text(&line, " # SKIP ");
		line_text(&line, tally->why);
	}
	line_text(&line, "\n");
	say(line.text);
	if (!tally->failed)
		return;
	comment("rule: ", ring0_tests[i].rule->text);
	comment("source: ", ring0_tests[i].source);
	line.used = 0;
	line_text(&line, tally->what);
	line_text(&line, ": expected ");
	line_hex(&line, tally->expected);
	line_text(&line, ", seen ");
	line_hex(&line, tally->seen);
	line_text(&line, ", first on CPU ");
	line_number(&line, tally->first_failed);
	comment("", line.text);
	comment("known of: ", ring0_tests[i].rule->known ? ring0_tests[i].rule->known : "none");
}

/* Counts a processor that hangs as a failure of the case that it was running, if any. */
static void blame(uint32_t cpu)
{
	static const char what[] = "the processor comes back from the case";

	hung = cpu;
	if (!announced)
		return;
	current = &tallies[announced - 1];
	processor = cpu;
	failures = 0;
	expect(1, 0, what);
	current->failed++;
}

/* Prints which processor hung and how many were not tested: the results hold for the others
 * only. */
static void tell_missing(uint32_t cpus, uint32_t present)
{
	struct line line = {0};

	if (hung) {
		line_text(&line, "CPU ");
		line_number(&line, hung);
		line_text(&line, " hangs in case ");
		line_number(&line, announced ? ring0_tests[announced - 1].number : 0);
		line_text(&line, " ");
		line_text(&line, announced ? ring0_tests[announced - 1].name : "none yet");
		comment("", line.text);
	}
	if (cpus + !!hung >= present)
		return;
	line.used = 0;
	line_number(&line, present - cpus - !!hung);
	line_text(&line, have_timer ? " not tested" : " not started: no timer");
	comment("processors: ", line.text);
}

/* Prints the results. Programs read the last line. Returns the exit status. */
static int finish(uint32_t cpus, uint32_t present)
{
	uint32_t passed = 0, failed = 0, others_skipped = 0, point = 0;
	struct line line = {0};

	line_text(&line, "1..");
	line_number(&line, chosen ? 1 : (uint32_t)ring0_count);
	line_text(&line, "\n");
	say(line.text);
	for (size_t i = 0; i < ring0_count; i++) {
		if (!selected(i))
			continue;
		put(i, ++point);
		failed += tallies[i].failed != 0;
		passed += !tallies[i].failed && tallies[i].passed;
		others_skipped += !tallies[i].failed && !tallies[i].passed;
	}
	line.used = 0;
	line_text(&line, "fsgs-conformance: passed=");
	line_number(&line, passed);
	line_text(&line, " failed=");
	line_number(&line, failed);
	line_text(&line, " skipped=");
	line_number(&line, others_skipped);
	line_text(&line, " cpus=");
	line_number(&line, cpus);
	if (cpus < present) {
		line_text(&line, " of=");
		line_number(&line, present);
	}
	if (hung) {
		line_text(&line, " hung=");
		line_number(&line, hung);
		line_text(&line, " case=");
		line_number(&line, announced ? ring0_tests[announced - 1].number : 0);
	}
	line_text(&line, "\n");
	say(line.text);
	return failed || hung ? EXIT_FAIL : passed ? EXIT_PASS : EXIT_SKIP;
}

void smp_main(uint32_t cpu)
{
	trap_use();
	have_timer = apic_start();
	run_all(cpu);
}

/* Runs the cases on the other processors, one after the other. Stops at the first that hangs.
 * Returns how many finished. */
static uint32_t run_others(uint32_t count)
{
	for (uint32_t cpu = 1; cpu <= count; cpu++)
		if (smp_run(cpu)) {
			blame(cpu);
			return cpu - 1;
		}
	return count;
}

void boot_main(uint32_t magic, const void *information)
{
	const uint64_t *const pvh = information;
	uint32_t present, started = 0, others_run;

	clock_start();
	serial_start();
	say("\nTAP version 13\n");
	choose(command_line(magic, information));
	trap_start();
	trap_use();
	/* The fifth quadword of PVH's start_info is the address of ACPI's root pointer. */
	present = acpi_processors(
		magic != MULTIBOOT_LOADER && (uint32_t)*pvh == PVH_START_INFO ? pvh[4] : 0);
	have_timer = apic_start();
	run_all(0);
	if (have_timer && present != 1)
		started = smp_start(present);
	others_run = run_others(started);
	/* If firmware reports no number or too small a number, count the processors that
	 * started. */
	if (present < started + 1)
		present = started + 1;
	tell_missing(others_run + 1, present);
	end(finish(others_run + 1, present));
}

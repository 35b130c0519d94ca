/* SPDX-License-Identifier: MIT */
#include <fsgscheck/version.h>
#include "cpu.h"
#include "machine.h"
#include "screen.h"
#include "serial.h"

#define EXIT_PORT      0xf4
#define RESET_PORT     0xcf9
#define RESET_FULL     0x06
#define KEYBOARD_PORT  0x64
#define KEYBOARD_RESET 0xfe

struct machine machine;

void machine_step(void *context, const char *text)
{
	tap_step(*(const uint32_t *)context, text);
}

static void extend(struct result *result, uint32_t cpu)
{
	const uint32_t at = result->ranges;

	if (at && result->last[at - 1] + 1 == cpu) {
		result->last[at - 1] = cpu;
	} else if (at < RANGES) {
		result->first[at] = result->last[at] = cpu;
		result->ranges++;
	} else {
		result->more = 1;
	}
}

void machine_file(uint32_t cpu, const struct fsgs_report *report)
{
	struct result *result = NULL;

	for (uint32_t i = 0; i < machine.result_count && !result; i++)
		if (fsgs_core_ring0_same(&machine.results[i].report, report, sizeof *report))
			result = &machine.results[i];
	if (!result && machine.result_count < RESULTS) {
		result = &machine.results[machine.result_count++];
		result->report = *report;
		(void)fsgs_decide(&result->report, sizeof result->report);
	}
	extend(result ? result : &machine.results[RESULTS - 1], cpu);
	machine.tested++;
}

void machine_check(uint32_t cpu, const struct fsgs_core_ops *hooks, uint32_t flags)
{
	static struct fsgs_report report; /* not on the stack, which may be firmware's */
	struct fsgs_core_ops ops = *hooks;

	ops.context = &cpu;
	/* Cannot fail: the flags are valid. */
	(void)!fsgs_core_ring0(&report, sizeof report, &ops, sizeof ops, flags);
	machine_file(cpu, &report);
}

/* Copies the report with the highest exit status, and adds whether the reports differ. Then decides
 * again, because different reports can change the verdict. */
void machine_add_up(void)
{
	const struct result *worst = &machine.results[0];

	for (uint32_t i = 1; i < machine.result_count; i++)
		if (fsgs_exit_status(machine.results[i].report.verdict) >
		    fsgs_exit_status(worst->report.verdict))
			worst = &machine.results[i];
	machine.report = worst->report;
	machine.report.cpus_checked = machine.tested;
	machine.report.cpus_differ = machine.result_count > 1 ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	(void)fsgs_decide(&machine.report, sizeof machine.report);
	/* A processor that was not tested may be defective, so the machine is not `usable`. */
	if (machine.tested < machine.present && machine.report.verdict == FSGS_VERDICT_USABLE)
		machine.report.verdict = FSGS_VERDICT_UNKNOWN;
}

static int finish(void)
{
	struct line line = {0};

	page_show();
	machine_contract_line(&line);
	line_text(&line, "\n");
	serial_fresh_line();
	serial_text(line.text);
	serial_drain();
	return fsgs_exit_status(machine.report.verdict);
}

int machine_finish(void)
{
	machine_add_up();
	tap_finish();
	return finish();
}

int machine_give_up(const char *why)
{
	serial_fresh_line();
	serial_text("Bail out! ");
	serial_text(why);
	serial_text("\n");
	machine.report.verdict = FSGS_VERDICT_UNKNOWN;
	machine.report.findings = 0;
	return finish();
}

void machine_exit(int status)
{
	outb(EXIT_PORT, (uint8_t)(MACHINE_EXIT_BASE + status));
}

void machine_reset(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0};

	outb(RESET_PORT, RESET_FULL);
	outb(KEYBOARD_PORT, KEYBOARD_RESET);
	/* If neither port exists, an exception without a handler resets the machine. */
	__asm__ volatile("lidt %0\n\tud2" : : "m"(none));
	__builtin_unreachable();
}

void machine_version_line(struct line *line)
{
	line_text(line, "fsgscheck boot image ");
	line_number(line, FSGS_VERSION_MAJOR);
	line_text(line, ".");
	line_number(line, FSGS_VERSION_MINOR);
	line_text(line, ".");
	line_number(line, FSGS_VERSION_PATCH);
}

void machine_cpus(struct line *line, const struct result *result)
{
	line_text(line,
		  result->ranges > 1 || result->first[0] != result->last[0] ? "CPUs " : "CPU ");
	for (uint32_t i = 0; i < result->ranges; i++) {
		line_text(line, i ? "," : "");
		line_number(line, result->first[i]);
		if (result->first[i] == result->last[i])
			continue;
		line_text(line, "-");
		line_number(line, result->last[i]);
	}
	line_text(line, result->more ? ",..." : "");
}

void machine_result_line(struct line *line, const struct result *result)
{
	const struct fsgs_report *r = &result->report;

	machine_cpus(line, result);
	line_text(line, ": ");
	line_text(line, fsgs_name(FSGS_LIST_VERDICT, r->verdict));
	line_text(line, ": CPUID ");
	line_text(line, fsgs_name(FSGS_LIST_ANSWER, r->cpuid_fsgsbase));
	line_text(line, ", CR4 ");
	line_text(line, fsgs_name(FSGS_LIST_OUTCOME, r->cr4_write));
	for (uint32_t insn = 0; insn < FSGS_INSNS; insn++) {
		line_text(line, ", ");
		line_text(line, fsgs_name(FSGS_LIST_INSN, insn));
		line_text(line, " ");
		line_text(line, fsgs_name(FSGS_LIST_OUTCOME, r->cr4_set[insn].outcome));
	}
}

void machine_tested_line(struct line *line)
{
	const uint32_t present =
		machine.present > machine.tested ? machine.present : machine.tested;

	line_number(line, machine.tested);
	line_text(line, " of ");
	line_number(line, present);
	line_text(line, present == 1 ? " CPU tested" : " CPUs tested");
}

void machine_host_line(struct line *line)
{
	const struct fsgs_report *r = &machine.report;

	if (!r->hypervisor[0]) {
		line_text(line, "none named");
		return;
	}
	line_foreign(line, r->hypervisor);
	if (r->hypervisor_version) {
		line_text(line, ", version ");
		line_number(line, r->hypervisor_version >> 16);
		line_text(line, ".");
		line_number(line, r->hypervisor_version & 0xffff);
	}
	if (r->hypervisor_build) {
		line_text(line, ", build ");
		line_number(line, r->hypervisor_build);
	}
}

void machine_processor_line(struct line *line)
{
	const struct fsgs_report *r = &machine.report;

	line_foreign(line, r->brand[0] ? r->brand : r->vendor);
	line_text(line, " (family ");
	line_number(line, r->family);
	line_text(line, ", model ");
	line_number(line, r->model);
	line_text(line, ", stepping ");
	line_number(line, r->stepping);
	line_text(line, ")");
}

void machine_contract_line(struct line *line)
{
	const char *comma = "";

	line_text(line, "fsgscheck: verdict=");
	line_text(line, fsgs_name(FSGS_LIST_VERDICT, machine.report.verdict));
	line_text(line, " findings=");
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (machine.report.findings & FSGS_FINDING_BIT(i)) {
			line_text(line, comma);
			line_text(line, fsgs_name(FSGS_LIST_FINDING, i));
			comma = ",";
		}
	line_text(line, " cpus=");
	line_number(line, machine.tested);
}

/* SPDX-License-Identifier: MIT */
/*
 * Reads how a program died: the signal, and the instruction at the program counter. Debuggers name
 * the instruction; runtimes, emulators and core files give its bytes.
 */
#include "explain.h"

#include <string.h>

#define LINUX_FSGSBASE ((5u << 16) | (9u << 8))

/* Decides about the death of a program in an emulator or tool that does not support the
 * instruction. Such a death is no evidence about the machine. */
static void decide_tool(struct explain_source *s)
{
	struct fsgs_report *r = &s->report;

	r->cpuid_fsgsbase = FSGS_ANSWER_NO;
	r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
	s->notes |= EXPLAIN_NOTE(TOOL);
	fsgs_decide(r, sizeof *r);
	r->findings |= FSGS_FINDING_BIT(FSGS_FINDING_INSTRUMENTED);
}

/* Uses the last report about the machine in the same file, or else the file's description of the
 * machine. Uses only evidence that explains the fault, because a debugger's output does not prove
 * that the machine is broken. Returns whether there was such evidence. */
static bool take_machine(struct explain *e, struct explain_source *s)
{
	const struct explain_machine *m = &e->machine;
	const struct fsgs_report *from = e->program_report.verdict ? &e->program_report
					 : m->waiting              ? &m->source.report
								   : NULL;
	struct fsgs_report *r = &s->report;

	if (!from)
		return false;
	memcpy(r->vendor, from->vendor, sizeof r->vendor);
	memcpy(r->brand, from->brand, sizeof r->brand);
	memcpy(r->hypervisor, from->hypervisor, sizeof r->hypervisor);
	if (from == &e->program_report && fsgs_exit_status(from->verdict) == 1) {
		r->cpuid_fsgsbase = from->cpuid_fsgsbase;
		r->hwcap2_present = from->hwcap2_present;
		r->hwcap2_fsgsbase = from->hwcap2_fsgsbase;
		r->cpuinfo_flag = from->cpuinfo_flag;
		r->kernel_version = from->kernel_version;
		memcpy(r->kernel, from->kernel, sizeof r->kernel);
		return true;
	}
	if (from->cpuinfo_flag != FSGS_ANSWER_NO)
		return false;
	r->cpuinfo_flag = FSGS_ANSWER_NO;
	r->hwcap2_fsgsbase = FSGS_ANSWER_NO; /* the kernel would list a feature that it enabled */
	return true;
}

static void decide_kernel(struct explain *e, struct explain_source *s)
{
	struct fsgs_report *r = &s->report;
	const char *release = explain_machine_release(e);
	const uint32_t version = explain_version(release);

	r->kernel_version = version;
	text_clean(release, r->kernel, sizeof r->kernel);
	s->mark[EXPLAIN_MARK_KERNEL] = e->machine.kernel_line;

	const bool described = take_machine(e, s);

	fsgs_decide(r, sizeof *r);
	if (e->machine.other_system || (version && version < LINUX_FSGSBASE)) {
		/* Such a kernel does not set CR4.FSGSBASE, even if the processor offers the
		 * feature. */
		for (uint32_t i = 0; i < FSGS_SEGMENTS; i++)
			r->verdicts[i] = FSGS_VERDICT_DISABLED;
		r->verdict = FSGS_VERDICT_DISABLED;
		r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
		r->findings = FSGS_FINDING_BIT(FSGS_FINDING_UNPROVEN);
		if (!e->machine.other_system)
			r->findings |= FSGS_FINDING_BIT(FSGS_FINDING_KERNEL_TOO_OLD);
	}
	if (!version && !described)
		s->notes |= EXPLAIN_NOTE(NO_KERNEL);
	if (r->verdict == FSGS_VERDICT_UNKNOWN)
		s->notes |= EXPLAIN_NOTE(ASK);
}

void explain_program_end(struct explain *e)
{
	struct explain_program *p = &e->program;
	struct explain_source *s = &p->source;

	if (!s->has_insn && s->code_length) {
		const int insn = explain_decode_insn(s->code, s->code_length);

		s->has_insn = insn >= 0;
		s->insn = insn >= 0 ? (uint32_t)insn : 0;
	}
	if (p->died && s->has_insn) {
		s->kind = EXPLAIN_PROGRAM;
		s->cpu = -1;
		s->report.vantage = FSGS_VANTAGE_PROCESS;
		s->report.mode = FSGS_MODE_64BIT;
		s->report.trials[s->insn] =
			(struct fsgs_trial){.outcome = FSGS_OUTCOME_UNDEFINED, .signal = 4};
		if (p->tool)
			decide_tool(s);
		else
			decide_kernel(e, s);
		explain_give(e, s);
	} else if (p->died && !s->code_length && !p->named) {
		/* The file shows neither the bytes nor the name of the instruction. */
		explain_hint(e, p->core ? EXPLAIN_HINT_CORE : EXPLAIN_HINT_PROGRAM,
			     s->mark[EXPLAIN_MARK_HEADER], p->executable);
	}
	memset(p, 0, sizeof *p);
}

static void died(struct explain *e, const struct explain_message *m, uint32_t tool)
{
	struct explain_program *p = &e->program;

	/* A second death begins, so the first one is complete. */
	if (p->died && (p->source.has_insn || p->source.code_length))
		explain_program_end(e);
	p->died = 1;
	p->tool |= tool;
	if (!p->source.line)
		p->source.line = m->line;
	p->source.mark[EXPLAIN_MARK_HEADER] = m->line;
}

/* Reads bytes with or without 0x: "0xF3 0x48 0xF 0xAE 0xD0". A byte may have one digit. */
static void take_bytes(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_source *s = &e->program.source;
	uint64_t byte;

	if (s->code_length)
		return;
	for (text_blank(&t); s->code_length < EXPLAIN_CODE; text_blank(&t)) {
		if (!text_hex(&t, &byte) || byte > 0xff)
			break;
		s->code[s->code_length++] = (uint8_t)byte;
	}
	s->mark[EXPLAIN_MARK_CODE] = m->line;
}

/* Parses a debugger's line: "=> 0x5555555551b3 <os_writegsbase+4>:	wrgsbase %rdi" */
static void take_disassembly(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_program *p = &e->program;
	struct explain_source *s = &p->source;
	struct text name = t;
	const int insn = explain_insn_named(t);

	if (s->has_insn)
		return;
	p->named = text_find(&t, ":") && !text_ends(t);
	if (insn < 0)
		return;
	s->has_insn = 1;
	s->insn = (uint32_t)insn;
	s->notes |= EXPLAIN_NOTE(BY_NAME);
	if (!s->line)
		s->line = m->line;
	s->mark[EXPLAIN_MARK_RIP] = m->line;
	if (text_find(&name, "<"))
		text_copy(&name, ">", s->symbol, sizeof s->symbol);
}

/* Reads a function's name: "0x000055d0c5a1b3c4 in os_writegsbase ()" of gdb, "... os_writegsbase
 * (iwasm + 0x1b3c)" of coredumpctl. */
static void take_frame(struct explain *e, struct text t)
{
	struct explain_source *s = &e->program.source;
	uint64_t address;

	if (!e->program.died || s->symbol[0])
		return;
	if (text_hex(&t, &address)) {
		text_blank(&t);
		text_skip(&t, "in ");
	}
	text_copy(&t, " ", s->symbol, sizeof s->symbol);
	if (strcmp(s->symbol, "n/a") == 0 || strcmp(s->symbol, "??") == 0)
		s->symbol[0] = '\0';
}

/* Reads a function's name from a line of the JVM: "[libfoo.so+0x113a]  set_base+0x4". */
static void take_jvm_frame(struct explain *e, struct text t)
{
	struct explain_source *s = &e->program.source;

	if (!e->program.died || s->symbol[0])
		return;
	if (text_find(&t, "]"))
		text_blank(&t);
	text_copy(&t, " ", s->symbol, sizeof s->symbol);
}

/* Reads a row of bytes: "0x00007f3b2c0b1130: 48 89 c7 f3 48 0f ae df ...". Keeps the bytes from the
 * program counter on. The next row may contain more of them. */
static void take_row(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_program *p = &e->program;
	struct explain_source *s = &p->source;
	uint64_t at, byte;

	if (!text_hex(&t, &at) || !text_skip(&t, ":"))
		return;
	for (text_blank(&t); s->code_length < EXPLAIN_CODE; at++, text_blank(&t)) {
		struct text digits = t;

		if (text_hex(&t, &byte) != 2 || t.at != digits.at + 2)
			return;
		if (at != p->pc + s->code_length)
			continue;
		s->code[s->code_length++] = (uint8_t)byte;
		s->mark[EXPLAIN_MARK_CODE] = m->line;
	}
}

/* Parses "...: bash[1] trap invalid opcode ip:47ed19 sp:7ffcf94e9680 error:0 in
 * bash[400000+d0000]". */
static void take_trap(struct explain *e, const struct explain_message *m, struct text t)
{
	char name[sizeof e->hint.name];

	text_copy(&t, "[", name, sizeof name);
	if (text_find(&t, "] trap invalid opcode ip:"))
		explain_hint(e, EXPLAIN_HINT_PROGRAM, m->line, name);
}

/* Reads the instruction's name, which users of Unicorn print with a disassembler. */
static void take_named(struct explain *e, const struct explain_message *m)
{
	struct explain_program *p = &e->program;
	const int insn = p->tool && !p->source.has_insn ? explain_insn_named(m->text) : -1;

	if (insn < 0)
		return;
	p->source.has_insn = 1;
	p->source.insn = (uint32_t)insn;
	p->source.notes |= EXPLAIN_NOTE(BY_NAME);
	p->source.mark[EXPLAIN_MARK_RIP] = m->line;
}

/* Reads a line that is recognised by its content and not by its beginning. */
void explain_program_line(struct explain *e, const struct explain_message *m)
{
	struct explain_program *p = &e->program;

	/* In a line with the kernel's timestamp, such text may be a program's name, which users
	 * choose. */
	if (m->uptime)
		return;
	if (p->translated && p->died && !p->source.code_length) {
		struct text bytes = m->text, end = m->text;

		/* macOS: "8b 45 f8 [f3] 48 0f ae d8 90 c3 <==". Take the marked byte and the bytes
		 * after it. The last "=" looks like the mark of a wrapped line, so it may be
		 * missing. */
		if (!text_find(&end, "<=") || !text_find(&bytes, "["))
			return;
		take_bytes(e, m, bytes);
		if (text_find(&bytes, "]"))
			for (uint64_t byte; p->source.code_length < EXPLAIN_CODE;) {
				text_blank(&bytes);
				if (text_hex(&bytes, &byte) != 2)
					break;
				p->source.code[p->source.code_length++] = (uint8_t)byte;
			}
		return;
	}
	take_named(e, m);
}

void explain_program_read(struct explain *e, const struct explain_message *m, uint32_t code,
			  struct text t)
{
	struct explain_program *p = &e->program;

	switch (code) {
	case PROGRAM_DIED:
		died(e, m, 0);
		break;
	case PROGRAM_SIGNAL:
		if (text_find(&t, "SIGILL"))
			died(e, m, 0);
		break;
	case PROGRAM_TOOL:
		died(e, m, 1);
		break;
	case PROGRAM_SYSTEMD:
		died(e, m, 0);
		p->core = 1;
		break;
	case PROGRAM_AT:
		take_disassembly(e, m, t);
		break;
	case PROGRAM_FRAME:
		take_frame(e, t);
		break;
	case PROGRAM_BYTES:
		if (p->died)
			take_bytes(e, m, t);
		break;
	case PROGRAM_VALGRIND:
		died(e, m, 1);
		take_bytes(e, m, t);
		break;
	case PROGRAM_JVM:
		died(e, m, 0);
		p->has_pc = text_hex(&t, &p->pc) > 0;
		break;
	case PROGRAM_JVM_FRAME:
		take_jvm_frame(e, t);
		break;
	case PROGRAM_ROW:
		if (p->has_pc)
			take_row(e, m, t);
		else
			take_named(e, m);
		break;
	case PROGRAM_EXECUTABLE:
		text_blank(&t);
		text_copy(&t, " ", p->executable, sizeof p->executable);
		break;
	case PROGRAM_TRANSLATED:
		p->translated = text_find(&t, "X86-64 (Translated)");
		break;
	case PROGRAM_MACOS:
		if (text_find(&t, "EXC_BAD_INSTRUCTION"))
			died(e, m, p->translated);
		break;
	case PROGRAM_TRAP:
		take_trap(e, m, t);
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Crashes in kernel logs: what a dump of registers shows, and what it proves.
 *
 * What must hold before a crash is laid at the door of FSGSBASE (arch/x86/kernel/{traps,dumpstack,
 * process_64}.c, arch/x86/mm/extable.c and arch/x86/kernel/cpu/common.c of Linux):
 *   - the kernel itself says why it stopped: invalid opcode, or a general protection fault; a line about
 *     a program's fault (`trap invalid opcode ip:`) does not count;
 *   - the dump is the kernel's own in 64-bit mode, not that of the program that had called it;
 *   - the marked bytes are one of the four instructions (invalid opcode), or a write to CR4 whose new
 *     value adds FSGSBASE and nothing else (general protection fault);
 *   - the kernel had enabled the instructions: CR4 shows the bit, or the code stands in a kernel that
 *     runs it only after it had set the bit. Otherwise #UD is what the architecture asks for.
 * BUG() and UBSAN are invalid opcodes, too (UD2, UD1); their bytes are others.
 */
#include "explain.h"

#include <string.h>

#define LINUX_FSGSBASE ((5u << 16) | (9u << 8))

/* A dump has about 40 lines, with the call trace; after that many it is over. */
#define CRASH_LINES    400

static void merge(struct explain_dump *best, const struct explain_dump *now)
{
	if (!best->has_cr4 && now->has_cr4) {
		best->has_cr4 = 1;
		best->cr4 = now->cr4;
	}
	for (int i = 0; i < 16; i++)
		if ((now->regs_known & ~best->regs_known) >> i & 1)
			best->regs[i] = now->regs[i];
	best->regs_known |= now->regs_known;
}

/* How much a dump says of the crash that it may belong to. */
static int weight(const struct explain_crash *c, const struct explain_dump *d)
{
	if (!d->seen || d->user)
		return 0;
	if (c->cause == EXPLAIN_PROTECTION_FAULT)
		return explain_decode_cr4_write(d->code, d->code_length) >= 0 ? 3 : 1;

	const int insn = explain_decode_insn(d->code, d->code_length);

	return insn >= 0 ? 3 : insn == -2 ? 2 : 1;
}

/* The kernel prints the same dump again at the end of its trace, and the first may have been cut. */
static void end_dump(struct explain_crash *c)
{
	const int now = weight(c, &c->now), best = weight(c, &c->best);

	if (now > best)
		c->best = c->now;
	else if (now && now == best && strcmp(c->now.symbol, c->best.symbol) == 0)
		merge(&c->best, &c->now);
	memset(&c->now, 0, sizeof c->now);
}

void explain_put_boot(struct fsgs_report *r, const struct explain_boot *b)
{
	r->mode = FSGS_MODE_64BIT;
	r->kernel_version = b->kernel_version;
	r->hypervisor_build = b->hypervisor_build;
	r->hypervisor_version = b->hypervisor_version;
	r->family = b->family;
	r->model = b->model;
	r->stepping = b->stepping;
	if (b->is_xen_pv)
		r->signs |= FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV);
	memcpy(r->kernel, b->kernel, sizeof r->kernel);
	memcpy(r->hypervisor, b->hypervisor, sizeof b->hypervisor);
	memcpy(r->brand, b->brand, sizeof b->brand);
	memcpy(r->vendor, b->vendor, sizeof b->vendor);
}

/* Modules stand in brackets behind the symbol. */
static bool in_module(const char *symbol)
{
	return strstr(symbol, " [") != NULL;
}

/* "copy_thread+0x9b/0x280": the whole of it, so that no module's name can have been cut off. */
static bool in_kernel(const char *symbol)
{
	return strstr(symbol, "/0x") && !in_module(symbol);
}

static bool is_ours_by_name(const char *symbol)
{
	return strstr(symbol, "fsgs") || strstr(symbol, "fsbase") || strstr(symbol, "gsbase");
}

static bool set_in_cr4(const struct explain_dump *d)
{
	return d->cr4 >> EXPLAIN_CR4_BIT & 1;
}

/* Gives whether there is anything to say. */
static bool judge_opcode(const struct explain *e, const struct explain_crash *c,
			 struct explain_source *s)
{
	const struct explain_dump *d = &c->best;
	struct fsgs_report *r = &s->report;
	const int insn = explain_decode_insn(d->code, d->code_length);

	if (insn == -1 || (insn == -2 && !is_ours_by_name(d->symbol)))
		return false;
	if (insn == -2) {
		s->notes |= EXPLAIN_NO_CODE;
		return c->cause == EXPLAIN_INVALID_OPCODE;
	}
	s->has_insn = 1;
	s->insn = (uint32_t)insn;
	if (c->cause == EXPLAIN_HEADERLESS) {
		s->notes |= EXPLAIN_NO_HEADER;
		return true;
	}
	if (in_module(d->symbol))
		s->notes |= EXPLAIN_MODULE;

	const bool old = e->boot.kernel_version && e->boot.kernel_version < LINUX_FSGSBASE;
	const bool enabled = d->has_cr4 && set_in_cr4(d);

	if (!enabled && (old || in_module(d->symbol) || e->boot.disabled || e->boot.cleared)) {
		s->notes |= EXPLAIN_NOT_ENABLED;
		return true;
	}
	if (!enabled && !in_kernel(d->symbol)) {
		s->notes |= EXPLAIN_NO_SYMBOL;
		return true;
	}
	r->cpuid_fsgsbase = FSGS_ANSWER_YES; /* else this kernel would not have come here */
	r->cr4_write = FSGS_OUTCOME_OK;
	if (d->has_cr4)
		r->cr4_sticks = enabled ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	else
		s->notes |= EXPLAIN_NO_CR4;
	r->cr4_set[insn] = (struct fsgs_trial){.outcome = FSGS_OUTCOME_UNDEFINED, .signal = 6};
	return true;
}

static bool judge_protection(const struct explain_crash *c, struct explain_source *s)
{
	const struct explain_dump *d = &c->best;
	struct fsgs_report *r = &s->report;
	const int reg = explain_decode_cr4_write(d->code, d->code_length);

	if (reg < 0)
		return false;
	if (!d->has_cr4 || !(d->regs_known >> reg & 1)) {
		s->notes |= EXPLAIN_NO_VALUE;
		return true;
	}

	const uint64_t added = d->regs[reg] & ~d->cr4;

	if (!(added >> EXPLAIN_CR4_BIT & 1))
		return false;
	if (added != UINT64_C(1) << EXPLAIN_CR4_BIT) {
		s->notes |= EXPLAIN_OTHER_BITS;
		return true;
	}
	r->cpuid_fsgsbase = FSGS_ANSWER_YES; /* the kernel sets the bit only then */
	r->cr4_write = FSGS_OUTCOME_FAULTED;
	return true;
}

/* The first CPU sets what CR4 is pinned to. Another one that wants a different FSGSBASE while it
 * starts, in its idle task, has a different CPUID. */
static void judge_pinned(const struct explain_crash *c, struct explain_source *s)
{
	if (c->cpu > 0 && c->pid_known && c->pid == 0) {
		s->report.cpuid_fsgsbase = FSGS_ANSWER_YES;
		s->report.cpus_differ = FSGS_ANSWER_YES;
	} else {
		s->notes |= EXPLAIN_PINNED;
	}
}

void explain_end_crash(struct explain *e, struct explain_crash *c)
{
	struct explain_source s = {.kind = EXPLAIN_CRASH, .line = c->line, .cpu = c->cpu};
	bool ours = true;

	if (!c->open)
		return;
	end_dump(c);
	c->open = 0;
	explain_put_boot(&s.report, &e->boot);
	s.report.vantage = FSGS_VANTAGE_RING0;
	if (c->cause == EXPLAIN_PINNED_CR4)
		judge_pinned(c, &s);
	else if (c->cause == EXPLAIN_PROTECTION_FAULT)
		ours = judge_protection(c, &s);
	else
		ours = c->cause != EXPLAIN_OTHER && judge_opcode(e, c, &s);
	if (c->cause != EXPLAIN_HEADERLESS && c->cause != EXPLAIN_PINNED_CR4) {
		e->crashes++;
		e->foreign += !ours;
	}
	if (!ours)
		return;
	memcpy(s.symbol, c->best.symbol, sizeof s.symbol);
	memcpy(s.code, c->best.code, sizeof s.code);
	s.code_length = c->best.code_length;
	s.has_cr4 = c->best.has_cr4;
	s.cr4 = c->best.cr4;
	fsgs_decide(&s.report, sizeof s.report);
	e->boot.ours |= s.report.verdict != FSGS_VERDICT_UNKNOWN;
	explain_give(e, &s);
}

/* The one of this caller, or a new one in the place of the oldest. */
struct explain_crash *explain_find_crash(struct explain *e, uint32_t tag, bool *is_new)
{
	struct explain_crash *oldest = &e->crash[0];

	*is_new = false;
	for (int i = 0; i < EXPLAIN_CRASHES; i++) {
		struct explain_crash *c = &e->crash[i];

		if (c->open && e->lines - c->last_line > CRASH_LINES)
			explain_end_crash(e, c);
		if (c->open && c->tag == tag)
			return c;
		if (!c->open || (oldest->open && c->last_line < oldest->last_line))
			oldest = c;
	}
	*is_new = true;
	return oldest;
}

struct explain_crash *explain_open_crash(struct explain *e, uint32_t tag, enum explain_cause cause)
{
	bool is_new;
	struct explain_crash *c = explain_find_crash(e, tag, &is_new);

	explain_end_crash(e, c);
	memset(c, 0, sizeof *c);
	c->open = 1;
	c->cause = cause;
	c->tag = tag;
	c->cpu = -1;
	c->line = e->lines;
	return c;
}

void explain_crash_rip(struct explain_crash *c, struct text t, bool eip)
{
	uint64_t selector = 0;

	end_dump(c);
	c->now.seen = 1;
	/* "0010:current_save_fsgs+0x38/0xa0"; the low two bits of the selector are the privilege level. */
	c->now.user = eip || !text_hex(&t, &selector) || (selector & 3);
	text_skip(&t, ":");
	text_copy(&t, "", c->now.symbol, sizeof c->now.symbol);
}

/* Only the bytes from the marked one on matter. */
void explain_crash_code(struct explain_dump *d, struct text t)
{
	uint64_t byte;

	if (d->code_length || !text_find(&t, "<"))
		return;
	while (d->code_length < EXPLAIN_CODE && t.end - t.at >= 2) {
		struct text two = {t.at, t.at + 2};

		if (!text_hex(&two, &byte) || two.at != two.end)
			break;
		d->code[d->code_length++] = (uint8_t)byte;
		t.at += 2;
		text_skip(&t, ">");
		text_blank(&t);
	}
}

/* "RAX: 0000000000010000 RBX: ..." A value that was cut off is none. */
void explain_crash_registers(struct explain_dump *d, struct text t)
{
	static const char names[16][5] = {
		"RAX:", "RCX:", "RDX:", "RBX:", "RSP:", "RBP:", "RSI:", "RDI:",
		"R08:", "R09:", "R10:", "R11:", "R12:", "R13:", "R14:", "R15:",
	};

	for (int i = 0; i < 16; i++) {
		struct text at = t;
		uint64_t value;

		if (!text_find(&at, names[i]))
			continue;
		text_blank(&at);

		const char *digits = at.at;

		if (!text_hex(&at, &value) || at.at - digits != 16 || (d->regs_known >> i & 1))
			continue;
		d->regs[i] = value;
		d->regs_known |= 1u << i;
	}
}

void explain_crash_cr4(struct explain_dump *d, struct text t)
{
	const char *digits = t.at;
	uint64_t value;

	/* Fewer digits: the line was cut off. */
	if (d->has_cr4 || !text_hex(&t, &value) || t.at - digits != 16)
		return;
	d->has_cr4 = 1;
	d->cr4 = value;
}

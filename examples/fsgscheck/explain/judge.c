/* SPDX-License-Identifier: MIT */
/*
 * Decides what a crash proves.
 *
 * A crash is blamed on FSGSBASE only if all of these conditions hold
 * (arch/x86/kernel/{traps,dumpstack,process_64}.c, arch/x86/mm/extable.c and
 * arch/x86/kernel/cpu/common.c of Linux):
 *   - the kernel stopped at this dump: its header reports invalid opcode or a general protection
 *     fault. If the header is lost, other lines must show that the kernel stopped: see
 *     stopped_here(). The instruction then shows the reason: in the kernel, the four instructions
 *     raise only invalid opcode, because the kernel writes no non-canonical base;
 *   - the dump is of the kernel in 64-bit mode, not of the program that called the kernel;
 *   - the marked bytes, or a disassembly, show one of the four instructions (invalid opcode), or
 *     the marked bytes are a write to CR4 whose new value adds FSGSBASE and nothing else (general
 *     protection fault);
 *   - if the cause is invalid opcode, the kernel had enabled the instructions: CR4 shows the bit,
 *     or the code is in the kernel itself, which runs this code only after it has set the bit. A
 *     CPU that is just being started is an exception: kernels without commit 05243d490bb7 ran
 *     patched code on such a CPU before they set the bit.
 * The version of a kernel proves nothing about its code, because distributions backport the
 * feature. BUG() and UBSAN raise invalid opcode, too, but with other bytes (UD2, UD1).
 */
#include "explain.h"

#include <string.h>

#define CR4_OSFXSR   9

/* After this many seconds, a kernel that uses the instructions has executed them at thousands of
 * context switches. */
#define RAN_FOR_LONG 600

enum meaning {
	OURS,    /* FSGSBASE may be the cause */
	FOREIGN, /* another cause was recognised */
	UNREAD,  /* a crash with too little data */
	NOTHING  /* no crash */
};

static bool set_in_cr4(const struct explain_dump *d)
{
	return d->has_cr4 && (d->cr4 >> EXPLAIN_CR4_FSGSBASE & 1);
}

/* Whether this CPU may still be starting. Every CPU sets CR4.OSFXSR while it starts, before its
 * idle task begins to schedule. */
static bool is_starting(const struct explain_crash *c, const struct explain_dump *d)
{
	const bool paranoid = strstr(d->symbol, "paranoid_e") != NULL;

	if (d->has_cr4 && !(d->cr4 >> CR4_OSFXSR & 1))
		return true;
	if (c->trace & TRACE_RUNNING)
		return false;
	if (c->cpu < 0)
		return paranoid;
	return c->cpu > 0 && (paranoid || (c->pid_known && c->pid == 0));
}

/* For a dump without its header: whether the kernel stopped at this dump. */
static bool stopped_here(const struct explain_crash *c, const struct explain_dump *d)
{
	if (c->trace & (TRACE_ENDED | TRACE_PANICKED | TRACE_OPCODE))
		return true;
	/* A timer interrupt may print the backtrace of a running CPU. EFLAGS in such a dump shows
	 * that interrupts were enabled, so such a dump does not show that the kernel stopped. */
	return d->has_cr4 && d->interrupts != FSGS_ANSWER_YES;
}

static enum meaning judge_bytes_missing(const struct explain_crash *c, struct explain_source *s)
{
	const struct explain_dump *d = &c->best;
	const bool stopped = c->cause != EXPLAIN_HEADERLESS || stopped_here(c, d);

	if ((!d->seen && (c->trace & TRACE_USER)) || (c->trace & TRACE_BUG))
		return c->cause == EXPLAIN_HEADERLESS ? NOTHING : FOREIGN;
	if (!stopped)
		return NOTHING;
	if (c->cause == EXPLAIN_HEADERLESS && d->vague && !(c->trace & TRACE_PANICKED))
		return NOTHING;
	s->notes |= EXPLAIN_NOTE(NO_CODE);
	if (c->cause == EXPLAIN_HEADERLESS)
		s->notes |= EXPLAIN_NOTE(NO_HEADER);
	if (explain_is_ours(d->symbol))
		return OURS;
	/* In a function that does not use the instructions, a dump without its header proves
	 * nothing. With the header but without a symbol, the crash may have happened in a function
	 * that uses them. */
	if (c->cause == EXPLAIN_HEADERLESS)
		return !d->seen && (c->trace & TRACE_PANICKED) ? UNREAD : NOTHING;
	return d->symbol[0] < 'A' && d->code_length == 0 ? OURS : UNREAD;
}

static enum meaning judge_opcode(const struct explain *e, const struct explain_crash *c,
				 struct explain_source *s)
{
	const struct explain_dump *d = &c->best;
	struct fsgs_report *r = &s->report;
	const bool headerless = c->cause == EXPLAIN_HEADERLESS;
	const int insn = d->named ? d->named - 1 : explain_decode_insn(d->code, d->code_length);
	const bool module = explain_is_module(d->symbol);

	if (headerless && (c->trace & (TRACE_SAMPLED | TRACE_STOPPED)))
		return NOTHING;
	if (insn == -2)
		return judge_bytes_missing(c, s);
	if (insn == -1)
		return headerless ? NOTHING : FOREIGN;
	if (c->trace & TRACE_PICTURE) {
		s->notes |= EXPLAIN_NOTE(PICTURE);
		return OURS;
	}
	s->has_insn = 1;
	s->insn = (uint32_t)insn;
	s->notes |= headerless && !(c->trace & TRACE_OPCODE) ? EXPLAIN_NOTE(NO_HEADER) : 0;
	s->notes |= d->named ? EXPLAIN_NOTE(BY_NAME) : 0;
	s->notes |= module ? EXPLAIN_NOTE(MODULE) : 0;
	if (headerless && (d->vague || !stopped_here(c, d) || !explain_is_kernel(d->symbol)))
		return OURS;
	if (!set_in_cr4(d)) {
		if (module || e->boot.disabled || e->boot.cleared) {
			s->notes |= EXPLAIN_NOTE(NOT_ENABLED);
			return OURS;
		}
		if (!explain_is_kernel(d->symbol)) {
			s->notes |= EXPLAIN_NOTE(NO_SYMBOL);
			return OURS;
		}
		s->notes |= d->has_cr4 ? 0 : EXPLAIN_NOTE(NO_CR4);
		if (is_starting(c, d)) {
			s->notes |= EXPLAIN_NOTE(STARTING);
			return OURS;
		}
	}
	r->cpuid_fsgsbase = FSGS_ANSWER_YES; /* the kernel runs this code only if CPUID offers it */
	r->cr4_write = FSGS_OUTCOME_OK;
	if (d->has_cr4)
		r->cr4_sticks = set_in_cr4(d) ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	r->cr4_set[insn] = (struct fsgs_trial){.outcome = FSGS_OUTCOME_UNDEFINED, .signal = 6};
	if (c->uptime > RAN_FOR_LONG && !module) {
		s->notes |= EXPLAIN_NOTE(RAN_BEFORE);
		s->uptime = c->uptime - 1;
	}
	return OURS;
}

static enum meaning judge_protection(const struct explain_crash *c, struct explain_source *s)
{
	const struct explain_dump *d = &c->best;
	struct fsgs_report *r = &s->report;
	const int reg = explain_decode_cr4_write(d->code, d->code_length);

	if (reg < 0 && !d->code_length && !d->user && d->seen && explain_is_ours(d->symbol)) {
		s->notes |= EXPLAIN_NOTE(NO_CODE);
		return OURS;
	}
	if (reg < 0)
		return d->seen || d->code_length ? FOREIGN : UNREAD;
	if (!d->has_cr4 || !(d->regs_known >> reg & 1)) {
		s->notes |= EXPLAIN_NOTE(NO_VALUE);
		return OURS;
	}

	const uint64_t added = d->regs[reg] & ~d->cr4;

	if (!(added >> EXPLAIN_CR4_FSGSBASE & 1))
		return FOREIGN;
	if (added != UINT64_C(1) << EXPLAIN_CR4_FSGSBASE) {
		s->notes |= EXPLAIN_NOTE(OTHER_BITS);
		return OURS;
	}
	r->cpuid_fsgsbase = FSGS_ANSWER_YES; /* the kernel sets the bit only if CPUID offers it */
	r->cr4_write = FSGS_OUTCOME_FAULTED;
	return OURS;
}

/* The first CPU's CR4 determines the pinned bits. If another CPU causes the message while it
 * starts, in its idle task, its CPUID differs from that of the first CPU. A module can cause the
 * message on an idle CPU, too, by an interrupt. Then the module is in the trace or has tainted the
 * kernel. */
static void judge_pinned(const struct explain *e, const struct explain_crash *c,
			 struct explain_source *s)
{
	const uint32_t by_module = TRACE_MODULE | TRACE_CALL | TRACE_TAINTED | TRACE_RUNNING;

	if (c->cpu > 0 && c->pid_known && c->pid == 0 && (c->trace & TRACE_CLEAN) &&
	    !(c->trace & by_module) && !e->boot.own_modules) {
		s->report.cpuid_fsgsbase = FSGS_ANSWER_YES;
		s->report.cpus_differ = FSGS_ANSWER_YES;
	} else {
		s->notes |= EXPLAIN_NOTE(PINNED);
	}
}

static enum meaning judge_cause(const struct explain *e, const struct explain_crash *c,
				struct explain_source *s)
{
	switch (c->cause) {
	case EXPLAIN_PINNED_CR4:
		judge_pinned(e, c, s);
		return OURS;
	case EXPLAIN_PROTECTION_FAULT:
		return judge_protection(c, s);
	case EXPLAIN_HEADERLESS:
	case EXPLAIN_INVALID_OPCODE:
		return judge_opcode(e, c, s);
	case EXPLAIN_PANIC:
		return c->trace & TRACE_PANICKED ? UNREAD : FOREIGN;
	case EXPLAIN_OTHER:
		return FOREIGN;
	default:
		return NOTHING;
	}
}

static enum meaning judge(const struct explain *e, const struct explain_crash *c,
			  struct explain_source *s)
{
	const struct fsgs_report before = s->report;
	const enum meaning meaning = judge_cause(e, c, s);

	if (meaning == OURS && (c->trace & TRACE_QUOTED)) {
		s->report = before;
		s->notes |= EXPLAIN_NOTE(QUOTED);
	}
	return meaning;
}

void explain_judge(struct explain *e, struct explain_crash *c)
{
	struct explain_source s = {.kind = EXPLAIN_CRASH, .line = c->line, .cpu = c->cpu};
	const struct explain_dump *d = &c->best;
	enum meaning meaning;

	/* If a crash began with only a panic message, later lines may have added registers. Judge
	 * such a crash as a dump without its header. */
	if (c->cause == EXPLAIN_PANIC && d->seen)
		c->cause = EXPLAIN_HEADERLESS;
	explain_put_boot(&s, &e->boot);
	s.report.vantage = FSGS_VANTAGE_RING0;
	meaning = judge(e, c, &s);
	if (meaning == FOREIGN || meaning == UNREAD ||
	    (meaning == OURS && c->cause != EXPLAIN_PINNED_CR4))
		e->crashes++;
	e->foreign += meaning == FOREIGN;
	if (meaning == UNREAD && e->unread++ == 0)
		e->unread_line = c->line;
	if (meaning != OURS)
		return;
	if (c->reversed || c->parts)
		s.notes |= EXPLAIN_NOTE(REVERSED);
	memcpy(s.symbol, d->symbol, sizeof s.symbol);
	memcpy(s.code, d->code, sizeof s.code);
	s.code_length = d->code_length;
	s.has_cr4 = d->has_cr4;
	s.cr4 = d->cr4;
	s.mark[EXPLAIN_MARK_HEADER] = c->header_line;
	s.mark[EXPLAIN_MARK_RIP] = d->rip_line;
	s.mark[EXPLAIN_MARK_CODE] = d->code_length || d->named ? d->code_line : 0;
	s.mark[EXPLAIN_MARK_CR4] = d->has_cr4 ? d->cr4_line : 0;
	s.mark[EXPLAIN_MARK_END] = c->end_line;
	/* The advice for ring 0 names the boot image, which would not help in these cases. */
	if (s.notes & (EXPLAIN_NOTE(STARTING) | EXPLAIN_NOTE(NOT_ENABLED) | EXPLAIN_NOTE(PINNED)))
		s.report.vantage = FSGS_VANTAGE_PROCESS;
	fsgs_decide(&s.report, sizeof s.report);
	e->boot.judged |=
		s.report.verdict != FSGS_VERDICT_UNKNOWN || (s.notes & EXPLAIN_NOTE(MISSPELT));
	explain_give(e, &s);
}

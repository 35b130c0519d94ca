/* SPDX-License-Identifier: MIT */
/*
 * Crashes in kernel logs: which lines belong to one, whatever their order. What a crash amounts to
 * is decided in judge.c.
 *
 * The kernel prints a dump when it dies and the same again behind its trace; screens, pstore and
 * `journalctl -r` lose some of these lines or turn them around. So any line of a dump opens a
 * crash.
 */
#include "explain.h"

#include <string.h>

/* A dump has about 40 lines, with the call trace, and some transports put ten around each; after
 * that many it is over. */
#define CRASH_LINES 1000

static int insn_of(const struct explain_dump *d)
{
	return d->named ? d->named - 1 : explain_decode_insn(d->code, d->code_length);
}

static void merge(struct explain_dump *best, const struct explain_dump *now)
{
	if (!best->has_cr4 && now->has_cr4) {
		best->has_cr4 = 1;
		best->cr4 = now->cr4;
		best->cr4_line = now->cr4_line;
	}
	if (!best->interrupts)
		best->interrupts = now->interrupts;
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

	const int insn = insn_of(d);

	return insn >= 0 ? 3 : insn == -2 ? 2 : 1;
}

static void end_dump(struct explain_crash *c)
{
	const int now = weight(c, &c->now), best = weight(c, &c->best);

	c->trace |= c->now.user ? TRACE_USER : 0;
	if (!c->now.seen)
		merge(&c->loose, &c->now);
	else if (now > best)
		c->best = c->now;
	else if (now && now == best && strcmp(c->now.symbol, c->best.symbol) == 0)
		merge(&c->best, &c->now);
	memset(&c->now, 0, sizeof c->now);
}

static void end_crash(struct explain *e, struct explain_crash *c)
{
	if (!c->open)
		return;
	end_dump(c);
	/* Registers without a RIP belong to another dump, but for a record whose parts are turned
	 * around. */
	if (c->parts && c->best.seen)
		merge(&c->best, &c->loose);
	c->open = 0;
	explain_judge(e, c);
}

void explain_crash_end(struct explain *e)
{
	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		end_crash(e, &e->crash.slot[i]);
	memset(&e->crash, 0, sizeof e->crash);
}

bool explain_crash_is_open(const struct explain *e)
{
	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		if (e->crash.slot[i].open)
			return true;
	return false;
}

bool explain_crash_is_reversed(const struct explain *e)
{
	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		if (e->crash.slot[i].open && e->crash.slot[i].reversed)
			return true;
	return false;
}

/* The one of this caller, or a free place, or that of the oldest. */
static struct explain_crash *find_crash(struct explain *e, uint32_t tag, bool *is_new)
{
	struct explain_crash *oldest = &e->crash.slot[0];

	*is_new = false;
	for (int i = 0; i < EXPLAIN_CRASHES; i++) {
		struct explain_crash *c = &e->crash.slot[i];

		if (c->open && !c->reversed && !c->parts &&
		    e->messages - c->last_message > CRASH_LINES)
			end_crash(e, c);
		if (c->open && c->tag == tag)
			return c;
		if (!c->open || (oldest->open && c->last_message < oldest->last_message))
			oldest = c;
	}
	*is_new = true;
	return oldest;
}

static struct explain_crash *open_crash(struct explain *e, const struct explain_message *m,
					enum explain_cause cause)
{
	bool is_new;
	struct explain_crash *c = find_crash(e, m->tag, &is_new);

	end_crash(e, c);
	memset(c, 0, sizeof *c);
	c->open = 1;
	c->cause = cause;
	c->tag = m->tag;
	c->cpu = -1;
	c->line = m->line;
	c->parts = e->crash.parts;
	return c;
}

/* What has no header so far, and may get one from a line behind it. */
static bool is_waiting(const struct explain_crash *c)
{
	return c->cause == EXPLAIN_HEADERLESS || c->cause == EXPLAIN_PANIC;
}

/* A crash that says why. Where the newest line stands first, it comes after the dump. */
static struct explain_crash *take_cause(struct explain *e, const struct explain_message *m,
					enum explain_cause cause)
{
	bool is_new;
	struct explain_crash *c = find_crash(e, m->tag, &is_new);

	if (!is_new && is_waiting(c) && (c->reversed || c->parts)) {
		end_dump(c);
		c->cause = cause;
	} else {
		c = open_crash(e, m, cause);
	}
	c->header_line = m->line;
	if (!c->uptime)
		c->uptime = m->uptime;
	if (cause == EXPLAIN_INVALID_OPCODE && e->crash.bug_message &&
	    e->messages - e->crash.bug_message < 8)
		c->trace |= TRACE_BUG;
	return c;
}

/* "0000 [#1]": the error code and the count of crashes. Read from a picture, 0 may be O, and 1
 * l. */
static bool is_count(struct text t)
{
	while (t.at < t.end && strchr("0123456789abcdefOoQDlI", *t.at))
		t.at++;
	return text_skip(&t, " [#");
}

static bool has_letters(struct text t)
{
	return t.at < t.end && strchr("OoQDlI", *t.at);
}

/* "general protection fault: 0000 [#1]", "..., probably for non-canonical address ...: 0000 [#1]";
 * of a program: "general protection fault ip:... " */
static bool is_protection(struct text t)
{
	return (text_skip(&t, ": ") && is_count(t)) || text_skip(&t, ", ");
}

static struct explain_crash *take_early(struct explain *e, const struct explain_message *m,
					struct text t)
{
	uint64_t vector = 0;

	text_hex(&t, &vector);
	return take_cause(e, m,
			  vector == 6    ? EXPLAIN_INVALID_OPCODE
			  : vector == 13 ? EXPLAIN_PROTECTION_FAULT
					 : EXPLAIN_OTHER);
}

/* A dump of a CPU that continues, or a warning. It may be printed in the middle of a crash. */
static void take_sample(struct explain *e, const struct explain_message *m,
			enum explain_cause cause)
{
	bool is_new;
	const struct explain_crash *c = find_crash(e, m->tag, &is_new);

	if (!is_new && (c->reversed || c->parts) && c->cause != EXPLAIN_SAMPLE)
		return;
	if (is_new || is_waiting(c) || c->cause == EXPLAIN_SAMPLE || (c->trace & TRACE_ENDED))
		open_crash(e, m, cause);
}

/* "Oops: 0002 [#1]" follows "BUG: unable to handle ..." and is the same crash. */
static void take_other(struct explain *e, const struct explain_message *m, bool counts)
{
	bool is_new;
	const struct explain_crash *c = find_crash(e, m->tag, &is_new);

	if (!is_new && c->cause == EXPLAIN_OTHER)
		return;
	if (is_new || counts || is_waiting(c) || c->cause == EXPLAIN_SAMPLE)
		take_cause(e, m, EXPLAIN_OTHER);
}

static bool take_header(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	uint64_t bits;
	struct text rest = t;

	switch (code) {
	case CRASH_OPCODE:
		if (is_count(t))
			take_cause(e, m, EXPLAIN_INVALID_OPCODE)->trace |=
				has_letters(t) ? TRACE_PICTURE : 0;
		return true;
	case CRASH_EARLY:
		take_early(e, m, t);
		return true;
	case CRASH_PROTECTION:
		if (is_protection(t))
			take_cause(e, m, EXPLAIN_PROTECTION_FAULT);
		return true;
	case CRASH_PINNED:
		if (text_hex(&t, &bits) && (bits >> EXPLAIN_CR4_FSGSBASE & 1))
			take_cause(e, m, EXPLAIN_PINNED_CR4);
		return true;
	case CRASH_OTHER:
		take_other(e, m, false);
		return true;
	case CRASH_OTHER_DIE:
		take_other(e, m, text_find(&rest, " [#"));
		return true;
	case CRASH_BUG:
		e->crash.bug_message = e->messages;
		return true;
	case CRASH_SAMPLE:
		take_sample(e, m, EXPLAIN_SAMPLE);
		return true;
	default:
		return false;
	}
}

/* "0 PID: 0 Comm: swapper/0 Not tainted 6.1.0-56-amd64 #1 ..." The name of the program is its
 * user's choice, so the rest is looked for from the end. */
static void take_cpu(struct explain *e, struct explain_crash *c, struct text t)
{
	uint32_t cpu;
	char release[72];
	struct text at = t, comm;

	if (!text_number(&t, &cpu))
		return;
	comm = t;
	if (text_find(&comm, "Comm: "))
		t.end = comm.at;
	if (c->cpu < 0) {
		c->cpu = cpu <= INT32_MAX ? (int32_t)cpu : -1;
		if (text_find(&t, "PID: ") && text_number(&t, &c->pid))
			c->pid_known = 1;
	}
	comm.end = at.end;
	if (text_find(&comm, "Not tainted"))
		c->trace |= TRACE_CLEAN;
	else if (text_find(&comm, "Tainted: "))
		for (struct text taint = comm;
		     taint.at < taint.end && strchr(" ABCDEFGHIJKLMNOPQRSTUVWXYZ", *taint.at);
		     taint.at++)
			c->trace |= *taint.at == 'O' ? TRACE_TAINTED : 0;
	if (!text_find(&comm, " #"))
		return;

	const char *end = comm.at - 1;

	while (end > at.at && (end[-1] == ' ' || end[-1] == '#' || end[-1] == TEXT_JOINT))
		end--;
	for (at.at = end; end - at.at < 70 && at.at[-1] != ' ';)
		at.at--;
	at.end = end;
	text_copy(&at, "", release, sizeof release);
	explain_boot_kernel(e, release);
}

/* Whether the lines of a dump come in reverse order. */
static void note_order(const struct explain *e, struct explain_crash *c,
		       const struct explain_message *m)
{
	const uint32_t rank = explain_dump_rank(m->text);

	if (!rank)
		return;
	if (rank + 1 == c->rank && e->messages - c->rank_message <= 2)
		c->falling++;
	else if (rank > c->rank)
		c->falling = 0;
	c->reversed |= c->falling >= 3;
	c->rank = rank;
	c->rank_message = e->messages;
}

static void take_rip(struct explain_crash *c, const struct explain_message *m, struct text t,
		     bool eip)
{
	struct text rest = t;
	uint64_t address;

	/* crash(8) prints the registers of a frame in its own way. */
	if (text_hex(&rest, &address) == 16 && text_skip(&rest, "  RSP:"))
		return;
	if (!c->reversed)
		end_dump(c);
	explain_dump_rip(&c->now, t, eip);
	c->now.rip_line = m->line;
	if (c->reversed)
		end_dump(c);
	if (!c->uptime)
		c->uptime = m->uptime;
}

static void take_panic(struct explain *e, struct explain_crash *c, const struct explain_message *m)
{
	/* What the kernel says when a task died, as opposed to a watchdog's or a driver's
	 * decision. */
	static const char *const deaths[] = {"Attempted to kill the idle task", "Fatal exception"};
	bool died = false;

	for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
		struct text t = m->text;

		died |= text_find(&t, deaths[i]);
	}
	c->trace |= died ? TRACE_PANICKED : TRACE_STOPPED;
	c->end_line = m->line;
	if (c->cause != EXPLAIN_PANIC && !c->parts && !c->reversed)
		end_crash(e, c);
}

/* "Panic#1 Part2": pstore numbers the parts from the newest one on. */
static void take_part(struct explain *e, struct text t)
{
	uint32_t number, part = 0;

	if (!text_number(&t, &number) || !text_skip(&t, " Part") || !text_number(&t, &part))
		return;
	if (e->crash.part && part <= e->crash.part && e->crash.parts)
		explain_boot_end(e); /* another record */
	e->crash.parts = part == 1 ? !e->crash.part || e->crash.parts
				   : part > e->crash.part && e->crash.part;
	e->crash.part = part;
	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		if (e->crash.slot[i].open)
			end_dump(&e->crash.slot[i]);
}

/* -- crash(8) */

static void take_task(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_crash *c;
	uint32_t cpu;
	struct text rest = t;

	if (!text_find(&rest, "TASK: "))
		return;
	c = open_crash(e, m, EXPLAIN_HEADERLESS);
	c->last_message = e->messages;
	c->pid_known = text_number(&t, &c->pid);
	if (text_find(&rest, "CPU: ") && text_number(&rest, &cpu))
		c->cpu = (int32_t)cpu;
}

static void take_frame(struct explain_crash *c, const struct explain_message *m, struct text t)
{
	if (text_find(&t, "invalid_op")) {
		c->trace |= TRACE_OPCODE;
		c->header_line = m->line;
	}
}

/* `dis` may come before `bt` or behind it. */
static void name_insn(const struct explain *e, struct explain_crash *c)
{
	if (!c || !e->crash.named || strcmp(e->crash.symbol, c->now.symbol) != 0)
		return;
	c->now.named = (uint8_t)e->crash.named;
	c->now.code_line = e->crash.named_line;
}

static void take_disassembly(struct explain *e, struct explain_crash *c,
			     const struct explain_message *m, struct text t)
{
	char symbol[160];
	struct text rest;

	if (!text_find(&t, "<"))
		return;
	text_copy(&t, ">", symbol, sizeof symbol);
	rest = t;
	if (explain_insn_named(rest) < 0)
		return;
	memcpy(e->crash.symbol, symbol, sizeof symbol);
	e->crash.named = (uint32_t)(1 + explain_insn_named(rest));
	e->crash.named_line = m->line;
	name_insn(e, c);
}

static void take_tool_rip(const struct explain *e, struct explain_crash *c,
			  const struct explain_message *m, struct text t)
{
	end_dump(c);
	c->now.seen = 1;
	c->now.rip_line = m->line;
	text_copy(&t, "]", c->now.symbol, sizeof c->now.symbol);
	if (c->trace & TRACE_OPCODE)
		c->cause = EXPLAIN_INVALID_OPCODE;
	name_insn(e, c);
}

static void take_line(struct explain *e, struct explain_crash *c, const struct explain_message *m,
		      uint32_t code, struct text t)
{
	switch (code) {
	case CRASH_RIP:
	case CRASH_EIP:
		take_rip(c, m, t, code == CRASH_EIP);
		break;
	case CRASH_CODE:
		explain_dump_code(&c->now, t);
		c->now.code_line = m->line;
		break;
	case CRASH_REGS:
		note_order(e, c, m);
		if (!c->now.has_cr4)
			c->now.cr4_line = m->line;
		explain_dump_registers(&c->now, m->text);
		c->trace |= text_find(&t, "OOO") ? TRACE_PICTURE : 0;
		if (!c->now.has_cr4)
			c->now.cr4_line = 0;
		break;
	case CRASH_CPU:
		take_cpu(e, c, t);
		break;
	case CRASH_WARNING:
		if (c->cause == EXPLAIN_PINNED_CR4 && text_skip(&t, "CPU: "))
			take_cpu(e, c, t);
		break;
	case CRASH_END:
		c->trace |= TRACE_ENDED;
		c->end_line = m->line;
		break;
	case CRASH_PANIC:
		take_panic(e, c, m);
		break;
	case CRASH_TOOL_RIP:
		take_tool_rip(e, c, m, t);
		break;
	case CRASH_TOOL_FRAME:
		take_frame(c, m, t);
		break;
	case CRASH_TOOL_CODE:
		take_disassembly(e, c, m, t);
		break;
	}
}

void explain_crash_read(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	struct explain_crash *c;
	bool is_new;

	if (code == CRASH_PART) {
		take_part(e, t);
		return;
	}
	if (code == CRASH_TOOL_TASK) {
		take_task(e, m, t);
		return;
	}
	if (take_header(e, m, code, t)) {
		c = find_crash(e, m->tag, &is_new);
		if (!is_new)
			c->last_message = e->messages;
		return;
	}
	c = find_crash(e, m->tag, &is_new);
	if (code == CRASH_WARNING && (is_new || c->cause != EXPLAIN_PINNED_CR4)) {
		take_sample(e, m, EXPLAIN_SAMPLE);
		c = find_crash(e, m->tag, &is_new);
	}
	if (is_new) {
		if (code == CRASH_TOOL_CODE)
			take_disassembly(e, NULL, m, t);
		if (code > CRASH_TOOL_RIP)
			return;
		c = open_crash(e, m, code == CRASH_PANIC ? EXPLAIN_PANIC : EXPLAIN_HEADERLESS);
	}
	c->last_message = e->messages;
	take_line(e, c, m, code, t);
}

/* -- Call traces, and what decode_stacktrace.sh makes of a dump */

static uint32_t trace_bits(struct text t)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = {
		{"call_function", TRACE_CALL},    {"on_each_cpu", TRACE_CALL},
		{"do_idle", TRACE_RUNNING},       {"cpu_startup_entry", TRACE_RUNNING},
		{"schedule", TRACE_RUNNING},      {"copy_process", TRACE_RUNNING},
		{"do_syscall_64", TRACE_RUNNING}, {"entry_SYSCALL", TRACE_RUNNING},
		{"ret_from_fork", TRACE_RUNNING}, {"rest_init", TRACE_RUNNING},
		{"<IRQ>", TRACE_SAMPLED},         {"<NMI>", TRACE_SAMPLED},
		{"exc_nmi", TRACE_SAMPLED},       {"apic_timer", TRACE_SAMPLED},
	};
	uint32_t bits = 0;

	for (struct text at = t; at.at < at.end; at.at++) {
		if (!strchr("<acders", *at.at))
			continue;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			struct text found = at;

			if (*names[i].name == *at.at && text_skip(&found, names[i].name))
				bits |= names[i].bit;
		}
	}
	/* " x+0x1/0x2 [module]" */
	if (text_find(&t, "/0x") && text_find(&t, " [") && t.at < t.end &&
	    !(*t.at >= '0' && *t.at <= '9'))
		bits |= TRACE_MODULE;
	return bits;
}

/* "  2a:*\tf3 48 0f ae c0       \trdfsbase %rax\t\t<-- trapping instruction" */
static void take_trapping(struct explain_dump *d, const struct explain_message *m)
{
	struct text t = m->text, bytes;
	uint64_t byte;

	if (d->code_length || !text_find(&t, ":*"))
		return;
	bytes = t;
	if (!text_find(&t, "trapping instruction"))
		return;
	text_blank(&bytes);
	while (d->code_length < EXPLAIN_CODE) {
		struct text two = {bytes.at, bytes.end - bytes.at > 2 ? bytes.at + 2 : bytes.end};

		if (text_hex(&two, &byte) != 2)
			break;
		d->code[d->code_length++] = (uint8_t)byte;
		bytes.at += 2;
		text_skip(&bytes, " ");
	}
	d->code_line = m->line;
}

void explain_crash_trace(struct explain *e, const struct explain_message *m)
{
	struct explain_crash *c = NULL;

	for (int i = 0; i < EXPLAIN_CRASHES && !c; i++)
		if (e->crash.slot[i].open && e->crash.slot[i].tag == m->tag)
			c = &e->crash.slot[i];
	if (!c)
		return;
	if (memchr(m->text.at, '*', (size_t)(m->text.end - m->text.at)))
		take_trapping(&c->now, m);
	if (memchr(m->text.at, '+', (size_t)(m->text.end - m->text.at)) ||
	    memchr(m->text.at, '<', (size_t)(m->text.end - m->text.at)))
		c->trace |= trace_bits(m->text);
}

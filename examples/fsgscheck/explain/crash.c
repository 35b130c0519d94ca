/* SPDX-License-Identifier: MIT */
/*
 * Collects the lines of each crash in a kernel log, in any order. cause.c reads the reason for the
 * stop, dump.c the registers, trace.c the call trace, tool.c the output of crash(8). judge.c
 * decides what a crash proves.
 *
 * A kernel that dies prints a dump, then its call trace, then the same dump again. Screens, pstore
 * and `journalctl -r` lose some of these lines or reverse their order. So any line of a dump may
 * begin a crash.
 */
#include "explain.h"

#include <string.h>

/* A dump and its call trace have about 40 lines, and some transports add ten lines to each line.
 * After this many messages without a line of the crash, the crash is complete, unless its lines or
 * pstore parts are in reverse order. */
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

/* How much a dump proves about the crash: 0 if it has no RIP line or is not of a 64-bit kernel, and
 * 4 at most. */
static int weight(const struct explain_crash *c, const struct explain_dump *d)
{
	if (!d->seen || d->user)
		return 0;
	if (d->vague)
		return 1;
	if (c->cause == EXPLAIN_PROTECTION_FAULT)
		return explain_decode_cr4_write(d->code, d->code_length) >= 0 ? 4 : 2;

	const int insn = insn_of(d);

	return insn >= 0 ? 4 : insn == -2 ? 3 : 2;
}

void explain_dump_end(struct explain_crash *c)
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
	explain_dump_end(c);
	/* Registers without a RIP line belong to another dump, except in a pstore record with its
	 * parts in reverse order: there, the RIP line may be in another part. */
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

struct explain_crash *explain_crash_find(struct explain *e, uint32_t tag, bool *is_new)
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

struct explain_crash *explain_crash_open(struct explain *e, const struct explain_message *m,
					 enum explain_cause cause)
{
	bool is_new;
	struct explain_crash *c = explain_crash_find(e, m->tag, &is_new);

	end_crash(e, c);
	memset(c, 0, sizeof *c);
	c->open = 1;
	c->cause = cause;
	c->tag = m->tag;
	c->cpu = -1;
	c->line = m->line;
	c->parts = e->crash.parts;
	c->last_message = e->messages;
	return c;
}

/* Parses "0 PID: 0 Comm: swapper/0 Not tainted 6.1.0-56-amd64 #1 ...". The kernel's release is the
 * word before " #". A user can choose the program's name after "Comm: ", so " #" is searched for
 * only after the taint flags. */
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

/* Detects a dump in reverse order by the ranks of its register lines. */
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

	/* Ignore "RIP: ADDRESS  RSP: ...", with which crash(8) shows the registers of a stack
	 * frame. */
	if (text_hex(&rest, &address) == 16 && text_skip(&rest, "  RSP:"))
		return;
	if (!c->reversed)
		explain_dump_end(c);
	explain_dump_rip(&c->now, t, eip);
	c->now.rip_line = m->line;
	if (c->reversed)
		explain_dump_end(c);
	if (!c->uptime)
		c->uptime = m->uptime;
}

static void take_panic(struct explain *e, struct explain_crash *c, const struct explain_message *m)
{
	/* Parts of the messages with which the kernel panics because of an exception, and not
	 * because of a watchdog or a driver. A screen's right edge may cut off the rest of the
	 * messages. */
	static const char *const deaths[] = {"Attempted to kill the i", "Fatal exce"};
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

/* Parses "Panic#1 Part2". Part 1 of a pstore record has the newest lines. */
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
			explain_dump_end(&e->crash.slot[i]);
}

/* The right edge of a picture may cut off bytes of a wrapped line. So in a function that uses the
 * instructions, bytes that were joined from several lines are dropped if they decode to another
 * instruction. */
static void drop_cut_code(struct explain_dump *d, const struct explain_message *m)
{
	if (m->joined && explain_is_ours(d->symbol) && insn_of(d) == -1)
		d->code_length = 0;
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
		drop_cut_code(&c->now, m);
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
		explain_tool_rip(e, c, m, t);
		break;
	case CRASH_TOOL_FRAME:
		explain_tool_frame(c, m, t);
		break;
	case CRASH_TOOL_CODE:
		explain_tool_disassembly(e, c, m, t);
		break;
	}
}

/* Whether to use a line that may be part of a user-chosen name. Such a line may begin a crash. It
 * is added to an open crash only if that crash already contains such lines. */
static bool may_take_quoted(const struct explain *e, uint32_t tag, uint32_t code)
{
	if (code == CRASH_OPCODE || code == CRASH_EARLY || code == CRASH_PROTECTION)
		return true;
	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		if (e->crash.slot[i].open && e->crash.slot[i].tag == tag)
			return e->crash.slot[i].trace & TRACE_QUOTED;
	return true;
}

void explain_crash_read(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	struct explain_crash *c;
	bool is_new;

	if (m->quoted && !may_take_quoted(e, m->tag, code))
		return;
	if (code == CRASH_PART) {
		take_part(e, t);
		return;
	}
	if (code == CRASH_TOOL_TASK) {
		explain_tool_task(e, m, t);
		return;
	}
	if (explain_crash_cause(e, m, code, t)) {
		c = explain_crash_find(e, m->tag, &is_new);
		if (!is_new) {
			c->last_message = e->messages;
			c->trace |= m->quoted ? TRACE_QUOTED : 0;
		}
		return;
	}
	c = explain_crash_find(e, m->tag, &is_new);
	if (code == CRASH_WARNING && (is_new || c->cause != EXPLAIN_PINNED_CR4)) {
		explain_crash_sample(e, m);
		c = explain_crash_find(e, m->tag, &is_new);
	}
	if (is_new) {
		if (code == CRASH_TOOL_CODE)
			explain_tool_disassembly(e, NULL, m, t);
		if (code > CRASH_TOOL_RIP)
			return;
		c = explain_crash_open(e, m,
				       code == CRASH_PANIC ? EXPLAIN_PANIC : EXPLAIN_HEADERLESS);
	}
	c->last_message = e->messages;
	c->trace |= m->quoted ? TRACE_QUOTED : 0;
	take_line(e, c, m, code, t);
}

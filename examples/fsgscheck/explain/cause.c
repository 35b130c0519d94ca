/* SPDX-License-Identifier: MIT */
/* Reads the header of a dump: the line that states why the kernel stopped, or why it printed the
 * dump. It is the first line of a crash, of a warning, or of a CPU's backtrace. */
#include "explain.h"

#include <string.h>

/* Whether the header of the crash has not been read. It may come later if the log is in reverse
 * order. */
static bool is_waiting(const struct explain_crash *c)
{
	return c->cause == EXPLAIN_HEADERLESS || c->cause == EXPLAIN_PANIC;
}

/* Opens a crash with the cause that this line states. If the newest lines or pstore parts come
 * first, the line may follow the dump. Then it completes the open crash instead. */
static struct explain_crash *take_cause(struct explain *e, const struct explain_message *m,
					enum explain_cause cause)
{
	bool is_new;
	struct explain_crash *c = explain_crash_find(e, m->tag, &is_new);

	if (!is_new && is_waiting(c) && (c->reversed || c->parts)) {
		explain_dump_end(c);
		c->cause = cause;
	} else {
		c = explain_crash_open(e, m, cause);
	}
	c->header_line = m->line;
	if (!c->uptime)
		c->uptime = m->uptime;
	if (cause == EXPLAIN_INVALID_OPCODE && e->crash.bug_message &&
	    e->messages - e->crash.bug_message < 8)
		c->trace |= TRACE_BUG;
	return c;
}

/* Whether the text begins with an error code and a crash number: "0000 [#1]". OCR may turn 0 into O
 * and 1 into l. */
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

/* Whether the text after "general protection fault" shows a fault of the kernel: ": 0000 [#1]" or
 * ", probably for non-canonical address ...". For a fault of a program, it is " ip:...". */
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

/* Handles the first line of a warning, or of the backtrace of a CPU that continues. If the kernel
 * printed this line in the middle of a crash, the crash stays open. */
void explain_crash_sample(struct explain *e, const struct explain_message *m)
{
	bool is_new;
	const struct explain_crash *c = explain_crash_find(e, m->tag, &is_new);

	if (!is_new && (c->reversed || c->parts) && c->cause != EXPLAIN_SAMPLE)
		return;
	if (is_new || is_waiting(c) || c->cause == EXPLAIN_SAMPLE || (c->trace & TRACE_ENDED))
		explain_crash_open(e, m, EXPLAIN_SAMPLE);
}

/* Handles a line with a cause other than FSGSBASE. After "BUG: unable to handle ...", the line
 * "Oops: 0002 [#1]" belongs to the same crash. `counts`: the line has a crash number. */
static void take_other(struct explain *e, const struct explain_message *m, bool counts)
{
	bool is_new;
	const struct explain_crash *c = explain_crash_find(e, m->tag, &is_new);

	if (!is_new && c->cause == EXPLAIN_OTHER)
		return;
	if (is_new || counts || is_waiting(c) || c->cause == EXPLAIN_SAMPLE)
		take_cause(e, m, EXPLAIN_OTHER);
}

bool explain_crash_cause(struct explain *e, const struct explain_message *m, uint32_t code,
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
		explain_crash_sample(e, m);
		return true;
	default:
		return false;
	}
}

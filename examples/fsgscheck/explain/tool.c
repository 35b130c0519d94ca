/* SPDX-License-Identifier: MIT */
/* Reads the output of crash(8)'s commands bt and dis about a kernel dump. */
#include "explain.h"

#include <string.h>

void explain_tool_task(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_crash *c;
	uint32_t cpu;
	struct text rest = t;

	if (!text_find(&rest, "TASK: "))
		return;
	c = explain_crash_open(e, m, EXPLAIN_HEADERLESS);
	c->last_message = e->messages;
	c->pid_known = text_number(&t, &c->pid);
	if (text_find(&rest, "CPU: ") && text_number(&rest, &cpu))
		c->cpu = (int32_t)cpu;
}

void explain_tool_frame(struct explain_crash *c, const struct explain_message *m, struct text t)
{
	if (text_find(&t, "invalid_op")) {
		c->trace |= TRACE_OPCODE;
		c->header_line = m->line;
	}
}

/* Adds the instruction that `dis` showed to the dump that `bt` showed. Called for both commands,
 * because either may come first. */
static void name_insn(const struct explain *e, struct explain_crash *c)
{
	if (!c || !e->crash.named || strcmp(e->crash.symbol, c->now.symbol) != 0)
		return;
	c->now.named = (uint8_t)e->crash.named;
	c->now.code_line = e->crash.named_line;
}

void explain_tool_disassembly(struct explain *e, struct explain_crash *c,
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

void explain_tool_rip(const struct explain *e, struct explain_crash *c,
		      const struct explain_message *m, struct text t)
{
	explain_dump_end(c);
	c->now.seen = 1;
	c->now.rip_line = m->line;
	text_copy(&t, "]", c->now.symbol, sizeof c->now.symbol);
	if (c->trace & TRACE_OPCODE)
		c->cause = EXPLAIN_INVALID_OPCODE;
	name_insn(e, c);
}

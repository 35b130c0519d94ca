/* SPDX-License-Identifier: MIT */
/* Reads call traces in kernel logs, also in the form that decode_stacktrace.sh prints. */
#include "explain.h"

#include <string.h>

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

#define TRACE_NAMES (sizeof names / sizeof *names)

_Static_assert(TRACE_NAMES <= 16, "a bit of explain_trace_names for each name");

void explain_trace_begin(struct explain_trace_names *n)
{
	for (size_t i = 0; i < TRACE_NAMES; i++) {
		n->first[(unsigned char)names[i].name[0]] |= (uint16_t)(1u << i);
		n->second[(unsigned char)names[i].name[1]] |= (uint16_t)(1u << i);
	}
	n->second[TEXT_JOINT] = UINT16_MAX;
}

static uint32_t trace_bits(const struct explain_trace_names *n, struct text t)
{
	uint32_t bits = 0;

	for (struct text at = t; at.end - at.at > 1; at.at++) {
		uint32_t bit =
			n->first[(unsigned char)at.at[0]] & n->second[(unsigned char)at.at[1]];

		for (size_t i = 0; bit; i++, bit >>= 1) {
			struct text found = at;

			if ((bit & 1) && text_skip(&found, names[i].name))
				bits |= names[i].bit;
		}
	}
	/* " x+0x1/0x2 [module]" */
	if (text_find(&t, "/0x") && text_find(&t, " [") && t.at < t.end &&
	    !(*t.at >= '0' && *t.at <= '9'))
		bits |= TRACE_MODULE;
	return bits;
}

/* Parses "  2a:*\tf3 48 0f ae c0       \trdfsbase %rax\t\t<-- trapping instruction". */
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
		c->trace |= trace_bits(&e->trace_names, m->text);
}

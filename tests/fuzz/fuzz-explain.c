/* SPDX-License-Identifier: MIT */
/* Fuzzes the log reader of `fsgscheck explain`. What it reports must be well formed, and must not
 * depend on the size of the pieces in which it gets the log. The first byte of the input sets that
 * size. */
#include "fuzz.h"

#include <explain/explain.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES 64

struct said {
	struct explain_source sources[SOURCES];
	size_t count;
};

static void check(int condition)
{
	if (!condition)
		abort();
}

static void is_text(const char *text, size_t size)
{
	const size_t length = strnlen(text, size);

	check(length < size);
	for (size_t i = 0; i < length; i++)
		check((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void take(void *context, const struct explain_source *s)
{
	struct said *said = context;
	const struct fsgs_report *r = &s->report;

	check(s->kind < EXPLAIN_KINDS && s->notes < 1u << EXPLAIN_NOTES && s->line > 0);
	check(fsgs_name(FSGS_LIST_VERDICT, r->verdict) != NULL);
	check(r->findings < FSGS_FINDING_BIT(FSGS_FINDINGS));
	check(fsgs_reason(r, sizeof *r) != NULL);
	check(s->code_length <= EXPLAIN_CODE && s->insn < FSGS_INSNS);
	is_text(s->symbol, sizeof s->symbol);
	is_text(s->microcode, sizeof s->microcode);
	is_text(s->host, sizeof s->host);
	is_text(r->vendor, sizeof r->vendor);
	is_text(r->brand, sizeof r->brand);
	is_text(r->hypervisor, sizeof r->hypervisor);
	is_text(r->kernel, sizeof r->kernel);
	/* A crash may have the verdict `broken` only if the log names the instruction, or shows the
	 * bytes of one of the four instructions or of a write to CR4. */
	if (s->kind == EXPLAIN_CRASH && r->verdict == FSGS_VERDICT_BROKEN)
		check((s->notes & EXPLAIN_NOTE(BY_NAME)) ||
		      explain_decode_insn(s->code, s->code_length) >= 0 ||
		      explain_decode_cr4_write(s->code, s->code_length) >= 0);
	if (said->count < SOURCES)
		said->sources[said->count] = *s;
	said->count++;
}

static void run(struct explain *e, struct said *said, const uint8_t *data, size_t size,
		size_t piece)
{
	memset(said, 0, sizeof *said);
	explain_begin(e, take, said);
	for (size_t at = 0; at < size; at += piece)
		explain_feed(e, (const char *)data + at, size - at < piece ? size - at : piece);
	explain_end_file(e);
	check(e->sources == said->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct explain explain;
	static struct said whole, pieces;

	if (size < 2)
		return 0;
	run(&explain, &whole, data + 1, size - 1, size);
	run(&explain, &pieces, data + 1, size - 1, (size_t)data[0] + 1);
	check(memcmp(&whole, &pieces, sizeof whole) == 0);
	return 0;
}

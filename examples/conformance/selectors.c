/* SPDX-License-Identifier: MIT */
/* The effect of a selector load on the base, and of a write of the base on the selector. */
#include "suite.h"

#include <sys/mman.h>

#define BASE      UINT64_C(0x00006bd5a1e0c340)
/* Bit 31 is set, so that a wrong sign extension shows. */
#define HIGH_BASE 0x90001000u
#define LOW       UINT64_C(0xffffffff)

/* a: segment, b: selector, c: loaded by MOV (0) or by POP (1) */
static void null_load(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	const char *does;

	window_base(w, s, BASE);
	w->event = event_selector;
	w->argument[0] = t->a;
	w->argument[1] = t->b;
	w->argument[2] = t->c;
	run_window(w);
	if (w->last.insn[s] == 0)
		does = "cleared";
	else if (w->last.insn[s] == BASE)
		does = "kept";
	else if (w->last.insn[s] == (BASE & LOW))
		does = "low half kept";
	else
		does = "another value";
	classify("selector %u: base %s, reads back as selector %u", (unsigned)t->b, does,
		 w->last.selector[SEL_FS + s]);
	/* Any result is allowed, but ARCH_GET must return the base that the processor has. */
	expect_got(w->last.insn[s], &w->last, s, " after loading a null selector");
}

/* Installs a descriptor with base c, in the LDT (b is 0) or as a TLS entry (1). */
static unsigned selector_for(const struct test *t)
{
	return t->b ? tls_selector((uint32_t)t->c) : ldt_selector(0, (uint32_t)t->c);
}

static void descriptor_load(const struct test *t)
{
	const int s = (int)t->a;
	const unsigned selector = selector_for(t);
	struct window *const w = window_new();

	window_base(w, s, BASE);
	w->reload[s] = 1;
	w->selector[s] = (uint16_t)selector;
	run_window(w);
	expect(t->c, w->last.insn[s], "base of %s after loading a descriptor", segment_name(s));
	expect_got(t->c, &w->last, s, " after loading a descriptor");
	expect(selector, w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
}

/* a: segment, b: 0 LDT, 1 TLS. The base of the descriptor is the address of the data. */
static void descriptor_access(const struct test *t)
{
	const int s = (int)t->a;
	uint64_t *const data = low_memory(4096);
	struct window *const w = window_new();
	struct test at = *t;

	*data = UINT64_C(0xabcdef0123456789);
	at.c = (uintptr_t)data;
	w->selector[s] = (uint16_t)selector_for(&at);
	w->load_selector[s] = 1;
	w->event = event_load;
	w->argument[0] = t->a;
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the load");
	expect(*data, (uint64_t)w->result, "what was loaded through the descriptor");
}

/* a: segment, b: 0 LDT, 1 TLS, c: base of the descriptor. The instruction overrides the
 * descriptor's base and keeps the selector. */
static void write_over(const struct test *t)
{
	const int s = (int)t->a;
	const unsigned selector = selector_for(t);
	struct window *const w = window_new();

	w->load_selector[s] = 1;
	w->selector[s] = (uint16_t)selector;
	window_base(w, s, BASE);
	run_window(w);
	expect(selector, w->last.selector[SEL_FS + s], "selector of %s after the write",
	       segment_name(s));
	expect(BASE, w->last.insn[s], "base of %s", segment_name(s));
	expect_got(BASE, &w->last, s, "");
}

/* a: segment. */
static void prctl_zeroes(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	w->load_selector[s] = 1;
	w->selector[s] = (uint16_t)any_selector(0, HIGH_BASE);
	w->event = event_set_prctl;
	w->argument[0] = t->a;
	w->argument[1] = BASE;
	run_window(w);
	need_set(w->result, s);
	expect(0, (uint64_t)w->result, "ARCH_SET_%s", segment_name(s));
	expect(0, w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
	expect(BASE, w->last.insn[s], "base of %s", segment_name(s));
}

/* a: segment. A selector load must not change the other segment's base. */
static void other_kept(const struct test *t)
{
	const int s = (int)t->a, rest = !s;
	struct window *const w = window_new();

	window_base(w, s, BASE);
	window_base(w, rest, BASE + 0x5000);
	w->event = event_selector;
	w->argument[0] = t->a;
	run_window(w);
	expect(BASE + 0x5000, w->last.insn[rest], "base of %s", segment_name(rest));
}

#define BOTH(number, name, rule, k, function, b, c)                      \
	{(number), "fs-" name, rule, k, 0, function, FS, b, c},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, 0, function, GS, b, c \
	}

const struct test selector_tests[] = {
	BOTH(301, "null-0", RULE_NULL_SELECTOR, K(7), null_load, 0, 0),
	BOTH(303, "null-1", RULE_NULL_SELECTOR, K(7), null_load, 1, 0),
	BOTH(305, "null-2", RULE_NULL_SELECTOR, K(7), null_load, 2, 0),
	BOTH(307, "null-3", RULE_NULL_SELECTOR, K(7), null_load, 3, 0),
	BOTH(309, "null-pop", RULE_NULL_SELECTOR, K(7), null_load, 0, 1),
	BOTH(311, "ldt-base", RULE_DESCRIPTOR, 0, descriptor_load, 0, 0x12345678),
	BOTH(313, "ldt-base-bit-31", RULE_DESCRIPTOR, 0, descriptor_load, 0, HIGH_BASE),
	BOTH(315, "tls-base", RULE_DESCRIPTOR, K(12), descriptor_load, 1, 0x12345678),
	BOTH(317, "tls-base-bit-31", RULE_DESCRIPTOR, K(12), descriptor_load, 1, HIGH_BASE),
	BOTH(319, "ldt-access", RULE_DESCRIPTOR, K(13), descriptor_access, 0, 0),
	BOTH(321, "tls-access", RULE_DESCRIPTOR, K(12) | K(13), descriptor_access, 1, 0),
	BOTH(323, "write-over-ldt", RULE_SELECTOR_KEPT, 0, write_over, 0, HIGH_BASE),
	BOTH(325, "write-over-tls", RULE_SELECTOR_KEPT, K(12), write_over, 1, HIGH_BASE),
	BOTH(327, "arch-prctl-zeroes-selector", RULE_SET_PRCTL, 0, prctl_zeroes, 0, 0),
	BOTH(329, "load-leaves-the-other", RULE_OTHERS, 0, other_kept, 0, 0),
};
const size_t selector_count = sizeof selector_tests / sizeof *selector_tests;

/* SPDX-License-Identifier: MIT */
/* The instructions, arch_prctl and loads through the segment must agree on the base, and arch_prctl
 * must refuse a base that is too high. ptrace.c tests the access by a tracer. */
#include "suite.h"

#include <errno.h>

#define BASE         UINT64_C(0x00004e8f21d7b650)
/* TASK_SIZE_MAX with four and with five levels of page tables. limit() finds out which of the two
 * applies here. */
#define TASK_SIZE_48 UINT64_C(0x00007ffffffff000)
#define TASK_SIZE_57 UINT64_C(0x00fffffffffff000)
#define KERNEL_BASE  UINT64_C(0xffff800000002000)

/* a: segment, b: base */
static void written_is_got(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_base(w, s, t->b);
	run_window(w);
	need_get(&w->last, s);
	expect_got(t->b, &w->last, s, " after the instruction");
}

static struct window *set_prctl(uint64_t s, uint64_t base)
{
	struct window *const w = window_new();

	window_base(w, (int)s, BASE);
	w->event = event_set_prctl;
	w->argument[0] = s;
	w->argument[1] = base;
	run_window(w);
	return w;
}

/* a: segment, b: base, c: the base is read by the instruction (0) or by arch_prctl (1) */
static void set_is_read(const struct test *t)
{
	const int s = (int)t->a;
	const struct window *const w = set_prctl(t->a, t->b);

	need_set(w->result, s);
	expect(0, (uint64_t)w->result, "ARCH_SET_%s", segment_name(s));
	if (t->c) {
		need_get(&w->last, s);
		expect_got(t->b, &w->last, s, "");
	} else {
		expect(t->b, w->last.insn[s], "RD%sBASE", segment_name(s));
	}
}

/* a: segment */
static void set_is_loaded(const struct test *t)
{
	static uint64_t data = UINT64_C(0x7766554433221100);
	struct window *const w = window_new();

	window_prctl(w, (int)t->a, (uintptr_t)&data);
	w->want_load[t->a] = 1;
	run_window(w);
	need_set_by(w, (int)t->a);
	expect(data, w->last.load[t->a], "what is loaded through %s", segment_name((int)t->a));
}

/* a: segment, b: base. As in the kernel's selftest: a load at offset 0 faults, and its fault
 * address is the base that the processor uses. */
static void set_faults_at(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_prctl(w, s, t->b);
	w->event = event_load;
	w->argument[0] = t->a;
	run_window(w);
	need_set_by(w, s);
	if (!w->fault.signal)
		skip("something is mapped there");
	expect(SIGSEGV, (uint64_t)w->fault.signal, "signal of the load");
	expect(t->b, w->fault.address, "si_addr of a load through %s", segment_name(s));
}

/* a: segment, b: base that arch_prctl must refuse */
static void refused(const struct test *t)
{
	const int s = (int)t->a;

	/* Skips the case if arch_prctl refuses a valid base, too: then its refusal proves
	 * nothing. */
	need_set(set_prctl(t->a, BASE)->result, s);
	const struct window *const w = set_prctl(t->a, t->b);

	expect((uint64_t)-EPERM, (uint64_t)w->result, "ARCH_SET_%s of 0x%llx", segment_name(s),
	       (unsigned long long)t->b);
	expect(BASE, w->last.insn[s], "base of %s after it", segment_name(s));
}

/* a: segment. Tries a base just below the limit, and the limit itself. The limit depends on the
 * number of page-table levels. */
static void limit(const struct test *t)
{
	const bool five = set_prctl(t->a, TASK_SIZE_48)->result == 0;
	const uint64_t end = five ? TASK_SIZE_57 : TASK_SIZE_48;
	const struct window *const below = set_prctl(t->a, end - 1);
	const struct window *const at = set_prctl(t->a, end);

	need_set(below->result, (int)t->a);
	expect(0, (uint64_t)below->result, "ARCH_SET_%s of 0x%llx", segment_name((int)t->a),
	       (unsigned long long)end - 1);
	expect(end - 1, below->last.insn[t->a], "base after it");
	expect((uint64_t)-EPERM, (uint64_t)at->result, "ARCH_SET_%s of 0x%llx",
	       segment_name((int)t->a), (unsigned long long)end);
	expect(BASE, at->last.insn[t->a], "base after it");
}

/* a: segment, b: base that arch_prctl refuses, but the instruction must accept */
static void beyond_prctl(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	w->in[RAX] = t->b;
	w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, RAX);
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the write");
	expect(t->b, w->last.insn[s], "base of %s", segment_name(s));
}

/* a: segment. Each access reads what the other one wrote, 50 times with new bases: an access that
 * returns an old value fails. */
static void in_turns(const struct test *t)
{
	const int s = (int)t->a;

	for (uint64_t i = 0; i < 50; i++) {
		struct window *const w = window_new();

		window_prctl(w, s, BASE + 16 * i);
		w->in[R11] = BASE + 0x10000 - 16 * i;
		w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, R11);
		run_window(w);
		need_set_by(w, s);
		expect(BASE + 16 * i, w->before.insn[s], "RD%sBASE after ARCH_SET",
		       segment_name(s));
		need_get(&w->last, s);
		expect_got(BASE + 0x10000 - 16 * i, &w->last, s, " after the instruction");
	}
}

#define BOTH(number, name, rule, k, f, function, b, c)                   \
	{(number), "fs-" name, rule, k, 0, function, FS, b, c},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, f, function, GS, b, c \
	}

const struct test agreement_tests[] = {
	BOTH(401, "written-arch-prctl-gets", RULE_GET_PRCTL, K(6), 0, written_is_got, BASE, 0),
	BOTH(403, "written-zero-arch-prctl-gets", RULE_GET_PRCTL, K(6), 0, written_is_got, 0, 0),
	BOTH(405, "kernel-half-arch-prctl-gets", RULE_GET_PRCTL, K(6), KERNEL_HALF, written_is_got,
	     KERNEL_BASE, 0),
	BOTH(407, "set-0-is-read", RULE_SET_PRCTL, K(5), 0, set_is_read, 0, 0),
	BOTH(409, "set-1-is-read", RULE_SET_PRCTL, K(5), 0, set_is_read, 1, 0),
	BOTH(411, "set-8g-is-read", RULE_SET_PRCTL, K(5), 0, set_is_read, UINT64_C(0x200000000), 0),
	BOTH(413, "set-is-read", RULE_SET_PRCTL, K(5), 0, set_is_read, BASE, 0),
	BOTH(415, "set-0-is-got", RULE_GET_PRCTL, K(6), 0, set_is_read, 0, 1),
	BOTH(417, "set-8g-is-got", RULE_GET_PRCTL, K(6), 0, set_is_read, UINT64_C(0x200000000), 1),
	BOTH(419, "set-is-loaded", RULE_LINEAR, K(5), 0, set_is_loaded, 0, 0),
	BOTH(421, "kernel-half-refused", RULE_PRCTL_LIMIT, 0, 0, refused, KERNEL_BASE, 0),
	BOTH(423, "not-canonical-refused", RULE_PRCTL_LIMIT, 0, 0, refused, UINT64_C(1) << 63, 0),
	BOTH(425, "limit", RULE_PRCTL_LIMIT, 0, 0, limit, 0, 0),
	BOTH(427, "beyond-arch-prctl", RULE_ANY_CANONICAL, 0, KERNEL_HALF, beyond_prctl,
	     KERNEL_BASE, 0),
	BOTH(429, "in-turns", RULE_GET_PRCTL, K(6), 0, in_turns, 0, 0),
	BOTH(431, "set-0-faults-at", RULE_SET_PRCTL, K(5), 0, set_faults_at, 0, 0),
	BOTH(433, "set-1-faults-at", RULE_SET_PRCTL, K(5), 0, set_faults_at, 1, 0),
	BOTH(435, "set-8g-faults-at", RULE_SET_PRCTL, K(5), 0, set_faults_at, UINT64_C(0x200000000),
	     0),
};
const size_t agreement_count = sizeof agreement_tests / sizeof *agreement_tests;

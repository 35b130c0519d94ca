/* SPDX-License-Identifier: MIT */
/* Tests that run on every CPU, because the CPUs of a machine may differ: for example, a hypervisor
 * may have set up only some of them. */
#include "suite.h"

#include <cpuid.h>
#include <sys/mman.h>

#define MANY  1024
#define BASE  UINT64_C(0x00002468ace13570)
#define OTHER UINT64_C(0x0000369cf258be10)

/* Calls `each` on every CPU that the run may use. Skips the case if none can be used. */
static void on_each(const struct test *t, void (*each)(const struct test *, int))
{
	int cpus[MANY];
	const size_t count = allowed_cpus(cpus, MANY);

	for (size_t i = 0; i < count; i++)
		if (pin(cpus[i]))
			each(t, cpus[i]);
	if (!record->checks && !record->word)
		skip("cannot move to any CPU");
}

/* a: instruction */
static void values_on(const struct test *t, int cpu)
{
	const int s = segment_of(t->a);

	for (unsigned width = 32; width <= 64; width += 32) {
		const uint64_t mask = width == 64 ? ~UINT64_C(0) : UINT64_C(0xffffffff);
		struct window *const w = window_new();

		window_prctl(w, s, OTHER);
		w->in[RBX] = BASE;
		w->stub = stub((unsigned)t->a, width, RBX);
		run_window(w);
		expect(0, (uint64_t)w->fault.signal, "signal of %s on CPU %d",
		       insn_name(t->a, width), cpu);
		if (is_write(t->a))
			expect(BASE & mask, base_of(&w->last, s), "base after %s on CPU %d",
			       insn_name(t->a, width), cpu);
		else
			expect(OTHER & mask, w->out[RBX], "%s on CPU %d", insn_name(t->a, width),
			       cpu);
	}
}

static void values(const struct test *t)
{
	on_each(t, values_on);
}

/* a: segment */
static void canonical_on(const struct test *t, int cpu)
{
	struct window *const w = window_new();

	window_prctl(w, (int)t->a, OTHER);
	w->in[RBX] = UINT64_C(1) << 63;
	w->stub = stub(t->a == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, RBX);
	run_window(w);
	if (!w->fault.signal)
		fail("#GP (SIGSEGV)", "accepted", "write of 0x%llx on CPU %d",
		     (unsigned long long)w->in[RBX], cpu);
	expect(OTHER, base_of(&w->last, (int)t->a), "base of %s afterwards on CPU %d",
	       segment_name((int)t->a), cpu);
}

static void canonical(const struct test *t)
{
	on_each(t, canonical_on);
}

static void lock_on(const struct test *t, int cpu)
{
	for (unsigned insn = 0; insn < FSGS_INSNS; insn++) {
		struct window *const w = window_new();

		(void)t;
		w->in[RAX] = OTHER;
		w->stub = odd_stub(ODD_LOCK64, insn);
		run_window(w);
		if (!w->fault.signal)
			fail("#UD (SIGILL)", "executed", "LOCK %s on CPU %d", insn_name(insn, 64),
			     cpu);
		record->checks++;
	}
}

static void lock(const struct test *t)
{
	on_each(t, lock_on);
}

/* a: segment. Sets the base on one CPU, moves to another and reads the base there, for all pairs of
 * the first 16 CPUs that the run may use. */
static void carried(const struct test *t)
{
	int cpus[MANY];
	const size_t count = allowed_cpus(cpus, MANY);
	const size_t few = count < 16 ? count : 16;

	if (count < 2)
		skip("there is one CPU only");
	for (size_t from = 0; from < few; from++) {
		for (size_t to = 0; to < few; to++) {
			struct window *const w = window_new();

			if (!pin(cpus[from]))
				continue;
			window_base(w, (int)t->a, BASE + from);
			w->event = event_hop;
			w->cpu[0] = (uint16_t)cpus[to];
			w->cpus = 1;
			run_window(w);
			expect(BASE + from, w->last.insn[t->a], "base of %s, from CPU %d to %d",
			       segment_name((int)t->a), cpus[from], cpus[to]);
			munmap(w, sizeof *w);
		}
	}
}

static void cpuid_on(const struct test *t, int cpu)
{
	unsigned a, b = 0, c, d;

	(void)t;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		b = 0;
	expect(machine.report.cpuid_fsgsbase == FSGS_ANSWER_YES, b & 1,
	       "CPUID.(EAX=7,ECX=0):EBX[0] on CPU %d", cpu);
}

static void cpuid(const struct test *t)
{
	on_each(t, cpuid_on);
}

/* Loading a null selector must leave the same GS base on each CPU. The bases can differ if the
 * machine mixes processors of different models. */
static void null_on(const struct test *t, int cpu)
{
	static uint64_t first[2];
	static bool known;
	struct window *const w = window_new();

	(void)t;
	window_base(w, GS, BASE);
	w->event = event_selector;
	w->argument[0] = GS;
	run_window(w);
	if (known)
		expect(first[GS], w->last.insn[GS], "GS base after a null selector on CPU %d", cpu);
	first[GS] = w->last.insn[GS];
	known = true;
	record->checks++;
}

static void null_selector(const struct test *t)
{
	on_each(t, null_on);
}

const struct test cpu_tests[] = {
	{801, "rdfsbase-everywhere", RULE_EVERY_CPU, K(4), 0, values, FSGS_INSN_RDFSBASE, 0, 0},
	{802, "rdgsbase-everywhere", RULE_EVERY_CPU, K(4), 0, values, FSGS_INSN_RDGSBASE, 0, 0},
	{803, "wrfsbase-everywhere", RULE_EVERY_CPU, K(4), 0, values, FSGS_INSN_WRFSBASE, 0, 0},
	{804, "wrgsbase-everywhere", RULE_EVERY_CPU, K(4), 0, values, FSGS_INSN_WRGSBASE, 0, 0},
	{805, "fs-gp-everywhere", RULE_CANONICAL, 0, 0, canonical, FS, 0, 0},
	{806, "gs-gp-everywhere", RULE_CANONICAL, 0, 0, canonical, GS, 0, 0},
	{807, "lock-everywhere", RULE_LOCK, 0, 0, lock, 0, 0, 0},
	{808, "fs-carried", RULE_SURVIVE, 0, 0, carried, FS, 0, 0},
	{809, "gs-carried", RULE_SURVIVE, 0, 0, carried, GS, 0, 0},
	{810, "cpuid-everywhere", RULE_EVERY_CPU, K(4), 0, cpuid, 0, 0, 0},
	{811, "null-selector-everywhere", RULE_EVERY_CPU, K(7), 0, null_selector, 0, 0, 0},
};
const size_t cpu_count = sizeof cpu_tests / sizeof *cpu_tests;

/* SPDX-License-Identifier: MIT */
/* Tests instructions that must fault: how the fault is reported, and that nothing else changes.
 * Also tests 32-bit code. */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define BASE          UINT64_C(0x00003c5a96e1f870)
#define NOT_CANONICAL (UINT64_C(1) << 63)

#define VECTOR_UD     6
#define VECTOR_GP     13

static unsigned writer(uint64_t segment)
{
	return segment == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE;
}

/* Tries to write `value` to the base of a segment. The base before the write is BASE. */
static struct window *attempt(uint64_t segment, uint64_t value, unsigned reg)
{
	struct window *const w = window_new();

	window_prctl(w, (int)segment, BASE);
	for (unsigned i = 0; i < REGISTERS; i++)
		w->in[i] = UINT64_C(0x5100000000) + i;
	w->in[reg] = value;
	w->flags = FLAGS_FIXED | FLAGS_STATUS;
	w->stub = stub(writer(segment), 64, reg);
	run_window(w);
	return w;
}

static void must_fault(const struct window *w, uint64_t value)
{
	char what[64];

	snprintf(what, sizeof what, "write of 0x%llx", (unsigned long long)value);
	if (!w->fault.signal)
		fail("#GP (SIGSEGV)", "accepted", "%s", what);
	else
		expect(SIGSEGV, (uint64_t)w->fault.signal, "signal of the %s", what);
}

/* a: segment, b: value that is not canonical, neither with 48 nor with 57 address bits */
static void refuses(const struct test *t)
{
	must_fault(attempt(t->a, t->b, RAX), t->b);
}

/* a: segment */
static void delivery(const struct test *t)
{
	const struct window *const w = attempt(t->a, NOT_CANONICAL, RDX);

	must_fault(w, NOT_CANONICAL);
	if (!w->fault.signal)
		return;
	expect(128, (uint64_t)w->fault.code, "si_code (SI_KERNEL)");
	expect(0, w->fault.address, "si_addr");
	expect(VECTOR_GP, w->fault.trap, "exception vector in the signal frame");
	expect(0, w->fault.error, "error code in the signal frame");
	expect(w->stub, w->fault.rip, "RIP in the signal frame");
}

/* a: segment */
static void keeps_base(const struct test *t)
{
	const struct window *const w = attempt(t->a, NOT_CANONICAL, RAX);

	expect_got(BASE, &w->last, (int)t->a, " after the refused write");
	expect(BASE, w->last.insn[t->a], "base by the instruction after the refused write");
}

/* a: segment */
static void keeps_rest(const struct test *t)
{
	const struct window *const w = attempt(t->a, NOT_CANONICAL, RBX);

	must_fault(w, NOT_CANONICAL);
	expect(FLAGS_FIXED | FLAGS_STATUS, w->after, "flags after the refused write");
	for (unsigned i = 0; i < REGISTERS; i++)
		expect(w->in[i], w->out[i], "%s after the refused write", register_name(i, 64));
	expect(w->before.selector[SEL_FS + t->a], w->last.selector[SEL_FS + t->a], "selector of %s",
	       segment_name((int)t->a));
}

/* a: segment */
static void every_register(const struct test *t)
{
	for (unsigned reg = 0; reg < REGISTERS; reg++) {
		const struct window *w;

		if (reg == RSP && !machine.stray_rsp) {
			remark("without RSP: this machine ends a process that it interrupts while "
			       "RSP is not canonical");
			continue;
		}
		w = attempt(t->a, NOT_CANONICAL, reg);
		expect(SIGSEGV, (uint64_t)w->fault.signal, "signal of the write with %s",
		       register_name(reg, 64));
		expect(BASE, base_of(&w->last, (int)t->a), "base after the write with %s",
		       register_name(reg, 64));
	}
}

/* a: segment. After a fault, the same code must succeed with a good value in the register. */
static void again(const struct test *t)
{
	for (int i = 0; i < 3; i++) {
		const struct window *bad = attempt(t->a, NOT_CANONICAL, RSI);
		const struct window *good = attempt(t->a, BASE + 0x1000, RSI);

		must_fault(bad, NOT_CANONICAL);
		expect(0, (uint64_t)good->fault.signal, "signal of a good write after a bad one");
		expect(BASE + 0x1000, base_of(&good->last, (int)t->a),
		       "base of a good write after a bad one");
	}
}

/* a: segment, b: value that is canonical with 57 address bits, but not with 48 */
static void by_width(const struct test *t)
{
	const struct window *const w = attempt(t->a, t->b, RAX);

	if (w->fault.signal)
		classify("0x%llx: #GP", (unsigned long long)t->b);
	else
		classify("0x%llx: accepted, reads back 0x%llx", (unsigned long long)t->b,
			 (unsigned long long)w->last.insn[t->a]);
}

/* a: instruction, b: width */
static void lock(const struct test *t)
{
	struct window *const w = window_new();
	const int s = segment_of(t->a);

	window_prctl(w, s, BASE);
	w->in[RAX] = BASE + 0x2000;
	w->stub = odd_stub(t->b == 64 ? ODD_LOCK64 : ODD_LOCK32, (unsigned)t->a);
	run_window(w);
	if (!w->fault.signal)
		fail("#UD (SIGILL)", "executed", "LOCK %s", insn_name(t->a, t->b));
	else
		expect(SIGILL, (uint64_t)w->fault.signal, "signal of LOCK %s",
		       insn_name(t->a, t->b));
	expect(BASE, base_of(&w->last, s), "base after LOCK %s", insn_name(t->a, t->b));
	expect(BASE + 0x2000, w->out[RAX], "RAX after LOCK %s", insn_name(t->a, t->b));
}

static void judge_undefined(const struct window *w, const char *what)
{
	if (!w->fault.signal) {
		fail("#UD (SIGILL)", "executed", "%s", what);
		return;
	}
	expect(SIGILL, (uint64_t)w->fault.signal, "signal of %s", what);
	expect(2, (uint64_t)w->fault.code, "si_code of %s (ILL_ILLOPN)", what);
	expect(w->stub, w->fault.address, "si_addr of %s", what);
	expect(w->stub, w->fault.rip, "RIP of %s", what);
}

/* Executes a stub without foreign_window(), which reads the bases by the instructions. So this also
 * works on machines without them. */
static struct window *bare(uint64_t code)
{
	struct window *const w = window_new();

	w->stub = code;
	foreign_now = w;
	window_enter(w);
	return w;
}

/* a: 0 UD2, 1 LOCK RDGSBASE. #UD must arrive in the same form from both. */
static void undefined(const struct test *t)
{
	judge_undefined(
		bare(t->a ? odd_stub(ODD_LOCK64, FSGS_INSN_RDGSBASE) : (uintptr_t)window_ud2),
		t->a ? "LOCK RDGSBASE r64" : "UD2");
	/* Without FSGSBASE, the four instructions must raise #UD, too. Only the reads are tried,
	 * because they do no harm if they run. */
	if (machine.present)
		return;
	for (unsigned insn = FSGS_INSN_RDFSBASE; insn <= FSGS_INSN_RDGSBASE; insn++)
		for (unsigned width = 32; width <= 64; width += 32)
			judge_undefined(bare(stub(insn, width, RAX)), insn_name(insn, width));
	if (!record->failures)
		skip("%s; #UD arrives as it must", machine.why);
}

/* Tests the exception vector in the signal frame, in a case of its own, because some emulators
 * deliver the signal correctly but do not store the vector. */
static void vector(const struct test *t)
{
	const struct window *const w = bare(odd_stub(ODD_LOCK64, FSGS_INSN_RDFSBASE));

	(void)t;
	expect(SIGILL, (uint64_t)w->fault.signal, "signal of LOCK RDFSBASE r64");
	expect(VECTOR_UD, w->fault.trap, "exception vector in the signal frame");
}

/* a: instruction to execute in 32-bit code; FSGS_INSNS: none, only NOPs */
static void compat(const struct test *t)
{
	/* The instruction on EAX: F3 0F AE and a ModRM byte with the /digit of the instruction. */
	const unsigned char insn[] = {0xf3, 0x0f, 0xae, (unsigned char)(0xc0 + 8 * t->a)};
	static const unsigned char nothing[] = {0x90, 0x90, 0x90, 0x90};
	struct window *const w = window_new();

	compat_stub(w, t->a < FSGS_INSNS ? insn : nothing, sizeof insn);
	window_prctl(w, GS, BASE);
	w->in[RAX] = 0x12345678;
	run_window(w);
	if (w->fault.signal && w->fault.rip == w->stub)
		skip("this kernel has no 32-bit code segment");
	if (t->a == FSGS_INSNS) {
		expect(0, (uint64_t)w->fault.signal, "signal on the way through 32-bit code");
		expect(BASE, w->last.insn[GS], "GS base after it");
		return;
	}
	if (!w->fault.signal) {
		fail("#UD (SIGILL)", "executed", "%s in compatibility mode", insn_name(t->a, 32));
		return;
	}
	expect(SIGILL, (uint64_t)w->fault.signal, "signal of %s in compatibility mode",
	       insn_name(t->a, 32));
	expect(w->stub + COMPAT_CODE, w->fault.rip, "RIP of the fault");
	expect(BASE, w->last.insn[GS], "GS base after it");
	expect(0x12345678, w->out[RAX] & 0xffffffff, "EAX after it");
}

/* 32-bit code loads through the segment. a: segment; b: where the base comes from: 0 for an LDT or
 * TLS descriptor, 1 for a TLS descriptor, 2 for the instruction, which replaced a descriptor's
 * base. */
static void compat_load(const struct test *t)
{
	const int s = (int)t->a;
	/* MOV EAX, FS:[0] or GS:[0] */
	const unsigned char code[] = {s == FS ? 0x64 : 0x65, 0xa1, 0, 0, 0, 0};
	uint32_t *const data = low_memory(4096);
	const uint32_t base = (uint32_t)(uintptr_t)data;
	struct window *const w = window_new();

	data[0] = 0x600dda7a;
	data[1] = 0xbadda7a;
	w->load_selector[s] = 1;
	w->selector[s] = (uint16_t)(t->b == 1 ? tls_selector(base)
					      : any_selector(0, t->b == 2 ? base + 4 : base));
	if (t->b == 2)
		window_base(w, s, base);
	compat_stub(w, code, sizeof code);
	run_window(w);
	if (w->fault.signal && w->fault.rip == w->stub)
		skip("this kernel has no 32-bit code segment");
	expect(0, (uint64_t)w->fault.signal, "signal of the load in 32-bit code");
	expect(data[0], w->out[RAX] & 0xffffffff, "what 32-bit code loaded through %s",
	       segment_name(s));
	expect(w->selector[s], w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
	expect(base, w->last.insn[s], "base of %s", segment_name(s));
}

#define BOTH(number, name, rule, function, b)                            \
	{(number), "fs-" name, rule, 0, 0, function, FS, b, 0},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, 0, 0, function, GS, b, 0 \
	}

#define EACH(number, name, rule, k, function, b)                                                 \
	{(number), "rdfsbase" name, rule, k, 0, function, FSGS_INSN_RDFSBASE, b, 0},             \
		{(number) + 1, "rdgsbase" name, rule, k, 0, function, FSGS_INSN_RDGSBASE, b, 0}, \
		{(number) + 2, "wrfsbase" name, rule, k, 0, function, FSGS_INSN_WRFSBASE, b, 0}, \
	{                                                                                        \
		(number) + 3, "wrgsbase" name, rule, k, 0, function, FSGS_INSN_WRGSBASE, b, 0    \
	}

const struct test fault_tests[] = {
	BOTH(201, "refuses-bit-63", RULE_CANONICAL, refuses, NOT_CANONICAL),
	BOTH(203, "refuses-bit-56", RULE_CANONICAL, refuses, UINT64_C(0x0100000000000000)),
	BOTH(205, "refuses-all-but-bit-63", RULE_CANONICAL, refuses, UINT64_C(0x7fffffffffffffff)),
	BOTH(207, "refuses-all-but-bit-56", RULE_CANONICAL, refuses, UINT64_C(0xfeffffffffffffff)),
	BOTH(209, "refuses-tagged-pointer", RULE_CANONICAL, refuses, UINT64_C(0x2a00000000001000)),
	BOTH(211, "refuses-bit-63-and-1", RULE_CANONICAL, refuses, UINT64_C(0x8000000000000001)),
	BOTH(213, "gp-delivery", RULE_GP_SIGNAL, delivery, 0),
	BOTH(215, "gp-keeps-base", RULE_CANONICAL_KEEPS, keeps_base, 0),
	BOTH(217, "gp-keeps-registers", RULE_CANONICAL_KEEPS, keeps_rest, 0),
	BOTH(219, "gp-every-register", RULE_CANONICAL, every_register, 0),
	BOTH(221, "gp-then-good", RULE_CANONICAL_KEEPS, again, 0),
	BOTH(223, "bit-47", RULE_CANONICAL_WIDTH, by_width, UINT64_C(0x0000800000000000)),
	BOTH(225, "all-but-bit-47", RULE_CANONICAL_WIDTH, by_width, UINT64_C(0xffff7fffffffffff)),
	BOTH(227, "user-57-end", RULE_CANONICAL_WIDTH, by_width, UINT64_C(0x00ffffffffffffff)),
	BOTH(229, "kernel-57-begin", RULE_CANONICAL_WIDTH, by_width, UINT64_C(0xff00000000000000)),
	EACH(231, "32-lock", RULE_LOCK, 0, lock, 32),
	EACH(235, "64-lock", RULE_LOCK, 0, lock, 64),
	{239, "ud2-delivery", RULE_UD_SIGNAL, K(4), ANYWHERE, undefined, 0, 0, 0},
	{240, "lock-delivery", RULE_UD_SIGNAL, K(4), 0, undefined, 1, 0, 0},
	EACH(241, "-compat", RULE_COMPAT, K(13), compat, 0),
	{245, "compat-round-trip", RULE_SURVIVE, 0, 0, compat, FSGS_INSNS, 0, 0},
	{246, "ud-vector", RULE_UD_SIGNAL, 0, 0, vector, 0, 0, 0},
	{247, "fs-compat-load", RULE_DESCRIPTOR, K(12) | K(13), 0, compat_load, FS, 0, 0},
	{248, "gs-compat-load", RULE_DESCRIPTOR, K(12) | K(13), 0, compat_load, GS, 0, 0},
	{249, "fs-compat-load-tls", RULE_DESCRIPTOR, K(12) | K(13), 0, compat_load, FS, 1, 0},
	{250, "gs-compat-load-tls", RULE_DESCRIPTOR, K(12) | K(13), 0, compat_load, GS, 1, 0},
	{251, "fs-compat-load-written", RULE_LINEAR, K(13), 0, compat_load, FS, 2, 0},
	{252, "gs-compat-load-written", RULE_LINEAR, K(13), 0, compat_load, GS, 2, 0},
};
const size_t fault_count = sizeof fault_tests / sizeof *fault_tests;

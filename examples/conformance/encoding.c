/* SPDX-License-Identifier: MIT */
/* Tests the encodings of the instructions: each register as the operand in both widths, prefixes
 * and lengths. Nothing but the destination may change. */
#include "suite.h"

/* Two bases of the user half. Each of their six low bytes differs. Bit 31 is set in both, so that a
 * wrong sign extension of the low half shows. */
#define VALUE UINT64_C(0x000051e7c3a59b20)
#define OTHER UINT64_C(0x00002b1a97d4f6e8)
#define LOW   UINT64_C(0xffffffff)

/* A value that no register holds by chance. The value for RSP is canonical, because some machines
 * end a process that traps or is interrupted while RSP is not canonical. */
static uint64_t filler(unsigned reg)
{
	return (reg == RSP ? UINT64_C(0xffffa50000000000) : UINT64_C(0xa5a5000000000000)) |
	       (uint64_t)(reg + 1) << 32 | (0x80000000u + reg);
}

static struct window *prepared(uint64_t insn, uint64_t width, unsigned reg)
{
	struct window *const w = window_new();

	for (unsigned i = 0; i < REGISTERS; i++)
		w->in[i] = filler(i);
	if (is_write(insn)) {
		w->in[reg] = width == 64 ? VALUE : (filler(reg) & ~LOW) | (VALUE & LOW);
		window_prctl(w, segment_of(insn), OTHER);
	} else {
		window_prctl(w, segment_of(insn), VALUE);
	}
	w->stub = stub((unsigned)insn, (unsigned)width, reg);
	return w;
}

static uint64_t wanted(uint64_t width)
{
	return width == 64 ? VALUE : VALUE & LOW;
}

static void judge_value(const struct window *w, uint64_t insn, uint64_t width, unsigned reg)
{
	const char *const name = register_name(reg, width);

	if (w->fault.signal) {
		expect(0, (uint64_t)w->fault.signal, "signal of %s with %s", insn_name(insn, width),
		       name);
		return;
	}
	if (is_write(insn))
		expect(wanted(width), base_of(&w->last, segment_of(insn)), "base after %s with %s",
		       insn_name(insn, width), name);
	else
		expect(wanted(width), w->out[reg], "%s", name);
}

/* a: instruction, b: width, c: first of eight registers */
static void registers(const struct test *t)
{
	for (unsigned reg = (unsigned)t->c; reg < t->c + 8; reg++) {
		struct window *const w = prepared(t->a, t->b, reg);

		run_window(w);
		judge_value(w, t->a, t->b, reg);
	}
}

/* a: instruction, b: width */
static void flags(const struct test *t)
{
	static const uint64_t patterns[] = {0,     FLAGS_STATUS, 0x001, 0x004, 0x010,
					    0x040, 0x080,        0x400, 0x800};

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct window *const w = prepared(t->a, t->b, RAX);

		w->flags = FLAGS_FIXED | patterns[i];
		run_window(w);
		judge_value(w, t->a, t->b, RAX);
		expect(FLAGS_FIXED | patterns[i], w->after, "flags after %s",
		       insn_name(t->a, t->b));
	}
}

/* a: instruction, b: width */
static void others(const struct test *t)
{
	const int rest = !segment_of(t->a);

	for (unsigned reg = 0; reg < REGISTERS; reg += 3) {
		struct window *const w = prepared(t->a, t->b, reg);

		window_prctl(w, rest, OTHER + 0x1000);
		run_window(w);
		judge_value(w, t->a, t->b, reg);
		for (unsigned i = 0; i < REGISTERS; i++)
			if (i != reg || is_write(t->a))
				expect(w->in[i], w->out[i], "%s after %s with %s",
				       register_name(i, 64), insn_name(t->a, t->b),
				       register_name(reg, t->b));
		expect(OTHER + 0x1000, base_of(&w->last, rest), "the base of %s",
		       segment_name(rest));
		if (!is_write(t->a))
			expect(VALUE, base_of(&w->last, segment_of(t->a)),
			       "the base that was read");
	}
}

/* a: instruction. Loads selectors of descriptors, because at any interrupt IRET may turn the null
 * selectors 1 to 3 into 0. */
static void selectors(const struct test *t)
{
	for (unsigned width = 32; width <= 64; width += 32) {
		struct window *const w = prepared(t->a, width, RAX);
		static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};

		/* The instruction sets the base here: arch_prctl, which prepared() chose, would
		 * clear the selector. */
		window_base(w, segment_of(t->a), w->set[segment_of(t->a)]);
		for (int s = FS; s <= GS; s++) {
			w->load_selector[s] = 1;
			w->selector[s] = (uint16_t)any_selector((unsigned)s, 0x1000);
		}
		run_window(w);
		for (int i = 0; i < 6; i++)
			expect(w->before.selector[i], w->last.selector[i], "%s after %s", names[i],
			       insn_name(t->a, width));
	}
}

/* a: instruction. Single-steps the stub: RIP of the trap after the instruction shows its length. */
static void length(const struct test *t)
{
	static const struct {
		unsigned width, reg, bytes;
	} forms[] = {{32, RAX, 4}, {32, RDI, 4}, {32, R9, 5}, {64, RAX, 5}, {64, R15, 5}};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct window *const w = prepared(t->a, forms[i].width, forms[i].reg);
		uint64_t next = 0;

		w->flags |= FLAG_TRAP;
		run_window(w);
		judge_value(w, t->a, forms[i].width, forms[i].reg);
		for (uint32_t n = 0; n + 1 < w->trails && !next; n++)
			if (w->trail[n] == w->stub)
				next = w->trail[n + 1];
		expect(w->stub + forms[i].bytes, next, "RIP of the trap after %s with %s",
		       insn_name(t->a, forms[i].width),
		       register_name(forms[i].reg, forms[i].width));
	}
}

/* a: enum odd, b: the width that the processor must use */
static void odd(const struct test *t)
{
	for (unsigned insn = 0; insn < FSGS_INSNS; insn++) {
		struct window *const w = prepared(insn, t->b, RAX);

		w->stub = odd_stub((unsigned)t->a, insn);
		run_window(w);
		judge_value(w, insn, t->b, RAX);
	}
}

/* a: enum odd. Measures the effect of a prefix, which depends on the processor. */
static void prefix(const struct test *t)
{
	for (unsigned insn = 0; insn < FSGS_INSNS; insn++) {
		struct window *const w = prepared(insn, 64, RAX);
		const char *does = "runs";

		w->stub = odd_stub((unsigned)t->a, insn);
		run_window(w);
		if (w->fault.signal == SIGILL)
			does = "#UD";
		else if (w->fault.signal)
			does = "faults";
		else if (is_write(insn) && base_of(&w->last, segment_of(insn)) == OTHER)
			does = "does nothing";
		else if (is_write(insn) ? base_of(&w->last, segment_of(insn)) != VALUE
					: w->out[RAX] != VALUE)
			does = "gives another value";
		classify("%s %s", insn_name(insn, 64), does);
	}
}

#define FORM(number, name, rule, k, body, c)                                                     \
	{(number), "rdfsbase32-" name, rule, k, 0, body, FSGS_INSN_RDFSBASE, 32, c},             \
		{(number) + 1, "rdfsbase64-" name, rule, k, 0, body, FSGS_INSN_RDFSBASE, 64, c}, \
		{(number) + 2, "rdgsbase32-" name, rule, k, 0, body, FSGS_INSN_RDGSBASE, 32, c}, \
		{(number) + 3, "rdgsbase64-" name, rule, k, 0, body, FSGS_INSN_RDGSBASE, 64, c}, \
		{(number) + 4, "wrfsbase32-" name, rule, k, 0, body, FSGS_INSN_WRFSBASE, 32, c}, \
		{(number) + 5, "wrfsbase64-" name, rule, k, 0, body, FSGS_INSN_WRFSBASE, 64, c}, \
		{(number) + 6, "wrgsbase32-" name, rule, k, 0, body, FSGS_INSN_WRGSBASE, 32, c}, \
	{                                                                                        \
		(number) + 7, "wrgsbase64-" name, rule, k, 0, body, FSGS_INSN_WRGSBASE, 64, c    \
	}

#define EACH(number, name, rule, function)                                                        \
	{(number), "rdfsbase-" name, rule, 0, 0, function, FSGS_INSN_RDFSBASE, 0, 0},             \
		{(number) + 1, "rdgsbase-" name, rule, 0, 0, function, FSGS_INSN_RDGSBASE, 0, 0}, \
		{(number) + 2, "wrfsbase-" name, rule, 0, 0, function, FSGS_INSN_WRFSBASE, 0, 0}, \
	{                                                                                         \
		(number) + 3, "wrgsbase-" name, rule, 0, 0, function, FSGS_INSN_WRGSBASE, 0, 0    \
	}

const struct test encoding_tests[] = {
	FORM(1, "low-registers", RULE_OPERAND, K(4), registers, RAX),
	FORM(9, "high-registers", RULE_OPERAND, K(4), registers, R8),
	FORM(17, "flags", RULE_FLAGS, 0, flags, 0),
	FORM(25, "others-untouched", RULE_OTHERS, 0, others, 0),
	EACH(33, "selectors-kept", RULE_SELECTOR_KEPT, selectors),
	EACH(37, "length", RULE_LENGTH, length),
	{41, "rex-r-ignored", RULE_REX_IGNORED, 0, 0, odd, ODD_REX_R, 64, 0},
	{42, "rex-x-ignored", RULE_REX_IGNORED, 0, 0, odd, ODD_REX_X, 64, 0},
	{43, "rex-before-prefix", RULE_REX_PLACE, 0, 0, odd, ODD_REX_FIRST, 32, 0},
	{44, "prefix-66", RULE_PREFIX, 0, 0, prefix, ODD_66, 0, 0},
	{45, "prefix-67", RULE_PREFIX, 0, 0, prefix, ODD_67, 0, 0},
	{46, "prefix-f2-f3", RULE_PREFIX, 0, 0, prefix, ODD_F2_F3, 0, 0},
	{47, "prefix-f3-f2", RULE_PREFIX, 0, 0, prefix, ODD_F3_F2, 0, 0},
	{48, "prefix-cs", RULE_PREFIX, 0, 0, prefix, ODD_CS, 0, 0},
	{49, "prefix-fs", RULE_PREFIX, 0, 0, prefix, ODD_FS, 0, 0},
	{50, "prefix-gs", RULE_PREFIX, 0, 0, prefix, ODD_GS, 0, 0},
};
const size_t encoding_count = sizeof encoding_tests / sizeof *encoding_tests;

/* SPDX-License-Identifier: MIT */
/* Each access must read back all bits of a base that was written. Loads and stores through the
 * segment must use the base. */
#include "suite.h"

#include <sys/mman.h>

#define LOW     UINT64_C(0xffffffff)
#define RUBBISH UINT64_C(0xd00dfeed00000000)

static void judge(const struct window *w, int s, uint64_t base)
{
	expect(base, w->last.insn[s], "RD%sBASE", segment_name(s));
	expect_got(base, &w->last, s, "");
}

static void store(int s, uint64_t base)
{
	struct window *const w = window_new();

	w->in[RAX] = base;
	w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, RAX);
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the write of 0x%llx",
	       (unsigned long long)base);
	judge(w, s, base);
	munmap(w, sizeof *w);
}

/* a: segment, b: value */
static void one(const struct test *t)
{
	store((int)t->a, t->b);
}

/* a: segment, b: 0 user half, 1 kernel half */
static void walking(const struct test *t)
{
	const uint64_t half = t->b ? UINT64_C(0xffff800000000000) : 0;

	for (unsigned bit = 0; bit < 47; bit++) {
		store((int)t->a, half | UINT64_C(1) << bit);
		store((int)t->a, half | (~(UINT64_C(1) << bit) & UINT64_C(0x7fffffffffff)));
	}
}

/* a: segment. Writes pseudo-random bases, which are the same in every run, so that a failure can be
 * repeated. */
static void many(const struct test *t)
{
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < 500; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		store((int)t->a, x & UINT64_C(0x7fffffffffff));
	}
}

/* a: segment, b: value of the low half of the register. The upper half must have no effect. */
static void write32(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_prctl(w, s, UINT64_C(0x7abc12345000));
	w->in[RAX] = RUBBISH | t->b;
	w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 32, RAX);
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the 32-bit write");
	judge(w, s, t->b);
}

/* a: segment. With 48-bit addresses, a 64-bit write of each of these values would fault. */
static void write32_no_gp(const struct test *t)
{
	static const uint64_t upper[] = {UINT64_C(0x8000000000000000), UINT64_C(0x0100000000000000),
					 UINT64_C(0x7fffffff00000000),
					 UINT64_C(0xfffeffff00000000)};
	const int s = (int)t->a;

	for (size_t i = 0; i < sizeof upper / sizeof *upper; i++) {
		struct window *const w = window_new();

		w->in[R12] = upper[i] | 0x87654321;
		w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 32, R12);
		run_window(w);
		expect(0, (uint64_t)w->fault.signal, "signal of the 32-bit write of 0x%llx",
		       (unsigned long long)w->in[R12]);
		judge(w, s, 0x87654321);
	}
}

/* a: segment, b: base, set by the 64-bit instruction */
static void read32(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_base(w, s, t->b);
	w->in[RAX] = ~UINT64_C(0);
	w->stub = stub(s == FS ? FSGS_INSN_RDFSBASE : FSGS_INSN_RDGSBASE, 32, RAX);
	run_window(w);
	expect(t->b & LOW, w->out[RAX], "RAX after the 32-bit read of 0x%llx",
	       (unsigned long long)t->b);
	judge(w, s, t->b);
}

/* a: segment, b: the base if bit 63 is set, else the base minus the address of the data. The offset
 * of the load makes up for the difference, modulo 2^64. */
static void load(const struct test *t)
{
	static uint64_t data = UINT64_C(0x0123456789abcdef);
	struct window *const w = window_new();
	const uint64_t base = t->b >> 63 ? t->b : (uintptr_t)&data + t->b;

	window_base(w, (int)t->a, base);
	w->event = event_load;
	w->argument[0] = t->a;
	w->argument[1] = (uintptr_t)&data - base;
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the load");
	expect(data, (uint64_t)w->result, "what was loaded through %s", segment_name((int)t->a));
}

/* a: segment. The base is the start of the kernel's half. So with 48-bit addresses, the effective
 * address of user data is not canonical. */
static void load_non_canonical(const struct test *t)
{
	static const uint64_t data = UINT64_C(0x0fedcba987654321);
	const uint64_t base = UINT64_C(0xffff800000000000);
	struct window *const w = window_new();

	window_base(w, (int)t->a, base);
	w->event = event_load;
	w->argument[0] = t->a;
	w->argument[1] = (uintptr_t)&data - base;
	run_window(w);
	judge(w, (int)t->a, base);
	if (w->fault.signal) {
		classify("a load through %s: #GP", segment_name((int)t->a));
		expect(SIGSEGV, (uint64_t)w->fault.signal, "signal of the load");
	} else {
		classify("a load through %s runs", segment_name((int)t->a));
		expect(data, (uint64_t)w->result, "what was loaded");
	}
}

/* a: segment. */
static void load_after_32(const struct test *t)
{
	const int s = (int)t->a;
	uint64_t *const data = low_memory(4096);
	struct window *const w = window_new();

	*data = UINT64_C(0x1122334455667788);
	w->in[RCX] = RUBBISH | (uintptr_t)data;
	w->stub = stub(s == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 32, RCX);
	w->event = event_load;
	w->argument[0] = t->a;
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the load");
	expect(*data, (uint64_t)w->result, "what was loaded through %s", segment_name(s));
}

/* a: segment. An address-size prefix truncates the effective address to 32 bits, but not the linear
 * address. */
static void load_addr32(const struct test *t)
{
	const size_t size = 4096;
	struct window *const w = window_new();
	uint64_t *const data =
		mmap((void *)(uintptr_t)UINT64_C(0x210000000), size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (data == MAP_FAILED)
		skip("no memory at the address that this needs");
	*data = UINT64_C(0x99aabbccddeeff00);
	window_base(w, (int)t->a, UINT64_C(0x180000000));
	w->event = event_addr32;
	w->argument[0] = t->a;
	w->argument[1] = UINT64_C(0x5555000090000000); /* only the low 32 bits count */
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the load");
	expect(*data, (uint64_t)w->result, "what was loaded through %s", segment_name((int)t->a));
}

/* a: segment */
static void store_through(const struct test *t)
{
	static volatile uint64_t data[2];
	struct window *const w = window_new();

	window_base(w, (int)t->a, (uintptr_t)data);
	w->event = event_store;
	w->argument[0] = t->a;
	w->argument[1] = 8;
	w->argument[2] = UINT64_C(0xfeedfacecafebeef);
	run_window(w);
	expect(0, (uint64_t)w->fault.signal, "signal of the store");
	expect(w->argument[2], data[1], "what was stored through %s", segment_name((int)t->a));
	expect(0, data[0], "what stands in front of it");
}

/* a: segment, b: base. si_addr of the fault of a load must be the linear address. */
static void fault_address(const struct test *t)
{
	struct window *const w = window_new();

	window_base(w, (int)t->a, t->b);
	w->event = event_load;
	w->argument[0] = t->a;
	w->argument[1] = 0x10;
	run_window(w);
	if (!w->fault.signal)
		skip("something is mapped there");
	expect(SIGSEGV, (uint64_t)w->fault.signal, "signal of the load");
	expect(t->b + 0x10, w->fault.address, "si_addr of a load through %s",
	       segment_name((int)t->a));
}

/* a: segment */
static void lea(const struct test *t)
{
	struct window *const w = window_new();

	window_base(w, (int)t->a, 0x5000);
	w->event = event_lea;
	w->argument[0] = t->a;
	run_window(w);
	expect(0x20, (uint64_t)w->result, "LEA of offset 20h in %s", segment_name((int)t->a));
}

#define BOTH(number, name, rule, k, f, function, b)                      \
	{(number), "fs-" name, rule, k, 0, function, FS, b, 0},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, f, function, GS, b, 0 \
	}

const struct test value_tests[] = {
	BOTH(101, "zero", RULE_VALUE, 0, 0, one, 0),
	BOTH(103, "one", RULE_VALUE, 0, 0, one, 1),
	BOTH(105, "bit-31", RULE_VALUE, 0, 0, one, UINT64_C(0x80000000)),
	BOTH(107, "low-half-ones", RULE_VALUE, 0, 0, one, LOW),
	BOTH(109, "bit-32", RULE_VALUE, 0, 0, one, UINT64_C(0x100000000)),
	BOTH(111, "above-4g", RULE_VALUE, 0, 0, one, UINT64_C(0x200000000)),
	BOTH(113, "last-user-page", RULE_VALUE, 0, 0, one, UINT64_C(0x7ffffffff000)),
	BOTH(115, "user-half-end", RULE_VALUE, 0, 0, one, UINT64_C(0x7fffffffffff)),
	BOTH(117, "kernel-half-begin", RULE_ANY_CANONICAL, 0, KERNEL_HALF, one,
	     UINT64_C(0xffff800000000000)),
	BOTH(119, "kernel-half", RULE_ANY_CANONICAL, 0, KERNEL_HALF, one,
	     UINT64_C(0xffff800000001000)),
	BOTH(121, "minus-64k", RULE_ANY_CANONICAL, 0, KERNEL_HALF, one,
	     UINT64_C(0xffffffffffff0000)),
	BOTH(123, "all-ones", RULE_ANY_CANONICAL, 0, KERNEL_HALF, one, ~UINT64_C(0)),
	BOTH(125, "walking-bits", RULE_VALUE, 0, 0, walking, 0),
	BOTH(127, "walking-bits-kernel-half", RULE_VALUE, 0, KERNEL_HALF, walking, 1),
	BOTH(129, "many-values", RULE_VALUE, 0, 0, many, 0),
	BOTH(131, "write32-zero", RULE_ZERO_EXTEND_BASE, 0, 0, write32, 0),
	BOTH(133, "write32-bit-31", RULE_ZERO_EXTEND_BASE, 0, 0, write32, UINT64_C(0x80000000)),
	BOTH(135, "write32-ones", RULE_ZERO_EXTEND_BASE, 0, 0, write32, LOW),
	BOTH(137, "write32-never-gp", RULE_32_NO_GP, 0, 0, write32_no_gp, 0),
	BOTH(139, "read32-user-half", RULE_ZERO_EXTEND_REGISTER, 0, 0, read32,
	     UINT64_C(0x7654fedcba98)),
	BOTH(141, "read32-kernel-half", RULE_ZERO_EXTEND_REGISTER, 0, KERNEL_HALF, read32,
	     UINT64_C(0xffffc123fedcba98)),
	BOTH(143, "load", RULE_LINEAR, 0, 0, load, 0),
	BOTH(145, "load-negative-offset", RULE_LINEAR, 0, 0, load, 0x123000),
	BOTH(147, "load-wraps", RULE_LINEAR, 0, KERNEL_HALF, load, UINT64_C(0xffffffff80000000)),
	BOTH(149, "load-after-write32", RULE_LINEAR, 0, 0, load_after_32, 0),
	BOTH(151, "load-addr32", RULE_LINEAR, 0, 0, load_addr32, 0),
	BOTH(153, "store", RULE_LINEAR, 0, 0, store_through, 0),
	BOTH(155, "fault-address", RULE_LINEAR, 0, 0, fault_address, UINT64_C(0x2000)),
	BOTH(157, "fault-address-above-4g", RULE_LINEAR, 0, 0, fault_address,
	     UINT64_C(0x200000000)),
	BOTH(159, "lea", RULE_LEA, 0, 0, lea, 0),
	BOTH(161, "load-non-canonical-offset", RULE_EFFECTIVE, 0, KERNEL_HALF, load_non_canonical,
	     0),
};
const size_t value_count = sizeof value_tests / sizeof *value_tests;

/* SPDX-License-Identifier: MIT */
/*
 * The cases of the ring-0 half, and their helpers. The cases use the same window as those in user
 * space. RSP is not tried as an operand, because in ring 0 the processor pushes the frame of an
 * exception to the address in RSP.
 */
#include "ring0.h"

#include <fsgscheck/core.h>

#include "../boot/apic.h"
#include "../boot/cpu.h"
#include "../boot/layout.h"
#include "foreign.h"

#define FS            FSGS_SEGMENT_FS
#define GS            FSGS_SEGMENT_GS

#define MSR_FS_BASE   0xc0000100
#define MSR_GS_BASE   0xc0000101
#define MSR_KERNEL_GS 0xc0000102

#define VECTOR_UD     6
#define VECTOR_GP     13

#define BASE          UINT64_C(0x000051e7c3a59b20)
#define OTHER         UINT64_C(0x00002b1a97d4f6e8)
#define KERNEL_BASE   UINT64_C(0xffff9a8b7c6d5e40)
#define NOT_CANONICAL (UINT64_C(1) << 63)
#define LOW           UINT64_C(0xffffffff)

static struct window window; /* shared: only one processor at a time runs cases */
static uint8_t scratch[512] __attribute__((aligned(16)));

uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr4, %0" : "=r"(value));
	return value;
}

static void write_cr4(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static uint32_t msr_of(int segment)
{
	return segment == FS ? MSR_FS_BASE : MSR_GS_BASE;
}

static int segment_of(uint64_t insn)
{
	return (int)(insn & 1);
}

static int is_write(uint64_t insn)
{
	return insn >= FSGS_INSN_WRFSBASE;
}

static uint64_t stub(uint64_t insn, uint64_t width, unsigned reg)
{
	return (uintptr_t)window_stubs + STUB_BYTES * STUB_INDEX(insn, width, reg);
}

/* Executes one stub, with `value` in the operand and known values in the other registers. */
static struct window *execute(uint64_t code, unsigned reg, uint64_t value)
{
	window = (struct window){.flags = 2 | (FLAGS_STATUS & ~UINT64_C(0x400)), .stub = code};
	for (unsigned i = 0; i < REGISTERS; i++)
		window.in[i] = UINT64_C(0x5100000000) + i;
	window.in[reg] = value;
	/* The processor pushes the frame of an exception to this stack. */
	window.in[RSP] = (uintptr_t)(scratch + sizeof scratch);
	window_enter(&window);
	return &window;
}

static struct window *insn(uint64_t which, uint64_t width, uint64_t value)
{
	return execute(stub(which, width, RAX), RAX, value);
}

static uint64_t read64(int segment)
{
	return insn(segment == FS ? FSGS_INSN_RDFSBASE : FSGS_INSN_RDGSBASE, 64, 0)->out[RAX];
}

static void write64(int segment, uint64_t base)
{
	insn(segment == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, base);
}

/* -- faults */

#pragma GCC visibility push(hidden)
extern const char wrmsr_at[], wrmsr_on[], cr4_at[], cr4_on[];
#pragma GCC visibility pop

/* The boot image's trap.c calls this function for each #UD and #GP. In this image it replaces the
 * core's function of the same name. Recovers from faults of the window's stubs, of try_wrmsr() and
 * of try_cr4(). */
struct fsgs_stub *fsgs_stub_recover(uint64_t *rip, uint64_t rdi, int32_t fault, int32_t code)
{
	const uint64_t at = *rip;

	(void)rdi;
	if (at == (uintptr_t)wrmsr_at)
		*rip = (uintptr_t)wrmsr_on;
	else if (at == (uintptr_t)cr4_at)
		*rip = (uintptr_t)cr4_on;
	else if (at >= (uintptr_t)window_stubs && at < (uintptr_t)window_end)
		*rip = (uintptr_t)window_back;
	else
		return NULL;
	window.fault.signal = fault;
	window.fault.error = (uint32_t)code;
	window.fault.rip = at;
	return (struct fsgs_stub *)&window;
}

/* Executes WRMSR. Returns the vector of its exception, or 0. Not inlined, because its labels must
 * be unique. */
__attribute__((noinline)) static int try_wrmsr(uint32_t msr, uint64_t value)
{
	window.fault.signal = 0;
	__asm__ volatile(".globl wrmsr_at, wrmsr_on\n.hidden wrmsr_at, wrmsr_on\n"
			 "wrmsr_at:\n\twrmsr\nwrmsr_on:\n"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	return *(volatile int32_t *)&window.fault.signal;
}

__attribute__((noinline)) int try_cr4(uint64_t value)
{
	window.fault.signal = 0;
	__asm__ volatile(".globl cr4_at, cr4_on\n.hidden cr4_at, cr4_on\n"
			 "cr4_at:\n\tmovq %0, %%cr4\ncr4_on:\n"
			 :
			 : "r"(value)
			 : "memory");
	return *(volatile int32_t *)&window.fault.signal;
}

/* -- CR4: a is the instruction, b the width */

static void undefined_while_clear(const struct test *t)
{
	const int s = segment_of(t->a);

	write_cr4(read_cr4() & ~CR4_FSGSBASE);
	wrmsr(msr_of(s), OTHER);
	insn(t->a, t->b, BASE);
	expect(VECTOR_UD, (uint64_t)window.fault.signal, "exception while CR4.FSGSBASE is clear");
	expect(BASE, window.out[RAX], "RAX afterwards");
	expect(OTHER, rdmsr(msr_of(s)), "MSR afterwards");
	write_cr4(read_cr4() | CR4_FSGSBASE);
}

void ring0_can_be_set(const struct test *t)
{
	(void)t;
	write_cr4(read_cr4() & ~CR4_FSGSBASE);
	expect(0, (uint64_t)try_cr4(read_cr4() | CR4_FSGSBASE), "exception of the write to CR4");
	expect(CR4_FSGSBASE, read_cr4() & CR4_FSGSBASE, "CR4.FSGSBASE read back");
}

static void can_be_cleared(const struct test *t)
{
	(void)t;
	expect(0, (uint64_t)try_cr4(read_cr4() & ~CR4_FSGSBASE), "exception of the write to CR4");
	expect(0, read_cr4() & CR4_FSGSBASE, "CR4.FSGSBASE read back");
	write_cr4(read_cr4() | CR4_FSGSBASE);
}

/* Clears and sets CR4.FSGSBASE four times: a hypervisor or emulator must not use an old value of
 * the bit. */
static void off_and_on(const struct test *t)
{
	const int s = segment_of(t->a);

	for (int i = 0; i < 4; i++) {
		write_cr4(read_cr4() & ~CR4_FSGSBASE);
		insn(t->a, 64, BASE);
		expect(VECTOR_UD, (uint64_t)window.fault.signal,
		       "exception after CR4.FSGSBASE was cleared");
		write_cr4(read_cr4() | CR4_FSGSBASE);
		wrmsr(msr_of(s), OTHER);
		insn(t->a, 64, BASE);
		expect(0, (uint64_t)window.fault.signal, "exception after CR4.FSGSBASE was set");
	}
}

/* a: segment */
static void base_outlives_cr4(const struct test *t)
{
	write64((int)t->a, KERNEL_BASE);
	write_cr4(read_cr4() & ~CR4_FSGSBASE);
	expect(KERNEL_BASE, rdmsr(msr_of((int)t->a)), "MSR while CR4.FSGSBASE is clear");
	write_cr4(read_cr4() | CR4_FSGSBASE);
	expect(KERNEL_BASE, read64((int)t->a), "base afterwards");
}

/* -- agreement with the MSRs: a is the instruction, b the base */

static void read_is_msr(const struct test *t)
{
	const int s = segment_of(t->a);

	wrmsr(msr_of(s), t->b);
	insn(t->a, 64, 0);
	expect(t->b, window.out[RAX], "base that the instruction reads after WRMSR");
}

static void write_is_msr(const struct test *t)
{
	const int s = segment_of(t->a);

	wrmsr(msr_of(s), OTHER);
	insn(t->a, 64, t->b);
	expect(0, (uint64_t)window.fault.signal, "exception of the write");
	expect(t->b, rdmsr(msr_of(s)), "RDMSR after the instruction");
}

static void read32(const struct test *t)
{
	wrmsr(msr_of(segment_of(t->a)), t->b);
	insn(t->a, 32, ~UINT64_C(0));
	expect(t->b & LOW, window.out[RAX], "RAX after the 32-bit read");
}

static void write32(const struct test *t)
{
	const int s = segment_of(t->a);

	wrmsr(msr_of(s), KERNEL_BASE);
	insn(t->a, 32, t->b);
	expect(0, (uint64_t)window.fault.signal, "exception of the 32-bit write");
	expect(t->b & LOW, rdmsr(msr_of(s)), "RDMSR after the 32-bit write");
}

static void walking(const struct test *t)
{
	const int s = segment_of(t->a);

	for (unsigned bit = 0; bit < 47; bit++) {
		const uint64_t value = UINT64_C(1) << bit;

		if (is_write(t->a)) {
			insn(t->a, 64, value);
			expect(value, rdmsr(msr_of(s)), "RDMSR after a write with one bit set");
			insn(t->a, 64, ~value);
			expect(~value, rdmsr(msr_of(s)), "RDMSR after a write with one bit clear");
		} else {
			wrmsr(msr_of(s), value);
			expect(value, insn(t->a, 64, 0)->out[RAX],
			       "read of a base with one bit set");
			wrmsr(msr_of(s), ~value);
			expect(~value, insn(t->a, 64, 0)->out[RAX],
			       "read of a base with one bit clear");
		}
	}
}

static void every_register(const struct test *t)
{
	const int s = segment_of(t->a);

	for (unsigned reg = 0; reg < REGISTERS; reg++) {
		if (reg == RSP)
			continue;
		wrmsr(msr_of(s), OTHER);
		execute(stub(t->a, 64, reg), reg, BASE);
		expect(0, (uint64_t)window.fault.signal, "exception with one of the registers");
		if (is_write(t->a))
			expect(BASE, rdmsr(msr_of(s)), "MSR after one of the registers");
		else
			expect(OTHER, window.out[reg], "one of the registers");
	}
}

static void nothing_else(const struct test *t)
{
	const int s = segment_of(t->a);

	wrmsr(msr_of(s), OTHER);
	wrmsr(msr_of(!s), BASE + 0x100);
	wrmsr(MSR_KERNEL_GS, BASE + 0x200);
	insn(t->a, 64, BASE);
	for (unsigned i = 1; i < REGISTERS; i++)
		expect(window.in[i], window.out[i], "another register");
	expect(window.flags, window.after, "RFLAGS");
	expect(BASE + 0x100, rdmsr(msr_of(!s)), "the other segment's MSR");
	expect(BASE + 0x200, rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE");
}

/* -- SWAPGS */

static void swapgs(void)
{
	__asm__ volatile("swapgs" : : : "memory");
}

static void swap_exchanges(const struct test *t)
{
	(void)t;
	wrmsr(MSR_KERNEL_GS, KERNEL_BASE);
	write64(GS, BASE);
	swapgs();
	expect(KERNEL_BASE, read64(GS), "RDGSBASE after SWAPGS");
	expect(BASE, rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE after SWAPGS");
	swapgs();
	expect(BASE, read64(GS), "RDGSBASE after the second SWAPGS");
	expect(KERNEL_BASE, rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE after the second SWAPGS");
}

static void write_after_swap(const struct test *t)
{
	(void)t;
	wrmsr(MSR_KERNEL_GS, OTHER);
	write64(GS, BASE);
	swapgs();
	write64(GS, KERNEL_BASE);
	expect(BASE, rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE after WRGSBASE");
	swapgs();
	expect(BASE, read64(GS), "RDGSBASE after the second SWAPGS");
	expect(KERNEL_BASE, rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE");
}

static void kernel_gs_unseen(const struct test *t)
{
	(void)t;
	write64(GS, BASE);
	wrmsr(MSR_KERNEL_GS, KERNEL_BASE);
	expect(BASE, read64(GS), "RDGSBASE after a write to KERNEL_GS_BASE");
	expect(BASE, rdmsr(MSR_GS_BASE), "GS_BASE");
}

static void swap_leaves_fs(const struct test *t)
{
	(void)t;
	write64(FS, OTHER);
	wrmsr(MSR_KERNEL_GS, KERNEL_BASE);
	swapgs();
	expect(OTHER, read64(FS), "RDFSBASE after SWAPGS");
	swapgs();
}

/* Executes SWAPGS many times, with a new GS base each time: RDGSBASE must not read an old base. */
static void swap_loop(const struct test *t)
{
	(void)t;
	write64(GS, 0);
	wrmsr(MSR_KERNEL_GS, KERNEL_BASE);
	for (uint64_t i = 1; i < 100; i++) {
		write64(GS, i << 12);
		swapgs();
		expect(KERNEL_BASE, read64(GS), "RDGSBASE after SWAPGS, in turns");
		swapgs();
		expect(i << 12, read64(GS), "RDGSBASE after SWAPGS back");
	}
}

/* -- faults: a is the segment, or 2 for KERNEL_GS_BASE; b the value */

static void refuses(const struct test *t)
{
	wrmsr(msr_of((int)t->a), BASE);
	insn(t->a == FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE, 64, t->b);
	expect(VECTOR_GP, (uint64_t)window.fault.signal, "exception of the write");
	expect(0, window.fault.error, "error code");
	expect(BASE, rdmsr(msr_of((int)t->a)), "MSR afterwards");
}

static void msr_refuses(const struct test *t)
{
	const uint32_t msr = t->a == 2 ? MSR_KERNEL_GS : msr_of((int)t->a);

	wrmsr(msr, BASE);
	expect(VECTOR_GP, (uint64_t)try_wrmsr(msr, NOT_CANONICAL), "exception of WRMSR");
	expect(BASE, rdmsr(msr), "MSR afterwards");
}

/* a: instruction, b: width */
static void lock(const struct test *t)
{
	const int s = segment_of(t->a);

	wrmsr(msr_of(s), OTHER);
	execute((uintptr_t)window_odd +
			STUB_BYTES *
				((uint64_t)(t->b == 64 ? ODD_LOCK64 : ODD_LOCK32) * FSGS_INSNS +
				 t->a),
		RAX, BASE);
	expect(VECTOR_UD, (uint64_t)window.fault.signal, "exception with LOCK");
	expect(OTHER, rdmsr(msr_of(s)), "MSR afterwards");
}

/* -- survival: a is FS, GS or 2 for KERNEL_GS_BASE, b the event */

static void exit_by_cpuid(void)
{
	for (int i = 0; i < 100; i++)
		(void)cpuid_edx(1);
}

static void exit_by_port(void)
{
	for (int i = 0; i < 100; i++)
		(void)inb(0x80);
}

static void exit_by_halt(void)
{
	if (!have_timer || apic_halt(NULL))
		skip("no timer that would end the HLT");
}

static void exit_by_cr4(void)
{
	for (int i = 0; i < 20; i++)
		write_cr4(read_cr4());
}

static void outlives(const struct test *t)
{
	static void (*const events[])(void) = {exit_by_cpuid, exit_by_port, exit_by_halt,
					       exit_by_cr4};
	static const uint64_t bases[] = {BASE, 0, KERNEL_BASE, ~UINT64_C(0)};

	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		write64(FS, bases[i]);
		write64(GS, bases[(i + 1) % 4]);
		wrmsr(MSR_KERNEL_GS, bases[(i + 2) % 4]);
		events[t->b]();
		if (t->a == FS)
			expect(bases[i], read64(FS), "FS base");
		else if (t->a == GS)
			expect(bases[(i + 1) % 4], read64(GS), "GS base");
		else
			expect(bases[(i + 2) % 4], rdmsr(MSR_KERNEL_GS), "KERNEL_GS_BASE");
	}
}

/* -- selectors: a is the segment */

static void load_selector(int segment, uint16_t selector)
{
	if (segment == FS)
		__asm__ volatile("movw %0, %%fs" : : "r"(selector) : "memory");
	else
		__asm__ volatile("movw %0, %%gs" : : "r"(selector) : "memory");
}

static void descriptor(const struct test *t)
{
	write64((int)t->a, KERNEL_BASE);
	load_selector((int)t->a, SELECTOR_DATA);
	expect(0, read64((int)t->a), "base after a descriptor with base 0 was loaded");
	load_selector((int)t->a, 0);
}

static void null_agrees(const struct test *t)
{
	write64((int)t->a, KERNEL_BASE);
	load_selector((int)t->a, 0);
	/* Whether the base is kept or cleared depends on the vendor. But RDMSR and the instruction
	 * must agree. */
	expect(rdmsr(msr_of((int)t->a)), read64((int)t->a),
	       "base that the instruction reads after a null selector");
}

/* a: segment. Loads through the segment in ring 0, as a kernel accesses its per-CPU data. */
static void load(const struct test *t)
{
	static uint64_t data = UINT64_C(0xfedcba9876543210);
	uint64_t value;

	write64((int)t->a, (uintptr_t)&data - 0x40);
	if (t->a == FS)
		__asm__ volatile("movq %%fs:0x40, %0" : "=r"(value) : : "memory");
	else
		__asm__ volatile("movq %%gs:0x40, %0" : "=r"(value) : : "memory");
	expect(data, value, "what was loaded through the segment");
}

#define SDM "SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE"
#define FOUR(n, name, rule, source, function, b)                                           \
	{(n), "rdfsbase" name, rule, source, function, FSGS_INSN_RDFSBASE, b},             \
		{(n) + 1, "rdgsbase" name, rule, source, function, FSGS_INSN_RDGSBASE, b}, \
		{(n) + 2, "wrfsbase" name, rule, source, function, FSGS_INSN_WRFSBASE, b}, \
	{                                                                                  \
		(n) + 3, "wrgsbase" name, rule, source, function, FSGS_INSN_WRGSBASE, b    \
	}
#define READS(n, name, rule, source, function, b)                                       \
	{(n), "rdfsbase" name, rule, source, function, FSGS_INSN_RDFSBASE, b},          \
	{                                                                               \
		(n) + 1, "rdgsbase" name, rule, source, function, FSGS_INSN_RDGSBASE, b \
	}
#define WRITES(n, name, rule, source, function, b)                                      \
	{(n), "wrfsbase" name, rule, source, function, FSGS_INSN_WRFSBASE, b},          \
	{                                                                               \
		(n) + 1, "wrgsbase" name, rule, source, function, FSGS_INSN_WRGSBASE, b \
	}
#define BOTH(n, name, rule, source, function, b)                   \
	{(n), "fs-" name, rule, source, function, FS, b},          \
	{                                                          \
		(n) + 1, "gs-" name, rule, source, function, GS, b \
	}
#define THREE(n, name, rule, source, function, b)                        \
	BOTH(n, name, rule, source, function, b),                        \
	{                                                                \
		(n) + 2, "kernel-gs-" name, rule, source, function, 2, b \
	}

static const char cr4_source[] = "SDM vol. 3, 2.5 (Control Registers: CR4.FSGSBASE)",
		  agrees_source[] =
			  "SDM vol. 3, 3.4.4 (Segment Loading Instructions in IA-32e Mode); "
			  "APM vol. 2, 4.5.3",
		  swap_source[] = "SDM vol. 2, SWAPGS",
		  survives_source[] =
			  "APM vol. 2, VMLOAD and VMSAVE; SDM vol. 3, VM Exits (Saving Segment "
			  "Registers and Descriptor-Table Registers)";

static const struct promise
	enabled = {"the instructions raise #UD while CR4.FSGSBASE is 0",
		   "guests of the PVM module (the instructions run)"},
	cr4 = {"CR4.FSGSBASE can be written where CPUID offers it",
	       "hypervisors that offer what they do not let a guest use"},
	agrees = {"the instructions and the MSRs access the same base", NULL},
	zero = {"32-bit forms zero-extend", NULL}, others = {"nothing else changes", NULL},
	swap = {"the instructions act on the active GS base; SWAPGS exchanges it",
		"K8 erratum 88 (SWAPGS may read an old base)"},
	gp = {"a write of a non-canonical value raises #GP(0)",
	      "QEMU (TCG), which does not check the operand, nor WRMSR's"},
	locked = {"an instruction with the LOCK prefix raises #UD", "guests of the PVM module"},
	survives = {"a base keeps its value across an exit to the hypervisor", NULL},
	loads = {"a load of a selector sets the base to that of the descriptor", NULL},
	linear = {"an access uses base + effective address", NULL};

const struct test ring0_tests[] = {
	{1001, "cr4-can-be-set", &cr4, cr4_source, ring0_can_be_set, 0, 0},
	{1002, "cr4-can-be-cleared", &cr4, cr4_source, can_be_cleared, 0, 0},
	FOUR(1003, "32-undefined-while-clear", &enabled, SDM, undefined_while_clear, 32),
	FOUR(1007, "64-undefined-while-clear", &enabled, SDM, undefined_while_clear, 64),
	FOUR(1011, "-off-and-on", &enabled, SDM, off_and_on, 0),
	BOTH(1015, "outlives-cr4", &agrees, agrees_source, base_outlives_cr4, 0),
	READS(1017, "-is-msr", &agrees, agrees_source, read_is_msr, BASE),
	READS(1019, "-is-msr-kernel-half", &agrees, agrees_source, read_is_msr, KERNEL_BASE),
	WRITES(1021, "-is-msr", &agrees, agrees_source, write_is_msr, BASE),
	WRITES(1023, "-is-msr-kernel-half", &agrees, agrees_source, write_is_msr, KERNEL_BASE),
	WRITES(1025, "-is-msr-zero", &agrees, agrees_source, write_is_msr, 0),
	READS(1027, "32-zero-extends", &zero, SDM, read32, KERNEL_BASE),
	WRITES(1029, "32-zero-extends", &zero, SDM, write32, UINT64_C(0x87654321)),
	WRITES(1031, "32-never-gp", &zero, SDM, write32, NOT_CANONICAL | 0x1234),
	FOUR(1033, "-walking-bits", &agrees, agrees_source, walking, 0),
	FOUR(1037, "-every-register", &agrees, SDM, every_register, 0),
	FOUR(1041, "-nothing-else", &others, SDM, nothing_else, 0),
	{1045, "swapgs-exchanges", &swap, swap_source, swap_exchanges, 0, 0},
	{1046, "swapgs-write-after", &swap, swap_source, write_after_swap, 0, 0},
	{1047, "swapgs-kernel-gs-unseen", &swap, swap_source, kernel_gs_unseen, 0, 0},
	{1048, "swapgs-leaves-fs", &swap, swap_source, swap_leaves_fs, 0, 0},
	{1049, "swapgs-in-turns", &swap, swap_source, swap_loop, 0, 0},
	BOTH(1050, "refuses-bit-63", &gp, SDM, refuses, NOT_CANONICAL),
	BOTH(1052, "refuses-bit-56", &gp, SDM, refuses, UINT64_C(1) << 56),
	BOTH(1054, "refuses-all-but-bit-63", &gp, SDM, refuses, ~NOT_CANONICAL),
	THREE(1056, "wrmsr-refuses", &gp, "SDM vol. 2, WRMSR", msr_refuses, 0),
	FOUR(1059, "32-lock", &locked, SDM, lock, 32),
	FOUR(1063, "64-lock", &locked, SDM, lock, 64),
	THREE(1067, "outlives-cpuid", &survives, survives_source, outlives, 0),
	THREE(1070, "outlives-port", &survives, survives_source, outlives, 1),
	THREE(1073, "outlives-halt", &survives, survives_source, outlives, 2),
	THREE(1076, "outlives-cr4-writes", &survives, survives_source, outlives, 3),
	BOTH(1079, "descriptor", &loads,
	     "SDM vol. 3, 3.4.4 (Segment Loading Instructions in IA-32e Mode)", descriptor, 0),
	BOTH(1081, "null-agrees", &agrees, agrees_source, null_agrees, 0),
	BOTH(1083, "load", &linear, "SDM vol. 1, 3.4.2.1 (Segment Registers in 64-Bit Mode)", load,
	     0),
};
_Static_assert(sizeof ring0_tests / sizeof *ring0_tests <= RING0_MOST, "room for the results");
const size_t ring0_count = sizeof ring0_tests / sizeof *ring0_tests;

/* SPDX-License-Identifier: MIT */
/* Tests that system calls, signals, faults and context switches do not change a base. Most cases
 * try each class of bases. */
#include "suite.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER     UINT64_C(0x00001d7b6a59c3e0)
#define RIVAL_FS  UINT64_C(0x0000070707070700)
#define RIVAL_GS  UINT64_C(0x0000090909090900)
#define LDT_BASE  0x00234000u
#define RIVAL_LDT 0x00567000u
#define SLEEP_NS  200000
#define TICKS_NS  6000000
#define STACK     (64 * 1024)
/* A case ends, and is skipped, if the rival ran in none of the first PATIENCE windows. A case that
 * sleeps runs all of its windows. */
#define PATIENCE  2

/* Bases that kernels may treat differently: below and above 4 GiB, in both halves, and as the
 * 32-bit form writes them. */
static const struct {
	const char *name;
	uint64_t base;
	unsigned width;
	bool half;
} classes[] = {
	{"zero", 0, 64, false},
	{"one", 1, 64, false},
	{"below 4 GiB", UINT64_C(0x87654000), 64, false},
	{"by the 32-bit form", UINT64_C(0xfedcb000), 32, false},
	{"above 4 GiB", UINT64_C(0x200000000), 64, false},
	{"user half", UINT64_C(0x00007abcdef01230), 64, false},
	{"kernel half", UINT64_C(0xffff800012345000), 64, true},
	{"all ones", ~UINT64_C(0), 64, true},
};

#define CLASSES (sizeof classes / sizeof *classes)

/* Sets a base of one class in one segment. Also sets a constant in the other segment, unless
 * FOREIGN_GS_CALL is set. Both must stay unchanged. */
static void set(struct window *w, int s, size_t class)
{
	w->set_by[s] = classes[class].width == 32 ? SET_INSN32 : SET_INSN;
	w->set[s] = classes[class].base;
	if (!(foreign_deadly & FOREIGN_GS_CALL))
		window_base(w, !s, OTHER);
}

static void check(const struct window *w, int s, size_t class)
{
	expect(classes[class].base, w->last.insn[s], "base of %s (%s)", segment_name(s),
	       classes[class].name);
	if (w->last.error[s] >= 0)
		expect(classes[class].base, w->last.prctl[s], "ARCH_GET_%s (%s)", segment_name(s),
		       classes[class].name);
	if (w->set_by[!s])
		expect(OTHER, w->last.insn[!s], "base of %s", segment_name(!s));
	expect(w->before.selector[SEL_FS + s], w->last.selector[SEL_FS + s], "selector of %s",
	       segment_name(s));
}

static bool wanted(int s, size_t class)
{
	return !classes[class].half || s == FS || machine.half_safe;
}

typedef void an_event(struct window *w);

/* a: segment */
static void outlives(const struct test *t, an_event *event, const uint64_t argument[4])
{
	const int s = (int)t->a;

	for (size_t class = 0; class < CLASSES; class ++) {
		struct window *const w = window_new();

		if (!wanted(s, class))
			continue;
		set(w, s, class);
		w->event = event;
		memcpy(w->argument, argument, sizeof w->argument);
		run_window(w);
		check(w, s, class);
	}
}

static const uint64_t nothing[4];

static void syscalls(const struct test *t)
{
	if (t->a == GS && foreign_deadly & FOREIGN_GS_CALL) {
		fail("a return", "the end of the process", "a system call with a changed GS base");
		return;
	}
	outlives(t, event_syscalls, nothing);
}

static void need_int80(void)
{
	struct window *const w = window_new();

	if (foreign_deadly & FOREIGN_INT80)
		skip("INT 80h ends the calling process: no 32-bit system calls here");
	foreign_now = w;
	event_int80(w);
	if (w->result != getpid())
		skip("INT 80h is not answered");
}

static void int80(const struct test *t)
{
	need_int80();
	outlives(t, event_int80, nothing);
}

static void sleeps(const struct test *t)
{
	outlives(t, event_sleep, (const uint64_t[4]){SLEEP_NS});
}

static void storm(const struct test *t)
{
	outlives(t, event_storm, (const uint64_t[4]){100});
}

static void breakpoints(const struct test *t)
{
	outlives(t, event_breakpoint, nothing);
}

static void undefined(const struct test *t)
{
	outlives(t, event_undefined, nothing);
}

static void protection(const struct test *t)
{
	outlives(t, event_fault, nothing);
}

static void divide(const struct test *t)
{
	outlives(t, event_divide, nothing);
}

static void steps(const struct test *t)
{
	outlives(t, event_step, nothing);
}

static void ticks(const struct test *t)
{
	outlives(t, event_ticks, (const uint64_t[4]){TICKS_NS / CLASSES});
}

static void forks(const struct test *t)
{
	outlives(t, event_fork, (const uint64_t[4]){SIGCHLD});
}

static void page_faults(const struct test *t)
{
	const size_t pages = 64;
	char *const memory = mmap(NULL, CLASSES * pages * 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int s = (int)t->a;

	if (memory == MAP_FAILED)
		skip("no memory: %s", strerror(errno));
	for (size_t class = 0; class < CLASSES; class ++) {
		struct window *const w = window_new();

		if (!wanted(s, class))
			continue;
		set(w, s, class);
		w->event = event_touch;
		w->argument[0] = (uintptr_t)(memory + class * pages * 4096);
		w->argument[1] = pages;
		run_window(w);
		check(w, s, class);
	}
}

static void hops(const struct test *t)
{
	int cpus[WINDOW_CPUS];
	const size_t count = allowed_cpus(cpus, WINDOW_CPUS);
	const int s = (int)t->a;

	if (count < 2)
		skip("there is one CPU only");
	for (size_t class = 0; class < CLASSES; class ++) {
		struct window *const w = window_new();

		if (!wanted(s, class))
			continue;
		set(w, s, class);
		w->event = event_hop;
		for (size_t i = 0; i < count; i++)
			w->cpu[w->cpus++] = (uint16_t)cpus[i];
		run_window(w);
		expect(0, (uint64_t)w->result, "moves that failed");
		check(w, s, class);
	}
}

/* A process stops itself by SIGSTOP, and its parent continues it. */
static void stops(const struct test *t)
{
	const int s = (int)t->a;

	for (size_t class = 0; class < CLASSES; class ++) {
		struct window *const w = window_new();
		int status = 0;

		if (!wanted(s, class))
			continue;
		set(w, s, class);
		w->event = event_stop;
		const pid_t child = start_window(w);

		waitpid(child, &status, WUNTRACED);
		kill(child, SIGCONT);
		end_window(child, "the stopped process");
		check(w, s, class);
	}
}

/* What the rival on the same CPU writes to its own segments: bases, zeros, or a selector of the LDT
 * or of a TLS entry. RIVAL_THREAD is a thread of this process, with a selector of the LDT. */
enum rival { RIVAL_BASES, RIVAL_ZERO, RIVAL_SELECTOR, RIVAL_TLS, RIVAL_THREAD, RIVALS };

static void stay(void)
{
	int cpu;

	if (allowed_cpus(&cpu, 1) != 1 || !pin(cpu))
		skip("cannot stay on one CPU: %s", strerror(errno));
}

static struct window *start_rival(enum rival kind)
{
	struct window *const r = window_new();

	window_base(r, FS, RIVAL_FS);
	if (!(foreign_deadly & FOREIGN_GS_CALL))
		window_base(r, GS, RIVAL_GS);
	if (kind == RIVAL_ZERO)
		r->set[FS] = r->set[GS] = 0;
	if (kind == RIVAL_SELECTOR || kind == RIVAL_TLS || kind == RIVAL_THREAD) {
		const unsigned selector =
			kind == RIVAL_TLS ? tls_selector(RIVAL_LDT) : ldt_selector(3, RIVAL_LDT);

		for (int s = FS; s <= GS; s++) {
			r->set_by[s] = SET_NOT;
			r->load_selector[s] = 1;
			r->selector[s] = (uint16_t)selector;
		}
	}
	if (kind == RIVAL_THREAD) {
		char *const stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED ||
		    foreign_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
					  CLONE_SYSVSEM,
				  stack + STACK, NULL, NULL, 0, foreign_rival_thread, r) < 0)
			skip("no thread can be made");
	} else {
		const pid_t child = fork();

		if (child < 0)
			skip("fork: %s", strerror(errno));
		if (child == 0)
			foreign_rival(r);
	}
	return r;
}

/* The number of windows, and in how many of them the rival ran. */
struct meetings {
	unsigned windows, met;
};

/* Ends the rival. Skips the case if the rival never ran. */
static void part(struct window *rival, const struct meetings *meetings)
{
	rival->stop = 1;
	if (!meetings->met)
		skip("the competing task never ran");
	if (meetings->met < meetings->windows)
		remark("the competing task ran in %u of %u windows: only these count",
		       meetings->met, meetings->windows);
}

/* Runs a window beside the rival. Returns whether the rival ran: if not, the window proves
 * nothing. */
static bool beside(struct window *w, struct window *rival, struct meetings *meetings)
{
	const uint64_t turns = rival->turns;

	w->argument[3] = (uintptr_t)rival;
	run_window(w);
	/* event_yield() and event_spin() wait for the rival, and their result says whether it
	 * ran. */
	const bool met = w->event == event_sleep ? rival->turns > turns : w->result;

	meetings->windows++;
	meetings->met += met;
	if (!meetings->met && meetings->windows == PATIENCE && w->event != event_sleep)
		part(rival, meetings);
	return met;
}

/* a: segment, b: 0 yield, 1 spin, 2 sleep; c: enum rival */
static void against(const struct test *t)
{
	static an_event *const events[] = {event_yield, event_spin, event_sleep};
	const int s = (int)t->a;
	struct meetings meetings = {0};

	stay();
	struct window *const rival = start_rival((enum rival)t->c);

	for (size_t class = 0; class < CLASSES; class ++) {
		struct window *const w = window_new();

		if (!wanted(s, class))
			continue;
		set(w, s, class);
		w->event = events[t->b];
		w->argument[0] = SLEEP_NS;
		if (beside(w, rival, &meetings))
			check(w, s, class);
	}
	part(rival, &meetings);
}

/* a: segment, c: enum rival. Tries each of three selectors with each base while a rival runs, as
 * the kernel's selftest does. */
static void matrix(const struct test *t)
{
	static const uint64_t bases[] = {0, 1, 2, UINT64_C(0x1fffffff0), UINT64_C(0x7fff00001230)};
	const int s = (int)t->a;
	uint16_t selectors[5] = {0, 3, 0};
	size_t count = 3;
	struct meetings meetings = {0};

	stay();
	selectors[2] = (uint16_t)any_selector(0, LDT_BASE);
	struct window *const rival = start_rival((enum rival)t->c);

	for (size_t i = 0; i < count; i++) {
		for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
			struct window *const w = window_new();

			w->load_selector[s] = 1;
			w->selector[s] = selectors[i];
			window_base(w, s, bases[b]);
			window_base(w, !s, OTHER);
			w->event = event_yield;
			if (!beside(w, rival, &meetings))
				continue;
			/* IRET may turn the selectors 1 to 3 into 0. Like any load of a null
			 * selector, this may clear the base, so such a window proves nothing. */
			if (selectors[i] != w->last.selector[SEL_FS + s] && selectors[i] <= 3)
				continue;
			if (selectors[i] > 3)
				expect(selectors[i], w->last.selector[SEL_FS + s], "selector of %s",
				       segment_name(s));
			expect(bases[b], w->last.insn[s], "base of %s with selector 0x%x",
			       segment_name(s), selectors[i]);
			expect(OTHER, w->last.insn[!s], "base of %s", segment_name(!s));
		}
	}
	part(rival, &meetings);
}

/* a: segment, c: enum rival. The base comes from a descriptor, and no write has replaced it. */
static void descriptor_against(const struct test *t)
{
	const int s = (int)t->a;
	struct meetings meetings = {0};

	stay();
	const unsigned selector = any_selector(0, LDT_BASE);
	struct window *const rival = start_rival((enum rival)t->c);

	for (int i = 0; i < 20; i++) {
		struct window *const w = window_new();

		w->load_selector[s] = 1;
		w->selector[s] = (uint16_t)selector;
		w->event = event_yield;
		if (!beside(w, rival, &meetings))
			continue;
		expect(LDT_BASE, w->last.insn[s], "base of %s", segment_name(s));
		expect(selector, w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
	}
	part(rival, &meetings);
}

/* a: segment, b: selector. One half of the windows loads the selector before the base is written,
 * the other half afterwards. Tests each base of this thread against each base of the rival, as in
 * the kernel's selftest. */
static void cross(const struct test *t)
{
	static const uint64_t local[] = {0, 1, UINT64_C(0x200000000), UINT64_C(0x7fff00001230)},
			      remote[] = {0, 1, UINT64_C(0x200000000), RIVAL_GS};
	const int s = (int)t->a;
	struct meetings meetings = {0};
	unsigned judged = 0;

	stay();
	struct window *const rival = start_rival(RIVAL_BASES);

	for (size_t i = 0; i < 32; i++) {
		struct window *const w = window_new();
		const uint64_t base = local[i % 4];

		rival->set[FS] = rival->set[GS] = remote[i / 4 % 4];
		window_base(w, s, base);
		window_base(w, !s, OTHER);
		w->selector[s] = (uint16_t)t->b;
		if (i < 16)
			w->load_selector[s] = 1;
		else
			w->reload[s] = 1;
		w->event = event_yield;
		/* At any interrupt, IRET may turn the selectors 1 to 3 into 0, which may also clear
		 * the base. Such windows do not count. */
		if (!beside(w, rival, &meetings) || t->b != w->before.selector[SEL_FS + s] ||
		    (t->b <= 3 && t->b != w->last.selector[SEL_FS + s]))
			continue;
		judged++;
		expect(t->b, w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
		if (i < 16)
			expect(base, w->before.insn[s], "base of %s before", segment_name(s));
		expect(w->before.insn[s], w->last.insn[s],
		       "base of %s while the competing task has 0x%llx", segment_name(s),
		       (unsigned long long)remote[i / 4 % 4]);
		expect(OTHER, w->last.insn[!s], "base of %s", segment_name(!s));
	}
	part(rival, &meetings);
	if (!judged)
		skip("the selector was never kept across a switch: IRET clears it");
}

static int sampling(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof attr,
				       .config = PERF_COUNT_HW_CPU_CYCLES,
				       .sample_period = 50000,
				       .sample_type = PERF_SAMPLE_IP};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
}

/* Tests bases of every class while a performance counter causes non-maskable interrupts at any
 * instruction. */
static void nmi(const struct test *t)
{
	const int fd = sampling();
	uint64_t count = 0;

	if (fd < 0)
		skip("perf_event_open for cycles: %s", strerror(errno));
	void *const ring = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	outlives(t, event_ticks, (const uint64_t[4]){TICKS_NS / CLASSES});
	outlives(t, event_syscalls, nothing);
	if (read(fd, &count, sizeof count) != sizeof count || !count || ring == MAP_FAILED)
		skip("the cycle counter counted nothing");
}

/* Skips the case under an emulator of processes, which has no entry code to test. */
static void need_entry_code(void)
{
	if (machine.report.hwcap2_present == FSGS_ANSWER_NO)
		skip("without AT_HWCAP2 this is an emulator of processes: there is no entry code");
}

/* c: index of the event that enters the kernel while GS has a base of the kernel's half. */
static void entry(const struct test *t)
{
	static an_event *const events[] = {event_syscalls,  event_int80, event_breakpoint,
					   event_undefined, event_fault, event_divide,
					   event_step,      event_storm, event_touch,
					   event_ticks,     event_sleep, event_iret};
	static const uint64_t bases[] = {UINT64_C(0xffff800000000000), UINT64_C(0xffffffffffff0000),
					 UINT64_C(0xffffffff80000000), ~UINT64_C(0)};
	char *const page =
		mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		skip("no memory: %s", strerror(errno));
	if (events[t->c] == event_int80)
		need_int80();
	if (events[t->c] == event_iret)
		need_entry_code();
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		struct window *const w = window_new();

		window_base(w, GS, bases[i]);
		w->event = events[t->c];
		w->argument[0] = 20000;
		if (events[t->c] == event_storm || events[t->c] == event_iret)
			w->argument[0] = 20;
		if (events[t->c] == event_ticks)
			w->argument[0] = 2000000;
		if (events[t->c] == event_touch) {
			w->argument[0] = (uintptr_t)page + i * 4 * 4096;
			w->argument[1] = 4;
		}
		run_window(w);
		expect(bases[i], w->last.insn[GS], "GS base afterwards");
		if (events[t->c] == event_int80)
			expect((uint64_t)getpid(), (uint64_t)w->result, "result of INT 80h");
		if (events[t->c] == event_iret)
			expect(w->argument[0], (uint64_t)w->result, "faults on the way back");
	}
}

/* c: 0 SYSENTER in 64-bit code, 1 SYSCALL in 32-bit code. The entry code of the kernel reads an
 * argument at the address in RBP, and must handle the fault of this read. The kernel then returns
 * to an address without code. The fault at this address ends the stub. */
static void entry_argument(const struct test *t)
{
	static const unsigned char syscall_insn[] = {0x0f, 0x05};
	static const uint64_t bases[] = {UINT64_C(0xffff800000000000), UINT64_C(0xffffffffffff0000),
					 ~UINT64_C(0)};

	need_entry_code();
	/* Intel processors raise #UD for SYSCALL in 32-bit code. QEMU 7.2 executes it on Intel
	 * models, too. Linux sets no entry point for it on Intel processors, so the guest's kernel
	 * would crash with any base. */
	if (t->c && strcmp(machine.report.vendor, "GenuineIntel") == 0)
		skip("SYSCALL in 32-bit code is not defined on this processor");
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		struct window *const w = window_new();
		uint64_t at;

		w->stub = (uintptr_t)window_sysenter;
		if (t->c)
			compat_stub(w, syscall_insn, sizeof syscall_insn);
		at = w->stub + (t->c ? COMPAT_CODE : 0);
		window_base(w, GS, bases[i]);
		w->in[RAX] = 20; /* getpid */
		w->in[RBP] = UINT64_C(0xffffffff);
		w->astray = 1;
		run_window(w);
		if (w->fault.signal == SIGILL && w->fault.rip == at)
			skip("%s is not defined here",
			     t->c ? "SYSCALL in 32-bit code" : "SYSENTER");
		if (t->c && w->fault.signal && w->fault.rip == w->stub)
			skip("this kernel has no 32-bit code segment");
		expect(bases[i], w->last.insn[GS], "GS base afterwards");
	}
}

#define BOTH(number, name, rule, k, f, function, b, c)                   \
	{(number), "fs-" name, rule, k, f, function, FS, b, c},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, f, function, GS, b, c \
	}
#define ENTRY(number, name, c)                                                          \
	{                                                                               \
		(number), "entry-" name, RULE_ENTRY, K(15), KERNEL_HALF, entry, 0, 0, c \
	}

const struct test survival_tests[] = {
	BOTH(701, "system-calls", RULE_SURVIVE, 0, 0, syscalls, 0, 0),
	BOTH(703, "int-80", RULE_SURVIVE, 0, 0, int80, 0, 0),
	BOTH(705, "sleep", RULE_SURVIVE, K(10), 0, sleeps, 0, 0),
	BOTH(707, "signal-storm", RULE_SURVIVE, K(10), 0, storm, 0, 0),
	BOTH(709, "breakpoints", RULE_SURVIVE, 0, 0, breakpoints, 0, 0),
	BOTH(711, "undefined-opcode", RULE_SURVIVE, 0, 0, undefined, 0, 0),
	BOTH(713, "protection-fault", RULE_SURVIVE, 0, 0, protection, 0, 0),
	BOTH(715, "divide-error", RULE_SURVIVE, 0, 0, divide, 0, 0),
	BOTH(717, "single-step", RULE_SURVIVE, 0, 0, steps, 0, 0),
	BOTH(719, "timer-ticks", RULE_SURVIVE, 0, 0, ticks, 0, 0),
	BOTH(721, "fork", RULE_SURVIVE, 0, 0, forks, 0, 0),
	BOTH(723, "page-faults", RULE_SURVIVE, 0, 0, page_faults, 0, 0),
	BOTH(725, "cpu-hops", RULE_SURVIVE, 0, 0, hops, 0, 0),
	BOTH(727, "stop-and-continue", RULE_SURVIVE, 0, 0, stops, 0, 0),
	BOTH(729, "yield-to-rival", RULE_OWN, K(10), 0, against, 0, RIVAL_BASES),
	BOTH(731, "preempted-by-rival", RULE_OWN, K(10), 0, against, 1, RIVAL_BASES),
	BOTH(733, "sleep-beside-rival", RULE_OWN, K(10), 0, against, 2, RIVAL_BASES),
	BOTH(735, "yield-to-zero-rival", RULE_OWN, K(10), 0, against, 0, RIVAL_ZERO),
	BOTH(737, "yield-to-ldt-rival", RULE_OWN, K(9), 0, against, 0, RIVAL_SELECTOR),
	BOTH(739, "yield-to-tls-rival", RULE_OWN, K(9) | K(12), 0, against, 0, RIVAL_TLS),
	BOTH(741, "yield-to-ldt-thread", RULE_OWN, K(9), 0, against, 0, RIVAL_THREAD),
	BOTH(743, "matrix-bases", RULE_OWN, K(8) | K(12), 0, matrix, 0, RIVAL_BASES),
	BOTH(745, "matrix-zero", RULE_OWN, K(8) | K(12), 0, matrix, 0, RIVAL_ZERO),
	BOTH(747, "matrix-ldt", RULE_OWN, K(8) | K(9), 0, matrix, 0, RIVAL_SELECTOR),
	BOTH(749, "matrix-thread", RULE_OWN, K(8) | K(9), 0, matrix, 0, RIVAL_THREAD),
	BOTH(751, "descriptor-beside-rival", RULE_OWN, K(9) | K(12), 0, descriptor_against, 0,
	     RIVAL_BASES),
	BOTH(753, "sampled-by-nmi", RULE_ENTRY, K(15), 0, nmi, 0, 0),
	ENTRY(755, "syscall", 0),
	ENTRY(756, "int-80", 1),
	ENTRY(757, "breakpoint", 2),
	ENTRY(758, "undefined", 3),
	ENTRY(759, "protection-fault", 4),
	ENTRY(760, "divide-error", 5),
	ENTRY(761, "single-stepped-syscall", 6),
	ENTRY(762, "signal", 7),
	ENTRY(763, "page-fault", 8),
	ENTRY(764, "timer", 9),
	ENTRY(765, "sleep", 10),
	BOTH(766, "cross-0", RULE_OWN, K(8), 0, cross, 0, 0),
	BOTH(768, "cross-1", RULE_OWN, K(8), 0, cross, 1, 0),
	BOTH(770, "cross-2", RULE_OWN, K(8), 0, cross, 2, 0),
	BOTH(772, "cross-3", RULE_OWN, K(8), 0, cross, 3, 0),
	BOTH(774, "cross-data", RULE_OWN, K(8), 0, cross, 0x2b, 0),
	ENTRY(776, "fault-of-iret", 11),
	{777, "entry-sysenter-argument", RULE_ENTRY, K(15), KERNEL_HALF | RISKY, entry_argument, 0,
	 0, 0},
	{778, "entry-syscall32-argument", RULE_ENTRY, K(15), KERNEL_HALF | RISKY, entry_argument, 0,
	 0, 1},
};
const size_t survival_count = sizeof survival_tests / sizeof *survival_tests;

/* SPDX-License-Identifier: MIT */
/* Access to a base by a tracer: tests every ptrace request that reads or writes a base. */
#include "suite.h"

#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE       UINT64_C(0x00005ac30b9d2f10)
#define NEW_BASE   UINT64_C(0x0000137ace024680)
#define KERNEL     UINT64_C(0xffff812345678000)
#define TOO_HIGH   UINT64_C(0xffff800000001000)
/* The base that the kernel's selftest writes as a tracer. */
#define SMALL_BASE UINT64_C(0xff)
#define LDT_BASE   0x00abc000u

#ifndef PTRACE_ARCH_PRCTL
#define PTRACE_ARCH_PRCTL 30
#endif

enum means { BY_USER, BY_REGS, BY_REGSET, BY_PRCTL, MEANS };

static const char *const reading[] = {"PTRACE_PEEKUSER", "PTRACE_GETREGS", "PTRACE_GETREGSET",
				      "PTRACE_ARCH_PRCTL"};
static const char *const writing[] = {"PTRACE_POKEUSER", "PTRACE_SETREGS", "PTRACE_SETREGSET",
				      "PTRACE_ARCH_PRCTL"};

/* Makes the raw system call: the wrapper of the C library returns the value that PTRACE_PEEKUSER
 * reads, so -1 could be an error or a base. */
static long request(long what, pid_t child, uint64_t address, uint64_t data)
{
	return syscall(SYS_ptrace, what, child, address, data);
}

static uint64_t offset_base(int s)
{
	return s == FS ? offsetof(struct user_regs_struct, fs_base)
		       : offsetof(struct user_regs_struct, gs_base);
}

static uint64_t offset_selector(int s)
{
	return s == FS ? offsetof(struct user_regs_struct, fs)
		       : offsetof(struct user_regs_struct, gs);
}

static unsigned long long *base_in(struct user_regs_struct *regs, int s)
{
	return s == FS ? &regs->fs_base : &regs->gs_base;
}

static long get_regs(pid_t child, bool set, struct user_regs_struct *regs)
{
	struct iovec io = {regs, sizeof *regs};

	return set ? request(PTRACE_GETREGSET, child, NT_PRSTATUS, (uintptr_t)&io)
		   : request(PTRACE_GETREGS, child, 0, (uintptr_t)regs);
}

static long put_regs(pid_t child, bool set, struct user_regs_struct *regs)
{
	struct iovec io = {regs, sizeof *regs};

	return set ? request(PTRACE_SETREGSET, child, NT_PRSTATUS, (uintptr_t)&io)
		   : request(PTRACE_SETREGS, child, 0, (uintptr_t)regs);
}

static long peek(pid_t child, enum means by, int s, uint64_t *base)
{
	struct user_regs_struct regs;
	long error;

	switch (by) {
	case BY_USER:
		return request(PTRACE_PEEKUSER, child, offset_base(s), (uintptr_t)base);
	case BY_PRCTL:
		return request(PTRACE_ARCH_PRCTL, child, (uintptr_t)base,
			       s == FS ? ARCH_GET_FS : ARCH_GET_GS);
	default:
		error = get_regs(child, by == BY_REGSET, &regs);
		*base = *base_in(&regs, s);
		return error;
	}
}

static long poke(pid_t child, enum means by, int s, uint64_t base)
{
	struct user_regs_struct regs;

	switch (by) {
	case BY_USER:
		return request(PTRACE_POKEUSER, child, offset_base(s), base);
	case BY_PRCTL:
		return request(PTRACE_ARCH_PRCTL, child, base, s == FS ? ARCH_SET_FS : ARCH_SET_GS);
	default:
		if (get_regs(child, by == BY_REGSET, &regs))
			return -1;
		*base_in(&regs, s) = base;
		return put_regs(child, by == BY_REGSET, &regs);
	}
}

static uint64_t peek_selector(pid_t child, int s)
{
	uint64_t selector = ~UINT64_C(0);

	request(PTRACE_PEEKUSER, child, offset_selector(s), (uintptr_t)&selector);
	return selector;
}

/* Starts a child that stops in its window, with the bases set. */
static pid_t stopped(struct window *w)
{
	int status;

	w->event = event_stop;
	need_gs(w);
	const pid_t child = fork();

	if (child < 0)
		skip("fork: %s", strerror(errno));
	if (child == 0) {
		if (request(PTRACE_TRACEME, 0, 0, 0))
			_exit(77);
		foreign_window(w);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip("PTRACE_TRACEME is refused");
		fail("stops", "ended", "the tracee");
		skip("no tracee");
	}
	/* If this process dies, the child must die, too. */
	request(PTRACE_SETOPTIONS, child, 0, PTRACE_O_EXITKILL);
	return child;
}

static void go_on(pid_t child)
{
	expect(0, (uint64_t)request(PTRACE_CONT, child, 0, 0), "PTRACE_CONT");
	end_window(child, "the tracee");
}

/* a: segment, b: enum means, c: base that the tracee wrote */
static void reads(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	uint64_t base = 0;

	window_base(w, s, t->c);
	const pid_t child = stopped(w);

	expect(0, (uint64_t)peek(child, (enum means)t->b, s, &base), "%s", reading[t->b]);
	expect(t->c, base, "%s of the %s base", reading[t->b], segment_name(s));
	go_on(child);
}

/* a: segment, b: the base is set by the instruction (0) or by arch_prctl (1), c: base. Every
 * request must read this base. */
static void reads_all(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	if (t->b)
		window_prctl(w, s, t->c);
	else
		window_base(w, s, t->c);
	const pid_t child = stopped(w);

	need_set_by(w, s);
	for (enum means by = 0; by < MEANS; by++) {
		uint64_t base = 0;

		expect(0, (uint64_t)peek(child, by, s, &base), "%s", reading[by]);
		expect(t->c, base, "%s of the %s base", reading[by], segment_name(s));
	}
	go_on(child);
	expect(t->c, w->last.insn[s], "base of the tracee afterwards");
}

/* a: segment, b: enum means, c: base */
static void writes(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	uint64_t base = 0;

	window_base(w, s, BASE);
	window_base(w, !s, BASE + 0x1000);
	const pid_t child = stopped(w);

	expect(0, (uint64_t)poke(child, (enum means)t->b, s, t->c), "%s", writing[t->b]);
	expect(0, (uint64_t)peek(child, (enum means)t->b, s, &base), "%s", reading[t->b]);
	expect(t->c, base, "%s after %s", reading[t->b], writing[t->b]);
	go_on(child);
	expect(t->c, w->last.insn[s], "RD%sBASE of the tracee after %s", segment_name(s),
	       writing[t->b]);
	expect_got(t->c, &w->last, s, " of the tracee");
	expect(BASE + 0x1000, w->last.insn[!s], "base of %s", segment_name(!s));
}

/* a: segment, b: enum means. The tracee has a descriptor's selector. The tracer's write must set
 * the base and keep the selector. */
static void keeps_selector(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	w->load_selector[s] = 1;
	w->selector[s] = (uint16_t)any_selector(0, LDT_BASE);
	const pid_t child = stopped(w);
	const uint64_t before = peek_selector(child, s);

	expect(w->selector[s], before, "selector of %s by PTRACE_PEEKUSER", segment_name(s));
	expect(0, (uint64_t)poke(child, (enum means)t->b, s, SMALL_BASE), "%s", writing[t->b]);
	expect(before, peek_selector(child, s), "selector of %s after %s", segment_name(s),
	       writing[t->b]);
	go_on(child);
	expect(w->selector[s], w->last.selector[SEL_FS + s], "selector in the tracee");
	expect(SMALL_BASE, w->last.insn[s], "base in the tracee");
}

/* a: segment, b: enum means */
static void limit(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_base(w, s, BASE);
	const pid_t child = stopped(w);

	errno = 0;
	expect((uint64_t)-1, (uint64_t)poke(child, (enum means)t->b, s, TOO_HIGH), "%s of 0x%llx",
	       writing[t->b], (unsigned long long)TOO_HIGH);
	expect(t->b == BY_PRCTL ? EPERM : EIO, (uint64_t)errno, "errno");
	go_on(child);
	expect(BASE, w->last.insn[s], "base of the tracee");
}

/* a: segment, b: 1 if the tracee has a descriptor's selector. The tracer reads all registers and
 * writes them back: selector and base must stay the same. */
static void round_trip(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	struct user_regs_struct regs;

	if (t->b) {
		w->load_selector[s] = 1;
		w->selector[s] = (uint16_t)ldt_selector(0, LDT_BASE);
	}
	window_base(w, s, BASE);
	const pid_t child = stopped(w);

	for (int set = 0; set < 2; set++) {
		expect(0, (uint64_t)get_regs(child, set, &regs), "%s", reading[BY_REGS + set]);
		expect(0, (uint64_t)put_regs(child, set, &regs), "%s", writing[BY_REGS + set]);
	}
	go_on(child);
	expect(w->selector[s], w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
	expect(BASE, w->last.insn[s], "base of %s", segment_name(s));
}

/* a: segment. Writes selector 7 to a tracee without an LDT, which crashes a defective kernel. */
static void bad_selector(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	uint64_t base = 0;

	const pid_t child = stopped(w);
	const long error = request(PTRACE_POKEUSER, child, offset_selector(s), 7);

	expect(0, (uint64_t)peek(child, BY_USER, s, &base), "%s", reading[BY_USER]);
	/* The base that is read must be a user address. Before the request, FS had the C library's
	 * base and GS had zero. */
	expect(0, base >> 47, "upper bits of the base that is read");
	classify("writing selector 7: %s, then reading gives 0x%llx",
		 error ? strerror(errno) : "ok", (unsigned long long)base);
	go_on(child);
}

/* a: segment. Writes the base 20 times by each request. Then the tracee must end normally and have
 * the last base. */
static void ends_in_order(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	const pid_t child = stopped(w);

	for (int i = 0; i < 20; i++)
		for (enum means by = 0; by < MEANS; by++)
			expect(0, (uint64_t)poke(child, by, s, NEW_BASE + (unsigned)i), "%s",
			       writing[by]);
	go_on(child);
	expect(NEW_BASE + 19, w->last.insn[s], "base of the tracee");
}

/* Starts a process with this window, and attaches to it while it runs in user space. */
static pid_t attach_to_spinning(struct window *w)
{
	w->event = event_mark_and_spin;

	const pid_t child = start_window(w);

	while (!w->stop)
		usleep(50);
	if (request(PTRACE_ATTACH, child, 0, 0)) {
		w->stop = 2;
		skip("PTRACE_ATTACH: %s", strerror(errno));
	}
	waitpid(child, NULL, __WALL);
	return child;
}

/* a: segment, b: 1 if the tracee has a descriptor's selector, c: the signal that PTRACE_DETACH
 * delivers, or 0 */
static void attach(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	struct user_regs_struct regs;

	if (t->b) {
		w->load_selector[s] = 1;
		w->selector[s] = (uint16_t)ldt_selector(0, LDT_BASE);
	}
	window_base(w, s, BASE);

	const pid_t child = attach_to_spinning(w);

	expect(0, (uint64_t)get_regs(child, false, &regs), "PTRACE_GETREGS");
	expect(BASE, *base_in(&regs, s), "base that PTRACE_GETREGS gives");
	expect(0, (uint64_t)put_regs(child, false, &regs), "PTRACE_SETREGS");
	w->stop = 2;
	expect(0, (uint64_t)request(PTRACE_DETACH, child, 0, t->c), "PTRACE_DETACH");
	end_window(child, "the process that was traced");
	expect(BASE, w->last.insn[s], "base of %s", segment_name(s));
	expect(w->selector[s], w->last.selector[SEL_FS + s], "selector of %s", segment_name(s));
	if (t->c)
		expect(1, w->signals, "signals that it got");
}

/* a: segment. */
static void single_step(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	int status = 0;

	window_base(w, s, BASE);
	const pid_t child = stopped(w);

	for (int i = 0; i < 30; i++) {
		uint64_t base = 0;

		if (request(PTRACE_SINGLESTEP, child, 0, 0) ||
		    waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
			fail("stops", "does not", "the tracee after a step");
			break;
		}
		peek(child, BY_USER, s, &base);
		expect(BASE, base, "base after %d steps", i + 1);
	}
	go_on(child);
	expect(BASE, w->last.insn[s], "base of the tracee");
}

/* a: segment. The tracer writes two bases by different requests. The second base must stay. */
static void writes_in_turn(const struct test *t)
{
	const int s = (int)t->a;

	for (enum means by = 0; by < MEANS; by++) {
		struct window *const w = window_new();
		uint64_t base = 0;

		window_base(w, s, BASE);
		const pid_t child = stopped(w);

		poke(child, by, s, NEW_BASE);
		poke(child, (by + 1) % MEANS, s, NEW_BASE + 0x100);
		peek(child, (by + 2) % MEANS, s, &base);
		expect(NEW_BASE + 0x100, base, "%s after %s and %s", reading[(by + 2) % MEANS],
		       writing[by], writing[(by + 1) % MEANS]);
		go_on(child);
		expect(NEW_BASE + 0x100, w->last.insn[s], "base of the tracee");
	}
}

/* a: segment. As in the kernel's selftest: writes selector 7, without an LDT, while the base is 1.
 * The resulting base must be 0 or 1. */
static void selector_7(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	uint64_t base = ~UINT64_C(0);

	window_base(w, s, 1);
	const pid_t child = stopped(w);

	if (request(PTRACE_POKEUSER, child, offset_selector(s), 7))
		skip("PTRACE_POKEUSER of selector 7: %s", strerror(errno));
	expect(0, (uint64_t)peek(child, BY_USER, s, &base), "%s", reading[BY_USER]);
	if (base != 0)
		expect(1, base, "base of %s that is read, if not 0", segment_name(s));
	go_on(child);
	if (w->last.insn[s] != 0)
		expect(1, w->last.insn[s], "base in the tracee, if not 0");
}

/* a: segment, b: BY_REGS or BY_REGSET. Writes selector and base in one request. Both must then be
 * as written. */
static void writes_both(const struct test *t)
{
	const int s = (int)t->a;
	const bool set = t->b == BY_REGSET;
	const uint16_t selector = (uint16_t)any_selector(0, LDT_BASE);
	struct user_regs_struct regs;

	for (int to_null = 0; to_null < 2; to_null++) {
		const uint64_t wanted = to_null ? 0 : selector;
		struct window *const w = window_new();
		uint64_t base = 0;

		w->load_selector[s] = 1;
		w->selector[s] = to_null ? selector : 0;
		window_base(w, s, BASE);
		const pid_t child = stopped(w);

		expect(0, (uint64_t)get_regs(child, set, &regs), "%s", reading[t->b]);
		*base_in(&regs, s) = SMALL_BASE;
		*(s == FS ? &regs.fs : &regs.gs) = wanted;
		expect(0, (uint64_t)put_regs(child, set, &regs), "%s", writing[t->b]);
		expect(0, (uint64_t)peek(child, BY_USER, s, &base), "%s", reading[BY_USER]);
		expect(SMALL_BASE, base, "base after %s of both", writing[t->b]);
		expect(wanted, peek_selector(child, s), "selector after %s of both", writing[t->b]);
		go_on(child);
		expect(wanted, w->last.selector[SEL_FS + s], "selector in the tracee");
		expect(SMALL_BASE, w->last.insn[s], "base in the tracee");
	}
}

/* a: segment, b: 1 if the base is that of a descriptor. The tracer makes the process run code that
 * clears its segments, then restores all of its registers and detaches. */
static void redirect(const struct test *t)
{
	const int s = (int)t->a;
	uint64_t *const data = low_memory(4096);
	struct window *const w = window_new();
	struct user_regs_struct saved, away;
	int status = 0;

	*data = UINT64_C(0x5e63e27f00d5afe5);
	if (t->b) {
		w->load_selector[s] = 1;
		w->selector[s] = (uint16_t)any_selector(0, (uint32_t)(uintptr_t)data);
	} else {
		window_base(w, s, (uintptr_t)data);
	}
	w->want_load[s] = 1;

	const pid_t child = attach_to_spinning(w);

	expect(0, (uint64_t)get_regs(child, false, &saved), "PTRACE_GETREGS");
	away = saved;
	away.rip = (uintptr_t)window_zap;
	expect(0, (uint64_t)put_regs(child, false, &away), "PTRACE_SETREGS");
	request(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, __WALL);
	expect(SIGTRAP, WIFSTOPPED(status) ? (uint64_t)WSTOPSIG(status) : 0,
	       "signal after the code to which the tracer redirected the process");
	expect(0, peek_selector(child, s), "selector after that code");
	expect(0, (uint64_t)put_regs(child, false, &saved), "PTRACE_SETREGS");
	w->stop = 2;
	expect(0, (uint64_t)request(PTRACE_DETACH, child, 0, 0), "PTRACE_DETACH");
	end_window(child, "the process that was traced");
	expect(w->before.insn[s], w->last.insn[s], "base of %s", segment_name(s));
	expect(w->before.selector[SEL_FS + s], w->last.selector[SEL_FS + s], "selector of %s",
	       segment_name(s));
	expect(*data, w->last.load[s], "what is loaded through %s", segment_name(s));
}

#define BOTH(number, name, rule, k, f, function, b, c)                   \
	{(number), "fs-" name, rule, k, f, function, FS, b, c},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, f, function, GS, b, c \
	}

const struct test ptrace_tests[] = {
	BOTH(501, "peekuser", RULE_PTRACE_READ, K(1), 0, reads, BY_USER, BASE),
	BOTH(503, "getregs", RULE_PTRACE_READ, K(1), 0, reads, BY_REGS, BASE),
	BOTH(505, "getregset", RULE_PTRACE_READ, K(1), 0, reads, BY_REGSET, BASE),
	BOTH(507, "arch-prctl-get", RULE_PTRACE_READ, K(1), 0, reads, BY_PRCTL, BASE),
	BOTH(509, "reads-arch-prctl-1", RULE_PTRACE_READ, K(1), 0, reads_all, 1, 1),
	BOTH(511, "reads-small", RULE_PTRACE_READ, K(1), 0, reads_all, 0, 1),
	BOTH(513, "reads-kernel-half", RULE_PTRACE_READ, K(1), KERNEL_HALF, reads_all, 0, KERNEL),
	BOTH(515, "pokeuser", RULE_PTRACE_WRITE, K(11), 0, writes, BY_USER, NEW_BASE),
	BOTH(517, "setregs", RULE_PTRACE_WRITE, K(11), 0, writes, BY_REGS, NEW_BASE),
	BOTH(519, "setregset", RULE_PTRACE_WRITE, K(11), 0, writes, BY_REGSET, NEW_BASE),
	BOTH(521, "arch-prctl-set", RULE_PTRACE_WRITE, K(11), 0, writes, BY_PRCTL, NEW_BASE),
	BOTH(523, "pokeuser-zero", RULE_PTRACE_WRITE, 0, 0, writes, BY_USER, 0),
	BOTH(525, "pokeuser-selector-kept", RULE_PTRACE_SELECTOR, K(11) | K(12), 0, keeps_selector,
	     BY_USER, 0),
	BOTH(527, "setregs-selector-kept", RULE_PTRACE_SELECTOR, K(11) | K(12), 0, keeps_selector,
	     BY_REGS, 0),
	BOTH(529, "setregset-selector-kept", RULE_PTRACE_SELECTOR, K(11) | K(12), 0, keeps_selector,
	     BY_REGSET, 0),
	BOTH(531, "pokeuser-limit", RULE_PTRACE_LIMIT, 0, 0, limit, BY_USER, 0),
	BOTH(533, "setregs-limit", RULE_PTRACE_LIMIT, 0, 0, limit, BY_REGS, 0),
	BOTH(535, "arch-prctl-limit", RULE_PTRACE_LIMIT, 0, 0, limit, BY_PRCTL, 0),
	BOTH(537, "round-trip", RULE_PTRACE_WRITE, 0, 0, round_trip, 0, 0),
	BOTH(539, "round-trip-ldt", RULE_PTRACE_WRITE, 0, 0, round_trip, 1, 0),
	BOTH(541, "bad-selector", RULE_PTRACE_SELECTOR, K(2), RISKY, bad_selector, 0, 0),
	BOTH(543, "ends-in-order", RULE_PTRACE_WRITE, K(3), 0, ends_in_order, 0, 0),
	BOTH(545, "attach", RULE_PTRACE_WRITE, 0, 0, attach, 0, 0),
	BOTH(547, "attach-ldt", RULE_PTRACE_WRITE, 0, 0, attach, 1, 0),
	BOTH(549, "attach-leave-with-signal", RULE_PTRACE_WRITE, 0, 0, attach, 1, SIGUSR1),
	BOTH(551, "single-step", RULE_PTRACE_READ, 0, 0, single_step, 0, 0),
	BOTH(553, "writes-in-turn", RULE_PTRACE_WRITE, K(11), 0, writes_in_turn, 0, 0),
	BOTH(555, "selector-7", RULE_PTRACE_SELECTOR, K(2) | K(3), RISKY, selector_7, 0, 0),
	BOTH(557, "setregs-both", RULE_PTRACE_WRITE, K(11), 0, writes_both, BY_REGS, 0),
	BOTH(559, "setregset-both", RULE_PTRACE_WRITE, K(11), 0, writes_both, BY_REGSET, 0),
	BOTH(561, "redirected", RULE_PTRACE_WRITE, K(14), 0, redirect, 0, 0),
	BOTH(563, "redirected-descriptor", RULE_PTRACE_WRITE, K(14), 0, redirect, 1, 0),
};
const size_t ptrace_count = sizeof ptrace_tests / sizeof *ptrace_tests;

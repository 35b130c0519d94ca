/* SPDX-License-Identifier: MIT */
/*
 * Code that runs while FS or GS has a foreign base: see foreign.h. It is compiled freestanding,
 * without stack protector or instrumentation. It makes its own system calls, and uses FS and GS
 * only where a case tests them.
 */
#include "foreign.h"

#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <fsgscheck/insn.h>
#include <fsgscheck/report.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stddef.h>
#include <ucontext.h>

_Static_assert(offsetof(struct window, out) == 128, "OUT");
_Static_assert(offsetof(struct window, flags) == 256, "FLAGS");
_Static_assert(offsetof(struct window, after) == 264, "AFTER");
_Static_assert(offsetof(struct window, stub) == 272, "STUB");

struct window *foreign_now;
struct foreign_fault *foreign_crash;
uint32_t foreign_deadly;
uint32_t foreign_runs;

/* Linux's selector for 64-bit user code, which no header for programs defines. */
#define USER_CS     0x33
/* Limits for event_yield() and event_spin(), which wait until the rival has run: a number of yields
 * and a time in nanoseconds. Both last longer than the time slice of any scheduler. Without a
 * limit, a case would hang if the rival never ran. */
#define MANY_YIELDS 200000
#define SPIN_NS     400000000
/* How many nanoseconds fork_and() waits until a new thread has read its bases. It does not count
 * yields, because on a busy machine many yields may pass before the thread runs. */
#define THREAD_NS   UINT64_C(10000000000)

static long call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static uint64_t address_of(const volatile void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static uint64_t read_base(int segment)
{
	uint64_t base;

	if (segment == FSGS_SEGMENT_FS)
		__asm__ volatile(FSGS_ASM(FSGS_RDFSBASE, "%0") : "=r"(base));
	else
		__asm__ volatile(FSGS_ASM(FSGS_RDGSBASE, "%0") : "=r"(base));
	return base;
}

static void write_base(int segment, uint64_t base)
{
	if (segment == FSGS_SEGMENT_FS)
		__asm__ volatile(FSGS_ASM(FSGS_WRFSBASE, "%0") : : "r"(base) : "memory");
	else
		__asm__ volatile(FSGS_ASM(FSGS_WRGSBASE, "%0") : : "r"(base) : "memory");
}

static void write_base32(int segment, uint64_t base)
{
	if (segment == FSGS_SEGMENT_FS)
		__asm__ volatile(FSGS_ASM(FSGS_WRFSBASE, "%k0") : : "r"(base) : "memory");
	else
		__asm__ volatile(FSGS_ASM(FSGS_WRGSBASE, "%k0") : : "r"(base) : "memory");
}

long foreign_prctl(int get, int segment, uint64_t argument)
{
	static const uint16_t codes[2][2] = {{ARCH_SET_FS, ARCH_SET_GS},
					     {ARCH_GET_FS, ARCH_GET_GS}};

	if (foreign_deadly & FOREIGN_CALL(get, segment))
		return -ENOSYS;
	return call(__NR_arch_prctl, codes[get][segment], argument, 0, 0);
}

/* The GS base that the sandbox gave this thread. Used by foreign_gs_call(), and if FOREIGN_GS_CALL
 * is set. The sandbox may give another base at each return from a system call. */
static uint64_t given;

/* Calls arch_prctl. If FOREIGN_GS_CALL is set, GS holds the sandbox's base during the call, and the
 * case's base again afterwards. */
static long lent_prctl(int get, int segment, uint64_t argument)
{
	uint64_t wanted;
	long result;

	if (!(foreign_deadly & FOREIGN_GS_CALL))
		return foreign_prctl(get, segment, argument);
	wanted = read_base(FSGS_SEGMENT_GS);
	write_base(FSGS_SEGMENT_GS, given);
	result = foreign_prctl(get, segment, argument);
	given = read_base(FSGS_SEGMENT_GS);
	write_base(FSGS_SEGMENT_GS, wanted);
	return result;
}

static long set_prctl(int segment, uint64_t base)
{
	return lent_prctl(0, segment, base);
}

uint64_t foreign_own_gs(void)
{
	return foreign_runs ? read_base(FSGS_SEGMENT_GS) : 0;
}

static void give_back(int signal)
{
	(void)signal;
	write_base(FSGS_SEGMENT_GS, given);
	call(__NR_exit_group, 1, 0, 0, 0);
}

/* Makes one system call several times at the same address, because a sandbox may rewrite the call
 * after its first use. C libraries use this pair of MOV and SYSCALL, and sandboxes recognize it.
 * Restores the GS base before the process ends, also after a fault, because a sandbox may use the
 * thread, with its GS, for the next process. */
void foreign_gs_call(int changed, void (*set_handler)(void (*handler)(int)))
{
	set_handler(give_back);
	for (int i = 0; i < 8; i++) {
		long result;

		given = read_base(FSGS_SEGMENT_GS);
		write_base(FSGS_SEGMENT_GS, changed ? 0x1000 : given);
		__asm__ volatile("movl %1, %%eax\n\tsyscall"
				 : "=&a"(result)
				 : "i"(__NR_getppid)
				 : "rcx", "r11", "memory");
		write_base(FSGS_SEGMENT_GS, given);
	}
}

static void load_selector(int segment, uint32_t selector)
{
	if (segment == FSGS_SEGMENT_FS)
		__asm__ volatile("movl %0, %%fs" : : "r"(selector) : "memory");
	else
		__asm__ volatile("movl %0, %%gs" : : "r"(selector) : "memory");
}

static void pop_selector(int segment, uint64_t selector)
{
	if (segment == FSGS_SEGMENT_FS)
		__asm__ volatile("subq $128, %%rsp\n\tpushq %0\n\tpopq %%fs\n\taddq $128, %%rsp"
				 :
				 : "r"(selector)
				 : "memory");
	else
		__asm__ volatile("subq $128, %%rsp\n\tpushq %0\n\tpopq %%gs\n\taddq $128, %%rsp"
				 :
				 : "r"(selector)
				 : "memory");
}

static void set_base(struct window *w, int segment)
{
	switch (w->set_by[segment]) {
	case SET_PRCTL:
		w->set_error[segment] = set_prctl(segment, w->set[segment]);
		/* A sandbox may refuse the call. Then the instruction writes the base: most cases
		 * do not depend on how the base was set. */
		if (w->set_error[segment] < 0)
			write_base(segment, w->set[segment]);
		break;
	case SET_INSN:
		write_base(segment, w->set[segment]);
		break;
	case SET_INSN32:
		write_base32(segment, w->set[segment]);
		break;
	default:
		break;
	}
}

static void look(struct window *w, struct sight *sight)
{
	for (int s = 0; s < 2; s++) {
		sight->insn[s] = read_base(s);
		sight->prctl[s] = ~sight->insn[s];
		sight->error[s] = lent_prctl(1, s, address_of(&sight->prctl[s]));
	}
	if (w->want_load[0])
		__asm__ volatile("movq %%fs:0, %0" : "=r"(sight->load[0]) : : "memory");
	if (w->want_load[1])
		__asm__ volatile("movq %%gs:0, %0" : "=r"(sight->load[1]) : : "memory");
	__asm__ volatile("movw %%es, %0" : "=m"(sight->selector[SEL_ES]));
	__asm__ volatile("movw %%cs, %0" : "=m"(sight->selector[SEL_CS]));
	__asm__ volatile("movw %%ss, %0" : "=m"(sight->selector[SEL_SS]));
	__asm__ volatile("movw %%ds, %0" : "=m"(sight->selector[SEL_DS]));
	__asm__ volatile("movw %%fs, %0" : "=m"(sight->selector[SEL_FS]));
	__asm__ volatile("movw %%gs, %0" : "=m"(sight->selector[SEL_GS]));
}

/* Restores the bases by arch_prctl, or by the instruction if arch_prctl fails or if the sandbox
 * needs its own GS base. Makes selectors that the case loaded null again, because a sandbox may use
 * the thread, with its selectors, for the next process. */
static void put_back(struct window *w)
{
	for (int s = 0; s < 2; s++) {
		if (w->load_selector[s] || w->reload[s] ||
		    (w->event == event_selector && w->argument[0] == (unsigned)s))
			load_selector(s, 0);
		if (s == FSGS_SEGMENT_GS && foreign_deadly & FOREIGN_GS_CALL)
			write_base(s, given);
		else if (set_prctl(s, w->own[s]) < 0)
			write_base(s, w->own[s]);
	}
}

void foreign_window(struct window *w)
{
	foreign_now = w;
	if (foreign_deadly & FOREIGN_GS_CALL)
		given = read_base(FSGS_SEGMENT_GS);
	for (int s = 0; s < 2; s++)
		if (w->load_selector[s])
			load_selector(s, w->selector[s]);
	for (int s = 0; s < 2; s++)
		set_base(w, s);
	for (int s = 0; s < 2; s++)
		if (w->reload[s])
			load_selector(s, w->selector[s]);
	look(w, &w->before);
	if (w->stub)
		window_enter(w);
	if (w->event)
		w->event(w);
	look(w, &w->last);
	put_back(w);
}

static void note(struct foreign_fault *fault, int signal, const siginfo_t *info,
		 const ucontext_t *context)
{
	fault->signal = signal;
	fault->code = info->si_code;
	fault->address = address_of(info->si_addr);
	fault->rip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	fault->trap = (uint64_t)context->uc_mcontext.gregs[REG_TRAPNO];
	fault->error = (uint64_t)context->uc_mcontext.gregs[REG_ERR];
}

static int within(uint64_t rip, const struct window *w)
{
	return w->astray || (rip >= address_of(window_stubs) && rip < address_of(window_end)) ||
	       (rip >= w->low && rip < w->low_end);
}

/* Declares two labels of an event that faults on purpose: `_at` is the instruction that faults, and
 * the handler continues at `_on`. PLACE() defines the labels. */
#define LANDING(name) extern const char name##_at[], name##_on[]
#pragma GCC visibility push(hidden)
LANDING(event_undefined);
LANDING(event_fault);
LANDING(event_divide);
LANDING(event_load_fs);
LANDING(event_load_gs);
LANDING(event_store_fs);
LANDING(event_store_gs);
LANDING(event_addr32_fs);
LANDING(event_addr32_gs);
#pragma GCC visibility pop

#define PLACE(name, text)                                                                          \
	".globl " name "_at, " name "_on\n.hidden " name "_at, " name "_on\n" name "_at:\n\t" text \
	"\n" name "_on:\n"

static const char *landing(uint64_t rip)
{
	static const struct {
		const char *at, *on;
	} places[] = {
		{event_undefined_at, event_undefined_on}, {event_fault_at, event_fault_on},
		{event_divide_at, event_divide_on},       {event_load_fs_at, event_load_fs_on},
		{event_load_gs_at, event_load_gs_on},     {event_store_fs_at, event_store_fs_on},
		{event_store_gs_at, event_store_gs_on},   {event_addr32_fs_at, event_addr32_fs_on},
		{event_addr32_gs_at, event_addr32_gs_on},
	};

	for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
		if (rip == address_of(places[i].at))
			return places[i].on;
	return 0;
}

/* Stores RIP of a trap. length() in encoding.c reads these addresses after it has single-stepped a
 * stub. */
static void step(struct window *w, uint64_t rip)
{
	if (w->trails < TRAIL)
		w->trail[w->trails++] = rip;
}

/* Replaces CS, which is in the low 16 bits of REG_CSGSFS. */
static void set_cs(ucontext_t *context, uint32_t cs)
{
	context->uc_mcontext.gregs[REG_CSGSFS] &= ~(greg_t)0xffff;
	context->uc_mcontext.gregs[REG_CSGSFS] |= cs;
}

static uint32_t cs_of(const ucontext_t *context)
{
	return context->uc_mcontext.gregs[REG_CSGSFS] & 0xffff;
}

void foreign_signal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *const u = context;
	struct window *const w = foreign_now;
	const uint64_t rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
	const char *on;

	if (w && (signal == SIGUSR1 || signal == SIGTRAP)) {
		if (signal == SIGTRAP)
			step(w, rip);
		w->signals++;
		for (int s = 0; s < 2; s++) {
			w->handler.insn[s] = read_base(s);
			if (w->change_in_handler[s])
				write_base(s, w->handler_base[s]);
		}
		if (w->bad_cs)
			set_cs(u, w->bad_cs);
		return;
	}
	/* The kernel's IRET faulted, because at the previous signal this handler had put bad_cs
	 * into CS. */
	if (w && w->bad_cs && cs_of(u) == w->bad_cs) {
		note(&w->fault, signal, info, u);
		w->turns++;
		set_cs(u, USER_CS);
		return;
	}
	if (w && within(rip, w)) {
		note(&w->fault, signal, info, u);
		u->uc_mcontext.gregs[REG_RIP] = (greg_t)address_of(window_back);
		set_cs(u, USER_CS); /* the fault may be in 32-bit code */
		return;
	}
	on = landing(rip);
	if (w && on) {
		w->signals++;
		note(&w->fault, signal, info, u);
		u->uc_mcontext.gregs[REG_RIP] = (greg_t)address_of(on);
		return;
	}
	if (foreign_crash)
		note(foreign_crash, signal, info, u);
	/* A sandbox may use the thread for the next process: see put_back(). */
	load_selector(FSGS_SEGMENT_FS, 0);
	if (foreign_deadly & FOREIGN_GS_CALL)
		write_base(FSGS_SEGMENT_GS, given);
	call(__NR_exit_group, 99, 0, 0, 0);
}

static uint64_t now_ns(long clock)
{
	struct __kernel_timespec time;

	call(__NR_clock_gettime, (uint64_t)clock, address_of(&time), 0, 0);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void rival_bases(struct window *w)
{
	for (int s = 0; s < 2; s++) {
		if (w->load_selector[s])
			load_selector(s, w->selector[s]);
		set_base(w, s);
	}
}

void foreign_rival(struct window *w)
{
	while (!w->stop) {
		rival_bases(w);
		w->turns++;
		call(__NR_sched_yield, 0, 0, 0, 0);
	}
	call(__NR_exit, 0, 0, 0, 0);
}

void foreign_rival_thread(void *w)
{
	foreign_rival(w);
}

/* Whether the rival has done a whole turn since `turns` was read. The turn that it was in at that
 * time does not count, so `turns` must have grown by two. */
static int rival_ran(const struct window *rival, uint64_t turns)
{
	return rival->turns >= turns + 2;
}

static struct window *rival_of(struct window *w)
{
	return (struct window *)(uintptr_t)w->argument[3];
}

void event_syscalls(struct window *w)
{
	struct __kernel_timespec time;

	for (int i = 0; i < 100; i++) {
		w->result = call(__NR_getppid, 0, 0, 0, 0);
		call(__NR_clock_gettime, 0, address_of(&time), 0, 0);
	}
}

/* Calls getpid by INT 80h, the kernel's 32-bit entry, from 64-bit code. */
void event_int80(struct window *w)
{
	long result = 20;

	__asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
	w->result = result;
}

void event_yield(struct window *w)
{
	const struct window *const rival = rival_of(w);
	const uint64_t turns = rival->turns;

	for (int i = 0; i < MANY_YIELDS && !rival_ran(rival, turns); i++)
		call(__NR_sched_yield, 0, 0, 0, 0);
	w->result = rival_ran(rival, turns);
}

void event_spin(struct window *w)
{
	const struct window *const rival = rival_of(w);
	const uint64_t turns = rival->turns, end = now_ns(1) + SPIN_NS;

	do {
		for (int i = 0; i < 10000 && !rival_ran(rival, turns); i++)
			__asm__ volatile("pause");
	} while (!rival_ran(rival, turns) && now_ns(1) < end);
	w->result = rival_ran(rival, turns);
}

void event_sleep(struct window *w)
{
	const struct __kernel_timespec time = {.tv_nsec = (long long)w->argument[0]};

	w->result = call(__NR_nanosleep, address_of(&time), 0, 0, 0);
}

void event_storm(struct window *w)
{
	const uint64_t group = (uint64_t)call(__NR_getpid, 0, 0, 0, 0);
	const uint64_t self = (uint64_t)call(__NR_gettid, 0, 0, 0, 0);

	for (uint64_t i = 0; i < w->argument[0]; i++)
		call(__NR_tgkill, group, self, SIGUSR1, 0);
	w->result = w->signals;
}

void event_iret(struct window *w)
{
	w->bad_cs = 7; /* selects LDT entry 0; this process has no LDT */
	event_storm(w);
	w->bad_cs = 0;
	w->result = (int64_t)w->turns;
}

void event_touch(struct window *w)
{
	for (uint64_t i = 0; i < w->argument[1]; i++)
		*(volatile char *)(uintptr_t)(w->argument[0] + 4096 * i) = 1;
}

void event_hop(struct window *w)
{
	unsigned char mask[8192 / 8];

	for (uint32_t i = 0; i < w->cpus; i++) {
		for (unsigned n = 0; n < sizeof mask; n++)
			((volatile unsigned char *)mask)[n] = 0;
		mask[w->cpu[i] / 8] = (unsigned char)(1u << w->cpu[i] % 8);
		w->result += call(__NR_sched_setaffinity, 0, sizeof mask, address_of(mask), 0) != 0;
	}
}

void event_breakpoint(struct window *w)
{
	for (int i = 0; i < 20; i++)
		__asm__ volatile("int3" : : : "memory");
	w->result = w->signals;
}

void event_undefined(struct window *w)
{
	__asm__ volatile(PLACE("event_undefined", "ud2") : : : "memory");
	w->result = w->signals;
}

void event_fault(struct window *w)
{
	uint64_t address = UINT64_C(1) << 63;

	__asm__ volatile(PLACE("event_fault", "movq (%0), %0") : "+r"(address) : : "memory");
	w->result = w->signals;
}

void event_divide(struct window *w)
{
	uint64_t low = 1, high = 0;

	__asm__ volatile(PLACE("event_divide", "divq %2")
			 : "+a"(low), "+d"(high)
			 : "r"(UINT64_C(0))
			 : "cc", "memory");
	w->result = w->signals;
}

void event_step(struct window *w)
{
	long result = __NR_getppid;

	__asm__ volatile("subq $128, %%rsp\n\t"
			 "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
			 "syscall\n\t"
			 "pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
			 "addq $128, %%rsp"
			 : "+a"(result)
			 :
			 : "rcx", "r11", "cc", "memory");
	w->result = w->signals;
}

void event_ticks(struct window *w)
{
	/* Clock 3 is CLOCK_THREAD_CPUTIME_ID, which does not count the time of other threads. */
	const uint64_t end = now_ns(3) + w->argument[0];

	while (now_ns(3) < end)
		for (int i = 0; i < 20000; i++)
			__asm__ volatile("pause");
}

void event_stop(struct window *w)
{
	w->result = call(__NR_kill, (uint64_t)call(__NR_getpid, 0, 0, 0, 0), SIGSTOP, 0, 0);
}

void event_mark_and_spin(struct window *w)
{
	w->stop = 1;
	while (w->stop != 2)
		__asm__ volatile("pause");
}

void event_load(struct window *w)
{
	const uint64_t offset = w->argument[1];
	uint64_t value = 0;

	if (w->argument[0] == FSGS_SEGMENT_FS)
		__asm__ volatile(PLACE("event_load_fs", "movq %%fs:(%1), %0")
				 : "+r"(value)
				 : "r"(offset)
				 : "memory");
	else
		__asm__ volatile(PLACE("event_load_gs", "movq %%gs:(%1), %0")
				 : "+r"(value)
				 : "r"(offset)
				 : "memory");
	w->result = (int64_t)value;
}

void event_addr32(struct window *w)
{
	const uint64_t offset = w->argument[1];
	uint64_t value = 0;

	if (w->argument[0] == FSGS_SEGMENT_FS)
		__asm__ volatile(PLACE("event_addr32_fs", "movq %%fs:(%k1), %0")
				 : "+r"(value)
				 : "r"(offset)
				 : "memory");
	else
		__asm__ volatile(PLACE("event_addr32_gs", "movq %%gs:(%k1), %0")
				 : "+r"(value)
				 : "r"(offset)
				 : "memory");
	w->result = (int64_t)value;
}

void event_lea(struct window *w)
{
	/* The prefix is given as a byte, because assemblers warn of a segment prefix on LEA. */
	if (w->argument[0] == FSGS_SEGMENT_FS)
		__asm__ volatile(".byte 0x64\n\tleaq 0x20, %0" : "=r"(w->result));
	else
		__asm__ volatile(".byte 0x65\n\tleaq 0x20, %0" : "=r"(w->result));
}

void event_store(struct window *w)
{
	const uint64_t offset = w->argument[1], value = w->argument[2];

	if (w->argument[0] == FSGS_SEGMENT_FS)
		__asm__ volatile(PLACE("event_store_fs", "movq %0, %%fs:(%1)")
				 :
				 : "r"(value), "r"(offset)
				 : "memory");
	else
		__asm__ volatile(PLACE("event_store_gs", "movq %0, %%gs:(%1)")
				 :
				 : "r"(value), "r"(offset)
				 : "memory");
}

/* Runs in the new process or thread: reads its bases, and shows by `turns` that it has run. */
static void in_child(void *argument)
{
	struct window *const w = argument;

	look(w, &w->child);
	w->turns++;
}

static void in_changing_child(void *argument)
{
	struct window *const w = argument;

	for (int s = 0; s < 2; s++)
		write_base(s, w->handler_base[s]);
	in_child(w);
}

static void fork_and(struct window *w, void (*body)(void *))
{
	const uint64_t flags = w->argument[0], end = now_ns(1) + THREAD_NS;
	long child;
	int status = 0;

	if (flags & CLONE_VM) {
		child = foreign_clone(flags, (void *)(uintptr_t)w->argument[1], 0, 0,
				      w->argument[2], body, w);
	} else {
		child = call(__NR_clone, flags, 0, 0, 0);
		if (child == 0) {
			body(w);
			call(__NR_exit_group, 0, 0, 0, 0);
		}
	}
	w->result = child;
	if (child < 0)
		return;
	if (flags & CLONE_THREAD)
		while (!w->turns && now_ns(1) < end)
			call(__NR_sched_yield, 0, 0, 0, 0);
	else
		call(__NR_wait4, (uint64_t)child, address_of(&status), __WALL, 0);
}

void event_fork(struct window *w)
{
	fork_and(w, in_child);
}

void event_fork_change(struct window *w)
{
	fork_and(w, in_changing_child);
}

void event_exec(struct window *w)
{
	w->result = call(__NR_execve, w->argument[0], w->argument[1], w->argument[2], 0);
}

void event_abort(struct window *w)
{
	(void)w;
	call(__NR_kill, (uint64_t)call(__NR_getpid, 0, 0, 0, 0), SIGQUIT, 0, 0);
}

void event_selector(struct window *w)
{
	if (w->argument[2])
		pop_selector((int)w->argument[0], w->argument[1]);
	else
		load_selector((int)w->argument[0], (uint32_t)w->argument[1]);
}

void event_set_prctl(struct window *w)
{
	w->result = set_prctl((int)w->argument[0], w->argument[1]);
}

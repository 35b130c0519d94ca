/* SPDX-License-Identifier: MIT */
/*
 * Checks in states of a process in which the library has never failed, as a regression test. One
 * state is one row, and each row runs in its own process.
 *
 *     held [ROW]
 */
#include "rows.h"
#include "state.h"

#include <asm/ldt.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <ucontext.h>
#include <unwind.h>

static struct fsgs_report reference;

static void expect_answer(const struct fsgs_report *r, const char *name)
{
	EXPECT(r->verdict == reference.verdict && r->refusal == reference.refusal,
	       "%s: verdict %u, not %u; refusal %u (%d)", name, r->verdict, reference.verdict,
	       r->refusal, r->refusal_error);
}

static void check_as_usual(const char *name)
{
	const struct fsgs_report r = check_unchanged(name, EVERYTHING);

	expect_answer(&r, name);
}

static _Noreturn void skip(const char *name, const char *why)
{
	printf("%s: %s\n", name, why);
	exit(EXIT_SKIP);
}

/* Waits for the child. Returns whether it exited with status 0. */
static int child_is_well(pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, __WALL) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* --- Stacks for signals --- */

static char alternate[1 << 16];

static void with_stack(const char *name, int flags)
{
	const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = flags};

	EXPECT(sigaltstack(&stack, NULL) == 0, "%s: sigaltstack", name);
	check_as_usual(name);
}

/* The number is the flag SS_AUTODISARM, which some headers do not define. */
static void stack_that_disarms(const char *name)
{
	with_stack(name, (int)0x80000000);
}

static void no_stack(const char *name)
{
	with_stack(name, SS_DISABLE);
}

static void ordinary_stack(const char *name)
{
	with_stack(name, 0);
}

/* --- Kinds of children --- */

static _Alignas(16) char child_stack[1 << 18];

static int check_in_child(void *name)
{
	struct fsgs_report r;

	if (fsgs_check(&r, sizeof r, 0))
		return 2;
	expect_answer(&r, name);
	return atomic_load(&torture_failures) != 0;
}

static void kinds_of_clone(const char *name)
{
	static const int kinds[] = {
		0,
		CLONE_FILES | CLONE_FS,
		CLONE_VM,
		CLONE_VM | CLONE_VFORK,
		CLONE_VM | CLONE_SIGHAND,
		CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM,
		CLONE_NEWPID | CLONE_NEWNS,
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const int child = clone(check_in_child, child_stack + sizeof child_stack,
					kinds[i] | SIGCHLD, (void *)(uintptr_t)name);

		EXPECT((child < 0 && errno == EPERM) || child_is_well(child), "%s: flags %#x", name,
		       (unsigned)kinds[i]);
		check_as_usual(name);
	}
}

/* --- Segments of the local descriptor table --- */

static void local_descriptors(const char *name)
{
	struct user_desc segment = {.entry_number = 3,
				    .base_addr = 0x12340000,
				    .limit = 0xfffff,
				    .seg_32bit = 1,
				    .limit_in_pages = 1};
	const uint64_t fs = torture_base(ARCH_GET_FS);
	const unsigned selector = 3 << 3 | 7;
	unsigned now, rights = 0;

	if (syscall(SYS_modify_ldt, 1, &segment, sizeof segment) != 0)
		skip(name, "no modify_ldt() here");
	/* In some virtual machines the kernel accepts the segment, but the processor cannot load
	 * it. */
	__asm__("lar %1, %0" : "+r"(rights) : "r"(selector) : "cc");
	if (!rights)
		skip(name, "the processor cannot load the segment of modify_ldt()");
	__asm__ volatile("mov %0, %%gs" : : "r"(selector));
	check_as_usual(name);
	__asm__ volatile("mov %%gs, %0" : "=r"(now));
	EXPECT(now == selector, "%s: GS selector %#x", name, now);
	/* C code cannot run with a foreign FS base. So the next instruction is the system call that
	 * sets the thread's own base again. In this call the kernel also sets the selector to 0. */
	__asm__ volatile("mov %0, %%fs\n\tsyscall"
			 :
			 : "r"(selector), "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(fs)
			 : "rcx", "r11", "memory");
	check_as_usual(name);
	EXPECT(torture_base(ARCH_GET_FS) == fs, "%s: FS base", name);
}

/* --- Before main() --- */

static struct fsgs_report before_constructors;

static void check_early(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	(void)environment;
	(void)!fsgs_check(&before_constructors, sizeof before_constructors, EVERYTHING);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(int, char **,
									    char **) = check_early;

static void before_main(const char *name)
{
	expect_answer(&before_constructors, name);
}

/* --- Unwinding through the library's frames --- */

static atomic_int unwound;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *frames)
{
	(void)context;
	++*(int *)frames;
	return _URC_NO_REASON;
}

/* A signal may arrive in a stub, which has no unwind table. Every unwinder must end all the
 * same. */
static void unwind(int sig)
{
	int frames = 0;

	(void)sig;
	_Unwind_Backtrace(step, &frames);
	atomic_fetch_add(&unwound, frames > 0);
}

static void tick(int sig, void (*handler)(int), int microseconds)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	const struct itimerval time = {{0, microseconds}, {0, microseconds}};

	EXPECT(sigaction(sig, &action, NULL) == 0 &&
		       setitimer(sig == SIGPROF ? ITIMER_PROF : ITIMER_REAL, &time, NULL) == 0,
	       "a timer");
}

static void check_for(double seconds, const char *name)
{
	const double end = torture_now() + seconds;
	struct fsgs_report r;

	do {
		EXPECT(fsgs_check(&r, sizeof r, 0) == 0, "%s: fsgs_check", name);
		expect_answer(&r, name);
	} while (torture_now() < end);
}

static void profiled(const char *name)
{
	/* The unwinder's first call loads a library, so it must be outside of a signal handler. */
	unwind(0);
	tick(SIGPROF, unwind, 1000);
	check_for(0.7, name);
	EXPECT(atomic_load(&unwound) > 10, "%s: unwound %d times", name, atomic_load(&unwound));
}

static atomic_int ticks;

static void count(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

static void fast_timer(const char *name)
{
	tick(SIGALRM, count, 100);
	check_for(0.5, name);
	EXPECT(atomic_load(&ticks) > 100, "%s: %d ticks", name, atomic_load(&ticks));
}

/* --- Single steps --- */

static void single_stepped(const char *name)
{
	long steps = 0;
	int status = 0;
	const pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(check_in_child((void *)(uintptr_t)name));
	}
	waitpid(child, &status, 0);
	while (WIFSTOPPED(status)) {
		const int sig = WSTOPSIG(status);

		steps++;
		if (ptrace(PTRACE_SINGLESTEP, child, NULL,
			   (long)(sig == SIGTRAP || sig == SIGSTOP ? 0 : sig)) != 0)
			break;
		waitpid(child, &status, 0);
	}
	EXPECT(status == 0 && steps > 1000, "%s: status %#x after %ld steps", name, status, steps);
}

static void trap_flag(int set)
{
	__asm__ volatile("sub $128, %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\torq %0, (%%rsp)\n\t"
			 "popfq\n\tadd $128, %%rsp"
			 :
			 : "r"(set ? 0x100L : 0L)
			 : "memory", "cc");
}

static void steps_itself(const char *name)
{
	struct fsgs_report r;

	signal(SIGTRAP, count);
	trap_flag(1);

	const int result = fsgs_check(&r, sizeof r, 0);

	trap_flag(0);
	EXPECT(result == 0, "%s: %d", name, result);
	expect_answer(&r, name);
	EXPECT(atomic_load(&ticks) > 1000, "%s: %d steps", name, atomic_load(&ticks));
}

/* --- System calls that a signal handler or another thread serves --- */

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON           1
#endif

static volatile char blocks_calls;

static void serve_call(int sig, siginfo_t *info, void *context)
{
	greg_t *const regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	register long r10 __asm__("r10") = regs[REG_R10];
	register long r8 __asm__("r8") = regs[REG_R8];
	register long r9 __asm__("r9") = regs[REG_R9];
	long result = info->si_syscall;

	(void)sig;
	blocks_calls = 0;
	atomic_fetch_add(&ticks, 1);
	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(regs[REG_RDI]), "S"(regs[REG_RSI]), "d"(regs[REG_RDX]), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	regs[REG_RAX] = result;
	blocks_calls = 1;
}

/* Returns the address of the code that calls rt_sigreturn() after a handler of SIGSYS. The kernel
 * recognises this call by its address, and must not dispatch it. */
static void *restorer(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action;

	syscall(SYS_rt_sigaction, SIGSYS, NULL, &action, 8);
	return action.restorer;
}

static void dispatched_calls(const char *name)
{
	struct sigaction action = {.sa_sigaction = serve_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct fsgs_report r;
	int result;

	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, (unsigned long)restorer(), 16UL,
		  (unsigned long)&blocks_calls) != 0)
		skip(name, "the kernel dispatches no system calls (before 5.11)");
	blocks_calls = 1;
	result = fsgs_check(&r, sizeof r, 0);
	blocks_calls = 0;
	EXPECT(result == 0, "%s: %d", name, result);
	EXPECT(atomic_load(&ticks) > 0, "%s: no call was served", name);
	/* If each system call raises a signal, a trial may be refused. If it is not refused, the
	 * verdict must be the usual one. */
	EXPECT(r.refusal != FSGS_REFUSAL_NONE || r.verdict == reference.verdict,
	       "%s: verdict %u, not %u", name, r.verdict, reference.verdict);
}

static atomic_int listener = -1;

static void *supervise(void *argument)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp answer;

	while (atomic_load(&listener) < 0)
		usleep(100);
	for (;;) {
		memset(&call, 0, sizeof call);
		if (ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
			continue;
		memset(&answer, 0, sizeof answer);
		answer.id = call.id;
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_SEND, &answer);
		atomic_fetch_add(&ticks, 1);
	}
	return argument;
}

/* A supervisor inspects each change of a handler or mask, and allows it. */
static void notified_calls(const char *name)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
	pthread_t supervisor;

	EXPECT(pthread_create(&supervisor, NULL, supervise, NULL) == 0, "pthread_create");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	const long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				 SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);

	if (got < 0)
		skip(name, "no seccomp listener here");
	atomic_store(&listener, (int)got);
	check_as_usual(name);
	EXPECT(atomic_load(&ticks) > 0, "%s: no call was notified", name);
}

/* --- Scheduling --- */

static void scheduling_classes(const char *name)
{
	static const struct {
		int policy, priority;
	} classes[] = {{SCHED_BATCH, 0}, {SCHED_IDLE, 0}, {SCHED_FIFO, 50}, {SCHED_RR, 1}};
	/* struct sched_attr as in sched_setattr(2). The thread gets 2 ms in each 10 ms. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} deadline = {.size = 48,
		      .policy = 6,
		      .runtime = 2000000,
		      .deadline = 10000000,
		      .period = 10000000};
	int tried = 0;

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		const struct sched_param param = {.sched_priority = classes[i].priority};

		if (sched_setscheduler(0, classes[i].policy, &param) != 0)
			continue;
		tried++;
		check_as_usual(name);
		EXPECT((sched_getscheduler(0) & ~0x40000000) == classes[i].policy, "%s: policy",
		       name);
	}
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){.sched_priority = 0});
	if (syscall(SYS_sched_setattr, 0, &deadline, 0) == 0) {
		struct fsgs_report r;

		/* The kernel does not let a deadline thread create a thread or go to a chosen CPU.
		 * All the same, the check of all CPUs must return 0. */
		EXPECT(fsgs_check(&r, sizeof r, FSGS_CHECK_ALL_CPUS | FSGS_CHECK_CONTEXT) == 0,
		       "%s: deadline", name);
		expect_answer(&r, name);
		EXPECT(sched_getscheduler(0) == 6, "%s: policy %d", name, sched_getscheduler(0));
		tried++;
	}
	EXPECT(tried >= 2, "%s: only %d classes", name, tried);
}

/* --- SSE floating point with every exception unmasked --- */

static void unmasked_exceptions(const char *name)
{
	_mm_setcsr(_mm_getcsr() & ~0x1f80u);
	check_as_usual(name);
}

/* --- The table of all rows --- */

static const struct torture_row rows[] = {
	{"a signal stack that disarms itself", stack_that_disarms},
	{"no signal stack", no_stack},
	{"a signal stack", ordinary_stack},
	{"kinds of clone()", kinds_of_clone},
	{"selectors of the local descriptor table", local_descriptors},
	{"before all constructors", before_main},
	{"a profiler that unwinds", profiled},
	{"a timer of 10 kHz", fast_timer},
	{"single-stepped by a debugger", single_stepped},
	{"single-stepped by itself", steps_itself},
	{"system calls dispatched to a handler", dispatched_calls},
	{"system calls notified to a supervisor", notified_calls},
	{"scheduling classes", scheduling_classes},
	{"floating-point exceptions unmasked", unmasked_exceptions},
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	(void)!fsgs_check(&reference, sizeof reference, EVERYTHING);
	return torture_rows("held", rows, sizeof rows / sizeof *rows, 120,
			    argc > 1 ? argv[1] : NULL);
}

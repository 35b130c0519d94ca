/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases, and defines the functions that they share. Each case runs in a child process of
 * its own, so that it can damage only that process; with --no-fork, a case runs in this process. A
 * case stores its result in a record, in memory that the child shares with the runner. If a child
 * does not finish, the case fails, and the record says how the child ended.
 */
#include "suite.h"

#include <asm/ldt.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALTSTACK (64 * 1024)

struct machine machine;
struct record *record;
unsigned never_started;

/* Set by run_here(), which runs a case in this process: skip() then jumps to end_of_case instead of
 * ending the process. */
static pid_t here;
static jmp_buf end_of_case;

static void put(char *to, size_t room, const char *format, va_list arguments)
{
	const size_t used = strlen(to);

	if (used && used + 2 < room) {
		memcpy(to + used, "; ", 3);
		vsnprintf(to + used + 2, room - used - 2, format, arguments);
	} else if (!used) {
		vsnprintf(to, room, format, arguments);
	}
}

void expect(uint64_t expected, uint64_t seen, const char *what, ...)
{
	va_list arguments;

	record->checks++;
	if (expected == seen || record->failures++)
		return;
	va_start(arguments, what);
	put(record->what, sizeof record->what, what, arguments);
	va_end(arguments);
	snprintf(record->expected, sizeof record->expected, "0x%llx", (unsigned long long)expected);
	snprintf(record->seen, sizeof record->seen, "0x%llx", (unsigned long long)seen);
}

void fail(const char *expected, const char *seen, const char *what, ...)
{
	va_list arguments;

	record->checks++;
	if (record->failures++)
		return;
	va_start(arguments, what);
	put(record->what, sizeof record->what, what, arguments);
	va_end(arguments);
	snprintf(record->expected, sizeof record->expected, "%s", expected);
	snprintf(record->seen, sizeof record->seen, "%s", seen);
}

void skip(const char *why, ...)
{
	va_list arguments;

	record->word = WORD_SKIP;
	record->note[0] = '\0';
	va_start(arguments, why);
	put(record->note, sizeof record->note, why, arguments);
	va_end(arguments);
	record->finished = 1;
	if (here == getpid())
		longjmp(end_of_case, 1);
	_exit(0);
}

void remark(const char *what, ...)
{
	va_list arguments;

	va_start(arguments, what);
	put(record->note, sizeof record->note, what, arguments);
	va_end(arguments);
}

void classify(const char *what, ...)
{
	va_list arguments;

	record->word = WORD_CLASSIFIED;
	va_start(arguments, what);
	put(record->note, sizeof record->note, what, arguments);
	va_end(arguments);
}

static uint64_t thread_pointer(void)
{
	uint64_t self;

	__asm__ volatile("movq %%fs:0, %0" : "=r"(self));
	return self;
}

struct window *window_new(void)
{
	struct window *const w =
		mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t gs = 0;

	if (w == MAP_FAILED)
		skip("no memory: %s", strerror(errno));
	if (foreign_prctl(1, GS, (uintptr_t)&gs) < 0)
		gs = foreign_own_gs();
	w->own[FS] = thread_pointer();
	w->own[GS] = gs;
	w->flags = FLAGS_FIXED;
	return w;
}

void window_base(struct window *w, int segment, uint64_t base)
{
	w->set_by[segment] = SET_INSN;
	w->set[segment] = base;
}

void window_prctl(struct window *w, int segment, uint64_t base)
{
	w->set_by[segment] = SET_PRCTL;
	w->set[segment] = base;
}

void expect_got(uint64_t expected, const struct sight *sight, int segment, const char *when)
{
	if (sight->error[segment] >= 0)
		expect(expected, sight->prctl[segment], "ARCH_GET_%s%s", segment_name(segment),
		       when);
}

uint64_t base_of(const struct sight *sight, int segment)
{
	return sight->error[segment] < 0 ? sight->insn[segment] : sight->prctl[segment];
}

static void need(int64_t error, int get, int segment)
{
	const char *const what = get ? "GET" : "SET";

	if (foreign_deadly & FOREIGN_CALL(get, segment))
		skip("ARCH_%s_%s ends the calling process", what, segment_name(segment));
	if (error == -EPERM || error == -EACCES || error == -ENOSYS || error == -EINVAL)
		skip("ARCH_%s_%s is refused: %s", what, segment_name(segment),
		     strerror((int)-error));
}

void need_get(const struct sight *sight, int segment)
{
	need(sight->error[segment], 1, segment);
}

void need_set(int64_t error, int segment)
{
	need(error, 0, segment);
}

void need_set_by(const struct window *w, int segment)
{
	need_set(w->set_error[segment], segment);
}

uint64_t stub(unsigned insn, unsigned width, unsigned reg)
{
	return (uintptr_t)window_stubs + STUB_BYTES * STUB_INDEX(insn, width, reg);
}

uint64_t odd_stub(unsigned odd, unsigned insn)
{
	return (uintptr_t)window_odd + STUB_BYTES * (odd * FSGS_INSNS + insn);
}

bool is_write(uint64_t insn)
{
	return insn == FSGS_INSN_WRFSBASE || insn == FSGS_INSN_WRGSBASE;
}

int segment_of(uint64_t insn)
{
	return insn & 1 ? GS : FS;
}

const char *segment_name(int segment)
{
	return segment == FS ? "FS" : "GS";
}

const char *insn_name(uint64_t insn, uint64_t width)
{
	static const char *const names[2][FSGS_INSNS] = {
		{"RDFSBASE r32", "RDGSBASE r32", "WRFSBASE r32", "WRGSBASE r32"},
		{"RDFSBASE r64", "RDGSBASE r64", "WRFSBASE r64", "WRGSBASE r64"},
	};

	return names[width == 64][insn];
}

const char *register_name(unsigned reg, uint64_t width)
{
	static const char *const names[2][REGISTERS] = {
		{"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI", "R8D", "R9D", "R10D",
		 "R11D", "R12D", "R13D", "R14D", "R15D"},
		{"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11",
		 "R12", "R13", "R14", "R15"},
	};

	return names[width == 64][reg];
}

void *low_memory(size_t size)
{
	/* Some emulators ignore MAP_32BIT, but use the address that is given as a hint. */
	for (uintptr_t hint = 0x20000000; hint < 0x70000000; hint += 0x10000000) {
		void *const memory = mmap((void *)hint, size, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

		if (memory != MAP_FAILED && (uintptr_t)memory >> 31 == 0)
			return memory;
		if (memory != MAP_FAILED)
			munmap(memory, size);
	}
	skip("no memory below 2 GiB");
}

static struct user_desc descriptor(unsigned entry, uint32_t base)
{
	struct user_desc d = {.entry_number = entry,
			      .base_addr = base,
			      .limit = 0xfffff,
			      .seg_32bit = 1,
			      .limit_in_pages = 1,
			      .useable = 1};

	return d;
}

/* Whether this selector has a descriptor: a kernel may report success without installing one. LSL,
 * unlike a load of the selector, never faults. */
static bool loadable(unsigned selector)
{
	uint32_t limit = selector;
	bool found;

	__asm__("lsl %0, %0" : "+r"(limit), "=@ccz"(found));
	return found;
}

static const char *why(int error)
{
	return error == ENXIO ? "it reports success, and LSL finds no descriptor" : strerror(error);
}

/* Installs a data descriptor in the LDT. Returns 0 or an errno: ENXIO if the kernel reports
 * success, but the processor finds no descriptor. */
static int set_ldt(unsigned entry, uint32_t base)
{
	struct user_desc d = descriptor(entry, base);

	errno = 0;
	/* The kernel may return an error as 32 bits without extending the sign. The C library does
	 * not recognise such an error and leaves errno at 0. Then EINVAL stands for the error. */
	if ((int)syscall(SYS_modify_ldt, 1, &d, sizeof d))
		return errno ? errno : EINVAL;
	return loadable(entry << 3 | 7) ? 0 : ENXIO;
}

/* Installs a data descriptor in a TLS entry of the GDT. Returns the same as set_ldt(). The kernel
 * refuses set_thread_area as a 64-bit system call. So INT 80h makes the 32-bit call, which needs a
 * pointer below 4 GiB. */
static int set_tls(unsigned *entry, uint32_t base)
{
	struct user_desc *d;
	int result = 243;

	if (foreign_deadly & FOREIGN_INT80)
		return ENOSYS;
	d = low_memory(4096);
	*d = descriptor(*entry, base);
	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"((uint32_t)(uintptr_t)d)
			 : "r8", "r9", "r10", "r11", "memory");
	*entry = d->entry_number;
	munmap(d, 4096);
	return result ? -result : loadable(*entry << 3 | 3) ? 0 : ENXIO;
}

unsigned ldt_selector(unsigned entry, uint32_t base)
{
	const int error = set_ldt(entry, base);

	if (error)
		skip("modify_ldt is not available: %s", why(error));
	return entry << 3 | 7;
}

unsigned tls_selector(uint32_t base)
{
	unsigned entry = (unsigned)-1;
	const int error = set_tls(&entry, base);

	if (error)
		skip("set_thread_area is not available: %s", why(error));
	return entry << 3 | 3;
}

unsigned any_selector(unsigned entry, uint32_t base)
{
	/* For each LDT entry, the TLS entry that was installed in its place; 0: none yet. A second
	 * call uses the same TLS entry, because a thread has only three of them. */
	static unsigned known[8];
	const int error = set_ldt(entry, base);
	unsigned tls = known[entry % 8] ? known[entry % 8] : (unsigned)-1;

	if (!error)
		return entry << 3 | 7;
	const int other = set_tls(&tls, base);

	if (other)
		skip("neither modify_ldt nor set_thread_area is available: %s, %s", why(error),
		     why(other));
	if (!record->note[0])
		remark("with a TLS descriptor, because modify_ldt is not available");
	known[entry % 8] = tls;
	return tls << 3 | 3;
}

/* Whether the kernel is likely to be entered while GS holds the case's base or selector. An event
 * that only addresses memory is so short that an interrupt is unlikely. */
static bool takes_gs_along(const struct window *w)
{
	/* The sandbox loads a non-null selector again after each system call, which replaces the
	 * base. */
	if (w->load_selector[GS] && w->selector[GS])
		return true;
	if (w->event == event_selector && w->argument[0] == GS && !w->argument[1])
		return false;
	if (!w->event || w->event == event_load || w->event == event_store ||
	    w->event == event_addr32 || w->event == event_lea)
		return false;
	return w->set_by[GS] || w->load_selector[GS] || w->change_in_handler[GS] ||
	       w->event == event_fork_change ||
	       ((w->event == event_selector || w->event == event_set_prctl) &&
		w->argument[0] == GS);
}

void need_gs(const struct window *w)
{
	if (foreign_deadly & FOREIGN_GS_CALL && takes_gs_along(w))
		skip("the sandbox uses GS itself: a system call ends a process that has written GS "
		     "(case 702)");
}

void run_window(struct window *w)
{
	need_gs(w);
	foreign_window(w);
}

void compat_stub(struct window *w, const void *code, size_t size)
{
	const uint16_t code32 = 0x23, code64 = 0x33; /* __USER32_CS, __USER_CS */
	const uint64_t back = (uintptr_t)window_back;
	unsigned char *const page = low_memory(4096);
	const uint32_t at = (uint32_t)(uintptr_t)page, at32 = at + COMPAT_CODE, at64 = at + 32;

	memcpy(page, compat_page, (size_t)(compat_page_end - compat_page));
	memcpy(page + 8, &at32, 4);
	memcpy(page + 12, &code32, 2);
	memcpy(page + COMPAT_CODE, code, size);
	page[COMPAT_CODE + size] = 0xea; /* far jump */
	memcpy(page + COMPAT_CODE + size + 1, &at64, 4);
	memcpy(page + COMPAT_CODE + size + 5, &code64, 2);
	memcpy(page + 40, &back, 8);
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		skip("no executable memory below 4 GiB");
	w->low = at;
	w->low_end = at + (uint64_t)(compat_page_end - compat_page);
	w->stub = at;
}

bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

size_t allowed_cpus(int *cpus, size_t room)
{
	cpu_set_t set;
	size_t count = 0;

	if (sched_getaffinity(0, sizeof set, &set))
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && count < room; cpu++)
		if (CPU_ISSET((size_t)cpu, &set))
			cpus[count++] = cpu;
	return count;
}

pid_t start_window(struct window *w)
{
	need_gs(w);

	const pid_t child = fork();

	if (child < 0)
		skip("fork: %s", strerror(errno));
	if (child == 0) {
		foreign_window(w);
		_exit(0);
	}
	return child;
}

void end_window(pid_t child, const char *who)
{
	int status = 0;
	char seen[64];

	if (waitpid(child, &status, __WALL) != child) {
		fail("an end", strerror(errno), "waiting for %s", who);
		return;
	}
	record->checks++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		snprintf(seen, sizeof seen, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(seen, sizeof seen, "wait status 0x%x", (unsigned)status);
	fail("exit status 0", seen, "%s", who);
}

/* Unblocks all signals, and installs the handler of foreign.c, which does not use FS and runs on a
 * stack of its own. */
static void prepare(void)
{
	static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGUSR1};
	struct sigaction action = {.sa_sigaction = foreign_signal,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t stack = {.ss_size = ALTSTACK};

	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	foreign_crash = &record->crash;
	stack.ss_sp =
		mmap(NULL, ALTSTACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL))
		skip("no alternate signal stack: %s", strerror(errno));
	for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
		if (sigaction(caught[i], &action, NULL))
			skip("sigaction: %s", strerror(errno));
}

static const char *reason_not_to(const struct test *test, bool risky)
{
	if (!machine.present && !(test->flags & ANYWHERE))
		return machine.why;
	if (risky)
		return NULL;
	if (test->flags & RISKY)
		return "this case may crash a defective kernel: needs --risky";
	if (test->flags & KERNEL_HALF && !machine.half_safe)
		return "this case may crash a kernel that is not aware of the instructions: needs "
		       "--risky";
	return NULL;
}

static void crashed(int status)
{
	struct foreign_fault *const crash = &record->crash;

	record->failures++;
	record->word = WORD_FAIL;
	snprintf(record->what, sizeof record->what, "the case did not finish");
	snprintf(record->expected, sizeof record->expected, "a normal end");
	if (crash->signal)
		snprintf(record->seen, sizeof record->seen,
			 "signal %d, si_code %d, si_addr 0x%llx, RIP 0x%llx", crash->signal,
			 crash->code, (unsigned long long)crash->address,
			 (unsigned long long)crash->rip);
	else if (WIFSIGNALED(status))
		snprintf(record->seen, sizeof record->seen, "killed by signal %d",
			 WTERMSIG(status));
	else
		snprintf(record->seen, sizeof record->seen, "exit status %d", WEXITSTATUS(status));
}

/* Waits for the child, with a time limit. Returns false if the child still runs. SIGCHLD is blocked
 * in the runner, so sigtimedwait() can wait for it. */
static bool reaped(pid_t child, unsigned seconds, int *status)
{
	struct timespec left = {(time_t)seconds, 0};
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (waitpid(child, status, WNOHANG) != child)
		if (sigtimedwait(&chld, NULL, &left) < 0 && errno == EAGAIN)
			return waitpid(child, status, WNOHANG) == child;
	return true;
}

/* Clears the record. If the case must not be run, records a skip and returns false. */
static bool may_run(const struct test *test, bool risky)
{
	const char *const reason = reason_not_to(test, risky);

	memset(record, 0, sizeof *record);
	if (!reason)
		return true;
	record->word = WORD_SKIP;
	snprintf(record->note, sizeof record->note, "%s", reason);
	return false;
}

/* Sets the result of a case that finished. */
static void judge(void)
{
	if (record->failures)
		record->word = WORD_FAIL;
	else if (!record->word)
		record->word = record->checks ? WORD_PASS : WORD_SKIP;
}

bool run_here(const struct test *test, const struct options *options)
{
	if (!may_run(test, options->risky))
		return false;
	here = getpid();
	if (setjmp(end_of_case) == 0) {
		prepare();
		test->run(test);
	}
	judge();
	return true;
}

bool run_case(const struct test *test, const struct options *options)
{
	int status = 0;

	if (!may_run(test, options->risky))
		return false;

	const pid_t child = fork();

	if (child < 0) {
		never_started++;
		record->word = WORD_SKIP;
		snprintf(record->note, sizeof record->note, "fork: %s", strerror(errno));
		return true;
	}
	if (child == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare();
		test->run(test);
		record->finished = 1;
		_exit(0);
	}
	if (!reaped(child, options->seconds, &status)) {
		snprintf(record->note, sizeof record->note, "stopped after %u seconds",
			 options->seconds);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	/* Kills the processes that the case left behind: all are in the process group that the
	 * child created. */
	kill(-child, SIGKILL);
	if (record->finished)
		judge();
	else
		crashed(status);
	return true;
}

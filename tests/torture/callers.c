/* SPDX-License-Identifier: MIT */
/* Checks by callers in unusual states. Each row of the table `states` runs in its own process. */
#include "rows.h"
#include "state.h"

#include <core/stubs.h>
#include <limits.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static struct fsgs_report reference;

/* The verdict, the proof and the refusal must be those of an ordinary caller, which main() has
 * stored in `reference`. */
static void expect_answer(const struct fsgs_report *r, const char *name)
{
	EXPECT(r->verdict == reference.verdict && r->proof == reference.proof &&
		       r->refusal == reference.refusal,
	       "%s: verdict %u proof %u refusal %u (%d)", name, r->verdict, r->proof, r->refusal,
	       r->refusal_error);
}

static void check_as_usual(const char *name)
{
	const struct fsgs_report r = check_unchanged(name, EVERYTHING);

	expect_answer(&r, name);
}

static void handler(int sig)
{
	(void)sig;
}

static void blocked(const char *name)
{
	const uint64_t all = ~UINT64_C(0);

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
	check_as_usual(name);
}

static void ignored(const char *name)
{
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	check_as_usual(name);
}

static void handled(const char *name)
{
	struct sigaction action = {.sa_handler = handler,
				   .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_RESTART)};

	for (int sig = 1; sig < 32; sig++)
		sigaction(sig, &action, NULL);
	check_as_usual(name);
}

/* Returns a stack between two inaccessible pages. */
static char *fenced(size_t size)
{
	char *at = mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(at + 4096, size, PROT_READ | PROT_WRITE);
	return at + 4096;
}

static void in_thread(void *(*body)(void *), void *argument, size_t size)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	EXPECT(pthread_attr_setstack(&attr, fenced(size), size) == 0, "pthread_attr_setstack");
	EXPECT(pthread_create(&thread, &attr, body, argument) == 0, "pthread_create");
	pthread_join(thread, NULL);
}

/* Calls fsgs_check() directly, because check_unchanged() has a large stack frame. */
static void *check_in_thread(void *argument)
{
	static struct fsgs_report r;

	EXPECT(fsgs_check(&r, sizeof r, 0) == 0, "small stack");
	EXPECT(fsgs_check(&r, sizeof r, EVERYTHING) == 0, "small stack");
	expect_answer(&r, argument);
	return NULL;
}

static void small_stack(const char *name)
{
	in_thread(check_in_thread, (void *)(uintptr_t)name,
		  SLOW_TOOL || GREEDY_TOOL ? 1 << 18 : 16384);
}

/* Gives handlers an alternate stack with 1 KiB beside the kernel's signal frame (64 KiB under a
 * slow tool). If the library's handler uses more, it faults at the inaccessible page below the
 * stack. */
static void small_alternate_stack(const char *name)
{
	const size_t frame = getauxval(AT_MINSIGSTKSZ) ? getauxval(AT_MINSIGSTKSZ) : 2048;
	const size_t size = frame + (SLOW_TOOL ? 1 << 16 : 1024);
	char *const low = fenced((size + 4095) & ~(size_t)4095);
	const stack_t stack = {.ss_sp = low, .ss_size = size};

	EXPECT(sigaltstack(&stack, NULL) == 0, "sigaltstack of %zu bytes", size);
	check_as_usual(name);
}

static volatile sig_atomic_t in_handler;

static void check_in_handler(int sig)
{
	check_as_usual("in a handler");
	in_handler = sig;
}

static void called_from_handler(const char *name)
{
	static char memory[1 << 18];
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
	struct sigaction action = {.sa_handler = check_in_handler, .sa_flags = SA_ONSTACK};

	sigaltstack(&stack, NULL);
	for (int sig = SIGUSR1; sig; sig = sig == SIGUSR1 ? SIGILL : 0) {
		sigaction(sig, &action, NULL);
		raise(sig);
		EXPECT(in_handler == sig, "%s", name);
	}
}

static struct fsgs_report from_constructor;

static __attribute__((constructor)) void constructor(void)
{
	(void)!fsgs_check(&from_constructor, sizeof from_constructor, 0);
}

static void called_from_constructor(const char *name)
{
	expect_answer(&from_constructor, name);
}

static struct fsgs_report from_child;

static void in_child(void)
{
	(void)!fsgs_check(&from_child, sizeof from_child, 0);
}

static void called_from_atfork(const char *name)
{
	pthread_atfork(NULL, NULL, in_child);

	const pid_t child = fork();
	int status;

	if (child == 0) {
		alarm(30);
		expect_answer(&from_child, name);
		check_as_usual(name);
		_exit(atomic_load(&torture_failures) != 0);
	}
	waitpid(child, &status, 0);
	EXPECT(status == 0, "%s: status %#x", name, status);
	check_as_usual(name);
}

static atomic_int cancel_begun, in_check;

static void *check_and_be_cancelled(void *argument)
{
	struct fsgs_report r;
	int type;

	pthread_setcanceltype(*(int *)argument, &type);
	atomic_store(&cancel_begun, 1);
	for (;;) {
		atomic_store(&in_check, 1);
		EXPECT(fsgs_check(&r, sizeof r, FSGS_CHECK_CONTEXT) == 0, "cancelled");
		atomic_store(&in_check, 0);
		pthread_testcancel();
	}
	return NULL;
}

static void cancelled(const char *name)
{
	for (int i = 0; i < 200; i++) {
		/* Every second cancellation is asynchronous. Under a slow tool none is: a thread
		 * that is cancelled inside the tool's code never releases the tool's locks. */
		int type =
			i % 2 || SLOW_TOOL ? PTHREAD_CANCEL_DEFERRED : PTHREAD_CANCEL_ASYNCHRONOUS;
		pthread_t thread;

		atomic_store(&cancel_begun, 0);
		EXPECT(pthread_create(&thread, NULL, check_and_be_cancelled, &type) == 0, "%s",
		       name);
		while (!atomic_load(&cancel_begun))
			sched_yield();
		usleep((useconds_t)(i * 7 % 100));
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		/* A deferred cancellation must not end a check, which is not a cancellation
		 * point. */
		EXPECT(type == PTHREAD_CANCEL_ASYNCHRONOUS || !atomic_load(&in_check),
		       "%s inside a check", name);
	}
	/* Fails if a cancelled thread still holds the lock, or has left the library's handlers
	 * installed. */
	check_as_usual(name);
}

static void other_gs(const char *name)
{
	static const uint64_t bases[] = {
		0, 0x1000, 0x123456789000, 0x7fffffffe000, 0xffff800000000000, 0xffffffffffffffff};

	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		struct fsgs_stub io = {.in = {bases[i]}};

		/* arch_prctl refuses bases in the kernel's half of the address space. Only the
		 * instruction can write these. */
		if (reference.access[FSGS_SEGMENT_GS] == FSGS_ACCESS_INSTRUCTION)
			fsgs_stub_wrgs64(&io);
		else if (syscall(SYS_arch_prctl, ARCH_SET_GS, bases[i]))
			continue;
		EXPECT(torture_base(ARCH_GET_GS) == bases[i], "%s", name);
		check_as_usual(name);
		EXPECT(torture_base(ARCH_GET_GS) == bases[i], "%s", name);
	}
}

static void limited(const char *name)
{
	static const int limits[] = {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_STACK,
				     RLIMIT_DATA,   RLIMIT_AS,    RLIMIT_MEMLOCK,    RLIMIT_CORE};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit old;
		struct fsgs_report r;

		if (GREEDY_TOOL && (limits[i] == RLIMIT_AS || limits[i] == RLIMIT_DATA))
			continue;
		getrlimit((__rlimit_resource_t)limits[i], &old);
		setrlimit((__rlimit_resource_t)limits[i], &(struct rlimit){0, old.rlim_max});
		r = check_unchanged(name, EVERYTHING);
		EXPECT(r.verdict == reference.verdict, "%s: %d", name, limits[i]);
		setrlimit((__rlimit_resource_t)limits[i], &old);
	}
}

/* The caller is process 1 of a container. If another process of the container sends a signal to
 * process 1, the kernel drops the signal unless process 1 has a handler for it. During a trial
 * SIGILL has the library's handler, so the kernel delivers SIGILL, perhaps to the thread of
 * be_there(), which runs no trial. The process must survive this. */
static void *be_there(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static _Noreturn void be_first_process(void)
{
	pthread_t thread;
	int status;

	if (pthread_create(&thread, NULL, be_there, NULL))
		_exit(1);

	const pid_t sender = fork();

	if (sender == 0)
		for (;;)
			kill(1, SIGILL);
	for (int i = 0; i < 20; i++)
		check_as_usual("the first process");
	kill(sender, SIGKILL);
	waitpid(sender, &status, 0);
	_exit(atomic_load(&torture_failures) != 0);
}

static void first_process(const char *name)
{
	int status = 0;

	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID)) {
		printf("%s: no namespaces of process ids here\n", name);
		return;
	}

	const pid_t child = fork();

	if (child == 0)
		be_first_process();
	waitpid(child, &status, 0);
	EXPECT(status == 0, "%s: status %#x", name, status);
}

static const struct torture_row states[] = {
	{"all signals blocked", blocked},
	{"all signals ignored", ignored},
	{"all signals handled", handled},
	{"a stack of 16 KiB", small_stack},
	{"the smallest alternate stack", small_alternate_stack},
	{"called from a handler", called_from_handler},
	{"called from a constructor", called_from_constructor},
	{"called from fork's handler in the child", called_from_atfork},
	{"cancelled", cancelled},
	{"other GS bases", other_gs},
	{"resource limits", limited},
	{"the first process of a container", first_process},
};

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	(void)!fsgs_check(&reference, sizeof reference, EVERYTHING);
	return torture_rows("callers", states, sizeof states / sizeof *states, 120, NULL);
}

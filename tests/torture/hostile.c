/* SPDX-License-Identifier: MIT */
/*
 * Checks in hostile states of a process. One state is one row. Each row runs in a new process,
 * because some failures occur only at the first check. SIGALRM ends a row that hangs.
 *
 *     hostile SHARED-LIBRARY [ROW]
 */
#include "keyed-stack.h"
#include "rows.h"
#include "state.h"

#include <dlfcn.h>
#include <fsgscheck/core.h>
#include <linux/guard.h>
#include <linux/linux.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <ucontext.h>

#define PAGE 4096UL

static const char *shared_library;

/* The report of an ordinary process, in memory that all rows share. */
static struct fsgs_report *reference;

static void expect_answer(const struct fsgs_report *r, const char *name)
{
	EXPECT(r->verdict == reference->verdict && r->refusal == reference->refusal,
	       "%s: verdict %u, not %u; refusal %u (%d)", name, r->verdict, reference->verdict,
	       r->refusal, r->refusal_error);
}

static void check_once(const char *name, uint32_t flags)
{
	struct fsgs_report r;

	EXPECT(fsgs_check(&r, sizeof r, flags) == 0, "%s: fsgs_check", name);
	expect_answer(&r, name);
}

static pthread_t start(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, argument)) {
		EXPECT(0, "pthread_create");
		exit(1);
	}
	return thread;
}

/* Waits for the child. Returns whether it exited with status 0. */
static int child_is_well(pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, __WALL) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* --- seteuid(): the C library signals every other thread and waits for it --- */

static atomic_int stop;

static void *change_ids(void *argument)
{
	while (!atomic_load(&stop))
		EXPECT(seteuid(geteuid()) == 0 && setegid(getegid()) == 0, "seteuid");
	return argument;
}

static void setxid(const char *name)
{
	const pthread_t other = start(change_ids, NULL);

	for (int i = 0; i < 100; i++)
		check_once(name, i % 2 ? FSGS_CHECK_ALL_CPUS : FSGS_CHECK_SURVIVAL);
	atomic_store(&stop, 1);
	pthread_join(other, NULL);
}

/* --- The first check of a process, during fork() --- */

static void check_before_fork(void)
{
	check_once("atfork", 0);
}

static void first_in_atfork(const char *name)
{
	pthread_atfork(check_before_fork, check_before_fork, check_before_fork);

	const pid_t child = fork();

	if (child == 0)
		_exit(atomic_load(&torture_failures) != 0);
	EXPECT(child_is_well(child), "%s: child", name);
}

static pthread_mutex_t theirs = PTHREAD_MUTEX_INITIALIZER;
static atomic_int has_theirs, forking;

static void take_theirs(void)
{
	atomic_store(&forking, 1);
	pthread_mutex_lock(&theirs);
}

static void give_theirs(void)
{
	pthread_mutex_unlock(&theirs);
}

static void *check_under_their_lock(void *argument)
{
	pthread_mutex_lock(&theirs);
	atomic_store(&has_theirs, 1);
	while (!atomic_load(&forking))
		sched_yield();
	/* Gives take_theirs(), which fork() calls, time to reach the lock and wait for it. */
	usleep(20000);
	check_once(argument, 0);
	pthread_mutex_unlock(&theirs);
	return NULL;
}

static void first_under_a_lock_of_fork(const char *name)
{
	pthread_atfork(take_theirs, give_theirs, give_theirs);

	const pthread_t other = start(check_under_their_lock, (void *)(uintptr_t)name);

	while (!atomic_load(&has_theirs))
		sched_yield();

	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	EXPECT(child_is_well(child), "%s: child", name);
	pthread_join(other, NULL);
}

/* --- Children that share the memory of their parent --- */

static _Alignas(16) char child_stack[1 << 18];

static int beside(int (*body)(void *), int flags, void *argument)
{
	return clone(body, child_stack + sizeof child_stack, flags, argument);
}

static int check_in_child(void *name)
{
	check_once(name, 0);
	return 0;
}

static void *check_often(void *name)
{
	for (int i = 0; i < 2000; i++)
		check_once(name, 0);
	return NULL;
}

static void first_in(const char *name, int flags)
{
	pthread_t threads[4];

	EXPECT(child_is_well(beside(check_in_child, flags, (void *)(uintptr_t)name)), "%s: child",
	       name);
	for (int i = 0; i < 4; i++)
		threads[i] = start(check_often, (void *)(uintptr_t)name);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void first_in_vfork(const char *name)
{
	first_in(name, CLONE_VM | CLONE_VFORK | SIGCHLD);
}

static void first_in_clone_vm(const char *name)
{
	first_in(name, CLONE_VM | SIGCHLD);
}

static int check_for_ever(void *started)
{
	struct fsgs_report r;

	for (;;) {
		EXPECT(fsgs_check(&r, sizeof r, 0) == 0, "fsgs_check");
		atomic_store((atomic_int *)started, 1);
	}
	return 0;
}

static void killed_in(const char *name, int flags)
{
	static atomic_int started;

	for (int i = 0; i < 100; i++) {
		atomic_store(&started, 0);

		const int child = beside(check_for_ever, flags | CLONE_VM | SIGCHLD, &started);

		while (!atomic_load(&started))
			sched_yield();
		usleep((useconds_t)(i * 13 % 97));
		kill(child, SIGKILL);
		child_is_well(child);
		check_once(name, 0);
	}
}

static void killed_in_clone_vm(const char *name)
{
	killed_in(name, 0);
}

static void killed_with_shared_handlers(const char *name)
{
	const struct state before = look();

	killed_in(name, CLONE_SIGHAND);
	expect_unchanged(&before, name);
}

/* --- Memory --- */

static void large_process(const char *name)
{
	const size_t size = (size_t)256 << 20;
	char *const memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rusage before, after;

	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 1;

	struct fsgs_report r;

	EXPECT(fsgs_check(&r, sizeof r, 0) == 0, "%s: fsgs_check", name);
	/* Simulates a kernel that advertises the instructions, so that fsgs_survive() tests them
	 * wherever they execute. */
	r.hwcap2_fsgsbase = FSGS_ANSWER_YES;

	const int runs = r.trials[FSGS_INSN_WRGSBASE].outcome == FSGS_OUTCOME_OK;

	const double begun = torture_now();

	fsgs_survive(&r);
	printf("%s: %.1f ms\n", name, 1e3 * (torture_now() - begun));
	EXPECT(!runs || (r.survival_tried & FSGS_EVENT_BIT(FSGS_EVENT_FORK)), "%s: tried %#x", name,
	       r.survival_tried);
	getrusage(RUSAGE_SELF, &before);
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 2;
	getrusage(RUSAGE_SELF, &after);
	EXPECT(after.ru_minflt - before.ru_minflt < 1000, "%s: %ld page faults afterwards", name,
	       after.ru_minflt - before.ru_minflt);
}

typedef int check_fn(struct fsgs_report *report, size_t size, uint32_t flags);

static _Atomic(check_fn *) loaded;
static atomic_int no_memory;

static void *check_without_memory(void *argument)
{
	struct fsgs_report r;

	while (!atomic_load(&no_memory))
		usleep(1000);
	EXPECT(atomic_load(&loaded)(&r, sizeof r, 0) == 0, "no memory");
	return argument;
}

/* The thread starts before the library is loaded, so it has no thread-local storage for the
 * library. No memory is left to allocate such storage. */
static void no_memory_left(const char *name)
{
	const pthread_t thread = start(check_without_memory, NULL);
	void *const library = dlopen(shared_library, RTLD_NOW | RTLD_LOCAL);
	const struct rlimit none = {0, RLIM_INFINITY};

	if (!library) {
		EXPECT(0, "%s: %s", name, dlerror());
		return;
	}
	atomic_store(&loaded, (check_fn *)(uintptr_t)dlsym(library, "fsgs_check"));
	setrlimit(RLIMIT_AS, &none);
	setrlimit(RLIMIT_DATA, &none);
	for (size_t size = 1 << 20; size >= 16; size /= 2)
		while (malloc(size))
			;
	atomic_store(&no_memory, 1);
	pthread_join(thread, NULL);
}

/* The data of two handlers for SIGSEGV. serve_barrier() belongs to a garbage collector that detects
 * writes, serve_stack() to a stack that grows by pages. The data is mapped separately, because the
 * collector write-protects the program's own data. */
static struct barrier {
	uintptr_t first, end;
	char *stack_low; /* the start of the committed part of a stack that grows by pages */
	char *stack_end; /* while this is NULL, protect_again() continues */
	atomic_ulong faults;
} * barrier;

static void serve_barrier(int sig, siginfo_t *info, void *context)
{
	const uintptr_t at = (uintptr_t)info->si_addr & ~(PAGE - 1);

	(void)sig;
	(void)context;
	atomic_fetch_add(&barrier->faults, 1);
	if (at < barrier->first || at >= barrier->end ||
	    mprotect((void *)at, PAGE, PROT_READ | PROT_WRITE))
		_exit(3);
}

static void serve_stack(int sig, siginfo_t *info, void *context)
{
	char *const at = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1));

	(void)sig;
	(void)context;
	atomic_fetch_add(&barrier->faults, 1);
	/* The stack grows by one page at a time. */
	if (at != barrier->stack_low - PAGE || mprotect(at, PAGE, PROT_READ | PROT_WRITE))
		_exit(3);
	barrier->stack_low = at;
}

static void use_alternate_stack(void)
{
	const size_t size = 1 << 16;
	const stack_t stack = {.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       .ss_size = size};

	EXPECT(sigaltstack(&stack, NULL) == 0, "sigaltstack");
}

static void serve_faults(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	barrier = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	use_alternate_stack();
	sigaction(SIGSEGV, &action, NULL);
}

/* The bounds of the program's data. The library is linked statically, so the collector also
 * protects the library's data. */
extern char __data_start[], _end[];

static void *protect_again(void *argument)
{
	while (!atomic_load(&barrier->faults) || !barrier->stack_end) {
		mprotect((void *)barrier->first, barrier->end - barrier->first, PROT_READ);
		usleep(20);
	}
	return argument;
}

static void write_barrier(const char *name)
{
	serve_faults(serve_barrier);
	barrier->first = ((uintptr_t)__data_start + PAGE - 1) & ~(PAGE - 1);
	barrier->end = (uintptr_t)_end & ~(PAGE - 1);
	for (uint32_t flags = 0; flags <= EVERYTHING; flags++) {
		if (flags & ~EVERYTHING)
			continue;
		mprotect((void *)barrier->first, barrier->end - barrier->first, PROT_READ);
		check_once(name, flags);
	}
	EXPECT(atomic_load(&barrier->faults) > 0, "%s: no fault was served", name);
	/* From now on, another thread protects the memory again while this thread checks. */
	const pthread_t other = start(protect_again, NULL);

	for (int i = 0; i < 1000; i++)
		check_once(name, i % 100 ? 0 : FSGS_CHECK_CONTEXT);
	barrier->stack_end = barrier->stack_low = (char *)1;
	pthread_join(other, NULL);
}

static void *check_on_growing_stack(void *name)
{
	use_alternate_stack();
	check_once(name, 0);
	check_once(name, FSGS_CHECK_CONTEXT);
	return NULL;
}

static void growing_stack(const char *name)
{
	const size_t size = 1 << 18, committed = 3 * PAGE;
	char *const low = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	serve_faults(serve_stack);
	barrier->stack_low = low + size - committed;
	mprotect(barrier->stack_low, committed, PROT_READ | PROT_WRITE);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, low, size);
	EXPECT(pthread_create(&thread, &attr, check_on_growing_stack, (void *)(uintptr_t)name) == 0,
	       "pthread_create");
	pthread_join(thread, NULL);
	EXPECT(atomic_load(&barrier->faults) > 0, "%s: no page was committed", name);
}

/* --- Protection keys: a stack that signal handlers may not use --- */

static void check_with_key(void)
{
	static const char name[] = "protection keys";
	struct fsgs_stub io = {0};

	check_once(name, FSGS_CHECK_CONTEXT);
	EXPECT(fsgs_guard_enter() == 0, "%s: guard", name);
	EXPECT(fsgs_guard_run(NULL, fsgs_stub_undefined, &io) == 1 && io.fault == SIGILL,
	       "%s: fault %d", name, io.fault);
	fsgs_guard_leave();
}

static void protection_keys(const char *name)
{
	struct keyed_stack stack;

	if (!keyed_stack_make(&stack)) {
		printf("%s: no protection keys here\n", name);
		exit(EXIT_SKIP);
	}
	use_alternate_stack();
	keyed_stack_call(&stack, check_with_key);
}

/* --- Kernel files that a container has replaced --- */

enum forgery { FIFO = 0, ENDLESS, HUGE_FILE, FORGERIES };

static const char *const forgery_names[] = {"a FIFO", "/dev/zero", "a file of 1 TiB"};

static int make(const char *path, enum forgery forgery)
{
	if (forgery == FIFO)
		return mkfifo(path, 0600);

	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	const int failed = fd < 0 || (forgery == HUGE_FILE && ftruncate(fd, (off_t)1 << 40)) ||
			   (forgery == ENDLESS && mount("/dev/zero", path, NULL, MS_BIND, NULL));

	if (fd >= 0)
		close(fd);
	return failed ? -1 : 0;
}

/* Replaces the file by a forgery. The forgery is made in a new tmpfs over /tmp, and bind-mounted
 * over the file. A file below /sys exists only under Xen, so its forgery is made under the file's
 * own name, in a new tmpfs over /sys. */
static int forge(const char *path, enum forgery forgery)
{
	static const char source[] = "/tmp/forged", sys[] = "/sys/";

	if (mount("none", "/tmp", "tmpfs", 0, NULL))
		return -1;
	if (strncmp(path, sys, sizeof sys - 1) == 0)
		return mount("none", "/sys", "tmpfs", 0, NULL) || mkdir("/sys/hypervisor", 0700) ||
				       make(path, forgery)
			       ? -1
			       : 0;
	return make(source, forgery) || mount(source, path, NULL, MS_BIND, NULL) ? -1 : 0;
}

static int put(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	const int failed = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (fd >= 0)
		close(fd);
	return failed ? -1 : 0;
}

/* Gives this process its own mount namespace. Without root the namespace is made inside a user
 * namespace. */
static int own_mounts(void)
{
	char user[32], group[32];

	snprintf(user, sizeof user, "0 %u 1", (unsigned)geteuid());
	snprintf(group, sizeof group, "0 %u 1", (unsigned)getegid());
	if (unshare(CLONE_NEWNS) &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) || put("/proc/self/uid_map", user) ||
	     put("/proc/self/setgroups", "deny") || put("/proc/self/gid_map", group)))
		return -1;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void forged_files(const char *name)
{
	static const char *const paths[] = {
		"/proc/cpuinfo",
		"/proc/self/auxv",
		"/proc/self/status",
		"/proc/thread-self/stat",
		"/sys/hypervisor/guest_type",
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths * FORGERIES; i++) {
		const char *const path = paths[i / FORGERIES];
		const enum forgery forgery = (enum forgery)(i % FORGERIES);
		const pid_t child = fork();
		int status = -1;

		if (child == 0) {
			struct fsgs_report r;
			sigset_t one;

			/* A trial blocks SIGALRM, so alarm() cannot end a child that hangs in a
			 * trial. In this case SIGALRM ends the parent, and SIGKILL then ends the
			 * child. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (own_mounts() || forge(path, forgery))
				_exit(EXIT_SKIP);
			/* The library reads /proc/thread-self/stat only if a blocked signal is
			 * pending. */
			sigemptyset(&one);
			sigaddset(&one, SIGSEGV);
			sigprocmask(SIG_BLOCK, &one, NULL);
			raise(SIGSEGV);
			alarm(10);
			_exit(fsgs_check(&r, sizeof r, FSGS_CHECK_CONTEXT) != 0 ||
			      r.refusal != reference->refusal ||
			      (strcmp(path, "/proc/cpuinfo") == 0 &&
			       r.cpuinfo_flag != FSGS_ANSWER_UNKNOWN));
		}
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
			printf("%s: no mount namespace here\n", name);
			exit(atomic_load(&torture_failures) ? 1 : EXIT_SKIP);
		}
		EXPECT(status == 0, "%s: %s as %s: status %#x", name, forgery_names[forgery], path,
		       status);
	}
}

static const struct torture_row rows[] = {
	{"setxid", setxid},
	{"first check in fork's handlers", first_in_atfork},
	{"first check under a lock of fork's handlers", first_under_a_lock_of_fork},
	{"first check in a vfork child", first_in_vfork},
	{"first check in a CLONE_VM child", first_in_clone_vm},
	{"a CLONE_VM child killed in a check", killed_in_clone_vm},
	{"a CLONE_SIGHAND child killed in a check", killed_with_shared_handlers},
	{"survival in a large process", large_process},
	{"no memory", no_memory_left},
	{"write barrier", write_barrier},
	{"a stack committed page by page", growing_stack},
	{"protection keys", protection_keys},
	{"forged files", forged_files},
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	shared_library = argc > 1 ? argv[1] : NULL;
	reference = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	const pid_t child = fork();

	if (child == 0)
		_exit(fsgs_check(reference, sizeof *reference, EVERYTHING) != 0);
	EXPECT(child_is_well(child), "the check of an ordinary process failed");
	return torture_rows("hostile", rows, sizeof rows / sizeof *rows, 60,
			    argc > 2 ? argv[2] : NULL);
}

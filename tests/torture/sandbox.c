/* SPDX-License-Identifier: MIT */
/*
 * A sandbox refuses the system calls of a check, each in a process of its own. The call fails with
 * an error, or the sandbox ends the process. For arch_prctl, two more sandboxes are tried: one
 * raises SIGSYS, and one lets the call succeed without an effect.
 *
 * If the call fails with an error, the check must still return. Its verdict must be the verdict
 * without a sandbox, the verdict without a trial, or `unknown`. The parent process reads in /proc
 * that the child's signals are as before. If the sandbox ends the process, the library cannot
 * prevent it. The test prints the calls that a check needs in this case, and doc/handover.md lists
 * them. Each check is the first one of its process, which has had no other thread and no memory of
 * malloc(): a first check makes calls that later checks do not make.
 */
#include "torture.h"

#include <errno.h>
#include <fsgscheck.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* The kinds of checks, by the flags that they pass. */
enum set { PLAIN, CONTEXT, ALL_CPUS, SURVIVAL, EVERYTHING, SETS };

static const struct {
	const char *name;
	uint32_t flags;
} sets[SETS] = {
	[PLAIN] = {"plain check", 0},
	[CONTEXT] = {"context", FSGS_CHECK_CONTEXT},
	[ALL_CPUS] = {"all CPUs", FSGS_CHECK_ALL_CPUS},
	[SURVIVAL] = {"survival", FSGS_CHECK_SURVIVAL},
	[EVERYTHING] = {"everything",
			FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS | FSGS_CHECK_SURVIVAL},
};

#define IN_THREADS (1u << ALL_CPUS | 1u << SURVIVAL | 1u << EVERYTHING)
#define ANYWHERE   ((1u << SETS) - 1)

static const struct call {
	const char *name;
	int number;
	/* A bit for each kind of check in which the test does not make this call fail with an
	 * error, because the process could not continue. If the call fails when a thread begins or
	 * ends, the C library ends the process or hangs. Without rt_sigreturn, no handler can
	 * return. */
	unsigned hopeless;
	/* Set if the library makes the call only for signals that it holds back. The test then
	 * makes some signals pending. */
	int put_aside;
} calls[] = {
	{"rt_sigprocmask", SYS_rt_sigprocmask, 0, 0},
	{"rt_sigaction", SYS_rt_sigaction, 0, 0},
	{"rt_sigreturn", SYS_rt_sigreturn, ANYWHERE, 0},
	{"getpid", SYS_getpid, 0, 0},
	{"gettid", SYS_gettid, 0, 0},
	{"arch_prctl", SYS_arch_prctl, 0, 0},
	{"futex", SYS_futex, IN_THREADS, 0},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo, 0, 1},
	{"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, 0, 1},
	{"kill", SYS_kill, 0, 1},
	{"tgkill", SYS_tgkill, 0, 1},
	{"prctl", SYS_prctl, 0, 0},
	{"uname", SYS_uname, 0, 0},
	{"openat", SYS_openat, 0, 0},
	{"read", SYS_read, 0, 0},
	{"pread64", SYS_pread64, 0, 0},
	{"close", SYS_close, 0, 0},
	{"sched_getaffinity", SYS_sched_getaffinity, 0, 0},
	{"sched_setaffinity", SYS_sched_setaffinity, 0, 0},
	{"mmap", SYS_mmap, 0, 0},
	{"mprotect", SYS_mprotect, 0, 0},
	{"munmap", SYS_munmap, 0, 0},
	{"brk", SYS_brk, 0, 0},
	{"madvise", SYS_madvise, 0, 0},
	{"getrandom", SYS_getrandom, 0, 0},
	{"clone", SYS_clone, 0, 0},
	{"clone3", 435, 0, 0},
	{"rseq", 334, IN_THREADS, 0},
	{"set_robust_list", SYS_set_robust_list, 0, 0},
	{"exit", SYS_exit, IN_THREADS, 0},
	{"getppid", SYS_getppid, 0, 0},
	{"wait4", SYS_wait4, 0, 0},
	{"sched_yield", SYS_sched_yield, 0, 0},
	{"clock_nanosleep", SYS_clock_nanosleep, 0, 0},
	{"exit_group", SYS_exit_group, 0, 0},
};

#define CALLS (sizeof calls / sizeof *calls)

static struct shared {
	/* The child's progress: 1 it has its filter, 2 it may check, 3 it has checked, 4 it may
	 * end, 5 it ends. */
	atomic_int stage;
	int result, error, has_child;
	uint64_t fs, fs_after, gs_after;
	struct fsgs_report report;
} * shared;

static struct fsgs_report reference;
static uint32_t untried; /* the verdict without a trial */

static int refuse(int number, uint32_t how)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, how),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void wait_stage(int stage)
{
	while (atomic_load(&shared->stage) < stage)
		;
}

static uint64_t thread_pointer(void)
{
	uint64_t value;

	__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
	return value;
}

/* The GS base of the checking process points to this value. So the base can be compared without a
 * system call, which the sandbox may refuse. */
#define BEHIND_GS UINT64_C(0x123456789abcdef)

static const uint64_t behind_gs = BEHIND_GS;

static uint64_t read_behind_gs(void)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(value));
	return value;
}

/* Makes two signals pending, one for the process and one for the thread. */
static void make_pending(void)
{
	const uint64_t both = UINT64_C(1) << (SIGILL - 1) | UINT64_C(1) << (SIGBUS - 1);

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &both, NULL, sizeof both);
	kill(getpid(), SIGILL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
}

/* Runs a check and stores its results in `shared`. At the end it reads through the GS base. If the
 * caller has not set this base, the process then crashes, but `report` is already stored. */
static void check(uint32_t flags)
{
	shared->fs = thread_pointer();
	errno = 4711;
	shared->result = fsgs_check(&shared->report, sizeof shared->report, flags);
	shared->error = errno;
	shared->fs_after = thread_pointer();
	shared->gs_after = read_behind_gs();
}

/* The library makes these calls only if both calls that keep the siginfo, rt_sigqueueinfo and
 * rt_tgsigqueueinfo, are refused. */
static int is_second_choice(const struct call *call)
{
	return call->number == SYS_kill || call->number == SYS_tgkill;
}

static _Noreturn void child(const struct call *call, uint32_t how, uint32_t flags)
{
	if (call->put_aside)
		make_pending();
	syscall(SYS_arch_prctl, ARCH_SET_GS, &behind_gs);
	if (is_second_choice(call) && (refuse(SYS_rt_sigqueueinfo, SECCOMP_RET_ERRNO | EPERM) ||
				       refuse(SYS_rt_tgsigqueueinfo, SECCOMP_RET_ERRNO | EPERM)))
		_exit(EXIT_SKIP);
	if (refuse(call->number, how))
		_exit(EXIT_SKIP);
	atomic_store(&shared->stage, 1);
	wait_stage(2);
	check(flags);
	shared->has_child = call->number != SYS_wait4 &&
			    (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD);
	atomic_store(&shared->stage, 3);
	wait_stage(4);
	torture_write_coverage();
	atomic_store(&shared->stage, 5);
	_exit(0);
}

/* The signals and the affinity of a process, as the kernel reports them to another process. */
struct outside {
	uint64_t for_thread, for_process, blocked, ignored, caught;
	char cpus[256];
};

static const char *field(const char *text, const char *name)
{
	const char *const at = strstr(text, name);

	return at ? at + strlen(name) : "";
}

static uint64_t signals(const char *text, const char *name)
{
	return strtoull(field(text, name), NULL, 16);
}

/* Does not use fopen(), because the children must not inherit memory of malloc(). */
static struct outside look_at(pid_t pid)
{
	/* The C library installs handlers for its own signals, 32 and 33, when it first needs
	 * them: at the first thread, or at the first pthread_cancel(). */
	const uint64_t librarys = UINT64_C(3) << 31;
	static char text[8192];
	struct outside seen;
	char path[64];
	size_t used = 0;
	ssize_t got = 1;

	snprintf(path, sizeof path, "/proc/%d/status", pid);

	const int file = open(path, O_RDONLY | O_CLOEXEC);

	while (file >= 0 && got > 0 && used < sizeof text - 1) {
		got = read(file, text + used, sizeof text - 1 - used);
		used += got > 0 ? (size_t)got : 0;
	}
	text[used] = '\0';
	close(file);
	memset(&seen, 0, sizeof seen);
	seen.for_thread = signals(text, "\nSigPnd:");
	seen.for_process = signals(text, "\nShdPnd:");
	seen.blocked = signals(text, "\nSigBlk:");
	seen.ignored = signals(text, "\nSigIgn:");
	seen.caught = signals(text, "\nSigCgt:") & ~librarys;
	snprintf(seen.cpus, sizeof seen.cpus, "%.*s",
		 (int)strcspn(field(text, "\nCpus_allowed:"), "\n"),
		 field(text, "\nCpus_allowed:"));
	EXPECT(seen.cpus[0], "nothing in %s", path);
	return seen;
}

/* Whether the same signals are pending. If every call that sends a signal back to its target is
 * refused, a signal for the process stays pending for the thread, and a signal for the thread is
 * lost. */
static int same_pending(const struct call *call, const struct outside *a, const struct outside *b)
{
	if (call->number == SYS_kill)
		return (a->for_thread | a->for_process) == (b->for_thread | b->for_process);
	return a->for_process == b->for_process &&
	       (call->number == SYS_tgkill || a->for_thread == b->for_thread);
}

static void expect_same(const struct call *call, const char *how, enum set set,
			const struct outside *a, const struct outside *b)
{
	EXPECT(same_pending(call, a, b),
	       "%s by %s, %s: pending for the thread %#lx, was %#lx; for the process %#lx, was "
	       "%#lx",
	       call->name, how, sets[set].name, (unsigned long)b->for_thread,
	       (unsigned long)a->for_thread, (unsigned long)b->for_process,
	       (unsigned long)a->for_process);
	EXPECT(a->blocked == b->blocked, "%s by %s, %s: blocked %#lx, was %#lx", call->name, how,
	       sets[set].name, (unsigned long)b->blocked, (unsigned long)a->blocked);
	EXPECT(a->ignored == b->ignored, "%s by %s, %s: ignored %#lx, was %#lx", call->name, how,
	       sets[set].name, (unsigned long)b->ignored, (unsigned long)a->ignored);
	EXPECT(a->caught == b->caught, "%s by %s, %s: caught %#lx, was %#lx", call->name, how,
	       sets[set].name, (unsigned long)b->caught, (unsigned long)a->caught);
	EXPECT(strcmp(a->cpus, b->cpus) == 0, "%s by %s, %s: affinity %s, was %s", call->name, how,
	       sets[set].name, b->cpus, a->cpus);
}

static void expect_answer(const struct call *call, const char *how, enum set set)
{
	const uint32_t verdict = shared->report.verdict;

	EXPECT(shared->result == 0 && shared->error == 4711, "%s by %s, %s: %d, errno %d",
	       call->name, how, sets[set].name, shared->result, shared->error);
	EXPECT(verdict == reference.verdict || verdict == untried ||
		       verdict == FSGS_VERDICT_UNKNOWN,
	       "%s by %s, %s: verdict %u", call->name, how, sets[set].name, verdict);
	EXPECT(shared->fs == shared->fs_after, "%s by %s, %s: FS base", call->name, how,
	       sets[set].name);
	EXPECT(shared->gs_after == BEHIND_GS, "%s by %s, %s: GS base", call->name, how,
	       sets[set].name);
	EXPECT(!shared->has_child, "%s by %s, %s: a child is left", call->name, how,
	       sets[set].name);
}

/* Runs one check in a child, with the call refused. Returns 0 if the check returned. Returns the
 * signal that ended the child before that, or SIGKILL if the child exited. */
static int try(const struct call *call, uint32_t action, enum set set, const char *how)
{
	struct outside before, after;
	int status = 0, ended = 0;

	memset(shared, 0, sizeof *shared);
	fflush(stdout);

	const pid_t pid = fork();

	if (pid == 0)
		child(call, action, sets[set].flags);
	while (atomic_load(&shared->stage) < 1 && !ended)
		ended = waitpid(pid, &status, WNOHANG) == pid;
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		printf("no seccomp here\n");
		exit(EXIT_SKIP);
	}
	before = look_at(pid);
	atomic_store(&shared->stage, 2);

	const double start = torture_now();

	while (atomic_load(&shared->stage) < 3 && !ended) {
		ended = waitpid(pid, &status, WNOHANG) == pid;
		usleep(200);
		if (torture_now() - start > 60) {
			EXPECT(0, "%s by %s, %s: hangs", call->name, how, sets[set].name);
			break;
		}
	}
	if (!ended) {
		after = look_at(pid);
		expect_same(call, how, set, &before, &after);
		expect_answer(call, how, set);
		atomic_store(&shared->stage, 4);
		for (int i = 0; i < 10000 && atomic_load(&shared->stage) < 5; i++)
			usleep(200);
		/* The sandbox may prevent the child from exiting. */
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return 0;
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
}

/* Stores the report of a check without a sandbox, and the verdict without a trial. Returns 1, or 0
 * if the check fails. */
static int find_reference(void)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		syscall(SYS_arch_prctl, ARCH_SET_GS, &behind_gs);
		check(sets[EVERYTHING].flags);
		_exit(shared->result != 0 || shared->gs_after != BEHIND_GS);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 0;
	reference = shared->report;
	if (fork() == 0) {
		check(sets[EVERYTHING].flags | FSGS_CHECK_NO_TRIAL);
		_exit(0);
	}
	wait(NULL);
	untried = shared->report.verdict;
	return 1;
}

int main(void)
{
	static char buffer[BUFSIZ];
	unsigned long rounds = 0, ended = 0;

	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (!find_reference()) {
		printf("no answer without a sandbox\n");
		return 1;
	}
	for (const struct call *call = calls; call < calls + CALLS; call++) {
		int by_error = 0, by_trap = 0;

		printf("%-18s needed by:", call->name);
		for (enum set set = 0; set < SETS; set++) {
			if (!(call->hopeless >> set & 1)) {
				by_error |= try(call, SECCOMP_RET_ERRNO | EPERM, set, "error");
				by_error |= try(call, SECCOMP_RET_ERRNO | ENOSYS, set, "error");
				rounds += 2;
			}

			const int by_death = try(call, SECCOMP_RET_KILL_PROCESS, set, "death");

			EXPECT(by_death == 0 || by_death == SIGSYS, "%s: signal %d", call->name,
			       by_death);
			rounds++;
			ended += by_death != 0;
			printf("%s %s %s", set ? "," : "", sets[set].name, by_death ? "yes" : "no");
		}
		printf("%s%s\n", call->put_aside ? "; with signals held back" : "",
		       is_second_choice(call) ? ", and their siginfo refused" : "");
		/* SIGSYS is tried only for arch_prctl, because the library expects SIGSYS only at
		 * this call. Success without an effect is tried only for arch_prctl, too, because
		 * some sandboxes are known to let arch_prctl succeed without an effect. */
		if (call->number == SYS_arch_prctl) {
			by_trap = try(call, SECCOMP_RET_TRAP, CONTEXT, "trap");
			by_error |= try(call, SECCOMP_RET_ERRNO | 0, CONTEXT, "nothing");
		}
		EXPECT(by_error == 0, "%s refused by an error ends the process: signal %d",
		       call->name, by_error);
		EXPECT(by_trap == 0, "%s refused by SIGSYS ends the process", call->name);
	}
	printf("%lu filters, %lu of them fatal\n", rounds, ended);
	return torture_status("sandbox");
}

/* SPDX-License-Identifier: MIT */
/*
 * Each system call that a check makes is refused, one at a time: by an error, by SIGSYS, by death.
 *
 * By an error, the check still returns, with the same verdict or `unknown`, and the kernel shows from
 * outside that the process's signals are as they were. By death there is nothing to be done: which
 * calls those are is printed, and is in doc/handover.md. Left out are exit and rseq: without them the C
 * library itself ends or hangs where a thread begins or ends, as survival needs one.
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

static const struct {
	const char *name;
	int number;
} calls[] = {
	{"rt_sigprocmask", SYS_rt_sigprocmask},
	{"rt_sigaction", SYS_rt_sigaction},
	{"getpid", SYS_getpid},
	{"gettid", SYS_gettid},
	{"arch_prctl", SYS_arch_prctl},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo},
	{"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo},
	{"tgkill", SYS_tgkill},
	{"prctl", SYS_prctl},
	{"uname", SYS_uname},
	{"openat", SYS_openat},
	{"read", SYS_read},
	{"pread64", SYS_pread64},
	{"close", SYS_close},
	{"sched_getaffinity", SYS_sched_getaffinity},
	{"sched_setaffinity", SYS_sched_setaffinity},
	{"mmap", SYS_mmap},
	{"mprotect", SYS_mprotect},
	{"munmap", SYS_munmap},
	{"madvise", SYS_madvise},
	{"clone", SYS_clone},
	{"clone3", 435},
	{"set_robust_list", SYS_set_robust_list},
	{"getppid", SYS_getppid},
	{"wait4", SYS_wait4},
	{"sched_yield", SYS_sched_yield},
	{"clock_nanosleep", SYS_clock_nanosleep},
	{"exit_group", SYS_exit_group},
};

#define CALLS (sizeof calls / sizeof *calls)

static struct shared {
	atomic_int stage; /* 1 filter in place, 2 may check, 3 has checked, 4 may end, 5 ends */
	int result, error;
	uint64_t fs, fs_after;
	struct fsgs_report report;
} * shared;

static struct fsgs_report reference;

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

static _Noreturn void child(int number, uint32_t how, uint32_t flags)
{
	if (refuse(number, how))
		_exit(EXIT_SKIP);
	atomic_store(&shared->stage, 1);
	wait_stage(2);
	shared->fs = thread_pointer();
	errno = 4711;
	shared->result = fsgs_check(&shared->report, sizeof shared->report, flags);
	shared->error = errno;
	shared->fs_after = thread_pointer();
	atomic_store(&shared->stage, 3);
	wait_stage(4);
	torture_write_coverage();
	atomic_store(&shared->stage, 5);
	_exit(0);
}

/* SigPnd to SigCgt, as the kernel shows them. */
static void signals_of(pid_t pid, char text[512])
{
	char path[64], line[256];

	text[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/status", pid);

	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof line, file))
		if ((strncmp(line, "Sig", 3) == 0 && line[3] != 'Q') ||
		    strncmp(line, "ShdPnd", 6) == 0 || strncmp(line, "Cpus_allowed:", 13) == 0)
			strncat(text, line, 511 - strlen(text));
	if (file)
		fclose(file);
}

/* 0, or the signal that ended it. */
static int try(size_t call, uint32_t how, uint32_t flags, const char *mode)
{
	char before[512], after[512];
	int status = 0, ended = 0;

	memset(shared, 0, sizeof *shared);
	fflush(stdout);

	const pid_t pid = fork();

	if (pid == 0)
		child(calls[call].number, how, flags);
	while (atomic_load(&shared->stage) < 1 && !ended)
		ended = waitpid(pid, &status, WNOHANG) == pid;
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		printf("no seccomp here\n");
		exit(EXIT_SKIP);
	}
	signals_of(pid, before);
	atomic_store(&shared->stage, 2);

	const double start = torture_now();

	while (atomic_load(&shared->stage) < 3 && !ended) {
		ended = waitpid(pid, &status, WNOHANG) == pid;
		usleep(200);
		if (torture_now() - start > 60) {
			EXPECT(0, "%s by %s: hangs", calls[call].name, mode);
			break;
		}
	}
	if (!ended) {
		const struct fsgs_report *r = &shared->report;

		signals_of(pid, after);
		EXPECT(strcmp(before, after) == 0, "%s by %s: was\n%sis\n%s", calls[call].name,
		       mode, before, after);
		EXPECT(shared->result == 0 && shared->error == 4711, "%s by %s: %d, errno %d",
		       calls[call].name, mode, shared->result, shared->error);
		EXPECT(r->verdict == reference.verdict || r->verdict == FSGS_VERDICT_UNKNOWN,
		       "%s by %s: verdict %u", calls[call].name, mode, r->verdict);
		EXPECT(shared->fs == shared->fs_after, "%s: FS base", calls[call].name);
		atomic_store(&shared->stage, 4);
		for (int i = 0; i < 10000 && atomic_load(&shared->stage) < 5; i++)
			usleep(200);
		/* It may not be able to end. */
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return 0;
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
}

int main(void)
{
	static const uint32_t flags[] = {0, FSGS_CHECK_CONTEXT,
					 FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS |
						 FSGS_CHECK_SURVIVAL};
	unsigned long rounds = 0, ended = 0;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	/* With threads, so that the C library's own handlers are there from the start. */
	fsgs_check(&reference, sizeof reference, FSGS_CHECK_SURVIVAL);
	for (size_t call = 0; call < CALLS; call++) {
		int by_error = 0, by_trap = 0, by_death[3] = {0};

		for (int i = 0; i < 3; i++) {
			by_error |= try(call, SECCOMP_RET_ERRNO | EPERM, flags[i], "error");
			by_error |= try(call, SECCOMP_RET_ERRNO | ENOSYS, flags[i], "error");
			by_death[i] = try(call, SECCOMP_RET_KILL_PROCESS, flags[i], "death");
			rounds += 3;
		}
		/* A trap is answered only where the library expects one, and success without a deed is
		 * what only this call is known for. */
		if (calls[call].number == SYS_arch_prctl) {
			by_trap = try(call, SECCOMP_RET_TRAP, flags[1], "trap");
			by_error |= try(call, SECCOMP_RET_ERRNO | 0, flags[1], "nothing");
		}
		EXPECT(by_error == 0, "%s refused by an error ends the process: signal %d",
		       calls[call].name, by_error);
		EXPECT(by_trap == 0, "%s refused by SIGSYS ends the process", calls[call].name);
		for (int i = 0; i < 3; i++) {
			EXPECT(by_death[i] == 0 || by_death[i] == SIGSYS, "%s: signal %d",
			       calls[call].name, by_death[i]);
			ended += by_death[i] != 0;
		}
		printf("%-18s needed by: plain check %s, context %s, everything %s\n",
		       calls[call].name, by_death[0] ? "yes" : "no", by_death[1] ? "yes" : "no",
		       by_death[2] ? "yes" : "no");
	}
	printf("%lu filters, %lu of them fatal\n", rounds, ended);
	return torture_status("sandbox");
}

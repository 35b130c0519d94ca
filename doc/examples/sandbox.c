/* SPDX-License-Identifier: MIT */
/* A sandbox that is entered after the first use of GS. Of the library's system calls,
 * the sandbox's filter allows only arch_prctl(2). */
#define _GNU_SOURCE
#include <fsgscheck/base.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW(call)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int enter_sandbox(void)
{
	/* A real filter also compares seccomp_data.arch. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(exit_group),
		ALLOW(arch_prctl),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int work(void)
{
	static uint64_t heap[2];
	uint64_t before = 0, now = 0;

	/* The first use decides. In the sandbox the trial's system calls would kill the process. */
	if (fsgs_get_gs_base(&before) || enter_sandbox())
		return 1;
	if (fsgs_set_gs_base((uintptr_t)heap) || fsgs_get_gs_base(&now))
		return 1;
	return now != (uintptr_t)heap || fsgs_set_gs_base(before);
}

int main(void)
{
	const pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(work());
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		return 1;
	printf("in the sandbox: GS base by %s\n",
	       fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)));
	return 0;
}

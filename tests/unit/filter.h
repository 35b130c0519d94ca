/* SPDX-License-Identifier: MIT */
/* Installs a sandbox for the rest of a test's process. Skips the test if the kernel has no seccomp
 * filters. */
#ifndef UNIT_FILTER_H
#define UNIT_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#define ANY_ARGUMENT UINT32_MAX

/* Makes the kernel answer a system call by `answer`, a SECCOMP_RET_*, if the call's first argument
 * is `first`. With ANY_ARGUMENT, the first argument may have any value. With SECCOMP_RET_ERRNO | 0,
 * the call succeeds without doing anything. */
static void filter_call(uint32_t number, uint32_t first, uint32_t answer)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | (first == ANY_ARGUMENT ? BPF_JGE : BPF_JEQ) | BPF_K,
			 first == ANY_ARGUMENT ? 0 : first, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		cr_skip_test("no seccomp filters here");
}

#endif

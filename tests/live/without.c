/* SPDX-License-Identifier: MIT */
/*
 * without WHAT... -- PROGRAM [ARGUMENT...]: runs a program with a seccomp filter that makes system
 * calls fail or do nothing. The filter stays in force after exec. WHAT is one of these:
 *
 *   fork             fork and clone fail with EAGAIN, as if a limit of processes were reached
 *   modify_ldt       fails with ENOSYS, as in a kernel that is built without it
 *   set_thread_area  fails with ENOSYS as a 32-bit call, the kind that the conformance suite makes
 *   ldt-ignored      modify_ldt reports success and changes nothing
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CANNOT_ENTER       125
#define I386_SET_THREAD    243
#define LOAD(field)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define ANSWER(error)      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "without: %s: %s\n", what, strerror(errno));
	exit(CANNOT_ENTER);
}

/* Makes two system calls of one architecture fail with `error`, or do nothing if `error` is 0. To
 * name one call, pass its number twice. */
static void refuse(unsigned arch, unsigned number, unsigned other, unsigned short error)
{
	struct sock_filter code[] = {LOAD(arch),      IS(arch, 0, 4), LOAD(nr), IS(number, 1, 0),
				     IS(other, 0, 1), ANSWER(error),  ALLOW};
	const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		give_up("seccomp");
}

int main(int argc, char **argv)
{
	int at = 1;

	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		if (strcmp(argv[at], "fork") == 0)
			refuse(AUDIT_ARCH_X86_64, SYS_clone, SYS_fork, EAGAIN);
		else if (strcmp(argv[at], "modify_ldt") == 0)
			refuse(AUDIT_ARCH_X86_64, SYS_modify_ldt, SYS_modify_ldt, ENOSYS);
		else if (strcmp(argv[at], "ldt-ignored") == 0)
			refuse(AUDIT_ARCH_X86_64, SYS_modify_ldt, SYS_modify_ldt, 0);
		else if (strcmp(argv[at], "set_thread_area") == 0)
			refuse(AUDIT_ARCH_I386, I386_SET_THREAD, I386_SET_THREAD, ENOSYS);
		else {
			errno = EINVAL;
			give_up(argv[at]);
		}
	}
	if (at + 1 >= argc) {
		errno = EINVAL;
		give_up("no program");
	}
	execvp(argv[at + 1], argv + at + 1);
	give_up(argv[at + 1]);
}

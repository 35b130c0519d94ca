/* SPDX-License-Identifier: MIT */
/*
 * Enters a state that an exec preserves, then runs a program in that state.
 *
 *   confine [arch_prctl=HOW] [rt_sigaction=HOW] [ptrace=HOW] [xstate=HOW] [sigill=blocked|ignored]
 *           -- PROGRAM ...
 *
 * HOW is the answer of a seccomp filter to the system call: eperm, enosys or trap (SIGSYS). With
 * arch_prctl=, the filter still allows what a C library needs to start: ARCH_SET_FS, and the codes
 * from 0x2000, among them those for shadow stacks. With xstate=, a tracer cannot read the extended
 * processor state. User-mode Linux 6.1 has no room for that state of recent processors, but works
 * if the kernel refuses to return the state.
 */
#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CANNOT_ENTER 125

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "confine: %s: %s\n", what, strerror(errno));
	exit(CANNOT_ENTER);
}

static unsigned int answer(const char *how)
{
	if (strcmp(how, "eperm") == 0)
		return SECCOMP_RET_ERRNO | EPERM;
	if (strcmp(how, "enosys") == 0)
		return SECCOMP_RET_ERRNO | ENOSYS;
	if (strcmp(how, "trap") == 0)
		return SECCOMP_RET_TRAP;
	errno = EINVAL;
	give_up(how);
}

static void install(struct sock_filter *code, unsigned short length)
{
	const struct sock_fprog program = {.len = length, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		give_up("seccomp");
}

static void refuse_arch_prctl(const char *how)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_SET_FS, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x2000, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, answer(how)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(code, sizeof code / sizeof *code);
}

static void refuse_call(unsigned int number, const char *how)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer(how)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(code, sizeof code / sizeof *code);
}

static void refuse_sigaction(const char *how)
{
	refuse_call(SYS_rt_sigaction, how);
}

static void refuse_ptrace(const char *how)
{
	refuse_call(SYS_ptrace, how);
}

static void refuse_xstate(const char *how)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PTRACE_GETREGSET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NT_X86_XSTATE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer(how)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(code, sizeof code / sizeof *code);
}

static void treat_sigill(const char *how)
{
	sigset_t set;

	if (strcmp(how, "ignored") == 0) {
		signal(SIGILL, SIG_IGN);
		return;
	}
	if (strcmp(how, "blocked") != 0) {
		errno = EINVAL;
		give_up(how);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *key;
		void (*enter)(const char *how);
	} states[] = {
		{"arch_prctl=", refuse_arch_prctl},  {"ptrace=", refuse_ptrace},
		{"rt_sigaction=", refuse_sigaction}, {"sigill=", treat_sigill},
		{"xstate=", refuse_xstate},
	};
	const size_t count = sizeof states / sizeof *states;
	int at = 1;

	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		size_t i = 0;

		while (i < count && strncmp(argv[at], states[i].key, strlen(states[i].key)) != 0)
			i++;
		if (i == count) {
			errno = EINVAL;
			give_up(argv[at]);
		}
		states[i].enter(argv[at] + strlen(states[i].key));
	}
	if (at + 1 >= argc) {
		errno = EINVAL;
		give_up("no program");
	}
	execvp(argv[at + 1], argv + at + 1);
	give_up(argv[at + 1]);
}

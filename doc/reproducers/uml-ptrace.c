/* SPDX-License-Identifier: MIT */
/* User-mode Linux 6.1 and 6.12: no PTRACE_GETREGSET, and a base of the kernel's half is accepted.
 * Linux, arch/x86/kernel/ptrace.c: regset NT_PRSTATUS holds the registers; putreg: EIO for a base
 * of TASK_SIZE_MAX and above.
 * gcc -static -o uml-ptrace uml-ptrace.c && ./uml-ptrace; the same in user-mode Linux */
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof regs};
	size_t at = (size_t)((char *)&regs.gs_base - (char *)&regs);
	pid_t child = fork();

	if (child == 0)
		_exit((int)ptrace(PTRACE_TRACEME, 0, 0, 0) + raise(SIGSTOP));
	waitpid(child, NULL, 0);
	long got = ptrace(PTRACE_GETREGSET, child, (void *)NT_PRSTATUS, &io);
	long set = ptrace(PTRACE_POKEUSER, child, at, 1UL << 63);
	kill(child, SIGKILL);
	printf("%s: GETREGSET %ld, POKEUSER %ld\n", !got && set ? "ok" : "not ok", got, set);
	return got || !set;
}

/* SPDX-License-Identifier: MIT */
/* User-mode Linux: a program that execve() starts has the FS base of the program before it.
 * Linux, arch/x86/kernel/process_64.c, start_thread_common: execve zeroes the bases. Here the
 * tracer reads the base before the first instruction of the new program.
 * gcc -static -o uml-exec uml-exec.c && ./uml-exec; the same in user-mode Linux */
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t child = argc == 1 ? fork() : -1;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl("/proc/self/exe", argv[0], "again", NULL);
	}
	if (child < 0)
		return 2;
	waitpid(child, NULL, 0);
	long base = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, fs_base), 0);
	ptrace(PTRACE_KILL, child, 0, 0);
	printf("%s: FS base is 0x%lx\n", base ? "not ok" : "ok", base);
	return base != 0;
}

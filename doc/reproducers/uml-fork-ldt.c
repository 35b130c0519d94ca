/* SPDX-License-Identifier: MIT */
/* User-mode Linux: a selector of the LDT in FS is lost over fork.
 * Linux, arch/x86/kernel/process.c, copy_thread: the child has the segments of its parent, and a
 * copy of the parent's LDT.
 * gcc -static -o uml-fork-ldt uml-fork-ldt.c && ./uml-fork-ldt; the same in user-mode Linux */
#include <asm/ldt.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	struct user_desc desc = {.limit = 0xfffff, .limit_in_pages = 1, .useable = 1};
	unsigned long base;
	long child = SYS_fork, selector = 0;
	int status;

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof desc)) {
		puts("ok: no LDT can be made here");
		return 0;
	}
	/* The C library needs the FS base: do not call it before the base is restored. */
	__asm__ volatile("rdfsbase %2; mov %3, %%fs; syscall; mov %%fs, %1; wrfsbase %2"
			 : "+a"(child), "+r"(selector), "=&r"(base)
			 : "r"(7)
			 : "rcx", "r11", "memory");
	if (child == 0)
		_exit(selector != 7);
	wait(&status);
	printf("%s: FS of the child is %s7\n", status ? "not ok" : "ok", status ? "not " : "");
	return status != 0;
}

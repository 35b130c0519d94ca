/* SPDX-License-Identifier: MIT */
/* gVisor, systrap: a process begins with the FS selector that an ended process had loaded. Linux,
 * arch/x86/kernel/process.c: fork copies the parent's selector, which is 0 here. With the
 * argument gs, the first process loads GS and dies. Later processes die, too.
 * gcc -static -fno-stack-protector -o gvisor-selector gvisor-selector.c
 * runsc --network=none --platform=systrap do ./gvisor-selector [gs] */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Loads the selector 1 and restores the base. */
#define LOAD(s)                                                                 \
	__asm__ volatile("rd" s "base %0\n\tmovl %1, %%" s "\n\twr" s "base %0" \
			 : "=&r"(base)                                          \
			 : "r"(1))

static int child(char segment, int calls)
{
	unsigned long base;
	int status = 0, found;

	if (fork() == 0) {
		__asm__ volatile("movl %%fs, %0" : "=r"(found));
		if (segment == 'f')
			LOAD("fs");
		if (segment == 'g')
			LOAD("gs");
		for (int i = 0; i < calls; i++)
			getppid();
		_exit(found);
	}
	wait(&status);
	return status;
}

int main(int count, char **words)
{
	const int calls = count > 1 && words[1] ? 50 : 0;
	const int first = child(calls ? 'g' : 'f', calls), next = child(0, calls);

	printf("%s: wait status 0x%x, then 0x%x\n", first || next ? "not ok" : "ok", first, next);
	return first || next;
}

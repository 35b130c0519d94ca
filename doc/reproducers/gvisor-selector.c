/* SPDX-License-Identifier: MIT */
/* gVisor, systrap: a process begins with the FS selector that an ended process had loaded. Linux,
 * arch/x86/kernel/process.c: fork copies the parent's selector, which is 0 here. With the argument
 * gs, the first process loads GS and dies. Later processes die, too.
 * gcc -static -fno-stack-protector -o gvisor-selector gvisor-selector.c
 * runsc --network=none --platform=systrap do ./gvisor-selector [gs] */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(s) \
	__asm__ volatile("rd" s "base %0; mov %1, %%" s "; wr" s "base %0" : "=&r"(b) : "r"(1))

int main(int count, char **words)
{
	int gs = count > 1 && words[1], status[2] = {0}, found;
	unsigned long b;

	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			__asm__ volatile("movl %%fs, %0" : "=r"(found));
			if (i == 0 && gs)
				LOAD("gs");
			else if (i == 0)
				LOAD("fs");
			for (int n = 0; gs && n < 50; n++)
				getppid();
			_exit(found);
		}
		wait(&status[i]);
	}
	found = status[0] || status[1];
	printf("%s: wait status 0x%x, then 0x%x\n", found ? "not ok" : "ok", status[0], status[1]);
	return found;
}

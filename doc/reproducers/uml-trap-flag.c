/* SPDX-License-Identifier: MIT */
/* User-mode Linux: a process that sets its trap flag is killed, whatever handler it has.
 * SDM vol. 3, 18.3.1.4 (Single-Step Exception Condition): #DB after the next instruction; Linux,
 * arch/x86/kernel/traps.c, exc_debug: SIGTRAP, which the process may handle.
 * gcc -static -o uml-trap-flag uml-trap-flag.c && ./uml-trap-flag; the same in user-mode Linux */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void caught(int number)
{
	(void)number;
	_exit(0);
}

int main(void)
{
	int status = 0;

	signal(SIGTRAP, caught);
	if (fork() == 0)
		__asm__ volatile("sub $128, %rsp; pushf; orq $0x100, (%rsp); popf; nop; nop");
	wait(&status);
	printf("%s: wait status 0x%x\n", status ? "not ok" : "ok", status);
	return status != 0;
}

/* SPDX-License-Identifier: MIT */
/* A guest of the PVM module: a process dies if it is interrupted while RSP is not canonical.
 * SDM vol. 2, IRET/IRETD/IRETQ: in 64-bit mode, IRET checks that the new instruction pointer is
 * canonical, but does not check RSP. So the kernel can return to any RSP.
 * gcc -o pvm-stray-rsp pvm-stray-rsp.c && ./pvm-stray-rsp */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void caught(int number)
{
	(void)number;
}

int main(void)
{
	static char room[65536];
	const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
	const struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK};
	int status = 0;

	sigaltstack(&stack, NULL);
	sigaction(SIGTRAP, &action, NULL);
	if (fork() == 0) {
		__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; int3; mov %%rbx, %%rsp"
				 :
				 : "r"(1UL << 63)
				 : "rbx", "memory");
		_exit(0);
	}
	wait(&status);
	printf("%s: wait status 0x%x\n", status ? "not ok" : "ok", status);
	return status != 0;
}

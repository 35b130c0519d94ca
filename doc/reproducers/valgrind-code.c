/* SPDX-License-Identifier: MIT */
/* valgrind: SIGILL of an undefined instruction has si_code ILL_ILLOPC (1).
 * Linux, arch/x86/kernel/traps.c, exc_invalid_op: ILL_ILLOPN (2).
 * gcc -o valgrind-code valgrind-code.c && ./valgrind-code; valgrind ./valgrind-code */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void caught(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	printf("%s: si_code is %d\n", info->si_code == ILL_ILLOPN ? "ok" : "not ok", info->si_code);
	exit(info->si_code != ILL_ILLOPN);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("ud2");
}

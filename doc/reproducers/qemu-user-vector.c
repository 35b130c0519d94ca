/* SPDX-License-Identifier: MIT */
/* qemu-user: the signal frame of an undefined instruction lacks the exception vector.
 * Linux, arch/x86/kernel/traps.c: trapno is 6 for #UD. qemu-user gives ~0.
 *
 * gcc -static -o qemu-user-vector qemu-user-vector.c
 * qemu-x86_64 ./qemu-user-vector */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static void caught(int signal, siginfo_t *info, void *context)
{
	long vector = ((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO];

	(void)signal;
	(void)info;
	printf("%s: vector is %ld\n", vector == 6 ? "ok" : "not ok", vector);
	exit(vector != 6);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("ud2");
}

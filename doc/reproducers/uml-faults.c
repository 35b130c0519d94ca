/* SPDX-License-Identifier: MIT */
/* User-mode Linux: #GP arrives with si_code 2, and #UD with the vector of a page fault.
 * Linux, arch/x86/kernel/traps.c: exc_general_protection gives SI_KERNEL (128) and vector 13,
 * exc_invalid_op gives vector 6.
 * gcc -static -o uml-faults uml-faults.c && ./uml-faults; the same in user-mode Linux */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

static int code[2], vector[2], count;
static void caught(int number, siginfo_t *info, void *context)
{
	(void)number;
	code[count] = info->si_code;
	vector[count++] = (int)((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO];
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += count == 1 ? 5 : 2;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("wrgsbase %0; ud2" : : "r"(1UL << 63)); /* five bytes and two */
	int bad = code[0] != 128 || vector[0] != 13 || vector[1] != 6;
	printf("%sok: %d %d, %d\n", bad ? "not " : "", code[0], vector[0], vector[1]);
	return bad;
}

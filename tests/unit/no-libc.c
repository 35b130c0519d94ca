/* SPDX-License-Identifier: MIT */
/*
 * Tests fsgs_check_early() in a program without a C library, before relocation: the program is
 * linked with -static-pie, but has no start-up code that would relocate it. Its exit status is
 * 10 + the verdict.
 */
#include <fsgscheck.h>

__attribute__((noreturn, used)) void entered(const unsigned long *stack);

/* The initial stack has argc, argv, NULL, the environment, NULL, and the auxiliary vector. */
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call entered\n");

static __attribute__((noreturn)) void leave(long status)
{
	for (;;)
		__asm__ volatile("syscall"
				 :
				 : "a"(231L /* exit_group */), "D"(status)
				 : "rcx", "r11", "memory");
}

void entered(const unsigned long *stack)
{
	const unsigned long *word = stack + 1 + stack[0] + 1;
	struct fsgs_report report;

	while (*word)
		word++;
	if (fsgs_check_early(&report, sizeof report, word + 1))
		leave(1);
	leave(10 + (long)report.verdict);
}

/* SPDX-License-Identifier: MIT */
/* gVisor, platform systrap: after WRGSBASE, which CPUID offers, a system call ends the process.
 * Linux, Documentation/arch/x86/x86_64/fsgs.rst: the kernel keeps the base. The sandbox reaches
 * its own data through GS (syshandler_amd64.S), but lets the process execute WRGSBASE.
 * gcc -static -o gvisor-gs-call gvisor-gs-call.c && runsc --network=none do ./gvisor-gs-call */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static unsigned long given;

static void caught(int signal)
{
	(void)signal;
	__asm__ volatile("wrgsbase %0" : : "r"(given));
	write(1, "not ok: SIGSEGV at a system call\n", 33);
	_exit(1);
}

int main(void)
{
	signal(SIGSEGV, caught);
	__asm__ volatile("rdgsbase %0" : "=r"(given));
	for (int i = 0; i < 8; i++) {
		long result;

		__asm__ volatile("wrgsbase %1\n\tmovl $110, %%eax\n\tsyscall\n\twrgsbase %2"
				 : "=&a"(result)
				 : "r"(0x1000UL), "r"(given)
				 : "rcx", "r11", "memory");
	}
	puts("ok: eight calls of getppid returned");
	return 0;
}

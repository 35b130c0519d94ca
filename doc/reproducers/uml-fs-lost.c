/* SPDX-License-Identifier: MIT */
/* User-mode Linux: an FS base that WRFSBASE wrote is lost when the thread is switched out.
 * Linux, Documentation/arch/x86/x86_64/fsgs.rst: the bases are part of a thread's state and kept
 * over a context switch. User-mode Linux restores the base that arch_prctl set last.
 * gcc -static -o uml-fs-lost uml-fs-lost.c && ./uml-fs-lost; the same in user-mode Linux */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec pause = {0, 1000000};
	unsigned long old, seen, wrote = 0x5a0000, call = 35; /* nanosleep */

	__asm__ volatile("rdfsbase %0\n\t"
			 "wrfsbase %3\n\t"
			 "syscall\n\t"
			 "rdfsbase %1\n\t"
			 "wrfsbase %0" /* the C library needs the FS base */
			 : "=&r"(old), "=&r"(seen), "+a"(call)
			 : "r"(wrote), "D"(&pause), "S"(0)
			 : "rcx", "r11", "memory");
	printf("%s: wrote %lx, after a sleep %lx\n", seen == wrote ? "ok" : "not ok", wrote, seen);
	return seen != wrote;
}

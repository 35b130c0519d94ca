/* SPDX-License-Identifier: MIT */
/* gVisor, platform ptrace: an FS base that WRFSBASE wrote is lost at the next system call.
 * Linux, Documentation/arch/x86/x86_64/fsgs.rst: the kernel keeps it. switchToApp (subprocess.go)
 * reads the registers and then sets the FS base from before the run, since getTLS reads nothing on
 * x86-64.
 * gcc -static -o gvisor-fs-lost gvisor-fs-lost.c
 * runsc --network=none --platform=ptrace do ./gvisor-fs-lost */
#define _GNU_SOURCE
#include <stdio.h>

int main(void)
{
	unsigned long own, back;
	long result;

	__asm__ volatile("rdfsbase %0\n\twrfsbase %3\n\tmovl $110, %%eax\n\tsyscall\n\t"
			 "rdfsbase %1\n\twrfsbase %0"
			 : "=&r"(own), "=&r"(back), "=&a"(result)
			 : "r"(0x123456789000UL)
			 : "rcx", "r11", "memory");
	printf("%s: the FS base is 0x%lx after a system call\n",
	       back == 0x123456789000UL ? "ok" : "not ok", back);
	return back != 0x123456789000UL;
}

/* SPDX-License-Identifier: MIT */
/* qemu-user, user-mode Linux: FSGSBASE runs, but AT_HWCAP2 bit 1 is 0.
 * Linux, Documentation/arch/x86/x86_64/fsgs.rst: bit 1 tells a program that it may use them.
 * Programs that ask the kernel, as they must, do without.
 * gcc -o hwcap2 hwcap2.c && ./hwcap2; qemu-x86_64 -cpu max ./hwcap2 */
#include <stdio.h>
#include <sys/auxv.h>

int main(void)
{
	unsigned long base;
	int says = !!(getauxval(AT_HWCAP2) & 2);

	__asm__ volatile("rdgsbase %0" : "=r"(base)); /* SIGILL where it does not run */
	printf("%s: runs, AT_HWCAP2 bit 1 is %d\n", says ? "ok" : "not ok", says);
	return !says;
}

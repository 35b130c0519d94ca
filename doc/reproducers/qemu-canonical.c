/* SPDX-License-Identifier: MIT */
/* QEMU: WRGSBASE r64 accepts an address that is not canonical.
 * SDM vol. 2, WRFSBASE/WRGSBASE: #GP(0) if the source is not canonical. A process gets SIGSEGV.
 *
 * gcc -static -o qemu-canonical qemu-canonical.c
 * qemu-x86_64 -cpu max ./qemu-canonical */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void caught(int signal)
{
	(void)signal;
	puts("ok: #GP");
	exit(0);
}

int main(void)
{
	unsigned long back;

	signal(SIGSEGV, caught);
	__asm__ volatile("wrgsbase %0" : : "r"(1UL << 63));
	__asm__ volatile("rdgsbase %0" : "=r"(back));
	printf("not ok: accepted, reads back 0x%lx\n", back);
	return 1;
}

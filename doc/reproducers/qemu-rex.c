/* SPDX-License-Identifier: MIT */
/* QEMU 7.2 to 10.0: a REX prefix in front of F3 takes effect.
 * SDM vol. 2, 2.2.1: a REX prefix must immediately precede the opcode; elsewhere it is ignored. So
 * 48 F3 0F AE C8 is RDGSBASE EAX, which clears the upper half of RAX.
 * gcc -o qemu-rex qemu-rex.c && ./qemu-rex; qemu-x86_64 -cpu max ./qemu-rex */
#include <stdio.h>

int main(void)
{
	unsigned long value = 0x123456789a, rax;

	__asm__ volatile("wrgsbase %0" : : "r"(value));
	__asm__ volatile(".byte 0x48, 0xf3, 0x0f, 0xae, 0xc8" : "=a"(rax));
	printf("%s: RAX is 0x%lx\n", rax == 0x3456789a ? "ok" : "not ok", rax);
	return rax != 0x3456789a;
}

/* SPDX-License-Identifier: MIT */
/* qemu-user: arch_prctl accepts an address of the kernel's half.
 * Linux, arch/x86/kernel/process_64.c, do_arch_prctl_64: EPERM for TASK_SIZE_MAX and above. The
 * same holds for the thread pointer of clone(CLONE_SETTLS).
 * gcc -o qemu-user-limit qemu-user-limit.c && ./qemu-user-limit; qemu-x86_64 ./qemu-user-limit */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	long result = syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000001000UL);
	int ok = result == -1 && errno == EPERM;

	printf("%s: arch_prctl gives %ld, errno %d\n", ok ? "ok" : "not ok", result, errno);
	return !ok;
}

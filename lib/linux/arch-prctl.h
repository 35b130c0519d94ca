/* SPDX-License-Identifier: MIT */
/* The arch_prctl system call itself: no C library, no errno, no thread-local storage. */
#ifndef FSGSCHECK_LIB_ARCH_PRCTL_H
#define FSGSCHECK_LIB_ARCH_PRCTL_H

#include <stdint.h>

#include <sys/syscall.h>

/* From <asm/prctl.h>, which not every C library provides. */
#define ARCH_SET_GS   0x1001
#define ARCH_SET_FS   0x1002
#define ARCH_GET_FS   0x1003
#define ARCH_GET_GS   0x1004

/* No kernel returns this as a base, because it is not canonical. If a variable still holds it after
 * ARCH_GET_FS or ARCH_GET_GS, the kernel wrote nothing. */
#define FSGS_SENTINEL UINT64_C(0x8a5e000000005eb1)

/* Always inlined, because its callers run while the FS base is foreign: a separate function could
 * have instrumentation that uses FS. */
static inline __attribute__((always_inline)) long fsgs_raw_arch_prctl(int code, uint64_t address)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"((long)SYS_arch_prctl), "D"((long)code), "S"(address)
			 : "rcx", "r11", "memory");
	return result;
}

#endif

/* SPDX-License-Identifier: MIT */
/* System calls for signals, made without the C library, errno and thread-local storage. */
#ifndef FSGSCHECK_LIB_SIGNALS_H
#define FSGSCHECK_LIB_SIGNALS_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

/* The kernel's signal set. The C library's functions refuse to block the signals that it keeps for
 * itself (cancellation, setuid), and those must not interrupt a stub either. */
typedef uint64_t kernel_sigset;

#define SIGNAL_BIT(sig) (UINT64_C(1) << ((sig)-1))

/* The kernel raises these for memory accesses. Garbage collectors handle them for write barriers
 * and for stacks that are committed page by page. The library writes to memory, too. If one of
 * these signals were blocked, such a write would kill the process. */
#define SERVED          (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS))

/* While handlers are exchanged, no other handler of the process may run in this thread: it would
 * run with our lock held. SIGSYS and SIGTRAP stay unblocked. A sandbox may serve our system calls
 * by SIGSYS, and a debugger may stop at any instruction; blocking them would kill the process. */
#define EXCHANGING      (~(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGTRAP) | SERVED))

/* The C library's own signals: 32 to SIGRTMIN - 1. It sends them to every thread for setuid() and
 * similar calls, and waits for each. */
#define SIGNALS_OF_LIBC (SIGNAL_BIT(SIGRTMIN) - SIGNAL_BIT(32))

#if defined(__x86_64__)

static inline long system_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long thread_id(void)
{
	return system_call(SYS_gettid, 0, 0, 0, 0);
}

static inline long change_mask(int how, kernel_sigset mask, kernel_sigset *old)
{
	return system_call(SYS_rt_sigprocmask, how, (long)(uintptr_t)&mask, (long)(uintptr_t)old,
			   sizeof mask);
}

/* Waits for the whole time, even if signals arrive. */
static inline void wait_for(long nanoseconds)
{
	struct timespec left = {0, nanoseconds};

	while (system_call(SYS_nanosleep, (long)(uintptr_t)&left, (long)(uintptr_t)&left, 0, 0) ==
	       -EINTR)
		;
}

/* In pending.c: the signals up to 31 that are pending for this thread, not for its process.
 * Empty if that cannot be read. */
__attribute__((visibility("hidden"))) kernel_sigset fsgs_pending_for_thread(void);

#endif

#endif

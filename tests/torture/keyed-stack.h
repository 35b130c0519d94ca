/* SPDX-License-Identifier: MIT */
/*
 * A stack with a protection key of its own. When a signal handler starts, the kernel takes away the
 * right to this key.
 *
 * A thread may use this stack for a while, but must not have it as its only stack. The C library
 * puts a thread's rseq area into the memory of its stack, and the kernel writes to this area after
 * each preemption. If a handler without the right is preempted, this write fails, and the kernel
 * ends the process.
 */
#ifndef TORTURE_KEYED_STACK_H
#define TORTURE_KEYED_STACK_H

#include "torture.h"

#include <stdbool.h>
#include <sys/mman.h>

struct keyed_stack {
	long key;
	char *end;
};

static inline void write_pkru(uint32_t value)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static inline uint32_t read_pkru(void)
{
	uint32_t value;

	__asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(value) : "c"(0) : "edx");
	return value;
}

/* Makes the stack. Returns false if the kernel gives no protection key. */
static inline bool keyed_stack_make(struct keyed_stack *stack)
{
	const size_t size = 1 << 18;
	char *const low =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stack->key = syscall(SYS_pkey_alloc, 0, 0);
	stack->end = low + size;
	if (stack->key < 0)
		return false;
	EXPECT(syscall(SYS_pkey_mprotect, low, size, PROT_READ | PROT_WRITE, stack->key) == 0,
	       "key %ld", stack->key);
	return true;
}

/* Calls the function on this stack. The function must not change the rights to keys. */
static inline void keyed_stack_call(const struct keyed_stack *stack, void (*function)(void))
{
	const uint32_t rights = read_pkru() & ~(UINT32_C(3) << 2 * stack->key);

	write_pkru(rights);
	__asm__ volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\tcallq *%1\n\tmovq %%rbx, %%rsp"
			 :
			 : "r"(stack->end), "r"(function)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory",
			   "cc");
	EXPECT(read_pkru() == rights, "PKRU %#x, was %#x", read_pkru(), rights);
}

#endif

/* SPDX-License-Identifier: MIT */
/* A JIT that emits the fast path: `base < fsgs_base_limit[segment]`, then WRGSBASE. */
#define _GNU_SOURCE
#include <fsgscheck/base.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* The code of a function: int (uint64_t base). main() fills in two addresses: fsgs_base_limit +
 * FSGS_BASE_LIMIT_GS, and fsgs_set_base. */
/* clang-format off */
static const unsigned char code[] = {
	0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /*     mov  $limit of GS, %rax */
	0x48, 0x3b, 0x38,                   /*     cmp  (%rax), %rdi */
	0x73, 0x08,                         /*     jae  1f, unsigned */
	0xf3, 0x48, 0x0f, 0xae, 0xdf,       /*     wrgsbase %rdi */
	0x31, 0xc0,                         /*     xor  %eax, %eax */
	0xc3,                               /*     ret */
	0x48, 0x89, 0xfe,                   /* 1:  mov  %rdi, %rsi */
	0xbf, FSGS_SEGMENT_GS, 0, 0, 0,     /*     mov  $FSGS_SEGMENT_GS, %edi */
	0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /*     mov  $fsgs_set_base, %rax */
	0xff, 0xe0,                         /*     jmp  *%rax */
};
/* clang-format on */

enum { LIMIT_AT = 2, SET_AT = 33 };

static void put(unsigned char *at, uint64_t address)
{
	memcpy(at, &address, sizeof address);
}

int main(void)
{
	unsigned char *const at =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*set_gs)(uint64_t);
	uint64_t before = 0, now = 0;
	static char heap[64];

	if (at == MAP_FAILED)
		return 1;
	memcpy(at, code, sizeof code);
	put(at + LIMIT_AT, (uintptr_t)fsgs_base_limit + FSGS_BASE_LIMIT_GS);
	put(at + SET_AT, (uintptr_t)&fsgs_set_base);
	if (mprotect(at, 4096, PROT_READ | PROT_EXEC))
		return 1;
	memcpy(&set_gs, &(void *){at}, sizeof set_gs);

	/* Decide before the code runs. Otherwise its first run makes the check. */
	if (fsgs_base_access(FSGS_SEGMENT_GS) == FSGS_ACCESS_NONE || fsgs_get_gs_base(&before))
		return 1;
	if (set_gs((uintptr_t)heap) || fsgs_get_gs_base(&now) || now != (uintptr_t)heap)
		return 1;
	if (set_gs(before) || set_gs(FSGS_BASE_LIMIT) != -1 || set_gs(~UINT64_C(0)) != -1)
		return 1; /* -EPERM */
	/* The emitted code also follows a later decision. */
	if (fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_NONE) ||
	    set_gs(before) != -95 /* -ENOTSUP */)
		return 1;
	if (fsgs_base_force(FSGS_SEGMENT_GS, FSGS_BASE_AUTO) || set_gs(before))
		return 1;
	printf("emitted %zu bytes; GS base by %s\n", sizeof code,
	       fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)));
	return 0;
}

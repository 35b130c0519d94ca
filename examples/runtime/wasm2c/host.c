/* SPDX-License-Identifier: MIT */
/*
 * Runs the code that wasm2c makes from sum.wat. wasm2c was not written for libfsgscheck, but its
 * code can use the library.
 *
 * wasm2c's own runtime decides by AT_HWCAP2 whether the generated code may execute the
 * instructions, and calls arch_prctl otherwise. Here the library decides. If the generated code may
 * not execute the instructions, the library accesses the base.
 */
#include "sum.h"

#include <fsgscheck.h>
#include <fsgscheck/base.h>

#include <stdio.h>

enum { BYTES = 1000, SUM = 124716, CALLS = 200 };

bool wasm_rt_fsgsbase_inst_supported;
#if WASM_RT_SEGUE_FREE_SEGMENT
_Thread_local void *wasm_rt_last_segment_val;
#endif

void wasm_rt_syscall_set_segue_base(void *base)
{
	if (fsgs_set_gs_base((uintptr_t)base))
		abort();
}

void *wasm_rt_syscall_get_segue_base(void)
{
	uint64_t base = 0;

	if (fsgs_get_gs_base(&base))
		abort();
	return (void *)(uintptr_t)base;
}

bool wasm_rt_is_initialized(void)
{
	return true;
}

void wasm_rt_trap(wasm_rt_trap_t trap)
{
	printf("not ok: trap %d\n", (int)trap);
	exit(EXIT_FAILURE);
}

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t max_pages,
			     bool is64, uint32_t page_size)
{
	(void)is64;
	memory->data = calloc(pages, page_size);
	if (!memory->data)
		abort();
	memory->pages = pages;
	memory->max_pages = max_pages;
	memory->size = pages * page_size;
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory)
{
	free(memory->data);
}

int main(void)
{
	const uint32_t access = fsgs_base_access(FSGS_SEGMENT_GS);
	uint64_t before = 0, after = 0;
	w2c_sum instance;
	int wrong = 0;

	wasm_rt_fsgsbase_inst_supported = access == FSGS_ACCESS_INSTRUCTION;
	if (fsgs_get_gs_base(&before)) {
		puts("not ok: the GS base cannot be reached");
		return EXIT_FAILURE;
	}
	wasm2c_sum_instantiate(&instance);
	w2c_sum_fill(&instance, BYTES);
	for (int i = 0; i < CALLS; i++)
		wrong += w2c_sum_sum(&instance, BYTES) != SUM;
	wasm2c_sum_free(&instance);
	wrong += fsgs_get_gs_base(&after);
	/* With WASM_RT_SEGUE_FREE_SEGMENT, the generated code must leave its base in GS. Without
	 * it, the code must restore the old base. */
	wrong += WASM_RT_SEGUE_FREE_SEGMENT ? after == before : after != before;
	printf("%s: %d calls by %s, the sum is %s\n", wrong ? "not ok" : "ok", CALLS,
	       fsgs_name(FSGS_LIST_ACCESS, access), wrong ? "wrong" : "124716");
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * The interface that C code from wasm2c requires from its embedder, for a module without tables and
 * imports. The names are those of wasm2c. host.c defines the functions. For the last ones, which
 * are about the GS base, it uses libfsgscheck.
 */
#ifndef WASM_RT_H_
#define WASM_RT_H_

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIKELY(x)                     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                   __builtin_expect(!!(x), 0)
#define wasm_rt_memcpy                memcpy

#define WASM_RT_USE_SEGUE             1
/* The generated code compares the GS base with the memory's address before each access. */
#define WASM_RT_SANITY_CHECKS         1
/* The generated code also compares each address with the memory's size, because the memory comes
 * from calloc() and has no guard pages. Newer versions of wasm2c require these macros. */
#define WASM_RT_MEMCHECK_BOUNDS_CHECK 1
#define WASM_RT_MEMCHECK_GUARD_PAGES  0
#define WASM_RT_USE_MMAP              0
/* 1 if the generated code may leave its own base in GS. */
#ifndef WASM_RT_SEGUE_FREE_SEGMENT
#define WASM_RT_SEGUE_FREE_SEGMENT 0
#endif

typedef enum { WASM_RT_I32, WASM_RT_I64, WASM_RT_F32, WASM_RT_F64 } wasm_rt_type_t;

typedef enum {
	WASM_RT_TRAP_NONE,
	WASM_RT_TRAP_OOB,
	WASM_RT_TRAP_INT_OVERFLOW,
	WASM_RT_TRAP_DIV_BY_ZERO,
	WASM_RT_TRAP_INVALID_CONVERSION,
	WASM_RT_TRAP_UNREACHABLE,
	WASM_RT_TRAP_CALL_INDIRECT,
	WASM_RT_TRAP_EXHAUSTION
} wasm_rt_trap_t;

typedef const char *wasm_rt_func_type_t;
typedef void (*wasm_rt_function_ptr_t)(void);

typedef struct wasm_rt_tailcallee_t {
	void (*fn)(void **instance, void *stack, struct wasm_rt_tailcallee_t *next);
} wasm_rt_tailcallee_t;

typedef struct {
	wasm_rt_func_type_t func_type;
	wasm_rt_function_ptr_t func;
	wasm_rt_tailcallee_t func_tailcallee;
	void *module_instance;
} wasm_rt_funcref_t;

typedef void *wasm_rt_externref_t;

#define wasm_rt_funcref_null_value   ((wasm_rt_funcref_t){0})
#define wasm_rt_externref_null_value ((wasm_rt_externref_t)0)

typedef struct {
	uint8_t *data;
	uint64_t pages, max_pages;
	uint64_t size;
} wasm_rt_memory_t;

typedef struct {
	wasm_rt_funcref_t *data;
	uint32_t size, max_size;
} wasm_rt_funcref_table_t;

typedef struct {
	wasm_rt_externref_t *data;
	uint32_t size, max_size;
} wasm_rt_externref_table_t;

bool wasm_rt_is_initialized(void);
_Noreturn void wasm_rt_trap(wasm_rt_trap_t trap);
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t max_pages,
			     bool is64, uint32_t page_size);
void wasm_rt_free_memory(wasm_rt_memory_t *memory);

/* Used at each entry of an exported function. The flag says whether the generated code may execute
 * the instructions. If not, the generated code calls these functions. */
extern bool wasm_rt_fsgsbase_inst_supported;
void wasm_rt_syscall_set_segue_base(void *base);
void *wasm_rt_syscall_get_segue_base(void);

#if WASM_RT_SEGUE_FREE_SEGMENT
/* The base that the generated code wrote last. The code writes a base only if that differs from
 * this value. */
extern _Thread_local void *wasm_rt_last_segment_val;
#endif

#endif

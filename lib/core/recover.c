/* SPDX-License-Identifier: MIT */
/* Decides whether a fault comes from a stub, and lets a stub that faulted return 1. */
#include "stubs.h"

/* From lib/core/stubs.S. The table has for each guarded instruction its offset from the table
 * entry; a zero ends the table. */
#pragma GCC visibility push(hidden)
extern const int32_t fsgs_stub_table[];
extern const char fsgs_stub_fault[];
#pragma GCC visibility pop

struct fsgs_stub *fsgs_stub_recover(uint64_t *rip, uint64_t rdi, int32_t fault, int32_t code)
{
	for (const int32_t *entry = fsgs_stub_table; *entry; entry++) {
		/* Unsigned arithmetic wraps, so a negative offset also works: the table may follow
		 * the code. */
		if ((uintptr_t)entry + (uintptr_t)(intptr_t)*entry != *rip)
			continue;
		struct fsgs_stub *io = (struct fsgs_stub *)(uintptr_t)rdi;

		io->fault = fault;
		io->code = code;
		*rip = (uintptr_t)fsgs_stub_fault;
		return io;
	}
	return NULL;
}

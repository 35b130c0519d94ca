/* SPDX-License-Identifier: MIT */
/* Decides whether a fault belongs to a stub of the core. */
#include "stubs.h"

/* From lib/core/stubs.S: the guarded instructions, each as an offset from its table entry, up to a
 * zero. */
#pragma GCC visibility push(hidden)
extern const int32_t fsgs_stub_table[];
extern const char fsgs_stub_fault[];
#pragma GCC visibility pop

struct fsgs_stub *fsgs_stub_recover(uint64_t *rip, uint64_t rdi, int32_t fault, int32_t code)
{
	for (const int32_t *entry = fsgs_stub_table; *entry; entry++) {
		/* Unsigned arithmetic: the offset is negative if the table follows the code. */
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

/* SPDX-License-Identifier: MIT */
#include <fsgscheck/core.h>
#include "layout.h"
#include "trap.h"

#define VECTORS        256
#define VECTOR_UD      6
#define VECTOR_GP      13
#define GATE_INTERRUPT 0x8e

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t stack;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

/* The stack frame that trap.S and the processor push, from the lowest address. */
struct frame {
	uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t vector, code;
	uint64_t rip, cs, flags, rsp, ss;
};

extern const uint8_t trap_stubs[TRAP_STUBS][TRAP_STUB_SIZE];
extern const uint8_t trap_ignore[];
FSGS_STUB void trap(struct frame *frame);

static struct gate gates[VECTORS];

void trap(struct frame *frame)
{
	if (frame->vector == VECTOR_TIMER)
		trap_timer();
	else if ((frame->vector != VECTOR_UD && frame->vector != VECTOR_GP) ||
		 !fsgs_stub_recover(&frame->rip, frame->rdi, (int32_t)frame->vector,
				    (int32_t)frame->code))
		trap_unexpected(frame->vector, frame->rip);
}

static void set_gate(int vector, const uint8_t *handler, uint16_t selector)
{
	const uint64_t address = (uintptr_t)handler;

	gates[vector] = (struct gate){
		.offset_low = (uint16_t)address,
		.selector = selector,
		.type = GATE_INTERRUPT,
		.offset_middle = (uint16_t)(address >> 16),
		.offset_high = (uint32_t)(address >> 32),
	};
}

void trap_start(void)
{
	uint16_t selector;

	__asm__ volatile("movw %%cs, %0" : "=r"(selector));
	for (int vector = 0; vector < VECTORS; vector++)
		set_gate(vector, vector < TRAP_STUBS ? trap_stubs[vector] : trap_ignore, selector);
}

void trap_use(void)
{
	const struct table_register idtr = {sizeof gates - 1, (uintptr_t)gates};

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

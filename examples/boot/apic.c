/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include "apic.h"
#include "cpu.h"
#include "layout.h"
#include "trap.h"

#define CPUID_EDX_APIC    (1u << 9)
#define MSR_APIC_BASE     0x1b
#define APIC_BASE_MASK    UINT64_C(0xffffff000)
#define APIC_X2APIC       (1u << 10)
#define APIC_ENABLED      (1u << 11)
#define MSR_X2APIC        0x800

#define REG_EOI           0x0b0
#define REG_SPURIOUS      0x0f0
#define REG_REQUESTED     0x200 /* and one each 16 bytes, for 32 vectors */
#define REG_COMMAND       0x300
#define REG_COMMAND_HIGH  0x310
#define REG_TIMER         0x320
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE  0x3e0

#define SPURIOUS_ENABLE   0x100
#define TIMER_MASKED      0x10000
#define DIVIDE_BY_1       0x0b
#define COMMAND_INIT      0x000c4500 /* level, assert, all but self */
#define COMMAND_STARTUP   0x000c4600 /* the same, and the page to start at */

/* A quarter of a millisecond at 1 GHz, ten on the slowest bus. */
#define TIMER_COUNT       0x40000
#define TIMER_POLLS       1000000

#define PIC1_MASK         0x21
#define PIC2_MASK         0xa1

static volatile int timer_fired;

static uint64_t base(void)
{
	return rdmsr(MSR_APIC_BASE);
}

static volatile uint32_t *memory(uint32_t reg)
{
	return (volatile uint32_t *)(uintptr_t)((base() & APIC_BASE_MASK) + reg);
}

static uint32_t get(uint32_t reg)
{
	if (base() & APIC_X2APIC)
		return (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
	return *memory(reg);
}

static void set(uint32_t reg, uint32_t value)
{
	/* Firmware for many processors leaves x2APIC mode on, where the memory is not there. */
	if (base() & APIC_X2APIC)
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		*memory(reg) = value;
}

int apic_start(void)
{
	if (!(cpuid_edx(1) & CPUID_EDX_APIC) || !(base() & APIC_ENABLED))
		return 0;
	/* The old controllers' vectors are those of exceptions. */
	outb(PIC1_MASK, 0xff);
	outb(PIC2_MASK, 0xff);
	set(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	return 1;
}

static void command(uint32_t value)
{
	if (!(base() & APIC_X2APIC))
		set(REG_COMMAND_HIGH, 0);
	set(REG_COMMAND, value);
}

static void wait(uint32_t microseconds)
{
	while (microseconds--)
		io_delay();
}

void apic_start_others(void)
{
	command(COMMAND_INIT);
	wait(10000);
	command(COMMAND_STARTUP | TRAMPOLINE >> 12);
	wait(200);
	command(COMMAND_STARTUP | TRAMPOLINE >> 12);
}

void trap_timer(void)
{
	timer_fired = 1;
	set(REG_EOI, 0);
}

static int timer_is_due(void)
{
	return get(REG_REQUESTED + VECTOR_TIMER / 32 * 0x10) >> VECTOR_TIMER % 32 & 1;
}

/* A timer that stands still would never wake anybody; one that has run out stands still, too. */
static int timer_moves(void)
{
	const uint32_t first = get(REG_TIMER_CURRENT);

	for (int i = 0; i < TIMER_POLLS; i++)
		if (get(REG_TIMER_CURRENT) != first || timer_is_due())
			return 1;
	return 0;
}

int apic_halt(void *context)
{
	int moves;

	(void)context;
	timer_fired = 0;
	set(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	set(REG_TIMER, VECTOR_TIMER);
	set(REG_TIMER_INITIAL, TIMER_COUNT);
	moves = timer_moves();
	/* STI takes effect after the next instruction: an interrupt that is due ends the HLT. */
	while (moves && !timer_fired)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	set(REG_TIMER, TIMER_MASKED);
	return moves ? 0 : -1;
}

/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include "apic.h"
#include "cpu.h"
#include "layout.h"
#include "smp.h"
#include "trap.h"

#define MSR_APIC_BASE     0x1b
#define APIC_BASE_MASK    UINT64_C(0xffffff000)
#define APIC_X2APIC       (1u << 10)
#define APIC_ENABLED      (1u << 11)
#define MSR_X2APIC        0x800

#define REG_EOI           0x0b0
#define REG_SPURIOUS      0x0f0
#define REG_REQUESTED     0x200 /* the first of 8 registers, 16 bytes apart, with 32 bits each */
#define REG_COMMAND       0x300
#define REG_COMMAND_HIGH  0x310
#define REG_TIMER         0x320
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE  0x3e0

#define SPURIOUS_ENABLE   0x100
#define TIMER_MASKED      0x10000
#define DIVIDE_BY_1       0x0b
#define COMMAND_INIT      0x00004500 /* edge-triggered, assert */
#define COMMAND_STARTUP   0x00004600 /* edge-triggered, assert; low byte: the page to start at */
#define COMMAND_OTHERS    0x000c0000 /* all excluding self */
#define COMMAND_PENDING   0x00001000
#define COMMAND_POLLS     1000

/* The timer starts at this value. It reaches 0 after 0.26 ms at a bus clock of 1 GHz, and after
 * 10.5 ms at 25 MHz. */
#define TIMER_COUNT       0x40000
#define TIMER_POLLS       1000000

#define PIC1_MASK         0x21
#define PIC2_MASK         0xa1

/* Set by the timer interrupt: element 0 on the boot processor, element 1 on the processor that has
 * its turn (smp.h). Both may wait at the same time. */
static volatile int timer_fired[2];

/* The boot processor's registers as they were before apic_start(). apic_stop() restores them. */
static uint8_t pic_masks[2];
static uint32_t spurious;

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
	/* Firmware may leave x2APIC mode on, mostly on machines with many processors. In that mode
	 * the memory-mapped registers do not exist. */
	if (base() & APIC_X2APIC)
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		*memory(reg) = value;
}

int apic_start(void)
{
	if (!(cpuid_edx(1) & CPUID_1_EDX_APIC) || !(base() & APIC_ENABLED))
		return 0;
	if (!smp_on_turn()) {
		pic_masks[0] = inb(PIC1_MASK);
		pic_masks[1] = inb(PIC2_MASK);
		spurious = get(REG_SPURIOUS);
	}
	/* Masks the legacy interrupt controllers, because a BIOS gives some of their interrupts the
	 * vectors of exceptions. */
	outb(PIC1_MASK, 0xff);
	outb(PIC2_MASK, 0xff);
	set(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	return 1;
}

static void command(uint64_t id, uint32_t value)
{
	const uint64_t to = id == APIC_OTHERS ? 0 : id;

	if (id == APIC_OTHERS)
		value |= COMMAND_OTHERS;
	if (base() & APIC_X2APIC) {
		wrmsr(MSR_X2APIC + (REG_COMMAND >> 4), to << 32 | value);
		return;
	}
	for (int i = 0; i < COMMAND_POLLS && (*memory(REG_COMMAND) & COMMAND_PENDING); i++)
		;
	*memory(REG_COMMAND_HIGH) = (uint32_t)to << 24;
	*memory(REG_COMMAND) = value;
}

void apic_init(uint64_t id)
{
	command(id, COMMAND_INIT);
}

void apic_startup(uint64_t id)
{
	command(id, COMMAND_STARTUP | TRAMPOLINE >> 12);
}

void trap_timer(void)
{
	timer_fired[smp_on_turn()] = 1;
	set(REG_EOI, 0);
}

static int timer_is_due(void)
{
	return get(REG_REQUESTED + VECTOR_TIMER / 32 * 0x10) >> VECTOR_TIMER % 32 & 1;
}

/* Whether the timer runs: a stopped timer would never wake the CPU. The count of an expired timer
 * does not move either, so the request bit of the timer is checked, too. */
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
	volatile int *fired = &timer_fired[smp_on_turn()];
	int moves;

	(void)context;
	*fired = 0;
	set(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	set(REG_TIMER, VECTOR_TIMER);
	set(REG_TIMER_INITIAL, TIMER_COUNT);
	moves = timer_moves();
	/* STI takes effect only after HLT has begun. So the interrupt cannot come between the two,
	 * which would leave the processor halted. */
	while (moves && !*fired)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	set(REG_TIMER, TIMER_MASKED);
	return moves ? 0 : -1;
}

void apic_wait(void)
{
	if (apic_halt(NULL))
		__asm__ volatile("pause");
}

void apic_stop(void)
{
	apic_init(APIC_OTHERS);
	set(REG_SPURIOUS, spurious);
	outb(PIC1_MASK, pic_masks[0]);
	outb(PIC2_MASK, pic_masks[1]);
}

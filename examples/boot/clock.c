/* SPDX-License-Identifier: MIT */
#include "clock.h"
#include "cpu.h"
#include "xen.h"

#define PIT_CHANNEL2     0x42
#define PIT_COMMAND      0x43
#define PIT_ONE_SHOT     0xb0 /* channel 2, both bytes, mode 0 */
#define PIT_MS           1193 /* ticks of the PC's timer in one millisecond */
#define CONTROL          0x61
#define CONTROL_GATE     0x01
#define CONTROL_SPEAKER  0x02
#define CONTROL_OUTPUT   0x20
#define ROUNDS           2

/* No time-stamp counter runs faster than this. If the counter advances by more before the PC's
 * timer has counted one millisecond, the machine does not have that timer. */
#define TICKS_PER_MS_MAX UINT64_C(10000000)
/* If the counter advances by less, the PC's timer did not count a whole millisecond. */
#define TICKS_PER_MS_MIN UINT64_C(100000)
/* Used if no source gives the frequency. If the real frequency is between 0.7 and 6 GHz, time
 * limits are wrong by a factor of three at most. */
#define TICKS_PER_MS_ANY UINT64_C(2000000)

#define LEAF_TSC         0x15
#define LEAF_FREQUENCY   0x16
#define LEAF_HYPERVISOR \
	0x40000010 /* EAX: the counter's frequency in kHz (VMware; KVM can provide it, too) */

static uint64_t ticks_per_ms = TICKS_PER_MS_ANY;

uint64_t clock_now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t clock_ms_since(uint64_t then)
{
	return (clock_now() - then) / ticks_per_ms;
}

void clock_wait_us(uint32_t microseconds)
{
	const uint64_t then = clock_now(), ticks = ticks_per_ms * microseconds / 1000;

	while (clock_now() - then < ticks)
		__asm__ volatile("pause");
}

/* Ticks of the time-stamp counter in one millisecond of the PC's timer; 0 without that timer. */
static uint64_t measure(void)
{
	uint64_t then, ticks = 0;

	outb(PIT_COMMAND, PIT_ONE_SHOT);
	outb(PIT_CHANNEL2, PIT_MS & 0xff);
	outb(PIT_CHANNEL2, PIT_MS >> 8);
	then = clock_now();
	while (!(inb(CONTROL) & CONTROL_OUTPUT) && ticks < TICKS_PER_MS_MAX)
		ticks = clock_now() - then;
	return ticks < TICKS_PER_MS_MAX ? ticks : 0;
}

/* Returns the smallest of ROUNDS measurements: a measurement is too long if the host interrupts the
 * processor. */
static uint64_t by_timer(void)
{
	const uint8_t control = inb(CONTROL);
	uint64_t least = 0;

	outb(CONTROL, (uint8_t)((control & ~CONTROL_SPEAKER) | CONTROL_GATE));
	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t ticks = measure();

		if (!least || ticks < least)
			least = ticks;
	}
	outb(CONTROL, control);
	return least;
}

static uint64_t by_cpuid(void)
{
	uint32_t tsc[4] = {0}, frequency[4] = {0}, hypervisor[4] = {0};

	if (cpuid_max(0) >= LEAF_TSC)
		cpuid(LEAF_TSC, 0, tsc);
	if (tsc[0] && tsc[1] && tsc[2])
		return (uint64_t)tsc[2] * tsc[1] / tsc[0] / 1000;
	if (cpuid_max(CPUID_HYPERVISOR) >= LEAF_HYPERVISOR)
		cpuid(LEAF_HYPERVISOR, 0, hypervisor);
	if (hypervisor[0])
		return hypervisor[0];
	if (cpuid_max(0) >= LEAF_FREQUENCY)
		cpuid(LEAF_FREQUENCY, 0, frequency);
	return (uint64_t)(frequency[0] & 0xffff) * 1000;
}

void clock_use(uint64_t measured)
{
	if (measured >= TICKS_PER_MS_MIN && measured <= TICKS_PER_MS_MAX)
		ticks_per_ms = measured;
}

void clock_start(void)
{
	uint64_t found = xen_ticks_per_ms();

	if (found < TICKS_PER_MS_MIN)
		found = by_timer();
	if (found < TICKS_PER_MS_MIN)
		found = by_cpuid();
	clock_use(found);
}

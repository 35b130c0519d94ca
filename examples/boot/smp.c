/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "layout.h"
#include "smp.h"
#include "text.h"

/* smp_start() stops waiting if no further processor arrives for SETTLED_MS, or for MISSING_MS if
 * firmware lists the processors. A busy host delays a processor by less. */
#define SETTLED_MS 300
#define MISSING_MS 3000

/* A processor that shows no progress for this long is stopped. */
#ifndef SMP_LIMIT_MS
#define SMP_LIMIT_MS 20000
#endif
static const uint64_t limit_ms = SMP_LIMIT_MS;

/* Intel SDM volume 3, "MP Initialization Protocol": INIT, 10 ms, SIPI, 200 us, SIPI. Processors
 * with 64-bit mode are ready earlier, so the first SIPI is sent after SOON_US. If a processor does
 * not respond within ANSWER_MS, the SIPIs are repeated with the waits of the protocol. */
#define INIT_US    10000
#define STARTUP_US 200
#define SOON_US    100
#define ANSWER_MS  20

/* Shared with entry.S, in this order: each processor's identifier, with SMP_KNOWN_BIT set; how many
 * processors have reserved a place for it; how many have stored it; the number of the processor
 * whose turn it is, 0 while processors store their identifiers. */
volatile uint64_t smp_known[SMP_MAX];
volatile uint32_t smp_arrived, smp_registered, smp_turn;
extern const uint8_t trampoline[], trampoline_end[];
extern const uint8_t other_stack[], other_stack_top[];

/* Called by entry.S. */
void smp_begin(uint32_t cpu);

/* Set by the processor whose turn it is: how often it has called smp_sign(), whether it has
 * finished, and why it failed. */
static volatile uint32_t signs;
static volatile int finished;
static const char *volatile failure;

void smp_sign(void)
{
	if (smp_turn == SMP_NOBODY)
		halt_for_ever();
	signs++;
}

void smp_fail(const char *why)
{
	failure = why;
	halt_for_ever();
}

void smp_begin(uint32_t cpu)
{
	smp_sign();
	smp_main(cpu);
	finished = 1;
}

int smp_on_turn(void)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	return here > (uintptr_t)other_stack && here <= (uintptr_t)other_stack_top;
}

/* Sorts the identifiers and removes gaps: a processor may have reserved its place without having
 * stored its identifier yet. Returns the number of identifiers. */
static uint32_t put_in_order(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SMP_MAX; i++) {
		const uint64_t one = smp_known[i];
		uint32_t at = count;

		if (!one)
			continue;
		for (; at > 0 && smp_known[at - 1] > one; at--)
			smp_known[at] = smp_known[at - 1];
		smp_known[at] = one;
		count++;
	}
	return count;
}

/* Waits until `others` processors have stored their identifiers. Returns 1, or 0 if no further
 * processor does so within `limit` milliseconds. */
static int have_come(uint32_t others, uint32_t limit)
{
	uint32_t seen = smp_registered;
	uint64_t since = clock_now();

	while (seen < others) {
		if (clock_ms_since(since) > limit)
			return 0;
		apic_wait();
		if (smp_registered != seen) {
			seen = smp_registered;
			since = clock_now();
		}
	}
	return 1;
}

uint32_t smp_start(uint32_t present)
{
	const uint32_t others = present ? present - 1 : UINT32_MAX;

	memcpy((void *)TRAMPOLINE, trampoline, (uintptr_t)trampoline_end - (uintptr_t)trampoline);
	apic_init(APIC_OTHERS);
	clock_wait_us(SOON_US);
	apic_startup(APIC_OTHERS);
	if (!have_come(others, ANSWER_MS)) {
		/* More than INIT_US has passed since INIT was sent. A processor that has already
		 * started ignores both startup interrupts. */
		apic_startup(APIC_OTHERS);
		clock_wait_us(STARTUP_US);
		apic_startup(APIC_OTHERS);
		(void)have_come(others, present ? MISSING_MS : SETTLED_MS);
	}
	/* From now on, a processor that arrives late halts without being registered. */
	smp_turn = SMP_NOBODY;
	return put_in_order();
}

static void call(uint32_t id)
{
	uint64_t since;

	apic_init(id);
	clock_wait_us(SOON_US);
	apic_startup(id);
	since = clock_now();
	while (!signs && clock_ms_since(since) <= ANSWER_MS)
		apic_wait();
	if (signs)
		return;
	apic_init(id);
	clock_wait_us(INIT_US);
	apic_startup(id);
	clock_wait_us(STARTUP_US);
	apic_startup(id);
}

const char *smp_run(uint32_t cpu)
{
	const uint32_t id = (uint32_t)smp_known[cpu - 1];
	uint32_t seen = 0;
	uint64_t since;

	signs = 0;
	finished = 0;
	failure = NULL;
	smp_turn = cpu;
	call(id);
	since = clock_now();
	while (!finished && !failure && clock_ms_since(since) < limit_ms) {
		if (signs != seen) {
			seen = signs;
			since = clock_now();
		}
		apic_wait();
	}
	if (finished)
		return NULL;
	/* INIT stops the processor, whatever it was doing, until it is started again. */
	smp_turn = SMP_NOBODY;
	apic_init(id);
	clock_wait_us(INIT_US);
	return failure ? failure : "no progress after its last step, so it was stopped";
}

/* SPDX-License-Identifier: MIT */
/*
 * Xen's console for guests: a ring buffer in a page that the guest shares with the console's
 * reader. An event wakes the reader. A PVH guest of Xen has no serial port.
 *
 * Xen's public headers: arch-x86/cpuid.h, hvm/params.h, io/console.h, event_channel.h, xen.h.
 */
#include "clock.h"
#include "cpu.h"
#include "text.h"
#include "xen.h"

#define SIGNATURE_EBX      0x566e6558 /* "XenVMMXenVMM" */
#define SIGNATURE_ECX      0x65584d4d
#define SIGNATURE_EDX      0x4d4d566e
#define LEAVES_STEP        0x100
#define LEAVES_END         0x40010000
#define LEAF_HYPERCALLS    2 /* EBX: the MSR that takes the address of the hypercall page */
#define LEAF_TIME          3 /* ECX: the counter's frequency in kHz */

#define HYPERCALL_SIZE     32
#define CALL_CONSOLE_IO    18
#define CALL_EVENT_CHANNEL 32
#define CALL_HVM           34

#define CONSOLE_IO_WRITE   0
#define EVENT_CHANNEL_SEND 4
#define HVM_GET_PARAMETER  1
#define PARAMETER_RING     17
#define PARAMETER_EVENT    18
#define DOMAIN_SELF        0x7ff0

#define MAPPED_PAGES       (UINT64_C(1) << 20) /* entry.S maps 4 GiB */

/* How long the console waits for its reader. Without a reader, the test must continue. */
#define READER_LIMIT_MS    1000

struct ring {
	char in[1024], out[2048];
	uint32_t in_taken, in_put, out_taken, out_put;
};

struct parameter {
	uint16_t domain;
	uint32_t index;
	uint64_t value;
};

/* Xen writes the code of its hypercalls into this page. */
static uint8_t hypercalls[4096] __attribute__((aligned(4096)));
static int have_hypercalls;
static volatile struct ring *ring;
static uint32_t event;
static int reader_gone;

/* The current line. Used if there is no ring, as in dom0, where Xen itself prints the text, one
 * line at a time. */
static struct line line;

static uint32_t leaves(void)
{
	uint32_t regs[4];

	if (!(cpuid_ecx(1) & CPUID_1_ECX_HYPERVISOR))
		return 0;
	for (uint32_t base = CPUID_HYPERVISOR; base < LEAVES_END; base += LEAVES_STEP) {
		cpuid(base, 0, regs);
		if (regs[1] == SIGNATURE_EBX && regs[2] == SIGNATURE_ECX &&
		    regs[3] == SIGNATURE_EDX)
			return base;
	}
	return 0;
}

static long hypercall(uint32_t number, long a, uintptr_t b, uintptr_t c)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : [entry] "r"(hypercalls + HYPERCALL_SIZE * number)
			 : "memory", "rcx", "r8", "r9", "r10", "r11");
	return result;
}

static uint64_t parameter(uint32_t index)
{
	struct parameter wanted = {.domain = DOMAIN_SELF, .index = index};

	return hypercall(CALL_HVM, HVM_GET_PARAMETER, (uintptr_t)&wanted, 0) ? 0 : wanted.value;
}

static void wake_reader(void)
{
	uint32_t port = event;

	(void)hypercall(CALL_EVENT_CHANNEL, EVENT_CHANNEL_SEND, (uintptr_t)&port, 0);
}

/* Waits until at most `waiting` characters are left in the ring. Returns 0, or 1 if a wait has
 * taken longer than READER_LIMIT_MS. */
static int wait_for_reader(uint32_t waiting)
{
	const uint64_t then = clock_now();

	while (!reader_gone && ring->out_put - ring->out_taken > waiting)
		if (clock_ms_since(then) > READER_LIMIT_MS)
			reader_gone = 1;
		else
			wake_reader();
	return reader_gone;
}

void xen_console_start(void)
{
	const uint32_t base = leaves();
	uint32_t regs[4];
	uint64_t page;

	if (!base)
		return;
	cpuid(base + LEAF_HYPERCALLS, 0, regs);
	if (!regs[0])
		return;
	wrmsr(regs[1], (uintptr_t)hypercalls);
	have_hypercalls = 1;
	page = parameter(PARAMETER_RING);
	event = (uint32_t)parameter(PARAMETER_EVENT);
	if (page && page < MAPPED_PAGES)
		ring = (volatile struct ring *)(uintptr_t)(page << 12);
}

void xen_console_put(char c)
{
	const char text[] = {c, '\0'};

	if (!have_hypercalls)
		return;
	if (ring) {
		if (wait_for_reader(sizeof ring->out - 1))
			return;
		ring->out[ring->out_put % sizeof ring->out] = c;
		__asm__ volatile("" : : : "memory"); /* data before index */
		ring->out_put++;
		if (c == '\n')
			wake_reader();
		return;
	}
	line_text(&line, text);
	if (c != '\n')
		return;
	(void)hypercall(CALL_CONSOLE_IO, CONSOLE_IO_WRITE, line.used, (uintptr_t)line.text);
	line.used = 0;
}

void xen_console_drain(void)
{
	if (ring)
		(void)wait_for_reader(0);
}

uint64_t xen_ticks_per_ms(void)
{
	const uint32_t base = leaves();
	uint32_t regs[4];

	if (!base)
		return 0;
	cpuid(base + LEAF_TIME, 0, regs);
	return regs[2];
}

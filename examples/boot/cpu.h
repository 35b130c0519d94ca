/* SPDX-License-Identifier: MIT */
/* What C has no words for. */
#ifndef BOOT_CPU_H
#define BOOT_CPU_H

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint32_t cpuid_edx(uint32_t leaf)
{
	uint32_t eax = leaf, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx;
}

/* About a microsecond on a physical machine, by custom; less in a virtual one. */
static inline void io_delay(void)
{
	(void)inb(0x80);
}

static inline void halt_for_ever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif

/* SPDX-License-Identifier: MIT */
/* Instructions that C cannot express. */
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

#define CPUID_HYPERVISOR       0x40000000
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_1_EDX_APIC       (1u << 9)

/* Stores EAX, EBX, ECX and EDX in `regs`, in this order. */
static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(subleaf));
}

/* Returns the highest leaf of the group that begins with leaf `group`; `group` itself if the
 * processor reports no other leaf of the group. */
static inline uint32_t cpuid_max(uint32_t group)
{
	uint32_t regs[4];

	cpuid(group, 0, regs);
	return regs[0] >= group && regs[0] - group < 0x10000 ? regs[0] : group;
}

static inline uint32_t cpuid_ecx(uint32_t leaf)
{
	uint32_t regs[4];

	cpuid(leaf, 0, regs);
	return regs[2];
}

static inline uint32_t cpuid_edx(uint32_t leaf)
{
	uint32_t regs[4];

	cpuid(leaf, 0, regs);
	return regs[3];
}

_Noreturn static inline void halt_for_ever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif

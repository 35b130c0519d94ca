/* SPDX-License-Identifier: MIT */
/* Instructions that C cannot express, and the bits of registers that they use. */
#ifndef HOST_CPU_H
#define HOST_CPU_H

#include <stdint.h>

#define MSR_EFER                  0xc0000080u
#define MSR_FS_BASE               0xc0000100u
#define MSR_GS_BASE               0xc0000101u
#define MSR_KERNEL_GS_BASE        0xc0000102u
#define MSR_VM_CR                 0xc0010114u
#define MSR_VM_HSAVE_PA           0xc0010117u

#define EFER_SCE                  (UINT64_C(1) << 0)
#define EFER_LME                  (UINT64_C(1) << 8)
#define EFER_LMA                  (UINT64_C(1) << 10)
#define EFER_NXE                  (UINT64_C(1) << 11)
#define EFER_SVME                 (UINT64_C(1) << 12)
#define EFER_FFXSR                (UINT64_C(1) << 14)

#define VM_CR_SVMDIS              (UINT64_C(1) << 4)

#define CR0_PG                    (UINT64_C(1) << 31)

#define CR4_LA57                  (UINT64_C(1) << 12)
#define CR4_FSGSBASE              (UINT64_C(1) << 16)
#define CR4_OSXSAVE               (UINT64_C(1) << 18)

/* CPUID leaves, and their bits that matter here. */
#define CPUID_FEATURES            1u
#define CPUID_1_ECX_OSXSAVE       (1u << 27)
#define CPUID_1_ECX_HYPERVISOR    (1u << 31)
#define CPUID_STRUCTURED_FEATURES 7u
#define CPUID_7_EBX_FSGSBASE      (1u << 0)
#define CPUID_EXTENDED_HIGHEST    0x80000000u
#define CPUID_EXTENDED_FEATURES   0x80000001u
#define CPUID_EXT_ECX_SVM         (1u << 2)
#define CPUID_EXTENDED_SVM        0x8000000au

/* The end of the identity map that entry.S and uefi.c make. The host cannot access memory at or
 * above this address. */
#define MAPPED                    (UINT64_C(1) << 32)

/* The calling convention of the functions in guest.S. It may differ from the compiler's own
 * convention. */
#define SYSV_ABI                  __attribute__((sysv_abi))

enum vector { VECTOR_UD = 6, VECTOR_GP = 13 };

/* The numbers that stand for the registers in an instruction's fields. */
enum gpr { GPR_RAX = 0, GPR_RCX = 1, GPR_RDX = 2, GPR_RBX = 3, GPR_RSP = 4, GPR_COUNT = 16 };

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* The operand of SGDT, SIDT and LIDT. */
struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid c;

	__asm__ volatile("cpuid"
			 : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
			 : "a"(leaf), "c"(subleaf));
	return c;
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

#define READ_REGISTER(reg)                                            \
	static inline uint64_t read_##reg(void)                       \
	{                                                             \
		uint64_t value;                                       \
                                                                      \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(value)); \
		return value;                                         \
	}

#define READ_SEGMENT(reg)                                             \
	static inline uint16_t read_##reg(void)                       \
	{                                                             \
		uint16_t value;                                       \
                                                                      \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(value)); \
		return value;                                         \
	}

READ_SEGMENT(cs)
READ_SEGMENT(ds)
READ_SEGMENT(es)
READ_SEGMENT(ss)
READ_REGISTER(cr0)
READ_REGISTER(cr3)
READ_REGISTER(cr4)
READ_REGISTER(dr6)
READ_REGISTER(dr7)

#endif

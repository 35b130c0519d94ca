/* SPDX-License-Identifier: MIT */
/* The state of the guest in a VMCB (AMD64 Architecture Programmer's Manual 2, appendix B). */
#ifndef HOST_SVM_H
#define HOST_SVM_H

#include <stdint.h>
#include "cpu.h"
#include "policy.h"

struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes; /* descriptor bits 40-47 and 52-55 */
	uint32_t limit;
	uint64_t base;
};

#define SEGMENT_LONG 0x200 /* a 64-bit code segment */

struct vmcb {
	/* Control area. */
	uint16_t intercept_cr_read;
	uint16_t intercept_cr_write;
	uint32_t intercept_dr;
	uint32_t intercept_exceptions;
	uint64_t intercepts;
	uint8_t reserved_014[0x048 - 0x014];
	uint64_t msr_permissions;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[0x068 - 0x05d];
	uint64_t interrupt_state;
	uint64_t exit_code;
	uint64_t exit_info_1;
	uint64_t exit_info_2;
	uint64_t exit_interrupt;
	uint8_t reserved_090[0x0a8 - 0x090];
	uint64_t event_injection;
	uint8_t reserved_0b0[0x400 - 0x0b0];

	/* State save area. */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint8_t reserved_4cc[0x4d0 - 0x4cc];
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint8_t reserved_600[0x1000 - 0x600];
} __attribute__((packed, aligned(4096)));

/* Bits of vmcb.intercepts, and values of vmcb.exit_code. */
#define INTERCEPT_CPUID       (UINT64_C(1) << 18)
#define INTERCEPT_INVLPGA     (UINT64_C(1) << 26)
#define INTERCEPT_MSR         (UINT64_C(1) << 28)
#define INTERCEPT_SHUTDOWN    (UINT64_C(1) << 31)
#define INTERCEPT_VMRUN       (UINT64_C(1) << 32)
#define INTERCEPT_VMMCALL     (UINT64_C(1) << 33)
#define INTERCEPT_VMLOAD      (UINT64_C(1) << 34)
#define INTERCEPT_VMSAVE      (UINT64_C(1) << 35)
#define INTERCEPT_STGI        (UINT64_C(1) << 36)
#define INTERCEPT_CLGI        (UINT64_C(1) << 37)
#define INTERCEPT_SKINIT      (UINT64_C(1) << 38)

#define EXIT_CR4_READ         0x004
#define EXIT_CR4_WRITE        0x014
#define EXIT_EXCEPTION        0x040 /* plus the vector */
#define EXIT_CPUID            0x072
#define EXIT_INVLPGA          0x07a
#define EXIT_MSR              0x07c
#define EXIT_SHUTDOWN         0x07f
#define EXIT_VMRUN            0x080
#define EXIT_SKINIT           0x086

#define TLB_CONTROL_FLUSH_ALL 1

/* vmcb.event_injection */
#define EVENT_VALID           (UINT64_C(1) << 31)
#define EVENT_ERROR_CODE      (UINT64_C(1) << 11)
#define EVENT_EXCEPTION       (UINT64_C(3) << 8)

struct guest {
	struct vmcb *vmcb;
	struct policy policy;
	uint64_t gpr[GPR_COUNT]; /* by register number; exits_handle() alone uses RAX and RSP */
	uint64_t shown_cr4;      /* CR4_FSGSBASE if the guest reads the bit as set, or 0 */
};

/*
 * Turns the caller into a guest of the host that @policy describes. The host runs with the page
 * tables at @host_cr3. They map the memory below MAPPED one to one, and the guest must not change
 * them.
 */
void svm_launch(const struct policy *policy, uint64_t host_cr3);

/* Handles the exit that the VMCB describes; see exits.c. */
void exits_handle(struct guest *guest);

#endif

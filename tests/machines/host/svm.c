/* SPDX-License-Identifier: MIT */
/*
 * The running program becomes the guest of its own host.
 *
 * The VMCB gets the current state of this program. After VMRUN the program continues where it was,
 * as the guest. The guest uses the memory, the devices and the interrupts of the machine directly.
 * The host intercepts only what the policy changes, what makes the host look like Hyper-V, what
 * would let the guest see or use SVM, and a shutdown.
 */
#include <stddef.h>
#include "console.h"
#include "layout.h"
#include "svm.h"
#include "text.h"

_Static_assert(offsetof(struct vmcb, msr_permissions) == 0x048, "VMCB layout");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x070, "VMCB layout");
_Static_assert(offsetof(struct vmcb, event_injection) == 0x0a8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rip) == VMCB_RIP, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rsp) == VMCB_RSP, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB layout");

#define CODE64_ATTRIBUTES 0xa9b
#define DATA_ATTRIBUTES   0xc93
#define RFLAGS_RESERVED   0x2 /* bit 1, always 1; IF is 0, so interrupts are off */

/* The permission map has two bits for each MSR: for reads and for writes. The part for the MSRs
 * from 0xc0000000 on begins at 2 KiB. */
#define MSR_MAP_SIZE      8192
#define MSR_MAP_HIGH      2048
#define MSR_MAP_HIGH_BASE 0xc0000000u
#define MSR_MAP_READ      1u
#define MSR_MAP_WRITE     2u

SYSV_ABI void become_guest(struct vmcb *vmcb, SYSV_ABI void (*host_loop)(void), uint64_t host_cr3);
SYSV_ABI void run_guest(struct vmcb *vmcb, uint64_t gpr[GPR_COUNT]);

static struct vmcb vmcb;
static struct guest guest;
static uint8_t host_save_area[4096] __attribute__((aligned(4096)));
static uint8_t msr_map[MSR_MAP_SIZE] __attribute__((aligned(4096)));

static void require_svm(void)
{
	uint32_t highest = cpuid(CPUID_EXTENDED_HIGHEST, 0).eax;

	if (highest < CPUID_EXTENDED_FEATURES ||
	    !(cpuid(CPUID_EXTENDED_FEATURES, 0).ecx & CPUID_EXT_ECX_SVM))
		stop("this processor has no SVM; highest extended leaf", highest);
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		stop("the firmware has switched SVM off; VM_CR", rdmsr(MSR_VM_CR));
}

/* The host can show CR4.FSGSBASE to the guest on any processor, but can set the real bit only if
 * the processor has FSGSBASE. */
static void require_fsgsbase(void)
{
	uint32_t highest = cpuid(0, 0).eax;

	if (highest < CPUID_STRUCTURED_FEATURES ||
	    !(cpuid(CPUID_STRUCTURED_FEATURES, 0).ebx & CPUID_7_EBX_FSGSBASE))
		stop("this host needs a processor with FSGSBASE; highest leaf", highest);
}

static void intercept_msr(uint32_t msr, unsigned int accesses)
{
	uint32_t bit = (msr - MSR_MAP_HIGH_BASE) * 2;

	msr_map[MSR_MAP_HIGH + bit / 8] |= (uint8_t)(accesses << bit % 8);
}

static void set_intercepts(enum emulation emulation)
{
	vmcb.intercept_cr_read = 1 << 4;
	vmcb.intercept_cr_write = 1 << 4;
	vmcb.intercepts = INTERCEPT_CPUID | INTERCEPT_MSR | INTERCEPT_SHUTDOWN |
			  /* EFER.SVME is set while the guest runs, so these instructions would work
			   * without an intercept. */
			  INTERCEPT_INVLPGA | INTERCEPT_VMRUN | INTERCEPT_VMMCALL |
			  INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI | INTERCEPT_CLGI |
			  INTERCEPT_SKINIT;
	/* Accesses to MSRs outside the map always exit: the synthetic MSRs of Hyper-V, too. */
	intercept_msr(MSR_EFER, MSR_MAP_READ | MSR_MAP_WRITE);
	if (emulation != EMULATE_NONE) {
		vmcb.intercept_exceptions = 1u << VECTOR_UD;
		/* QEMU does not check whether the operands of the four instructions and of WRMSR
		 * are canonical, so the host checks them. */
		intercept_msr(MSR_FS_BASE, MSR_MAP_WRITE);
		intercept_msr(MSR_GS_BASE, MSR_MAP_WRITE);
		intercept_msr(MSR_KERNEL_GS_BASE, MSR_MAP_WRITE);
	}
	vmcb.msr_permissions = (uintptr_t)msr_map;
}

static void copy_own_state(void)
{
	struct table_register gdtr, idtr;

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	__asm__ volatile("sidt %0" : "=m"(idtr));

	/* The guest keeps this program's selectors. In 64-bit mode, these segments are flat. */
	vmcb.cs = (struct vmcb_segment){read_cs(), CODE64_ATTRIBUTES, UINT32_MAX, 0};
	vmcb.ds = (struct vmcb_segment){read_ds(), DATA_ATTRIBUTES, UINT32_MAX, 0};
	vmcb.es = (struct vmcb_segment){read_es(), DATA_ATTRIBUTES, UINT32_MAX, 0};
	vmcb.ss = (struct vmcb_segment){read_ss(), DATA_ATTRIBUTES, UINT32_MAX, 0};
	vmcb.gdtr.limit = gdtr.limit;
	vmcb.gdtr.base = gdtr.base;
	vmcb.idtr.limit = idtr.limit;
	vmcb.idtr.base = idtr.base;
	vmcb.efer = rdmsr(MSR_EFER);
	vmcb.cr0 = read_cr0();
	vmcb.cr3 = read_cr3();
	vmcb.cr4 = read_cr4();
	vmcb.dr6 = read_dr6();
	vmcb.dr7 = read_dr7();
	vmcb.rflags = RFLAGS_RESERVED;
}

SYSV_ABI static void host_loop(void)
{
	for (;;) {
		run_guest(&vmcb, guest.gpr);
		guest.gpr[GPR_RAX] = vmcb.rax;
		guest.gpr[GPR_RSP] = vmcb.rsp;
		vmcb.event_injection = 0;
		vmcb.tlb_control = 0;
		exits_handle(&guest);
		vmcb.rax = guest.gpr[GPR_RAX];
		vmcb.rsp = guest.gpr[GPR_RSP];
	}
}

void svm_launch(const struct policy *policy, uint64_t host_cr3)
{
	require_svm();
	if (policy->real_bit != REAL_BIT_CLEAR)
		require_fsgsbase();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)host_save_area);

	/* Set at run time, because this code and its data may be a copy: see uefi.c. */
	guest.vmcb = &vmcb;
	guest.policy = *policy;
	copy_own_state();
	if (policy->real_bit == REAL_BIT_SET)
		vmcb.cr4 |= CR4_FSGSBASE;
	set_intercepts(policy->emulation);
	vmcb.asid = 1;
	become_guest(&vmcb, host_loop, host_cr3);
}

/* SPDX-License-Identifier: MIT */
/* Handles each operation of the guest that the host intercepts. */
#include "console.h"
#include "fsgs.h"
#include "hyperv.h"
#include "insn.h"
#include "svm.h"

#define EFER_KNOWN  (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR)

#define KERNEL_HALF (UINT64_C(1) << 63)

static void inject(struct guest *guest, enum vector vector)
{
	guest->vmcb->event_injection = EVENT_VALID | EVENT_EXCEPTION | (uint64_t)vector;
	if (vector == VECTOR_GP)
		guest->vmcb->event_injection |= EVENT_ERROR_CODE;
}

static void skip(struct guest *guest, const struct insn *insn)
{
	struct vmcb *vmcb = guest->vmcb;

	vmcb->rip += insn->length;
	if (!insn_mode_64(vmcb))
		vmcb->rip &= UINT32_MAX;
	vmcb->interrupt_state = 0;
}

/* A 32-bit result clears the upper half, as in the processor. */
static void set_gpr_32(struct guest *guest, enum gpr number, uint32_t value)
{
	guest->gpr[number] = value;
}

/*
 * A base of the user half becomes zero, as if the host had loaded a null selector. A base of the
 * kernel's half is not changed: without it, the guest's kernel would crash at once.
 */
static void lose_gs_base(void)
{
	if (!(rdmsr(MSR_GS_BASE) & KERNEL_HALF))
		wrmsr(MSR_GS_BASE, 0);
}

static void exit_cpuid(struct guest *guest, const struct insn *insn)
{
	uint32_t leaf = (uint32_t)guest->gpr[GPR_RAX];
	uint32_t subleaf = (uint32_t)guest->gpr[GPR_RCX];
	struct cpuid c = cpuid(leaf, subleaf);

	if (leaf == CPUID_FEATURES) {
		c.ecx |= CPUID_1_ECX_HYPERVISOR;
		/* The processor copied this bit from the host's CR4. The guest must see the bit of
		 * its own CR4. */
		c.ecx &= ~CPUID_1_ECX_OSXSAVE;
		if (guest->vmcb->cr4 & CR4_OSXSAVE)
			c.ecx |= CPUID_1_ECX_OSXSAVE;
	} else if (leaf == CPUID_STRUCTURED_FEATURES && subleaf == 0) {
		c.ebx &= ~CPUID_7_EBX_FSGSBASE;
		if (guest->policy.cpuid)
			c.ebx |= CPUID_7_EBX_FSGSBASE;
	} else if (leaf == CPUID_EXTENDED_FEATURES) {
		c.ecx &= ~CPUID_EXT_ECX_SVM;
	} else if (leaf == CPUID_EXTENDED_SVM) {
		c = (struct cpuid){0};
	} else if (leaf >= HYPERV_LEAF_FIRST && leaf <= HYPERV_LEAF_LAST) {
		c = hyperv_cpuid(leaf);
	}

	set_gpr_32(guest, GPR_RAX, c.eax);
	set_gpr_32(guest, GPR_RBX, c.ebx);
	set_gpr_32(guest, GPR_RCX, c.ecx);
	set_gpr_32(guest, GPR_RDX, c.edx);
	if (guest->policy.loses_gs_base)
		lose_gs_base();
	skip(guest, insn);
}

static void exit_cr4_read(struct guest *guest, const struct insn *insn)
{
	guest->gpr[insn->rm] = (guest->vmcb->cr4 & ~CR4_FSGSBASE) | guest->shown_cr4;
	skip(guest, insn);
}

static void exit_cr4_write(struct guest *guest, const struct insn *insn)
{
	const struct policy *policy = &guest->policy;
	uint64_t asked = guest->gpr[insn->rm];
	uint64_t bit = asked & CR4_FSGSBASE;

	if (!insn_mode_64(guest->vmcb))
		asked &= UINT32_MAX;
	if (bit && policy->cr4_write == CR4_WRITE_FAULT) {
		inject(guest, VECTOR_GP);
		return;
	}
	guest->shown_cr4 = policy->cr4_write == CR4_WRITE_ACCEPT ? bit : 0;
	if (policy->real_bit == REAL_BIT_CLEAR)
		bit = 0;
	else if (policy->real_bit == REAL_BIT_SET)
		bit = CR4_FSGSBASE;
	guest->vmcb->cr4 = (asked & ~CR4_FSGSBASE) | bit;
	guest->vmcb->tlb_control = TLB_CONTROL_FLUSH_ALL;
	skip(guest, insn);
}

/* Keeps SVME set, because VMRUN refuses a guest without this bit. exit_rdmsr() hides the bit.
 * Returns false if the write must raise #GP. */
static bool write_efer(struct vmcb *vmcb, uint64_t value)
{
	if (value & ~EFER_KNOWN)
		return false;
	if ((vmcb->cr0 & CR0_PG) && ((value ^ vmcb->efer) & EFER_LME))
		return false;
	vmcb->efer = (value & ~EFER_LMA) | (vmcb->efer & EFER_LMA) | EFER_SVME;
	return true;
}

/* Returns false if the write must raise #GP. */
static bool write_msr(struct guest *guest, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_EFER:
		return write_efer(guest->vmcb, value);
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		return fsgs_write_base(guest->vmcb, msr, value);
	default:
		return hyperv_write_msr(msr, value);
	}
}

static void exit_wrmsr(struct guest *guest, const struct insn *insn)
{
	uint32_t msr = (uint32_t)guest->gpr[GPR_RCX];
	uint64_t value = guest->gpr[GPR_RDX] << 32 | (uint32_t)guest->gpr[GPR_RAX];

	if (write_msr(guest, msr, value))
		skip(guest, insn);
	else
		inject(guest, VECTOR_GP);
}

static void exit_rdmsr(struct guest *guest, const struct insn *insn)
{
	uint32_t msr = (uint32_t)guest->gpr[GPR_RCX];
	uint64_t value = guest->vmcb->efer & ~EFER_SVME;

	if (msr != MSR_EFER && !hyperv_read_msr(msr, &value)) {
		inject(guest, VECTOR_GP);
		return;
	}
	set_gpr_32(guest, GPR_RAX, (uint32_t)value);
	set_gpr_32(guest, GPR_RDX, (uint32_t)(value >> 32));
	skip(guest, insn);
}

/* Not every #UD comes from the four instructions: the guest's kernel marks bugs and warnings with
 * UD2. Instructions that the host does not emulate raise #UD in the guest. */
static void exit_undefined(struct guest *guest)
{
	struct insn insn;
	enum fsgs_result result = FSGS_NOT_OURS;

	if (insn_at_rip(guest->vmcb, &insn))
		result = fsgs_emulate(guest, &insn);
	if (result == FSGS_DONE)
		skip(guest, &insn);
	else
		inject(guest, result == FSGS_PROTECTION ? VECTOR_GP : VECTOR_UD);
}

/* Reads the instruction at RIP. Stops the machine if this is not the instruction that the exit code
 * names, because the host must not skip an unknown instruction. */
static struct insn expect(const struct guest *guest, uint8_t opcode)
{
	struct insn insn;

	if (!insn_at_rip(guest->vmcb, &insn) || insn.opcode != opcode)
		stop("cannot read the instruction at", guest->vmcb->rip);
	return insn;
}

void exits_handle(struct guest *guest)
{
	struct vmcb *vmcb = guest->vmcb;
	struct insn insn;

	switch (vmcb->exit_code) {
	case EXIT_CPUID:
		insn = expect(guest, OPCODE_CPUID);
		exit_cpuid(guest, &insn);
		break;
	case EXIT_CR4_READ:
		insn = expect(guest, OPCODE_MOV_FROM_CR);
		exit_cr4_read(guest, &insn);
		break;
	case EXIT_CR4_WRITE:
		insn = expect(guest, OPCODE_MOV_TO_CR);
		exit_cr4_write(guest, &insn);
		break;
	case EXIT_MSR:
		insn = expect(guest, vmcb->exit_info_1 ? OPCODE_WRMSR : OPCODE_RDMSR);
		if (vmcb->exit_info_1)
			exit_wrmsr(guest, &insn);
		else
			exit_rdmsr(guest, &insn);
		break;
	case EXIT_EXCEPTION + VECTOR_UD:
		exit_undefined(guest);
		break;
	case EXIT_SHUTDOWN:
		stop("the guest shut down (triple fault); its RIP was", vmcb->rip);
	default:
		if (vmcb->exit_code == EXIT_INVLPGA ||
		    (vmcb->exit_code >= EXIT_VMRUN && vmcb->exit_code <= EXIT_SKINIT))
			inject(guest, VECTOR_UD);
		else
			stop("an unexpected exit code (-1: VMRUN refused)", vmcb->exit_code);
	}
}

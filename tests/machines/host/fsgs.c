/* SPDX-License-Identifier: MIT */
#include "fsgs.h"

#define MOD_REGISTER 3
#define LOW_HALF     UINT64_C(0xffffffff)
/* The host adds this number to make a value wrong. With a flipped bit instead, the value could be
 * right again after a kernel has saved and restored the base twice. */
#define WRONG_BY     UINT64_C(0x1000)

static bool is_ours(const struct guest *guest, const struct insn *insn)
{
	return insn->opcode == OPCODE_GROUP_15 && insn->mod == MOD_REGISTER &&
	       (insn->reg & 7) < FSGS_INSN_COUNT && insn->repeat == PREFIX_REP && !insn->lock &&
	       insn_mode_64(guest->vmcb) && guest->shown_cr4;
}

static bool is_canonical(const struct vmcb *vmcb, uint64_t address)
{
	unsigned int unused = vmcb->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* VMRUN and exits do not switch the FS and GS bases, so the MSRs hold the guest's values. */
bool fsgs_write_base(const struct vmcb *vmcb, uint32_t msr, uint64_t base)
{
	if (!is_canonical(vmcb, base))
		return false;
	wrmsr(msr, base);
	return true;
}

enum fsgs_result fsgs_emulate(struct guest *guest, const struct insn *insn)
{
	enum fsgs_insn which = (enum fsgs_insn)(insn->reg & 7);
	enum emulation flaw = guest->policy.emulation;
	bool flawed =
		which == guest->policy.chosen && (guest->policy.rings & RING(guest->vmcb->cpl));
	bool writes = which == WRFSBASE || which == WRGSBASE;
	uint32_t msr = which == RDGSBASE || which == WRGSBASE ? MSR_GS_BASE : MSR_FS_BASE;
	uint64_t before, value;

	if (!is_ours(guest, insn) || (flawed && flaw == EMULATE_BUT_FAIL))
		return FSGS_NOT_OURS;

	before = writes ? rdmsr(msr) : guest->gpr[insn->rm];
	value = writes ? guest->gpr[insn->rm] : rdmsr(msr);
	if (flawed && flaw == EMULATE_BUT_WRONG)
		value += WRONG_BY;
	if (!insn->wide)
		value &= LOW_HALF;
	if (flawed && flaw == EMULATE_BUT_NARROW && !insn->wide)
		value |= before & ~LOW_HALF;

	if (!writes) {
		guest->gpr[insn->rm] = value;
		return FSGS_DONE;
	}
	return fsgs_write_base(guest->vmcb, msr, value) ? FSGS_DONE : FSGS_PROTECTION;
}

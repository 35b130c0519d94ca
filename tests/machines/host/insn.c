/* SPDX-License-Identifier: MIT */
#include "insn.h"

#define LONGEST      15

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_LARGE    (UINT64_C(1) << 7)
#define PTE_ADDRESS  UINT64_C(0x000ffffffffff000)
#define CR3_ADDRESS  UINT64_C(0x000ffffffffff000)
#define PAGE_BITS    12
#define TABLE_BITS   9
#define TABLE_MASK   UINT64_C(511)
#define LARGE_LEVELS 3 /* only an entry of the three lowest levels can map a page */

bool insn_mode_64(const struct vmcb *vmcb)
{
	return (vmcb->efer & EFER_LMA) && (vmcb->cs.attributes & SEGMENT_LONG);
}

/*
 * Translates a linear address of the guest: by the four or five levels of page tables in long mode,
 * or directly if paging is off. Other paging modes are not supported, because neither Linux nor a
 * Multiboot image uses them on its way to long mode.
 */
static bool translate(const struct vmcb *vmcb, uint64_t linear, uint64_t *physical)
{
	uint64_t table = vmcb->cr3 & CR3_ADDRESS;
	uint64_t entry, page;

	if (!(vmcb->cr0 & CR0_PG)) {
		*physical = linear & UINT32_MAX;
		return true;
	}
	if (!(vmcb->efer & EFER_LMA))
		return false;

	for (unsigned int level = vmcb->cr4 & CR4_LA57 ? 5 : 4; level; level--) {
		unsigned int shift = PAGE_BITS + TABLE_BITS * (level - 1);

		if (table >= MAPPED)
			return false;
		entry = ((const uint64_t *)table)[linear >> shift & TABLE_MASK];
		if (!(entry & PTE_PRESENT))
			return false;
		if (level == 1 || (level <= LARGE_LEVELS && (entry & PTE_LARGE))) {
			page = (UINT64_C(1) << shift) - 1;
			*physical = (entry & PTE_ADDRESS & ~page) | (linear & page);
			return *physical < MAPPED;
		}
		table = entry & PTE_ADDRESS;
	}
	return false;
}

/* Reads the instruction's bytes and returns their number. It may be less than LONGEST, because the
 * page after a short instruction may be absent. */
static unsigned int fetch(const struct vmcb *vmcb, uint8_t bytes[LONGEST])
{
	bool mode_64 = insn_mode_64(vmcb);
	unsigned int count = 0;

	for (; count < LONGEST; count++) {
		uint64_t linear = vmcb->rip + count;
		uint64_t physical;

		if (!mode_64)
			linear = (vmcb->cs.base + linear) & UINT32_MAX;
		if (!translate(vmcb, linear, &physical))
			break;
		bytes[count] = *(const uint8_t *)physical;
	}
	return count;
}

static bool has_modrm(uint8_t opcode)
{
	return opcode == OPCODE_MOV_FROM_CR || opcode == OPCODE_MOV_TO_CR ||
	       opcode == OPCODE_GROUP_15;
}

static bool is_known(uint8_t opcode)
{
	return has_modrm(opcode) || opcode == OPCODE_CPUID || opcode == OPCODE_RDMSR ||
	       opcode == OPCODE_WRMSR;
}

/* Consumes one legacy prefix. Returns false if the byte is not a prefix. */
static bool take_prefix(struct insn *insn, uint8_t byte)
{
	switch (byte) {
	case PREFIX_LOCK:
		insn->lock = true;
		return true;
	case PREFIX_REP:
	case PREFIX_REPNE:
		insn->repeat = byte;
		return true;
	case 0x26: /* segment overrides */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* operand size */
	case 0x67: /* address size */
		return true;
	default:
		return false;
	}
}

bool insn_at_rip(const struct vmcb *vmcb, struct insn *insn)
{
	uint8_t bytes[LONGEST];
	unsigned int count = fetch(vmcb, bytes);
	unsigned int at = 0;
	uint8_t rex = 0;

	*insn = (struct insn){0};
	while (at < count && take_prefix(insn, bytes[at]))
		at++;
	if (insn_mode_64(vmcb) && at < count && (bytes[at] & 0xf0) == 0x40)
		rex = bytes[at++];
	if (at + 2 > count || bytes[at] != 0x0f)
		return false;
	insn->opcode = bytes[at + 1];
	at += 2;
	if (!is_known(insn->opcode))
		return false;
	if (has_modrm(insn->opcode)) {
		if (at == count)
			return false;
		insn->mod = bytes[at] >> 6;
		insn->reg = (uint8_t)((bytes[at] >> 3 & 7) | (rex & 4) << 1);
		insn->rm = (uint8_t)((bytes[at] & 7) | (rex & 1) << 3);
		at++;
	}
	insn->wide = rex & 8;
	insn->length = (uint8_t)at;
	return true;
}

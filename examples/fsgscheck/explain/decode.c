/* SPDX-License-Identifier: MIT */
/* Decodes the instruction at RIP, for example from the marked byte of a `Code:` line on (SDM vol.
 * 2: instruction format, RDFSBASE, MOV to control registers). */
#include "explain.h"

static bool is_legacy_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: /* segment prefixes, which 64-bit mode ignores except FS and GS */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* operand size */
	case 0x67: /* address size */
	case 0xf2: /* repeat */
	case 0xf3:
		return true;
	default: /* not LOCK, which makes the instructions decoded here undefined */
		return false;
	}
}

static size_t skip_prefixes(const uint8_t *code, size_t length, uint8_t *repeat, uint8_t *rex)
{
	size_t at = 0;

	*repeat = *rex = 0;
	for (; at < length && is_legacy_prefix(code[at]); at++)
		if (code[at] == 0xf2 || code[at] == 0xf3)
			*repeat = code[at]; /* the last F2 or F3 counts */
	/* REX counts only right before the opcode. */
	if (at < length && (code[at] & 0xf0) == 0x40)
		*rex = code[at++];
	return at;
}

int explain_decode_insn(const uint8_t *code, size_t length)
{
	uint8_t repeat, rex;
	const size_t at = skip_prefixes(code, length, &repeat, &rex);

	if ((length > at && code[at] != 0x0f) || (length > at + 1 && code[at + 1] != 0xae))
		return -1;
	if (length > at && repeat != 0xf3)
		return -1;
	if (length < at + 3)
		return -2;

	const uint8_t modrm = code[at + 2];
	const int digit = modrm >> 3 & 7;

	/* With a memory operand or another digit, the opcode is another instruction: PTWRITE,
	 * INCSSP, UMONITOR, CLRSSBSY. */
	return modrm >> 6 == 3 && digit < FSGS_INSNS ? digit : -1;
}

int explain_decode_cr4_write(const uint8_t *code, size_t length)
{
	uint8_t repeat, rex;
	const size_t at = skip_prefixes(code, length, &repeat, &rex);

	if (length < at + 3 || code[at] != 0x0f || code[at + 1] != 0x22)
		return -1;
	/* ModRM.reg is the number of the control register, with REX.R as its high bit. The
	 * processor ignores ModRM.mod. */
	if ((code[at + 2] >> 3 & 7) != 4 || (rex & 4))
		return -1;
	return (code[at + 2] & 7) | (rex & 1) << 3;
}

const char *explain_cr4_bit(uint32_t bit)
{
	static const char *const names[64] = {
		[0] = "VME",    [1] = "PVI",      [2] = "TSD",         [3] = "DE",
		[4] = "PSE",    [5] = "PAE",      [6] = "MCE",         [7] = "PGE",
		[8] = "PCE",    [9] = "OSFXSR",   [10] = "OSXMMEXCPT", [11] = "UMIP",
		[12] = "LA57",  [13] = "VMXE",    [14] = "SMXE",       [16] = "FSGSBASE",
		[17] = "PCIDE", [18] = "OSXSAVE", [19] = "KL",         [20] = "SMEP",
		[21] = "SMAP",  [22] = "PKE",     [23] = "CET",        [24] = "PKS",
		[25] = "UINTR", [27] = "LASS",    [28] = "LAM_SUP",    [32] = "FRED",
	};

	return bit < 64 ? names[bit] : NULL;
}

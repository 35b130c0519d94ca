/* SPDX-License-Identifier: MIT */
/*
 * Reads the guest's current instruction.
 *
 * QEMU's SVM reports neither the next RIP nor the operands, so the host reads the bytes itself,
 * through the guest's page tables.
 */
#ifndef HOST_INSN_H
#define HOST_INSN_H

#include <stdbool.h>
#include "svm.h"

/* The opcode bytes after 0x0f. */
#define OPCODE_MOV_FROM_CR 0x20
#define OPCODE_MOV_TO_CR   0x22
#define OPCODE_WRMSR       0x30
#define OPCODE_RDMSR       0x32
#define OPCODE_CPUID       0xa2
#define OPCODE_GROUP_15    0xae

#define PREFIX_LOCK        0xf0
#define PREFIX_REPNE       0xf2
#define PREFIX_REP         0xf3

struct insn {
	uint8_t length;
	uint8_t opcode; /* the byte after 0x0f */
	uint8_t repeat; /* the last of the REP and REPNE prefixes, or 0 */
	uint8_t mod;    /* from ModRM; mod, reg and rm are 0 if the opcode has no ModRM byte */
	uint8_t reg;    /* from ModRM, with REX.R as bit 3 */
	uint8_t rm;     /* from ModRM, with REX.B as bit 3 */
	bool wide;      /* REX.W */
	bool lock;
};

/* Whether the guest is in 64-bit mode, as opposed to compatibility or protected mode. */
bool insn_mode_64(const struct vmcb *vmcb);

/* Decodes the instruction at the guest's RIP. Returns false if its bytes cannot be read, or if its
 * opcode is none of those above. */
bool insn_at_rip(const struct vmcb *vmcb, struct insn *insn);

#endif

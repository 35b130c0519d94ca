/* SPDX-License-Identifier: MIT */
/* Decodes the instruction that faulted, and its operand (SDM vol. 2: instruction format, RDFSBASE,
 * WRFSBASE, CPUID). */
#include "death.h"
#include "../explain/explain.h"

#include <string.h>

/* The selector of 32-bit code in user space (Linux, __USER32_CS). */
#define USER32_CS 0x23

static const char *register_name(uint32_t number, uint32_t width)
{
	static const char *const wide[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	static const char *const narrow[] = {
		"eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
		"r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d",
	};

	return width == 64 ? wide[number] : narrow[number];
}

static uint64_t register_value(const struct user_regs_struct *regs, uint32_t number)
{
	const unsigned long long by_number[] = {
		regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp,
		regs->rsi, regs->rdi, regs->r8,  regs->r9,  regs->r10, regs->r11,
		regs->r12, regs->r13, regs->r14, regs->r15,
	};

	return by_number[number];
}

/* Whether bits 63 to 47 of a value are equal, as 4-level paging requires. 5-level paging requires
 * this only of bits 63 to 56, but the result is used only after the processor has refused the
 * value with #GP. */
static bool is_canonical(uint64_t value)
{
	const int64_t top = (int64_t)value >> 47;

	return top == 0 || top == -1;
}

static bool is_cpuid(const uint8_t *code, size_t length)
{
	return length >= 2 && code[0] == 0x0f && code[1] == 0xa2;
}

static void put_operand(struct fault *fault, const struct user_regs_struct *regs)
{
	size_t opcode = 0;
	uint32_t number;
	uint8_t rex = 0;

	/* No prefix is 0f, so the first 0f is the opcode. */
	while (fault->code[opcode] != 0x0f)
		opcode++;
	if (opcode && (fault->code[opcode - 1] & 0xf0) == 0x40)
		rex = fault->code[opcode - 1];
	number = (fault->code[opcode + 2] & 7u) | (rex & 1u) << 3;
	fault->width = rex & 8 ? 64 : 32;
	fault->operand = register_name(number, fault->width);
	fault->value = register_value(regs, number);
	if (fault->width == 32)
		fault->value &= UINT32_MAX;
	/* In 32-bit mode the byte before 0f is no REX prefix but an instruction of its own. */
	if (rex && fault->mode == FSGS_MODE_COMPAT)
		fault->cause = FAULT_NONE;
	fault->length = opcode + 3;
}

void fault_decode(struct fault *fault, const siginfo_t *info, const struct user_regs_struct *regs,
		  const uint8_t *code, size_t length)
{
	const int insn = explain_decode_insn(code, length);
	const bool is_gp = info->si_signo == SIGSEGV && info->si_code == SI_KERNEL;

	memset(fault, 0, sizeof *fault);
	fault->mode = regs->cs == USER32_CS ? FSGS_MODE_COMPAT : FSGS_MODE_64BIT;
	fault->address = regs->rip;
	fault->length = length < FAULT_CODE ? length : FAULT_CODE;
	memcpy(fault->code, code, fault->length);
	if (info->si_code <= 0)
		return; /* sent by a program */
	if (is_gp && is_cpuid(code, length)) {
		fault->cause = FAULT_CPUID;
		fault->length = 2;
		return;
	}
	if (insn < 0)
		return;
	fault->insn = (uint32_t)insn;
	if (info->si_signo == SIGILL)
		fault->cause = FAULT_UNDEFINED;
	put_operand(fault, regs);
	if (is_gp && fault->width == 64 && !is_canonical(fault->value) &&
	    (insn == FSGS_INSN_WRFSBASE || insn == FSGS_INSN_WRGSBASE))
		fault->cause = FAULT_VALUE;
}

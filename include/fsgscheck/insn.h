/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief The four instructions as macros, by which all code of the library executes them.
 *
 * Usable from C and from assembly. The macros do not need `-mfsgsbase`: without it, the compiler
 * does not generate these instructions, but the assembler accepts their mnemonics. The operand
 * chooses the form: a 64-bit register gives F3 REX.W 0F AE /digit, a 32-bit register F3 0F AE
 * /digit, with mod=11. The digit is the number of the instruction in enum fsgs_insn.
 *
 * Source: SDM vol. 2, RDFSBASE/RDGSBASE and WRFSBASE/WRGSBASE.
 */
#ifndef FSGSCHECK_INSN_H
#define FSGSCHECK_INSN_H

#define FSGS_RDFSBASE rdfsbase /**< F3 0F AE /0 */
#define FSGS_RDGSBASE rdgsbase /**< F3 0F AE /1 */
#define FSGS_WRFSBASE wrfsbase /**< F3 0F AE /2 */
#define FSGS_WRGSBASE wrgsbase /**< F3 0F AE /3 */

#ifndef __ASSEMBLER__
#define FSGS_INSN_STRING_(mnemonic) #mnemonic /**< Quotes the mnemonic, expanded by FSGS_ASM(). */
/** The instruction as text for an inline assembly template: `FSGS_ASM(FSGS_RDGSBASE, "%0")`. */
#define FSGS_ASM(mnemonic, operand) FSGS_INSN_STRING_(mnemonic) " " operand
#endif

#endif

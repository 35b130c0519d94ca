/* SPDX-License-Identifier: MIT */
/* The behaviour of the host: one row of the table in policy.c. */
#ifndef HOST_POLICY_H
#define HOST_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* The four instructions, by the number in the reg field of their ModRM byte. */
enum fsgs_insn { RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE, FSGS_INSN_COUNT };

/* The effect of a write to CR4 by which the guest sets the FSGSBASE bit. */
enum cr4_write {
	CR4_WRITE_ACCEPT,  /* the bit reads back as written */
	CR4_WRITE_DISCARD, /* the write succeeds, the bit reads back as 0 */
	CR4_WRITE_FAULT,   /* the write raises #GP */
};

/* The value of the real CR4 bit while the guest runs. */
enum real_bit {
	REAL_BIT_CLEAR,
	REAL_BIT_SET,
	REAL_BIT_AS_ASKED,
};

/* If the real CR4 bit is clear, all four instructions raise #UD. The host may intercept this fault
 * and emulate the instructions. */
enum emulation {
	EMULATE_NONE,       /* the guest gets the processor's #UD */
	EMULATE_ALL,        /* all four run correctly */
	EMULATE_BUT_FAIL,   /* three run, the chosen one raises #UD */
	EMULATE_BUT_WRONG,  /* all run, the chosen one moves a wrong value */
	EMULATE_BUT_NARROW, /* all run, but the chosen one's 32-bit form does not zero-extend */
};

struct policy {
	const char *name;
	bool launch;        /* whether to run a host; if not, the program only boots the module */
	bool cpuid;         /* CPUID.(EAX=7,ECX=0):EBX[0] as the guest reads it */
	bool loses_gs_base; /* a user-half GS base does not survive an intercepted CPUID */
	enum cr4_write cr4_write;
	enum real_bit real_bit;
	enum emulation emulation;
	/* The instruction that is emulated wrongly, and the privilege levels at which that happens.
	 * "insn=" and "ring=" on the command line change @chosen and @rings. */
	enum fsgs_insn chosen;
	uint8_t rings; /* a bit for each privilege level */
};

#define RING(n)   (1u << (n))
#define RINGS_ALL 0xfu

/*
 * Reads "host=NAME", "insn=NAME" and "ring=N" from the command line. Without "host=" the host is
 * "honest". An unknown name or ring stops the machine, because a test must not pass with a misspelt
 * host.
 */
struct policy policy_from_command_line(const char *line);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The data about one fault of a traced program. tracer.c and place.c collect the evidence
 * (registers, bytes, mappings). fault.c and advice.c decide which instruction faulted, and why.
 * print.c prints the results.
 */
#ifndef FSGSCHECK_RUN_DEATH_H
#define FSGSCHECK_RUN_DEATH_H

#include <fsgscheck.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

/* The length of the longest x86 instruction. */
#define FAULT_CODE 15

/* The cause of the fault. */
enum fault_cause {
	FAULT_NONE,      /* none of the causes below */
	FAULT_UNDEFINED, /* one of the four instructions raised #UD */
	FAULT_VALUE,     /* a write of a non-canonical address raised #GP (SDM vol. 2, WRFSBASE) */
	FAULT_CPUID      /* CPUID faults in this process (ARCH_SET_CPUID) */
};

struct fault {
	enum fault_cause cause;
	uint32_t insn; /* enum fsgs_insn; unused with FAULT_CPUID */
	uint32_t mode; /* enum fsgs_mode */
	uint32_t width;
	const char *operand; /* the operand register's name in that width; NULL for CPUID */
	uint64_t value;      /* the operand's value before the instruction */
	uint64_t address;
	size_t length;
	uint8_t code[FAULT_CODE];
};

/* The place of an address. Texts that are not known are empty. */
struct place {
	char module[256];
	uint64_t offset; /* relative to the module's load address */
	bool in_module;
	char symbol[128];
	uint64_t symbol_offset;
	char source[160]; /* file:line */
};

struct death {
	pid_t process, thread;
	char name[64]; /* the thread's comm */
	siginfo_t info;
	struct user_regs_struct regs;
	struct fault fault;
	struct place here, caller;
	int status;   /* as wait(2) returns it, if the process ended in its handler; else 0 */
	bool handled; /* the program's own handler received the signal */
};

/* fault.c: decodes a fault from the arguments alone. `code` has the first `length` bytes at RIP. */
void fault_decode(struct fault *fault, const siginfo_t *info, const struct user_regs_struct *regs,
		  const uint8_t *code, size_t length);

/* place.c: finds the places of a death. The thread must be stopped, and its memory must still be
 * mapped. */
void place_death(struct death *death);

/* place-dwarf.c, or place-plain.c in a build without libdw: finds the symbol and the source line at
 * the fault, and the calling function. */
void place_symbols(struct death *death);
/* place.c: finds the module of an address in /proc/TID/maps. The thread's file is used, because the
 * process's file is empty once the first thread has ended. */
void place_module(pid_t thread, uint64_t address, struct place *place);

/* advice.c */
/* The reason why the instruction fails in this program. `report` has this machine's verdict. */
const char *death_reason(const struct death *death, const struct fsgs_report *report);
/* Step `n` of the advice, or NULL after the last step. Changes to the program come before changes
 * to the machine. */
const char *death_step(const struct death *death, const struct fsgs_report *report, uint32_t n);
/* If the program ran in 32-bit mode, decides the report again for this mode. */
void death_verdict(const struct death *death, struct fsgs_report *report);

/* print.c */
void print_death(FILE *out, const struct death *death, const struct fsgs_report *report);
void json_death(FILE *out, const struct death *death, const struct fsgs_report *report);
/* Prints one line about a fault that the program's own handler receives, or about a further death
 * at the same place. */
void print_fault(FILE *out, const struct death *death);

#endif

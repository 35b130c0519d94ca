/* SPDX-License-Identifier: MIT */
/*
 * The data about one fault of a traced program. Evidence (registers, bytes, mappings), decision
 * (which instruction, why it faulted) and text are separate: fault.c, place.c and advice.c,
 * print.c.
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
	FAULT_NONE,      /* another cause: the death says nothing about FSGSBASE */
	FAULT_UNDEFINED, /* one of the four raised #UD */
	FAULT_VALUE,     /* a write of a non-canonical address raised #GP (SDM vol. 2, WRFSBASE) */
	FAULT_CPUID      /* CPUID faults in this process (ARCH_SET_CPUID) */
};

struct fault {
	enum fault_cause cause;
	uint32_t insn; /* enum fsgs_insn; not with FAULT_CPUID */
	uint32_t mode; /* enum fsgs_mode */
	uint32_t width;
	const char *operand; /* the register's name in that width */
	uint64_t value;      /* the operand before the instruction */
	uint64_t address;
	size_t length;
	uint8_t code[FAULT_CODE];
};

/* The place of an address. A text is empty if it is not known. */
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
	int status;   /* as from wait(2); 0 while the process is alive */
	bool handled; /* the program's own handler received the signal */
};

/* fault.c: uses only its arguments. `length` bytes of code at RIP are known. */
void fault_decode(struct fault *fault, const siginfo_t *info, const struct user_regs_struct *regs,
		  const uint8_t *code, size_t length);

/* place.c: the thread must be stopped, and the memory of the fault must still be mapped. */
void place_death(struct death *death);

/* place-dwarf.c, or without libdw place-plain.c: the symbol at the fault, and the calling
 * function. */
void place_symbols(struct death *death);
/* place.c: the module of an address, from /proc/TID/maps. Uses the thread's file, because the
 * process's is empty once its first thread has ended. */
void place_module(pid_t thread, uint64_t address, struct place *place);

/* advice.c */
/* The reason why the instruction fails for this program, for the verdict of this machine. */
const char *death_reason(const struct death *death, const struct fsgs_report *report);
/* A change to the program: step `n`, NULL after the last. */
const char *death_step(const struct death *death, const struct fsgs_report *report, uint32_t n);
/* The verdict for the mode that the program ran in. */
void death_verdict(const struct death *death, struct fsgs_report *report);

/* print.c */
void print_death(FILE *out, const struct death *death, const struct fsgs_report *report);
void json_death(FILE *out, const struct death *death, const struct fsgs_report *report);
/* One line about a fault that the program's own handler receives, or about a repeated death. */
void print_fault(FILE *out, const struct death *death);

#endif

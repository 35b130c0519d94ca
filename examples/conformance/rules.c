/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <stddef.h>

#define SDM2       "SDM vol. 2, "
#define RD         "RDFSBASE/RDGSBASE"
#define WR         "WRFSBASE/WRGSBASE"
#define APM        "; APM vol. 3, RDFSBASE, WRFSBASE"
#define FSGS       "Linux, Documentation/arch/x86/x86_64/fsgs.rst"
#define QEMU       "QEMU (user and system emulation), which does not check the operand"
#define XENPV      "Xen before 4.15, 64-bit paravirtual guests"
#define UML        "user-mode Linux 6.1 (a context switch loses an FS base that WRFSBASE wrote)"
#define GVISOR     "gVisor (uses GS itself; its ptrace platform loses the FS base at system calls)"
#define NO_REQUEST "; gVisor has no PTRACE_ARCH_PRCTL"
/* User-mode Linux also kills a process that uses the selectors 1 and 2, the trap flag or 32-bit
 * code. */
#define DIES       "user-mode Linux (a base beyond its own address space kills the process)"

const struct rule_text rules[RULES] = {
	[RULE_OPERAND] = {"operand", "the operand may be any of the sixteen general registers",
			  SDM2 RD " and " WR ", Op/En M; 2.2.1 (REX Prefixes: REX.B)" APM, NULL},
	[RULE_FLAGS] = {"flags", "no flag is affected", SDM2 RD " and " WR ", Flags Affected" APM,
			NULL},
	[RULE_OTHERS] = {"others", "only the destination changes",
			 SDM2 RD " and " WR ", Operation" APM, NULL},
	[RULE_SELECTOR_KEPT] = {"selector-kept",
				"the instructions do not change the "
				"selectors of the segment registers",
				SDM2 WR ", Operation (the base alone is loaded)" APM, NULL},
	[RULE_LENGTH] = {"length",
			 "the instruction has 4 bytes without REX and 5 bytes with REX, and "
			 "execution continues after it",
			 SDM2 RD " and " WR
				 ", Opcode; vol. 3, 18.3.1.4 (Single-Step Exception Condition)",
			 "user-mode Linux (the trap flag kills the process)"},
	[RULE_REX_IGNORED] = {"rex-ignored",
			      "REX.R and REX.X have no effect on an opcode extension "
			      "with a register operand",
			      SDM2 "2.2.1.2 (More on REX Prefix Fields)", NULL},
	[RULE_REX_PLACE] = {"rex-place", "a REX prefix that is not next to the opcode is ignored",
			    SDM2 "2.2.1 (REX Prefixes)",
			    "QEMU 7.2 to 10.0 (a REX prefix in front of F3 has an effect, too)"},
	[RULE_PREFIX] =
		{"prefix",
		 "the effect of redundant prefixes is unspecified for these instructions, so it is "
		 "measured",
		 SDM2 "2.1.1 (Instruction Prefixes)", NULL},
	[RULE_VALUE] = {"value", "the base has all bits of the value that was written",
			SDM2 RD " and " WR ", Operation" APM, DIES},
	[RULE_ZERO_EXTEND_REGISTER] =
		{"zero-extend-register", "a 32-bit read clears the upper half of the register",
		 SDM2 RD
		 ", Description; vol. 1, 3.4.1.1 (General-Purpose Registers in 64-Bit Mode)" APM,
		 DIES},
	[RULE_ZERO_EXTEND_BASE] = {"zero-extend-base",
				   "a 32-bit write clears the upper half of the base",
				   SDM2 WR ", Description" APM, NULL},
	[RULE_32_NO_GP] = {"no-gp-32",
			   "a 32-bit write never raises #GP, because its value is always canonical",
			   SDM2 WR ", 64-Bit Mode Exceptions" APM, NULL},
	[RULE_LINEAR] =
		{"linear",
		 "an access through the segment uses base + effective address, "
		 "modulo 2^64",
		 "SDM vol. 1, 3.3.7 (Address Calculations in 64-Bit Mode) and 3.4.2.1 (Segment "
		 "Registers in 64-Bit Mode)",
		 DIES},
	[RULE_EFFECTIVE] =
		{"effective",
		 "if an effective address is not canonical but its sum with the base is, vendors "
		 "differ, so the result is measured",
		 "SDM vol. 1, 3.3.7.1 (Canonical Addressing: the linear address must be "
		 "canonical); APM vol. 1, 2.2.2 (Canonical Address Form: the address of a memory "
		 "reference must be canonical)",
		 DIES},
	[RULE_LEA] = {"lea", "LEA gives the effective address, without the base", SDM2 "LEA", NULL},
	[RULE_CANONICAL] = {"canonical", "a 64-bit write of a non-canonical value raises #GP(0)",
			    SDM2 WR ", 64-Bit Mode Exceptions" APM, QEMU},
	[RULE_CANONICAL_KEEPS] =
		{"canonical-keeps", "a write that faults changes nothing",
		 "SDM vol. 3, 6.5 (Exception Classifications: faults are restartable); " SDM2 WR,
		 QEMU},
	[RULE_CANONICAL_WIDTH] =
		{"canonical-width",
		 "processors differ for an address that is canonical with 57 bits but not with 48 "
		 "bits, so the result is measured",
		 "SDM vol. 1, 3.3.7.1 (Canonical Addressing); Linux commit 9245fd6b8531 (KVM)",
		 NULL},
	[RULE_GP_SIGNAL] =
		{"gp-signal",
		 "#GP arrives as SIGSEGV, si_code SI_KERNEL, si_addr 0, vector 13, error "
		 "code 0, RIP at the instruction",
		 "Linux, arch/x86/kernel/traps.c, exc_general_protection",
		 QEMU "; user-mode Linux (si_code 2)"},
	[RULE_LOCK] = {"lock", "an instruction with the LOCK prefix raises #UD",
		       SDM2 RD " and " WR ", Exceptions" APM,
		       "guests of the PVM module, in ring 0"},
	[RULE_UD_SIGNAL] =
		{"ud-signal",
		 "#UD arrives as SIGILL, si_code ILL_ILLOPN, si_addr and RIP at the "
		 "instruction, vector 6",
		 "Linux, arch/x86/kernel/traps.c, exc_invalid_op",
		 "valgrind (si_code ILL_ILLOPC), qemu-user and gVisor (no vector), user-mode Linux "
		 "(vector 14)"},
	[RULE_COMPAT] = {"compat", "the instructions raise #UD in compatibility mode",
			 SDM2 RD " and " WR ", Compatibility Mode Exceptions" APM,
			 "user-mode Linux (32-bit code kills the process)"},
	[RULE_NULL_SELECTOR] =
		{"null-selector",
		 "a null selector clears the base or keeps it: vendors differ, so the result is "
		 "measured",
		 "Linux, X86_BUG_NULL_SEG; APM, CPUID 8000_0021 EAX[6]",
		 "user-mode Linux (the selectors 1 and 2 kill the process)"},
	[RULE_DESCRIPTOR] =
		{"descriptor",
		 "a load of a selector sets the base to the zero-extended 32-bit base of the "
		 "descriptor",
		 "SDM vol. 3, 3.4.4 (Segment Loading Instructions in IA-32e Mode); APM vol. 2, 4.8",
		 NULL},
	[RULE_SET_PRCTL] = {"set-prctl",
			    "ARCH_SET_FS and ARCH_SET_GS set the base and zero the selector",
			    FSGS "; arch_prctl(2); arch/x86/kernel/process_64.c, do_arch_prctl_64",
			    "kernels and sandboxes that refuse ARCH_SET_GS (a refusal is allowed)"},
	[RULE_GET_PRCTL] = {"get-prctl", "ARCH_GET_FS and ARCH_GET_GS return the current base",
			    FSGS "; arch_prctl(2)",
			    "WSL1 (ARCH_GET_GS), old versions of Asterinas and Enarx; " DIES},
	[RULE_PRCTL_LIMIT] =
		{"prctl-limit",
		 "arch_prctl and CLONE_SETTLS refuse an address of TASK_SIZE_MAX or more "
		 "with EPERM and change nothing",
		 "Linux, arch/x86/kernel/process_64.c, do_arch_prctl_64",
		 "qemu-user and user-mode Linux (any address is accepted)"},
	[RULE_ANY_CANONICAL] =
		{"any-canonical",
		 "the instructions accept any canonical address at any privilege level, also an "
		 "address of the kernel's half",
		 SDM2 WR APM, DIES},
	[RULE_PTRACE_READ] =
		{"ptrace-read", "a tracer reads the actual bases of the traced process",
		 FSGS "; arch/x86/kernel/ptrace.c, getreg",
		 UML
		 "; user-mode Linux 6.1 and 6.12 lack PTRACE_GETREGSET for the bases" NO_REQUEST},
	[RULE_PTRACE_WRITE] =
		{"ptrace-write", "a traced process continues with the bases that its tracer wrote",
		 "Linux, arch/x86/kernel/ptrace.c, putreg",
		 UML
		 "; user-mode Linux 6.1 and 6.12 lack PTRACE_SETREGSET for the bases" NO_REQUEST},
	[RULE_PTRACE_SELECTOR] = {"ptrace-selector",
				  "a tracer's write of a base does not change the selector",
				  "Linux, arch/x86/kernel/ptrace.c, putreg; selftest fsgsbase.c",
				  "Linux before 5.9; user-mode Linux (selector of FS)"},
	[RULE_PTRACE_LIMIT] = {"ptrace-limit",
			       "a tracer cannot write a base of TASK_SIZE_MAX or more",
			       "Linux, arch/x86/kernel/ptrace.c, putreg (EIO)",
			       "user-mode Linux (any base is accepted)" NO_REQUEST},
	[RULE_INHERIT] = {"inherit",
			  "a new process or thread has the bases of the thread that created it",
			  FSGS "; clone(2); arch/x86/kernel/process.c, copy_thread",
			  XENPV "; " UML},
	[RULE_SETTLS] = {"settls",
			 "CLONE_SETTLS sets the FS base of the new thread and does not change GS",
			 "clone(2); arch/x86/kernel/process.c, copy_thread", UML},
	[RULE_EXEC] = {"exec", "execve zeroes bases and selectors",
		       "Linux, arch/x86/kernel/process_64.c, start_thread_common",
		       "user-mode Linux (the FS base stays)"},
	[RULE_OWN] = {"own", "each thread has its own bases", FSGS, XENPV "; " UML "; " GVISOR},
	[RULE_SIGNAL_FRAME] =
		{"signal-frame",
		 "a signal handler starts with the bases of the interrupted code, and sigreturn "
		 "does not restore bases",
		 "Linux, arch/x86/kernel/signal_64.c (the frame holds no base)", UML},
	[RULE_CORE] = {"core", "a core dump's NT_PRSTATUS holds the bases",
		       "Linux, arch/x86/include/asm/elf.h, ELF_CORE_COPY_REGS", NULL},
	[RULE_SURVIVE] = {"survive", "a base keeps its value until the thread itself changes it",
			  FSGS, XENPV "; " UML "; " GVISOR},
	[RULE_ENTRY] = {"entry", "the kernel's entry code works with any GS base of user space",
			"Linux, Documentation/arch/x86/entry_64.rst; selftest syscall_arg_fault.c",
			"kernels before 5.9 with a module that sets CR4.FSGSBASE; user-mode Linux"},
	[RULE_EVERY_CPU] = {"every-cpu", "the rules hold on each CPU",
			    "Linux, HWCAP2_FSGSBASE (one bit for all CPUs)",
			    "hosts with different CPUs; Zhaoxin ZX-C before microcode 0x20e"},
	[RULE_HWCAP2] =
		{"hwcap2", "AT_HWCAP2 bit 1 is set if, and only if, the instructions work", FSGS,
		 "qemu-user, user-mode Linux and gVisor (the instructions run, but the bit is 0)"},
	[RULE_CPUID] = {"cpuid", "the instructions raise #UD if CPUID.(EAX=7,ECX=0):EBX[0] is 0",
			SDM2 RD " and " WR ", Exceptions; CPUID" APM,
			"KVM on VMX, if the host was booted with nofsgsbase"},
	[RULE_SOURCES] =
		{"sources",
		 "getauxval(3), /proc/pid/auxv, PR_GET_AUXV and /proc/cpuinfo "
		 "agree about the feature",
		 "Linux, getauxval(3), /proc/pid/auxv, prctl(2) PR_GET_AUXV, /proc/cpuinfo",
		 "valgrind 3.19 (AT_HWCAP2)"},
};

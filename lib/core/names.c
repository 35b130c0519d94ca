/* SPDX-License-Identifier: MIT */
/* All names, each with one or two sentences that explain it. The names are part of the contract. */
#include "core.h"

#include <fsgscheck/version.h>

/* A list is one string: for each number of its enumeration, in order, the name and the explanation.
 * All lists are members of one object, and `lists` has their offsets. Offsets, unlike pointers,
 * need no relocation, so this works in a boot image and in a program that has not relocated itself
 * yet. */
#define WORD(name, text) name "\0" text "\0"

/* clang-format off */
#define VERDICT_WORDS \
	WORD("unknown", "The evidence is missing or not sufficient.") \
	WORD("usable", \
	     "The kernel advertises the instructions, and nothing contradicts the kernel.") \
	WORD("unsupported", "CPUID does not offer the instructions, or this is not 64-bit " \
		"x86 code.") \
	WORD("disabled", "CPUID offers the instructions, but the kernel did not enable them.") \
	WORD("unadvertised", "The instructions run, but CPUID does not offer them or the " \
		"kernel does not advertise them.") \
	WORD("broken", "The instructions are offered or advertised, but at least one of them, or " \
		"CR4.FSGSBASE, does not work.") \
	WORD("inconsistent", "The CPUs differ, repeated tests differ, or the sources " \
		"contradict each other.")

#define FINDING_WORDS \
	WORD("kernel-too-old", \
	     "The kernel lists the feature but does not enable it. Kernels before Linux 5.9 " \
	     "do this.") \
	WORD("switched-off", \
	     "CPUID offers the feature, but the kernel does not list it: nofsgsbase, " \
	     "clearcpuid or a policy has switched the feature off.") \
	WORD("unproven", \
	     "It is not known whether this machine would execute the instructions if the " \
	     "kernel enabled them. No process can find this out.") \
	WORD("upgrade-risk", \
	     "This is Hyper-V with an AMD processor, where a guest has been reported to " \
	     "die at boot as soon as its kernel used the instructions.") \
	WORD("wrong-mode", \
	     "Only 64-bit x86 code can execute the instructions, even if the kernel " \
	     "advertises them to other code.") \
	WORD("cpus-differ", "Not all CPUs of this machine gave the same result.") \
	WORD("cpuid-masked", \
	     "A tool intercepts CPUID in this process and chooses what CPUID shows.") \
	WORD("emulated", \
	     "An emulator ran the instructions; this says nothing about the processor.") \
	WORD("no-canonical-check", \
	     "WRGSBASE accepted a non-canonical address. It should have raised #GP.") \
	WORD("value-lost", \
	     "A base that an instruction wrote was lost at an event that must not change it.") \
	WORD("sandboxed", \
	     "A user-space kernel such as gVisor handles the system calls of this process.") \
	WORD("arch-prctl-denied", \
	     "arch_prctl, which reads and writes the bases without the instructions, is " \
	     "refused.") \
	WORD("arch-prctl-lies", "arch_prctl reports success and gives a wrong base.") \
	WORD("instrumented", \
	     "A debugger, tracer or instrumentation tool changes what this process sees.") \
	WORD("privilege-risk", \
	     "The instructions run, but the kernel is not prepared for them: any local user " \
	     "may be able to become root.") \
	WORD("insn-ud", \
	     "CPUID offers the instructions, and CR4.FSGSBASE is set, but the instructions " \
	     "raise invalid opcode.") \
	WORD("cr4-refused", \
	     "CPUID offers the instructions, but setting CR4.FSGSBASE raises a fault.") \
	WORD("cr4-dropped", \
	     "CPUID offers the instructions, but CR4.FSGSBASE does not stay set.") \
	WORD("cr4-unenforced", \
	     "The instructions run while CR4.FSGSBASE is clear, so a kernel cannot switch " \
	     "them off.") \
	WORD("proven", \
	     "A test in ring 0 of this running system enabled the instructions and " \
	     "executed all four. In the 64-bit form, which kernels use, the values were " \
	     "right.") \
	WORD("misconfigured", \
	     "FSGSCHECK_TRIAL or FSGSCHECK_BASE has an unknown value. The library ignores it.")

#define OUTCOME_WORDS \
	WORD("not-tried", "It was not executed.") \
	WORD("ok", "It ran, and the value was right.") \
	WORD("undefined", "It raised invalid opcode (#UD).") \
	WORD("faulted", "It raised a fault other than invalid opcode.") \
	WORD("wrong-value", "It ran, but the value was wrong.") \
	WORD("value-lost", "It ran, but the value was lost later.")

#define INSN_WORDS \
	WORD("rdfsbase", "RDFSBASE reads the FS base.") \
	WORD("rdgsbase", "RDGSBASE reads the GS base.") \
	WORD("wrfsbase", "WRFSBASE writes the FS base.") \
	WORD("wrgsbase", "WRGSBASE writes the GS base.")

#define ACCESS_WORDS \
	WORD("none", "The library cannot read or write the base here.") \
	WORD("instruction", "The instructions read and write the base.") \
	WORD("arch_prctl", "The arch_prctl system call reads and writes the base.")

#define PROOF_WORDS \
	WORD("advertised", "Not every instruction was tried.") \
	WORD("tried", "Each of the four instructions was tried.")

#define ANSWER_WORDS \
	WORD("unknown", "The source was not read, or gave no answer.") \
	WORD("no", "The source says no.") \
	WORD("yes", "The source says yes.")

#define MODE_WORDS \
	WORD("unknown", "It is not known for which kind of code the library was compiled.") \
	WORD("64-bit", "This is 64-bit x86 code.") \
	WORD("32-bit", "This is 32-bit x86 code.") \
	WORD("not-x86", "This is code of another architecture.")

#define VANTAGE_WORDS \
	WORD("unknown", "It is not known where the evidence was collected.") \
	WORD("process", "The evidence was collected by a process.") \
	WORD("ring0", "The evidence was collected in ring 0.")

#define FALLBACK_WORDS \
	WORD("unknown", "arch_prctl was not tested.") \
	WORD("ok", "arch_prctl works.") \
	WORD("denied", "arch_prctl is refused.") \
	WORD("lies", "arch_prctl gives a wrong answer.")

#define REFUSAL_WORDS \
	WORD("unknown", "It is not known whether the instructions were tried.") \
	WORD("none", "The trial was not refused: the instructions were tried.") \
	WORD("mode", "This is not 64-bit x86 code.") \
	WORD("flag", "The caller turned the trial off.") \
	WORD("environment", "FSGSCHECK_TRIAL=0 is set.") \
	WORD("system", "The guard needs a system call that failed.")

#define EVENT_WORDS \
	WORD("syscall", "A base must keep its value across a system call.") \
	WORD("signal", "A base must keep its value across a signal.") \
	WORD("yield", "A base must keep its value across a switch to another thread.") \
	WORD("sleep", "A base must keep its value while the thread sleeps and another " \
		"thread runs.") \
	WORD("fork", "A base must keep its value across a fork.") \
	WORD("migrate", "A base must keep its value across a migration to another CPU.") \
	WORD("cpuid", "A base must keep its value across an execution of CPUID.") \
	WORD("port", "A base must keep its value across a read of an I/O port in ring 0.") \
	WORD("halt", "A base must keep its value across a HLT in ring 0.")

#define SIGN_WORDS \
	WORD("traced", "Another process traces this one.") \
	WORD("auxv-differs", "The copies of the auxiliary vector differ.") \
	WORD("vendor-differs", "CPUID and the kernel name different CPU vendors.") \
	WORD("uml", "The kernel is user-mode Linux.") \
	WORD("gvisor", "The kernel is gVisor.") \
	WORD("xen-pv", "The kernel is a paravirtual Xen guest.") \
	WORD("misconfigured", "FSGSCHECK_TRIAL or FSGSCHECK_BASE has an unknown value.")

#define SEGMENT_WORDS \
	WORD("fs", "The FS base is the thread pointer of the C library.") \
	WORD("gs", "GS is free for the program's use.")

/* clang-format on */

static const struct {
	char of_verdict[sizeof VERDICT_WORDS];
	char of_finding[sizeof FINDING_WORDS];
	char of_outcome[sizeof OUTCOME_WORDS];
	char of_insn[sizeof INSN_WORDS];
	char of_access[sizeof ACCESS_WORDS];
	char of_proof[sizeof PROOF_WORDS];
	char of_answer[sizeof ANSWER_WORDS];
	char of_mode[sizeof MODE_WORDS];
	char of_vantage[sizeof VANTAGE_WORDS];
	char of_fallback[sizeof FALLBACK_WORDS];
	char of_refusal[sizeof REFUSAL_WORDS];
	char of_event[sizeof EVENT_WORDS];
	char of_sign[sizeof SIGN_WORDS];
	char of_segment[sizeof SEGMENT_WORDS];
} words = {
	VERDICT_WORDS, FINDING_WORDS, OUTCOME_WORDS, INSN_WORDS,    ACCESS_WORDS,
	PROOF_WORDS,   ANSWER_WORDS,  MODE_WORDS,    VANTAGE_WORDS, FALLBACK_WORDS,
	REFUSAL_WORDS, EVENT_WORDS,   SIGN_WORDS,    SEGMENT_WORDS,
};

#define LIST(member)                                                         \
	{                                                                    \
		offsetof(__typeof__(words), member), sizeof words.member - 1 \
	}

/* clang-format off */
static const struct {
	uint16_t at;
	uint16_t size;
} lists[] = {
	[FSGS_LIST_VERDICT] = LIST(of_verdict),
	[FSGS_LIST_FINDING] = LIST(of_finding),
	[FSGS_LIST_OUTCOME] = LIST(of_outcome),
	[FSGS_LIST_INSN] = LIST(of_insn),
	[FSGS_LIST_ACCESS] = LIST(of_access),
	[FSGS_LIST_PROOF] = LIST(of_proof),
	[FSGS_LIST_ANSWER] = LIST(of_answer),
	[FSGS_LIST_MODE] = LIST(of_mode),
	[FSGS_LIST_VANTAGE] = LIST(of_vantage),
	[FSGS_LIST_FALLBACK] = LIST(of_fallback),
	[FSGS_LIST_REFUSAL] = LIST(of_refusal),
	[FSGS_LIST_EVENT] = LIST(of_event),
	[FSGS_LIST_SIGN] = LIST(of_sign),
	[FSGS_LIST_SEGMENT] = LIST(of_segment),
};
/* clang-format on */

static const uint8_t exit_statuses[] = {
	[FSGS_VERDICT_UNKNOWN] = 3,      [FSGS_VERDICT_USABLE] = 0,
	[FSGS_VERDICT_UNSUPPORTED] = 1,  [FSGS_VERDICT_DISABLED] = 1,
	[FSGS_VERDICT_UNADVERTISED] = 2, [FSGS_VERDICT_BROKEN] = 2,
	[FSGS_VERDICT_INCONSISTENT] = 2,
};

/* Returns the name of a number; the explanation is the next string. NULL if the number is not
 * known. */
static const char *look_up(uint32_t list, uint32_t value)
{
	if (list >= sizeof lists / sizeof *lists)
		return NULL;

	const char *word = (const char *)&words + lists[list].at;
	const char *const end = word + lists[list].size;

	while (value-- && word < end)
		word = fsgs_next_string(fsgs_next_string(word));
	return word < end ? word : NULL;
}

const char *fsgs_name(uint32_t list, uint32_t value)
{
	return look_up(list, value);
}

const char *fsgs_describe(uint32_t list, uint32_t value)
{
	const char *word = look_up(list, value);

	return word ? fsgs_next_string(word) : NULL;
}

int fsgs_number(uint32_t list, const char *name)
{
	const char *word;

	for (uint32_t value = 0; name && (word = look_up(list, value)); value++)
		if (fsgs_same(word, name))
			return (int)value;
	return -FSGS_EINVAL;
}

int fsgs_exit_status(uint32_t verdict)
{
	if (verdict >= sizeof exit_statuses)
		verdict = FSGS_VERDICT_UNKNOWN;
	return exit_statuses[verdict];
}

static const struct {
	char signature[13];
	uint8_t product;
} products[] = {
	{"Microsoft Hv", FSGS_PRODUCT_HYPERV}, {"KVMKVMKVM", FSGS_PRODUCT_KVM},
	{"TCGTCGTCGTCG", FSGS_PRODUCT_TCG},    {"XenVMMXenVMM", FSGS_PRODUCT_XEN},
	{"VMwareVMware", FSGS_PRODUCT_VMWARE},
};

enum fsgs_product fsgs_product(const char *signature)
{
	for (size_t i = 0; i < sizeof products / sizeof *products; i++)
		if (fsgs_same(products[i].signature, signature))
			return (enum fsgs_product)products[i].product;
	return FSGS_PRODUCT_OTHER;
}

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

uint32_t fsgs_version(void)
{
	return FSGS_VERSION;
}

const char *fsgs_version_string(void)
{
	return STRING(FSGS_VERSION_MAJOR) "." STRING(FSGS_VERSION_MINOR) "." STRING(
		FSGS_VERSION_PATCH);
}

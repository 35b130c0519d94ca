/* SPDX-License-Identifier: MIT */
/* The one place of every name and its sentence. The names are part of the contract. */
#include "core.h"

/* A list is one string: the name and the sentence of each number, in the order of its enumeration.
 * Without pointers it needs no relocation, in a program as in a boot image. */
#define WORD(name, text) name "\0" text "\0"

/* clang-format off */
static const char verdicts[] =
	WORD("unknown", "the evidence could not be collected")
	WORD("usable", "the kernel advertises the instructions and nothing contradicts it")
	WORD("unsupported", "the instructions are not offered and do not run")
	WORD("disabled", "CPUID offers the instructions, the kernel did not enable them")
	WORD("unadvertised", "the instructions run although they are not offered")
	WORD("broken", "offered and enabled, but the instructions do not work")
	WORD("inconsistent", "the CPUs or the sources contradict each other");

static const uint8_t exit_statuses[] = {
	[FSGS_VERDICT_UNKNOWN] = 3,      [FSGS_VERDICT_USABLE] = 0,
	[FSGS_VERDICT_UNSUPPORTED] = 1,  [FSGS_VERDICT_DISABLED] = 1,
	[FSGS_VERDICT_UNADVERTISED] = 2, [FSGS_VERDICT_BROKEN] = 2,
	[FSGS_VERDICT_INCONSISTENT] = 2,
};

static const char findings[] =
	WORD("kernel-too-old",
	     "The kernel lists the feature but does not enable it, as kernels before Linux 5.9 "
	     "do.")
	WORD("switched-off",
	     "CPUID offers the feature and the kernel does not list it: it was switched off by "
	     "nofsgsbase, clearcpuid or a policy.")
	WORD("unproven",
	     "Whether this machine would execute the instructions if they were enabled is not "
	     "known; no process can tell.")
	WORD("upgrade-risk",
	     "This is Hyper-V with an AMD processor, where a guest has been reported to die at "
	     "boot as soon as its kernel used the instructions.")
	WORD("wrong-mode",
	     "Only 64-bit x86 code has the instructions, whatever the kernel advertises to "
	     "other code.")
	WORD("cpus-differ", "Not all CPUs of this machine gave the same result.")
	WORD("cpuid-masked",
	     "CPUID is intercepted for this process, so what it says here is somebody's choice.")
	WORD("emulated", "An emulator ran the instructions; this says nothing about the processor.")
	WORD("no-canonical-check",
	     "WRGSBASE accepted a non-canonical address, which should have raised #GP.")
	WORD("value-lost",
	     "A base written by the instruction was gone after an event that it has to outlive.")
	WORD("sandboxed",
	     "A user-space kernel such as gVisor stands between this process and the system.")
	WORD("arch-prctl-denied", "arch_prctl, the other way to the bases, is refused.")
	WORD("arch-prctl-lies", "arch_prctl reports success and gives a wrong base.")
	WORD("instrumented",
	     "A debugger, tracer or instrumentation tool changes what this process sees.")
	WORD("privilege-risk",
	     "The instructions run behind a kernel that is not prepared for them: any local "
	     "user may be able to become root.")
	WORD("insn-ud",
	     "CPUID offers the instructions and CR4 has them enabled, yet they raise invalid "
	     "opcode.")
	WORD("cr4-refused",
	     "CPUID offers the instructions, but setting CR4.FSGSBASE raises a fault.")
	WORD("cr4-dropped", "CPUID offers the instructions, but CR4.FSGSBASE does not stay set.")
	WORD("cr4-unenforced",
	     "The instructions run while CR4.FSGSBASE is clear, so a kernel cannot switch them "
	     "off.")
	WORD("proven",
	     "Ring 0 of this running system enabled the instructions and executed all four, in the "
	     "64-bit form that kernels use, with the right values.");

static const char outcomes[] =
	WORD("not-tried", "was not executed")
	WORD("ok", "ran with the right value")
	WORD("undefined", "raised invalid opcode (#UD)")
	WORD("faulted", "raised a fault other than invalid opcode")
	WORD("wrong-value", "ran with a wrong value")
	WORD("value-lost", "ran, but its value did not survive");

static const char insns[] =
	WORD("rdfsbase", "reads the FS base")
	WORD("rdgsbase", "reads the GS base")
	WORD("wrfsbase", "writes the FS base")
	WORD("wrgsbase", "writes the GS base");

static const char accesses[] =
	WORD("none", "no way to the base works here")
	WORD("instruction", "by the instructions")
	WORD("arch_prctl", "by the arch_prctl system call");

static const char proofs[] =
	WORD("advertised", "not every instruction was tried")
	WORD("tried", "each of the four instructions was tried");

static const char answers[] =
	WORD("unknown", "not asked, or no answer")
	WORD("no", "the source says no")
	WORD("yes", "the source says yes");

static const char modes[] =
	WORD("unknown", "not known")
	WORD("64-bit", "64-bit x86 code")
	WORD("32-bit", "32-bit x86 code")
	WORD("not-x86", "code of another architecture");

static const char vantages[] =
	WORD("unknown", "not known")
	WORD("process", "seen by a process")
	WORD("ring0", "seen in ring 0");

static const char fallbacks[] =
	WORD("unknown", "arch_prctl was not asked")
	WORD("ok", "arch_prctl answers")
	WORD("denied", "arch_prctl is refused")
	WORD("lies", "arch_prctl gives a wrong answer");

static const char refusals[] =
	WORD("unknown", "nothing is known of a trial")
	WORD("none", "the instructions were tried")
	WORD("mode", "this is not 64-bit x86 code")
	WORD("flag", "the caller asked for no trial")
	WORD("environment", "FSGSCHECK_TRIAL=0 is set")
	WORD("system", "a system call that the guard needs failed");

static const char events[] =
	WORD("syscall", "a system call")
	WORD("signal", "a signal")
	WORD("yield", "a context switch to a rival thread")
	WORD("sleep", "a sleep beside a rival thread")
	WORD("fork", "a fork")
	WORD("migrate", "a move to another CPU")
	WORD("cpuid", "an execution of CPUID")
	WORD("port", "a read of an I/O port in ring 0")
	WORD("halt", "a HLT in ring 0");

static const char signs[] =
	WORD("traced", "another process traces this one")
	WORD("auxv-differs", "the copies of the auxiliary vector disagree")
	WORD("vendor-differs", "CPUID and the kernel name different CPU vendors")
	WORD("uml", "the kernel is user-mode Linux")
	WORD("gvisor", "the kernel is gVisor's")
	WORD("xen-pv", "the kernel is a paravirtual Xen guest");

/* clang-format on */

#define LIST(words)                     \
	{                               \
		words, sizeof words - 1 \
	}

static const struct {
	const char *words;
	uint32_t size;
} lists[] = {
	[FSGS_LIST_VERDICT] = LIST(verdicts), [FSGS_LIST_FINDING] = LIST(findings),
	[FSGS_LIST_OUTCOME] = LIST(outcomes), [FSGS_LIST_INSN] = LIST(insns),
	[FSGS_LIST_ACCESS] = LIST(accesses),  [FSGS_LIST_PROOF] = LIST(proofs),
	[FSGS_LIST_ANSWER] = LIST(answers),   [FSGS_LIST_MODE] = LIST(modes),
	[FSGS_LIST_VANTAGE] = LIST(vantages), [FSGS_LIST_FALLBACK] = LIST(fallbacks),
	[FSGS_LIST_REFUSAL] = LIST(refusals), [FSGS_LIST_EVENT] = LIST(events),
	[FSGS_LIST_SIGN] = LIST(signs),
};

/* The name of a number; its sentence is the string behind. */
static const char *look_up(uint32_t list, uint32_t value)
{
	if (list >= sizeof lists / sizeof *lists)
		return NULL;

	const char *word = lists[list].words, *const end = word + lists[list].size;

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

/* SPDX-License-Identifier: MIT */
/* The one place of every name and its sentence. The names are part of the contract. */
#include "core.h"

struct word {
	const char *name;
	const char *text;
};

static const struct word verdicts[] = {
	[FSGS_VERDICT_UNKNOWN] = {"unknown", "the evidence could not be collected"},
	[FSGS_VERDICT_USABLE] =
		{"usable", "the kernel advertises the instructions and nothing contradicts it"},
	[FSGS_VERDICT_UNSUPPORTED] = {"unsupported",
				      "the instructions are not offered and do not run"},
	[FSGS_VERDICT_DISABLED] = {"disabled",
				   "CPUID offers the instructions, the kernel did not enable them"},
	[FSGS_VERDICT_UNADVERTISED] = {"unadvertised",
				       "the instructions run although they are not offered"},
	[FSGS_VERDICT_BROKEN] = {"broken", "offered and enabled, but the instructions do not work"},
	[FSGS_VERDICT_INCONSISTENT] = {"inconsistent",
				       "the CPUs or the sources contradict each other"},
};

static const uint8_t exit_statuses[] = {
	[FSGS_VERDICT_UNKNOWN] = 3,      [FSGS_VERDICT_USABLE] = 0,
	[FSGS_VERDICT_UNSUPPORTED] = 1,  [FSGS_VERDICT_DISABLED] = 1,
	[FSGS_VERDICT_UNADVERTISED] = 2, [FSGS_VERDICT_BROKEN] = 2,
	[FSGS_VERDICT_INCONSISTENT] = 2,
};

static const struct word findings[] = {
	[FSGS_FINDING_KERNEL_TOO_OLD] = {"kernel-too-old",
					 "The kernel lists the feature but does not enable it, as "
					 "kernels before Linux 5.9 do."},
	[FSGS_FINDING_SWITCHED_OFF] =
		{"switched-off",
		 "CPUID offers the feature and the kernel does not list it: it was switched off by nofsgsbase, clearcpuid or a policy."},
	[FSGS_FINDING_UNPROVEN] =
		{"unproven",
		 "Whether this machine would execute the instructions if they were enabled is not known; only ring 0 can tell."},
	[FSGS_FINDING_UPGRADE_RISK] =
		{"upgrade-risk",
		 "This is Hyper-V with an AMD processor, where a guest has been reported to die at boot as soon as its kernel used the instructions."},
	[FSGS_FINDING_WRONG_MODE] =
		{"wrong-mode",
		 "Only 64-bit x86 code has the instructions, whatever the kernel advertises to other code."},
	[FSGS_FINDING_CPUS_DIFFER] = {"cpus-differ",
				      "Not all CPUs of this machine gave the same result."},
	[FSGS_FINDING_CPUID_MASKED] =
		{"cpuid-masked",
		 "CPUID is intercepted for this process, so what it says here is somebody's choice."},
	[FSGS_FINDING_EMULATED] = {"emulated",
				   "An emulator ran the instructions; this says nothing about the "
				   "processor."},
	[FSGS_FINDING_NO_CANONICAL_CHECK] =
		{"no-canonical-check",
		 "WRGSBASE accepted a non-canonical address, which should have raised #GP."},
	[FSGS_FINDING_VALUE_LOST] =
		{"value-lost",
		 "A base written by the instruction was gone after an event that it has to outlive."},
	[FSGS_FINDING_SANDBOXED] =
		{"sandboxed",
		 "A user-space kernel such as gVisor stands between this process and the system."},
	[FSGS_FINDING_ARCH_PRCTL_DENIED] = {"arch-prctl-denied",
					    "arch_prctl, the other way to the bases, is refused."},
	[FSGS_FINDING_ARCH_PRCTL_LIES] = {"arch-prctl-lies",
					  "arch_prctl reports success and gives a wrong base."},
	[FSGS_FINDING_INSTRUMENTED] =
		{"instrumented",
		 "A debugger, tracer or instrumentation tool changes what this process sees."},
	[FSGS_FINDING_PRIVILEGE_RISK] =
		{"privilege-risk",
		 "The instructions run behind a kernel that is not prepared for them: any local user may be able to become root."},
	[FSGS_FINDING_INSN_UD] =
		{"insn-ud",
		 "CPUID offers the instructions and CR4 has them enabled, yet they raise invalid opcode."},
	[FSGS_FINDING_CR4_REFUSED] =
		{"cr4-refused",
		 "CPUID offers the instructions, but setting CR4.FSGSBASE raises a fault."},
	[FSGS_FINDING_CR4_DROPPED] =
		{"cr4-dropped",
		 "CPUID offers the instructions, but CR4.FSGSBASE does not stay set."},
	[FSGS_FINDING_CR4_UNENFORCED] =
		{"cr4-unenforced",
		 "The instructions run while CR4.FSGSBASE is clear, so a kernel cannot switch them off."},
};

static const struct word outcomes[] = {
	[FSGS_OUTCOME_NOT_TRIED] = {"not-tried", "was not executed"},
	[FSGS_OUTCOME_OK] = {"ok", "ran with the right value"},
	[FSGS_OUTCOME_UNDEFINED] = {"undefined", "raised invalid opcode (#UD)"},
	[FSGS_OUTCOME_FAULTED] = {"faulted", "raised a fault other than invalid opcode"},
	[FSGS_OUTCOME_WRONG_VALUE] = {"wrong-value", "ran with a wrong value"},
	[FSGS_OUTCOME_VALUE_LOST] = {"value-lost", "ran, but its value did not survive"},
};

static const struct word insns[] = {
	[FSGS_INSN_RDFSBASE] = {"rdfsbase", "reads the FS base"},
	[FSGS_INSN_RDGSBASE] = {"rdgsbase", "reads the GS base"},
	[FSGS_INSN_WRFSBASE] = {"wrfsbase", "writes the FS base"},
	[FSGS_INSN_WRGSBASE] = {"wrgsbase", "writes the GS base"},
};

static const struct word accesses[] = {
	[FSGS_ACCESS_NONE] = {"none", "no way to the base works here"},
	[FSGS_ACCESS_INSTRUCTION] = {"instruction", "by the instructions"},
	[FSGS_ACCESS_ARCH_PRCTL] = {"arch_prctl", "by the arch_prctl system call"},
};

static const struct word proofs[] = {
	[FSGS_PROOF_ADVERTISED] = {"advertised", "not every instruction was tried"},
	[FSGS_PROOF_TRIED] = {"tried", "each of the four instructions was tried"},
};

static const struct word answers[] = {
	[FSGS_ANSWER_UNKNOWN] = {"unknown", "not asked, or no answer"},
	[FSGS_ANSWER_NO] = {"no", "the source says no"},
	[FSGS_ANSWER_YES] = {"yes", "the source says yes"},
};

static const struct word modes[] = {
	[FSGS_MODE_UNKNOWN] = {"unknown", "not known"},
	[FSGS_MODE_64BIT] = {"64-bit", "64-bit x86 code"},
	[FSGS_MODE_COMPAT] = {"32-bit", "32-bit x86 code"},
	[FSGS_MODE_NOT_X86] = {"not-x86", "code of another architecture"},
};

static const struct word vantages[] = {
	[FSGS_VANTAGE_PROCESS] = {"process", "seen by a process"},
	[FSGS_VANTAGE_RING0] = {"ring0", "seen in ring 0"},
};

static const struct word fallbacks[] = {
	[FSGS_FALLBACK_UNKNOWN] = {"unknown", "arch_prctl was not asked"},
	[FSGS_FALLBACK_OK] = {"ok", "arch_prctl answers"},
	[FSGS_FALLBACK_DENIED] = {"denied", "arch_prctl is refused"},
	[FSGS_FALLBACK_LIES] = {"lies", "arch_prctl gives a wrong answer"},
};

static const struct word refusals[] = {
	[FSGS_REFUSAL_NONE] = {"none", "the instructions were tried"},
	[FSGS_REFUSAL_MODE] = {"mode", "this is not 64-bit x86 code"},
	[FSGS_REFUSAL_FLAG] = {"flag", "the caller asked for no trial"},
	[FSGS_REFUSAL_ENVIRONMENT] = {"environment", "FSGSCHECK_TRIAL=0 is set"},
	[FSGS_REFUSAL_SYSTEM] = {"system", "a system call that the guard needs failed"},
};

static const struct word events[] = {
	{"syscall", "a system call"},
	{"signal", "a signal"},
	{"yield", "a context switch to a rival thread"},
	{"sleep", "a sleep beside a rival thread"},
	{"fork", "a fork"},
	{"hop", "a move to another CPU"},
	{"cpuid", "an execution of CPUID"},
	{"port", "a read of an I/O port in ring 0"},
	{"halt", "a HLT in ring 0"},
};

static const struct word signs[] = {
	{"traced", "another process traces this one"},
	{"auxv-differs", "the copies of the auxiliary vector disagree"},
	{"vendor-differs", "CPUID and the kernel name different CPU vendors"},
	{"uml", "the kernel is user-mode Linux"},
	{"gvisor", "the kernel is gVisor's"},
	{"xen-pv", "the kernel is a paravirtual Xen guest"},
};

#define LIST(words)                                 \
	{                                           \
		words, sizeof words / sizeof *words \
	}

static const struct {
	const struct word *words;
	uint32_t count;
} lists[] = {
	[FSGS_LIST_VERDICT] = LIST(verdicts), [FSGS_LIST_FINDING] = LIST(findings),
	[FSGS_LIST_OUTCOME] = LIST(outcomes), [FSGS_LIST_INSN] = LIST(insns),
	[FSGS_LIST_ACCESS] = LIST(accesses),  [FSGS_LIST_PROOF] = LIST(proofs),
	[FSGS_LIST_ANSWER] = LIST(answers),   [FSGS_LIST_MODE] = LIST(modes),
	[FSGS_LIST_VANTAGE] = LIST(vantages), [FSGS_LIST_FALLBACK] = LIST(fallbacks),
	[FSGS_LIST_REFUSAL] = LIST(refusals), [FSGS_LIST_EVENT] = LIST(events),
	[FSGS_LIST_SIGN] = LIST(signs),
};

_Static_assert(sizeof findings / sizeof *findings == FSGS_FINDINGS, "a finding without a name");
_Static_assert(sizeof insns / sizeof *insns == FSGS_INSNS, "an instruction without a name");
_Static_assert(sizeof events / sizeof *events == FSGS_EVENTS, "an event without a name");
_Static_assert(sizeof signs / sizeof *signs == FSGS_SIGNS, "a sign without a name");

static const struct word *look_up(uint32_t list, uint32_t value)
{
	if (list >= sizeof lists / sizeof *lists || value >= lists[list].count)
		return NULL;
	return &lists[list].words[value];
}

const char *fsgs_name(uint32_t list, uint32_t value)
{
	const struct word *word = look_up(list, value);

	return word ? word->name : NULL;
}

const char *fsgs_describe(uint32_t list, uint32_t value)
{
	const struct word *word = look_up(list, value);

	return word ? word->text : NULL;
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

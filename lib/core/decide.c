/* SPDX-License-Identifier: MIT */
/*
 * The decision: derives the verdict, the findings and the access from the evidence. It is a pure
 * function.
 *
 * CPUID shows only what the processor or the hypervisor offers. In a process, AT_HWCAP2 shows only
 * what the kernel enabled. Only an execution shows that the instructions work. So a failed trial
 * overrules an advertised feature. A successful trial does not make an unadvertised feature usable:
 * in a kernel that is not prepared for the instructions, a GS base that users can write is a
 * security hole. Without a trial, CPUID and AT_HWCAP2 decide, and the proof is `advertised`.
 *
 * The decision must not claim more than the evidence shows. The verdict `disabled` does not say
 * whether the machine would execute the instructions. Only ring 0 can show that; a report may
 * contain evidence from ring 0. The verdict `unadvertised` becomes a privilege risk only if no sign
 * points to an emulator, a sandbox or a tool.
 */
#include "core.h"

/* The two instructions of each segment. */
static const uint8_t segment_insns[FSGS_SEGMENTS][2] = {
	[FSGS_SEGMENT_FS] = {FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE},
	[FSGS_SEGMENT_GS] = {FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE},
};

#define XEN_4_14 (4u << 16 | 14)

/* The verdicts from best to worst. The overall verdict is the worse of the two verdicts of FS and
 * GS. */
static const uint8_t severity[] = {
	[FSGS_VERDICT_USABLE] = 0,       [FSGS_VERDICT_UNSUPPORTED] = 1,
	[FSGS_VERDICT_DISABLED] = 2,     [FSGS_VERDICT_UNKNOWN] = 3,
	[FSGS_VERDICT_UNADVERTISED] = 4, [FSGS_VERDICT_INCONSISTENT] = 5,
	[FSGS_VERDICT_BROKEN] = 6,
};

/* Whether the instruction ran without a fault, even if its value was wrong. */
static int ran(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_OK || outcome == FSGS_OUTCOME_WRONG_VALUE ||
	       outcome == FSGS_OUTCOME_VALUE_LOST;
}

static int failed(uint32_t outcome)
{
	return outcome != FSGS_OUTCOME_OK && outcome != FSGS_OUTCOME_NOT_TRIED;
}

typedef int outcome_test(uint32_t outcome);

static int any(outcome_test *test, const struct fsgs_trial *trials, unsigned segment)
{
	return test(trials[segment_insns[segment][0]].outcome) ||
	       test(trials[segment_insns[segment][1]].outcome);
}

static int any_at_all(outcome_test *test, const struct fsgs_trial *trials)
{
	return any(test, trials, FSGS_SEGMENT_FS) || any(test, trials, FSGS_SEGMENT_GS);
}

static int undefined(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_UNDEFINED;
}

static int not_tried(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_NOT_TRIED;
}

/* Whether the instruction raised a fault. An instruction that gave a wrong value did not. */
static int raised(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_UNDEFINED || outcome == FSGS_OUTCOME_FAULTED;
}

static int lost(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_VALUE_LOST;
}

/* Whether, in ring 0, CR4 did not accept or keep the bit, or an instruction failed. The callers
 * have checked that the feature is offered or advertised. */
static int broken_in_ring0(const struct fsgs_report *r, unsigned segment)
{
	return failed(r->cr4_write) || r->cr4_sticks == FSGS_ANSWER_NO ||
	       any(failed, r->cr4_set, segment);
}

static uint32_t decide_process(const struct fsgs_report *r, unsigned segment)
{
	const int offered = r->cpuid_fsgsbase == FSGS_ANSWER_YES;
	const int masked =
		r->cpuid_fsgsbase == FSGS_ANSWER_NO || r->cpuid_faulting == FSGS_ANSWER_YES;

	if (r->hwcap2_fsgsbase == FSGS_ANSWER_UNKNOWN)
		return FSGS_VERDICT_UNKNOWN;
	if (r->hwcap2_fsgsbase == FSGS_ANSWER_YES) {
		if (masked)
			return FSGS_VERDICT_INCONSISTENT;
		return any(failed, r->trials, segment) || broken_in_ring0(r, segment)
			       ? FSGS_VERDICT_BROKEN
			       : FSGS_VERDICT_USABLE;
	}
	if (any(ran, r->trials, segment))
		return FSGS_VERDICT_UNADVERTISED;
	if (offered)
		return broken_in_ring0(r, segment) ? FSGS_VERDICT_BROKEN : FSGS_VERDICT_DISABLED;
	return r->cpuid_fsgsbase == FSGS_ANSWER_NO ? FSGS_VERDICT_UNSUPPORTED
						   : FSGS_VERDICT_UNKNOWN;
}

static uint32_t decide_ring0(const struct fsgs_report *r, unsigned segment)
{
	if (r->cpuid_fsgsbase == FSGS_ANSWER_UNKNOWN)
		return FSGS_VERDICT_UNKNOWN;
	if (r->cpuid_fsgsbase == FSGS_ANSWER_NO)
		return any(ran, r->cr4_set, segment) || any_at_all(ran, r->cr4_cleared)
			       ? FSGS_VERDICT_UNADVERTISED
			       : FSGS_VERDICT_UNSUPPORTED;
	if (r->cr4_write == FSGS_OUTCOME_NOT_TRIED)
		return FSGS_VERDICT_UNKNOWN;
	if (broken_in_ring0(r, segment))
		return FSGS_VERDICT_BROKEN;
	/* In ring 0, `usable` requires that both instructions of the segment were executed. */
	return any(not_tried, r->cr4_set, segment) ? FSGS_VERDICT_UNKNOWN : FSGS_VERDICT_USABLE;
}

static uint32_t decide_segment(const struct fsgs_report *r, unsigned segment)
{
	if (r->mode == FSGS_MODE_UNKNOWN)
		return FSGS_VERDICT_UNKNOWN;
	if (r->mode != FSGS_MODE_64BIT)
		return FSGS_VERDICT_UNSUPPORTED;
	if (r->cpus_differ == FSGS_ANSWER_YES || r->samples_differ == FSGS_ANSWER_YES)
		return FSGS_VERDICT_INCONSISTENT;
	switch (r->vantage) {
	case FSGS_VANTAGE_PROCESS:
		return decide_process(r, segment);
	case FSGS_VANTAGE_RING0:
		return decide_ring0(r, segment);
	default:
		return FSGS_VERDICT_UNKNOWN;
	}
}

static uint32_t decide_access(const struct fsgs_report *r, unsigned segment)
{
	if (r->verdicts[segment] == FSGS_VERDICT_USABLE)
		return FSGS_ACCESS_INSTRUCTION;
	if (r->mode == FSGS_MODE_COMPAT || r->mode == FSGS_MODE_NOT_X86)
		return FSGS_ACCESS_NONE; /* arch_prctl sets no FS base in 32-bit code */
	if (r->fallback[segment] == FSGS_FALLBACK_DENIED ||
	    r->fallback[segment] == FSGS_FALLBACK_LIES)
		return FSGS_ACCESS_NONE;
	return FSGS_ACCESS_ARCH_PRCTL;
}

/* Whether an emulator, a sandbox or a tool affects what this process sees. */
struct surroundings {
	int emulated;
	int sandboxed;
	int instrumented;
};

/* An emulator is recognised by QEMU's signature, by the sign of user-mode Linux, or because the
 * auxiliary vector lacks AT_HWCAP2, which every genuine kernel of this version provides. A tool can
 * also remove AT_HWCAP2. So the lack does not count if the process is instrumented. */
static int is_emulated(const struct fsgs_report *r, int instrumented)
{
	if (fsgs_product(r->hypervisor) == FSGS_PRODUCT_TCG ||
	    (r->signs & FSGS_SIGN_BIT(FSGS_SIGN_UML)))
		return 1;
	return !instrumented && r->hwcap2_present == FSGS_ANSWER_NO &&
	       r->kernel_version >= FSGS_LINUX_HWCAP2;
}

/* Whether this is gVisor: its build string was found, or arch_prctl reads FS and fails with EINVAL
 * for GS. */
static int is_sandboxed(const struct fsgs_report *r)
{
	return (r->signs & FSGS_SIGN_BIT(FSGS_SIGN_GVISOR)) ||
	       (r->fallback[FSGS_SEGMENT_FS] == FSGS_FALLBACK_OK &&
		r->fallback[FSGS_SEGMENT_GS] == FSGS_FALLBACK_DENIED &&
		r->fallback_error[FSGS_SEGMENT_GS] == FSGS_EINVAL);
}

/* Whether a SIGILL had the si_code ILL_ILLOPC (1). For an undefined instruction, the kernel uses
 * ILL_ILLOPN (2), so a tool made this signal. */
static int odd_signal(const struct fsgs_report *r)
{
	for (int i = 0; i < FSGS_INSNS; i++)
		if (r->trials[i].outcome == FSGS_OUTCOME_UNDEFINED && r->trials[i].code == 1)
			return 1;
	return 0;
}

/* Whether a tool changes the evidence. The verdict `usable` never comes with this finding. */
static int is_instrumented(const struct fsgs_report *r)
{
	if (r->verdict == FSGS_VERDICT_USABLE)
		return 0;
	if (r->signs & FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS))
		return 1;
	if (odd_signal(r))
		return 1;
	if ((r->signs & FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS)) &&
	    !(r->signs & FSGS_SIGN_BIT(FSGS_SIGN_UML)) &&
	    fsgs_product(r->hypervisor) != FSGS_PRODUCT_TCG)
		return 1;
	/* If AT_HWCAP2 does not advertise the feature, `broken` comes from ring 0, and no tool of
	 * this process can have changed that evidence. */
	if (r->verdict != FSGS_VERDICT_BROKEN || r->hwcap2_fsgsbase != FSGS_ANSWER_YES)
		return 0;
	if (r->signs & FSGS_SIGN_BIT(FSGS_SIGN_TRACED))
		return 1;
	/* A kernel that advertises and lists the feature executes the instructions at each context
	 * switch. If they faulted in the kernel, it would have crashed. So a tool makes them fault
	 * in this process. */
	return r->cpuinfo_flag == FSGS_ANSWER_YES && any_at_all(raised, r->trials);
}

/* Whether the auxiliary vector looks like that of a genuine kernel: it has AT_HWCAP2, or the kernel
 * is older than AT_HWCAP2. */
static int genuine_entry(const struct fsgs_report *r)
{
	return r->hwcap2_present == FSGS_ANSWER_YES ||
	       (r->kernel_version && r->kernel_version < FSGS_LINUX_HWCAP2);
}

static uint64_t when(int condition, enum fsgs_finding finding)
{
	return condition ? FSGS_FINDING_BIT(finding) : 0;
}

/* Whether Xen hides the feature from the kernel of this paravirtual guest, as Xen before 4.14 does.
 * CPUID in a process of such a guest bypasses Xen and shows the processor's bit. If the
 * instructions run in a process, this also shows that Xen is older than 4.14 (XSA-293). */
static int xen_lacks_it(const struct fsgs_report *r)
{
	if (!(r->signs & FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV)))
		return 0;
	return any_at_all(ran, r->trials) ||
	       (r->hypervisor_version && r->hypervisor_version < XEN_4_14);
}

/* Why the kernel did not enable what CPUID offers: it is too old, or the feature was switched off.
 * If the instructions run all the same, this is a privilege risk. */
static uint64_t find_not_enabled(const struct fsgs_report *r, const struct surroundings *around)
{
	if (r->hwcap2_fsgsbase != FSGS_ANSWER_NO || r->cpuid_fsgsbase != FSGS_ANSWER_YES ||
	    !genuine_entry(r) || around->sandboxed || around->instrumented)
		return 0;
	/* On a mixed machine, the CPUID bit of one CPU does not explain what the kernel did, and
	 * the next check may begin on another CPU. */
	if (r->cpus_differ == FSGS_ANSWER_YES)
		return 0;
	/* If an emulator runs the instructions, that shows nothing about the guest's kernel. If
	 * they are undefined, the guest's kernel did not enable them: an emulator of a whole
	 * machine obeys CR4. An emulator of a process has no CR4 and always runs them. */
	if (around->emulated && !any_at_all(undefined, r->trials))
		return 0;
	return when(r->cpuinfo_flag == FSGS_ANSWER_YES, FSGS_FINDING_KERNEL_TOO_OLD) |
	       when(r->cpuinfo_flag == FSGS_ANSWER_NO && !xen_lacks_it(r),
		    FSGS_FINDING_SWITCHED_OFF) |
	       when(r->verdict == FSGS_VERDICT_UNADVERTISED, FSGS_FINDING_PRIVILEGE_RISK);
}

/* The findings from ring 0, if CPUID offers the feature: whether CR4 accepts and keeps the bit, and
 * whether the instructions obey the bit. */
static uint64_t find_in_ring0(const struct fsgs_report *r)
{
	const int offered = r->cpuid_fsgsbase == FSGS_ANSWER_YES;
	const int refused = failed(r->cr4_write);
	const int dropped = !refused && r->cr4_sticks == FSGS_ANSWER_NO;

	return when(offered && refused, FSGS_FINDING_CR4_REFUSED) |
	       when(offered && dropped, FSGS_FINDING_CR4_DROPPED) |
	       when(offered && r->cr4_sticks == FSGS_ANSWER_YES &&
			    any_at_all(undefined, r->cr4_set),
		    FSGS_FINDING_INSN_UD) |
	       when(offered && any_at_all(ran, r->cr4_cleared), FSGS_FINDING_CR4_UNENFORCED);
}

static uint64_t find_process(const struct fsgs_report *r)
{
	const int instrumented = is_instrumented(r);
	const struct surroundings around = {
		.instrumented = instrumented,
		.emulated = is_emulated(r, instrumented),
		.sandboxed = is_sandboxed(r),
	};
	/* A copy of /proc/cpuinfo from another machine shows the flag, but not whether that kernel
	 * enabled the instructions. */
	const int only_listed = r->verdict == FSGS_VERDICT_UNKNOWN &&
				r->hwcap2_fsgsbase == FSGS_ANSWER_UNKNOWN &&
				r->cpuinfo_flag == FSGS_ANSWER_YES && !any_at_all(ran, r->trials);
	const int disabled = r->verdict == FSGS_VERDICT_DISABLED;
	const int proven = disabled && r->cr4_write == FSGS_OUTCOME_OK &&
			   r->cr4_sticks == FSGS_ANSWER_YES && !any_at_all(not_tried, r->cr4_set);
	const int unproven = (disabled && !proven) || only_listed;
	const int at_risk = unproven && fsgs_product(r->hypervisor) == FSGS_PRODUCT_HYPERV &&
			    fsgs_same(r->vendor, "AuthenticAMD");

	return find_not_enabled(r, &around) | find_in_ring0(r) | when(proven, FSGS_FINDING_PROVEN) |
	       when(unproven, FSGS_FINDING_UNPROVEN) | when(at_risk, FSGS_FINDING_UPGRADE_RISK) |
	       when(r->cpuid_faulting == FSGS_ANSWER_YES, FSGS_FINDING_CPUID_MASKED) |
	       /* An emulator affects the verdict only if an instruction ran. */
	       when(around.emulated && any_at_all(ran, r->trials), FSGS_FINDING_EMULATED) |
	       when(around.sandboxed, FSGS_FINDING_SANDBOXED) |
	       when(r->fallback[FSGS_SEGMENT_FS] == FSGS_FALLBACK_DENIED ||
			    r->fallback[FSGS_SEGMENT_GS] == FSGS_FALLBACK_DENIED,
		    FSGS_FINDING_ARCH_PRCTL_DENIED) |
	       when(r->fallback[FSGS_SEGMENT_FS] == FSGS_FALLBACK_LIES ||
			    r->fallback[FSGS_SEGMENT_GS] == FSGS_FALLBACK_LIES,
		    FSGS_FINDING_ARCH_PRCTL_LIES) |
	       when(instrumented, FSGS_FINDING_INSTRUMENTED);
}

static uint64_t find_ring0(const struct fsgs_report *r)
{
	return find_in_ring0(r) |
	       when(fsgs_product(r->hypervisor) == FSGS_PRODUCT_TCG && any_at_all(ran, r->cr4_set),
		    FSGS_FINDING_EMULATED);
}

static uint64_t find(const struct fsgs_report *r)
{
	const uint64_t misconfigured =
		when(r->signs & FSGS_SIGN_BIT(FSGS_SIGN_MISCONFIGURED), FSGS_FINDING_MISCONFIGURED);

	if (r->mode == FSGS_MODE_COMPAT || r->mode == FSGS_MODE_NOT_X86)
		return FSGS_FINDING_BIT(FSGS_FINDING_WRONG_MODE) | misconfigured;

	const uint64_t findings = r->vantage == FSGS_VANTAGE_PROCESS ? find_process(r)
				  : r->vantage == FSGS_VANTAGE_RING0 ? find_ring0(r)
								     : 0;

	return findings | misconfigured |
	       when(any_at_all(lost, fsgs_trials(r)), FSGS_FINDING_VALUE_LOST) |
	       when(r->cpus_differ == FSGS_ANSWER_YES, FSGS_FINDING_CPUS_DIFFER) |
	       when(r->canonical_check == FSGS_ANSWER_NO, FSGS_FINDING_NO_CANONICAL_CHECK);
}

static uint32_t decide_proof(const struct fsgs_report *r)
{
	return any_at_all(not_tried, fsgs_trials(r)) ? FSGS_PROOF_ADVERTISED : FSGS_PROOF_TRIED;
}

void fsgs_decide_whole(struct fsgs_report *r)
{
	r->verdict = FSGS_VERDICT_USABLE;
	for (unsigned segment = 0; segment < FSGS_SEGMENTS; segment++) {
		r->verdicts[segment] = decide_segment(r, segment);
		r->access[segment] = decide_access(r, segment);
		if (severity[r->verdicts[segment]] > severity[r->verdict])
			r->verdict = r->verdicts[segment];
	}
	r->proof = decide_proof(r);
	r->findings = find(r);
}

int fsgs_decide(struct fsgs_report *report, size_t size)
{
	struct fsgs_report r;

	if (!report || size < FSGS_REPORT_MIN)
		return -FSGS_EINVAL;
	fsgs_report_load(&r, report, size);
	fsgs_decide_whole(&r);

	report->verdict = r.verdict;
	report->proof = r.proof;
	report->findings = r.findings;
	for (unsigned segment = 0; segment < FSGS_SEGMENTS; segment++) {
		report->verdicts[segment] = r.verdicts[segment];
		report->access[segment] = r.access[segment];
	}
	return 0;
}

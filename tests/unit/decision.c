/* SPDX-License-Identifier: MIT */
/*
 * Tests fsgs_decide() with combinations of the evidence that it uses: with each, or with every
 * STRIDE-th. In each combination, a list of properties must hold.
 *
 * The verdict and the accesses depend on few members. These are combined in full, with every
 * outcome of each of the four instructions. The findings depend on many more members. In their
 * combinations, all four instructions have the same outcome, because most findings depend only on
 * whether any instruction had a certain outcome. These combinations also show that the further
 * members do not change the verdict and the accesses.
 *
 *   decision [STRIDE]
 */
#include <fsgscheck/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define N            FSGS_ANSWER_NO
#define Y            FSGS_ANSWER_YES
#define OUTCOMES     6
#define ODD_CODE     1 /* ILL_ILLOPC; Linux reports a real #UD as ILL_ILLOPN */

static const uint32_t all_outcomes = OUTCOMES * OUTCOMES * OUTCOMES * OUTCOMES;

/* The property under test and its report, for the message of a failure. */
static const char *property;
static const struct fsgs_report *state;

/* The trials on which the decision is based: those of the process, or those in ring 0. */
static const struct fsgs_trial *trials_of(const struct fsgs_report *r)
{
	return r->vantage == FSGS_VANTAGE_RING0 ? r->cr4_set : r->trials;
}

static void holds(int condition)
{
	if (condition)
		return;
	fprintf(stderr,
		"does not hold: %s\n"
		"vantage %u mode %u cpuid %u faulting %u entry %u hwcap2 %u cpuinfo %u outcomes "
		"%u %u %u %u\n"
		"fallback %u %u signs %x kernel %x cpus differ %u samples differ %u cr4 %u "
		"sticks %u\n"
		"cleared %u %u %u %u hypervisor '%s' vendor '%s': verdict %u (%u %u) access %u %u "
		"findings %llx\n",
		property, state->vantage, state->mode, state->cpuid_fsgsbase, state->cpuid_faulting,
		state->hwcap2_present, state->hwcap2_fsgsbase, state->cpuinfo_flag,
		trials_of(state)[0].outcome, trials_of(state)[1].outcome,
		trials_of(state)[2].outcome, trials_of(state)[3].outcome, state->fallback[0],
		state->fallback[1], state->signs, state->kernel_version, state->cpus_differ,
		state->samples_differ, state->cr4_write, state->cr4_sticks,
		state->cr4_cleared[0].outcome, state->cr4_cleared[1].outcome,
		state->cr4_cleared[2].outcome, state->cr4_cleared[3].outcome, state->hypervisor,
		state->vendor, state->verdict, state->verdicts[0], state->verdicts[1],
		state->access[0], state->access[1], (unsigned long long)state->findings);
	exit(1);
}

static int has(const struct fsgs_report *r, enum fsgs_finding finding)
{
	return (r->findings & FSGS_FINDING_BIT(finding)) != 0;
}

static int is_failure(uint32_t outcome)
{
	return outcome != FSGS_OUTCOME_OK && outcome != FSGS_OUTCOME_NOT_TRIED;
}

static int was_executed(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_OK || outcome == FSGS_OUTCOME_WRONG_VALUE ||
	       outcome == FSGS_OUTCOME_VALUE_LOST;
}

static int executed(const struct fsgs_report *r)
{
	int count = 0;

	for (int i = 0; i < FSGS_INSNS; i++)
		count += was_executed(trials_of(r)[i].outcome);
	return count;
}

/* Whether a trial in ring 0 failed, or setting the bit in CR4 failed. A process may have these
 * results from the kernel module. */
static int failed_in_ring0(const struct fsgs_report *r)
{
	int failures = is_failure(r->cr4_write) || r->cr4_sticks == N;

	for (int i = 0; i < FSGS_INSNS; i++)
		failures += is_failure(r->cr4_set[i].outcome);
	return failures;
}

/* -- the properties -- */

static void instruction_only_where_it_is_safe(const struct fsgs_report *r)
{
	property = "access is `instruction` only if the kernel, or CR4 in ring 0, enables "
		   "the instructions, and no trial failed";
	for (unsigned s = 0; s < FSGS_SEGMENTS; s++) {
		const uint32_t rd = trials_of(r)[s].outcome, wr = trials_of(r)[2 + s].outcome;

		if (r->access[s] != FSGS_ACCESS_INSTRUCTION)
			continue;
		holds(r->mode == FSGS_MODE_64BIT && r->cpus_differ != Y && r->samples_differ != Y);
		holds(!is_failure(rd) && !is_failure(wr));
		if (r->vantage == FSGS_VANTAGE_PROCESS)
			holds(r->hwcap2_fsgsbase == Y && r->cpuid_fsgsbase != N &&
			      r->cpuid_faulting != Y);
		else
			holds(r->cpuid_fsgsbase == Y && r->cr4_write == FSGS_OUTCOME_OK &&
			      r->cr4_sticks != N && rd == FSGS_OUTCOME_OK && wr == FSGS_OUTCOME_OK);
	}
}

static void usable_is_instruction(const struct fsgs_report *r)
{
	property = "`usable` and access by `instruction` are the same";
	for (unsigned s = 0; s < FSGS_SEGMENTS; s++)
		holds((r->verdicts[s] == FSGS_VERDICT_USABLE) ==
		      (r->access[s] == FSGS_ACCESS_INSTRUCTION));
}

static void overall_is_the_worse(const struct fsgs_report *r)
{
	property = "the verdict is one of the two segments', and the healthy one only if both are";
	holds(r->verdict == r->verdicts[0] || r->verdict == r->verdicts[1]);
	for (unsigned s = 0; s < FSGS_SEGMENTS; s++)
		holds(r->verdicts[s] == FSGS_VERDICT_UNKNOWN ||
		      fsgs_exit_status(r->verdict) >= fsgs_exit_status(r->verdicts[s]));
	holds((r->verdict == FSGS_VERDICT_USABLE) ==
	      (r->verdicts[0] == FSGS_VERDICT_USABLE && r->verdicts[1] == FSGS_VERDICT_USABLE));
}

static void silence_is_unknown(const struct fsgs_report *r)
{
	property = "without the witness that counts there is no verdict";
	if (r->mode == FSGS_MODE_UNKNOWN)
		holds(r->verdict == FSGS_VERDICT_UNKNOWN);
	if (r->mode != FSGS_MODE_64BIT || r->cpus_differ == Y || r->samples_differ == Y)
		return;
	if (r->vantage == FSGS_VANTAGE_PROCESS ? !r->hwcap2_fsgsbase : !r->cpuid_fsgsbase)
		holds(r->verdict == FSGS_VERDICT_UNKNOWN);
}

static void other_modes_have_nothing(const struct fsgs_report *r)
{
	property = "code that is not 64-bit has no use of it, and is told so";
	if (r->mode != FSGS_MODE_COMPAT && r->mode != FSGS_MODE_NOT_X86)
		return;
	holds(r->verdict == FSGS_VERDICT_UNSUPPORTED);
	holds(r->access[0] == FSGS_ACCESS_NONE && r->access[1] == FSGS_ACCESS_NONE);
	holds(r->findings == FSGS_FINDING_BIT(FSGS_FINDING_WRONG_MODE));
}

static void broken_is_seen(const struct fsgs_report *r)
{
	int failures = 0;

	property = "`broken` needs a promise and a failure";
	for (int i = 0; i < FSGS_INSNS; i++)
		failures += is_failure(trials_of(r)[i].outcome);
	if (r->verdict != FSGS_VERDICT_BROKEN)
		return;
	if (r->vantage == FSGS_VANTAGE_PROCESS)
		holds((r->hwcap2_fsgsbase == Y && failures) ||
		      (r->cpuid_fsgsbase != N && failed_in_ring0(r)));
	else
		holds(r->cpuid_fsgsbase == Y && (failures || failed_in_ring0(r)));
}

static void nothing_that_ran_is_called_absent(const struct fsgs_report *r)
{
	property = "what was seen to run is neither `disabled` nor `unsupported`";
	if (r->mode == FSGS_MODE_64BIT &&
	    (r->verdict == FSGS_VERDICT_DISABLED || r->verdict == FSGS_VERDICT_UNSUPPORTED))
		holds(!executed(r));
}

static void disabled_is_unproven_or_proven(const struct fsgs_report *r)
{
	property = "`disabled` says that it is unproven, or else proven";
	if (r->verdict == FSGS_VERDICT_DISABLED)
		holds(has(r, FSGS_FINDING_UNPROVEN) != has(r, FSGS_FINDING_PROVEN) &&
		      r->cpuid_fsgsbase == Y && r->hwcap2_fsgsbase == N);
	property = "only what ring 0 has executed, all four and without a failure, is proven";
	if (has(r, FSGS_FINDING_PROVEN)) {
		holds(r->verdict == FSGS_VERDICT_DISABLED && r->cr4_write == FSGS_OUTCOME_OK &&
		      r->cr4_sticks == Y);
		for (int i = 0; i < FSGS_INSNS; i++)
			holds(r->cr4_set[i].outcome == FSGS_OUTCOME_OK);
	}
	property = "only what nobody executed is unproven";
	if (has(r, FSGS_FINDING_UNPROVEN))
		holds(!executed(r) && r->vantage == FSGS_VANTAGE_PROCESS);
	if (has(r, FSGS_FINDING_UPGRADE_RISK))
		holds(has(r, FSGS_FINDING_UNPROVEN) && !strcmp(r->hypervisor, "Microsoft Hv") &&
		      !strcmp(r->vendor, "AuthenticAMD"));
}

static void alarm_only_behind_a_genuine_kernel(const struct fsgs_report *r)
{
	property = "privilege-risk only where it runs unadvertised behind a genuine kernel";
	if (has(r, FSGS_FINDING_PRIVILEGE_RISK))
		holds(r->verdict == FSGS_VERDICT_UNADVERTISED && r->hwcap2_fsgsbase == N &&
		      !(r->signs &
			(FSGS_SIGN_BIT(FSGS_SIGN_UML) | FSGS_SIGN_BIT(FSGS_SIGN_GVISOR))) &&
		      executed(r) && strcmp(r->hypervisor, "TCGTCGTCGTCG") != 0 &&
		      (r->hwcap2_present == Y ||
		       (r->kernel_version && r->kernel_version < (4 << 16 | 11 << 8))) &&
		      !has(r, FSGS_FINDING_INSTRUMENTED) && !has(r, FSGS_FINDING_EMULATED));
}

static void findings_fit_the_vantage(const struct fsgs_report *r)
{
	const uint64_t ring0 = FSGS_FINDING_BIT(FSGS_FINDING_INSN_UD) |
			       FSGS_FINDING_BIT(FSGS_FINDING_CR4_REFUSED) |
			       FSGS_FINDING_BIT(FSGS_FINDING_CR4_DROPPED) |
			       FSGS_FINDING_BIT(FSGS_FINDING_CR4_UNENFORCED);
	const uint64_t both = FSGS_FINDING_BIT(FSGS_FINDING_WRONG_MODE) |
			      FSGS_FINDING_BIT(FSGS_FINDING_CPUS_DIFFER) |
			      FSGS_FINDING_BIT(FSGS_FINDING_EMULATED) |
			      FSGS_FINDING_BIT(FSGS_FINDING_VALUE_LOST) |
			      FSGS_FINDING_BIT(FSGS_FINDING_NO_CANONICAL_CHECK);

	property = "no finding that this vantage cannot make";
	holds(!(r->findings >> FSGS_FINDINGS));
	if (r->vantage == FSGS_VANTAGE_PROCESS)
		holds(!(r->findings & ring0) || r->cr4_write);
	else
		holds(!(r->findings & ~(ring0 | both)));
}

static void no_way_only_where_none_works(const struct fsgs_report *r)
{
	property = "access is `none` only off 64-bit mode or where arch_prctl fails, else there is "
		   "a way";
	for (unsigned s = 0; s < FSGS_SEGMENTS; s++) {
		const int fails = r->fallback[s] == FSGS_FALLBACK_DENIED ||
				  r->fallback[s] == FSGS_FALLBACK_LIES;
		const int other_mode = r->mode == FSGS_MODE_COMPAT || r->mode == FSGS_MODE_NOT_X86;

		holds((r->access[s] == FSGS_ACCESS_NONE) ==
		      (r->access[s] != FSGS_ACCESS_INSTRUCTION && (fails || other_mode)));
	}
}

static void a_trial_only_takes_away(const struct fsgs_report *r)
{
	struct fsgs_report untried = *r;

	property = "in a process a trial never makes usable what is not so without it";
	if (r->vantage != FSGS_VANTAGE_PROCESS || r->verdict != FSGS_VERDICT_USABLE)
		return;
	memset(untried.trials, 0, sizeof untried.trials);
	fsgs_decide(&untried, sizeof untried);
	holds(untried.verdict == FSGS_VERDICT_USABLE && untried.proof == FSGS_PROOF_ADVERTISED);
}

static void segments_are_alike(const struct fsgs_report *r)
{
	struct fsgs_report turned = *r;

	property = "FS and GS are decided by the same rule";
	for (int i = 0; i < FSGS_INSNS; i++) {
		turned.trials[i] = r->trials[i ^ 1];
		turned.cr4_cleared[i] = r->cr4_cleared[i ^ 1];
		turned.cr4_set[i] = r->cr4_set[i ^ 1];
	}
	for (int s = 0; s < FSGS_SEGMENTS; s++)
		turned.fallback[s] = r->fallback[s ^ 1];
	fsgs_decide(&turned, sizeof turned);
	holds(turned.verdict == r->verdict);
	for (int s = 0; s < FSGS_SEGMENTS; s++)
		holds(turned.verdicts[s] == r->verdicts[s ^ 1] &&
		      turned.access[s] == r->access[s ^ 1]);
}

static void words_fit(const struct fsgs_report *r)
{
	static const char *const sides[] = {"Guest: ", "Host: ", "Process: "};
	const char *step;

	property = "a reason always, and advice that ends and begins with the side to act";
	holds(fsgs_reason(r, sizeof *r) != NULL);
	for (uint32_t i = 0; (step = fsgs_advice(r, sizeof *r, i)) != NULL; i++) {
		int named = 0;

		for (size_t side = 0; side < COUNT(sides); side++)
			named |= strncmp(step, sides[side], strlen(sides[side])) == 0;
		holds(named && i < 16);
	}
	property = "a verdict with exit status 2 has advice";
	holds(fsgs_exit_status(r->verdict) != 2 || fsgs_advice(r, sizeof *r, 0));
}

static unsigned long decisions;
/* Of the combinations of the other members, every `stride`-th is tried, each with all outcomes.
 * Builds with sanitizers are slow, so they use a stride above 1. */
static uint64_t stride = 1;

static void decide(struct fsgs_report *r, int also_words)
{
	static struct fsgs_report before;

	before = *r;
	state = r;
	property = "the evidence is left alone";
	holds(fsgs_decide(r, sizeof *r) == 0);
	holds(memcmp((char *)r + FSGS_REPORT_MIN, (char *)&before + FSGS_REPORT_MIN,
		     sizeof *r - FSGS_REPORT_MIN) == 0);
	decisions++;
	instruction_only_where_it_is_safe(r);
	usable_is_instruction(r);
	overall_is_the_worse(r);
	silence_is_unknown(r);
	other_modes_have_nothing(r);
	broken_is_seen(r);
	nothing_that_ran_is_called_absent(r);
	disabled_is_unproven_or_proven(r);
	alarm_only_behind_a_genuine_kernel(r);
	findings_fit_the_vantage(r);
	no_way_only_where_none_works(r);
	a_trial_only_takes_away(r);
	if (also_words)
		words_fit(r);
}

/* -- the combinations -- */

/* Takes the lowest digit from `code`, a number in which each digit may have another base. */
static uint32_t digit(uint64_t *code, uint32_t base)
{
	const uint32_t value = (uint32_t)(*code % base);

	*code /= base;
	return value;
}

static void set_outcomes(struct fsgs_trial trials[FSGS_INSNS], uint32_t code)
{
	for (int i = 0; i < FSGS_INSNS; i++, code /= OUTCOMES)
		trials[i].outcome = code % OUTCOMES;
}

static void verdicts_of_processes(void)
{
	static const uint32_t fallbacks[][2] = {
		{FSGS_FALLBACK_OK, FSGS_FALLBACK_OK},
		{FSGS_FALLBACK_UNKNOWN, FSGS_FALLBACK_LIES},
		{FSGS_FALLBACK_DENIED, FSGS_FALLBACK_OK},
	};
	struct fsgs_report r = {.vantage = FSGS_VANTAGE_PROCESS};

	for (uint64_t rest = 0; rest < (uint64_t)4 * 3 * 3 * 3 * 3 * 3 * COUNT(fallbacks);
	     rest += stride) {
		uint64_t code = rest;

		r.mode = digit(&code, 4);
		r.cpuid_fsgsbase = digit(&code, 3);
		r.cpuid_faulting = digit(&code, 3);
		r.hwcap2_fsgsbase = digit(&code, 3);
		r.cpus_differ = digit(&code, 3);
		r.samples_differ = digit(&code, 3);
		memcpy(r.fallback, fallbacks[code], sizeof r.fallback);
		for (uint32_t outcomes = 0; outcomes < all_outcomes; outcomes++) {
			set_outcomes(r.trials, outcomes);
			decide(&r, 0);
			if (outcomes % 7 == 0)
				segments_are_alike(&r);
		}
	}
}

static void verdicts_in_ring_0(void)
{
	struct fsgs_report r = {.vantage = FSGS_VANTAGE_RING0};

	/* Of the outcomes with the bit clear, one in 100 combinations is tried: the rule for them
	 * does not distinguish the instructions. */
	for (uint64_t rest = 0; rest < (uint64_t)4 * 3 * OUTCOMES * 3 * 2 * 13; rest += stride) {
		uint64_t code = rest;

		r.mode = digit(&code, 4);
		r.cpuid_fsgsbase = digit(&code, 3);
		r.cr4_write = digit(&code, OUTCOMES);
		r.cr4_sticks = digit(&code, 3);
		r.cpus_differ = digit(&code, 2) ? Y : N;
		for (uint32_t i = 0, cleared = (uint32_t)code * 100; i < FSGS_INSNS;
		     i++, cleared /= OUTCOMES)
			r.cr4_cleared[i].outcome = cleared % OUTCOMES;
		for (uint32_t outcomes = 0; outcomes < all_outcomes; outcomes++) {
			set_outcomes(r.cr4_set, outcomes);
			decide(&r, 0);
			if (outcomes % 7 == 0)
				segments_are_alike(&r);
		}
	}
}

/* Processes that have results from ring 0. In the process itself, all four instructions have the
 * same outcome. */
static void verdicts_of_processes_that_asked(void)
{
	struct fsgs_report r = {
		.vantage = FSGS_VANTAGE_PROCESS, .mode = FSGS_MODE_64BIT, .hwcap2_present = Y};

	for (uint64_t rest = 0; rest < (uint64_t)3 * 3 * 3 * (OUTCOMES - 1) * 3 * 2 * 2;
	     rest += stride) {
		uint64_t code = rest;

		r.cpuid_fsgsbase = digit(&code, 3);
		r.hwcap2_fsgsbase = digit(&code, 3);
		r.cpuinfo_flag = digit(&code, 3);
		r.cr4_write = 1 + digit(&code, OUTCOMES - 1);
		r.cr4_sticks = digit(&code, 3);
		r.cpus_differ = digit(&code, 2) ? Y : N;
		for (int i = 0; i < FSGS_INSNS; i++)
			r.cr4_cleared[i].outcome =
				code ? FSGS_OUTCOME_UNDEFINED : FSGS_OUTCOME_NOT_TRIED;
		for (uint32_t outcomes = 0; outcomes < all_outcomes; outcomes++) {
			set_outcomes(r.cr4_set, outcomes);
			for (uint32_t outcome = 0; outcome < OUTCOMES; outcome++) {
				set_outcomes(r.trials, outcome * (1 + 6 + 36 + 216));
				decide(&r, outcomes % 64 == 0);
			}
			segments_are_alike(&r);
		}
	}
}

/* Also shows that of the members that are set here, only those that are copied to `bare` affect the
 * verdict and the accesses. */
static void findings_of_processes(void)
{
	static const char *const hypervisors[] = {"", "KVMKVMKVM", "Microsoft Hv", "TCGTCGTCGTCG"};
	static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD"};
	static const uint32_t kernels[] = {0, 4 << 16 | 4 << 8, 5 << 16 | 4 << 8, 6 << 16 | 1 << 8};
	static const struct {
		uint32_t fallback[2];
		int32_t error[2];
	} fallbacks[] = {
		{{FSGS_FALLBACK_OK, FSGS_FALLBACK_OK}, {0, 0}},
		{{FSGS_FALLBACK_OK, FSGS_FALLBACK_DENIED}, {0, 22}},
		{{FSGS_FALLBACK_OK, FSGS_FALLBACK_LIES}, {0, 0}},
	};
	struct fsgs_report r = {.vantage = FSGS_VANTAGE_PROCESS, .mode = FSGS_MODE_64BIT};

	for (uint64_t rest = 0; rest < (uint64_t)3 * 3 * 3 * 3 * 3 * 64 * COUNT(hypervisors) *
					       COUNT(vendors) * COUNT(kernels) * COUNT(fallbacks);
	     rest += stride) {
		uint64_t code = rest;

		r.cpuid_fsgsbase = digit(&code, 3);
		r.cpuid_faulting = digit(&code, 3);
		r.hwcap2_present = digit(&code, 3);
		r.hwcap2_fsgsbase = digit(&code, 3);
		r.cpuinfo_flag = digit(&code, 3);
		r.signs = digit(&code, 64);
		strcpy(r.hypervisor, hypervisors[digit(&code, COUNT(hypervisors))]);
		strcpy(r.vendor, vendors[digit(&code, COUNT(vendors))]);
		r.kernel_version = kernels[digit(&code, COUNT(kernels))];
		memcpy(r.fallback, fallbacks[code].fallback, sizeof r.fallback);
		memcpy(r.fallback_error, fallbacks[code].error, sizeof r.fallback_error);
		for (uint32_t outcome = 0; outcome <= OUTCOMES; outcome++) {
			struct fsgs_report bare = {.vantage = FSGS_VANTAGE_PROCESS,
						   .mode = FSGS_MODE_64BIT};

			for (int i = 0; i < FSGS_INSNS; i++) {
				r.trials[i].outcome =
					outcome < OUTCOMES ? outcome : FSGS_OUTCOME_UNDEFINED;
				r.trials[i].code = outcome < OUTCOMES ? 2 : ODD_CODE;
			}
			r.canonical_check = outcome == FSGS_OUTCOME_OK ? 1 + rest % 2 : 0;
			decide(&r, rest % 16 == 0);

			bare.cpuid_fsgsbase = r.cpuid_fsgsbase;
			bare.cpuid_faulting = r.cpuid_faulting;
			bare.hwcap2_fsgsbase = r.hwcap2_fsgsbase;
			memcpy(bare.fallback, r.fallback, sizeof r.fallback);
			memcpy(bare.trials, r.trials, sizeof r.trials);
			fsgs_decide(&bare, sizeof bare);
			property = "context decides findings and nothing else";
			holds(memcmp(&bare, &r, offsetof(struct fsgs_report, findings)) == 0);
		}
	}
}

/* Each report is in a block of its own size. So the sanitizer detects an access to members that are
 * cut off. These members must count as unknown. */
static void every_size(void)
{
	static const struct fsgs_report whole = {.vantage = FSGS_VANTAGE_PROCESS,
						 .mode = FSGS_MODE_64BIT,
						 .cpuid_fsgsbase = Y,
						 .hwcap2_fsgsbase = N,
						 .hwcap2_present = Y,
						 .cpuinfo_flag = N};

	property = "every size of report from the smallest is decided within its bounds";
	state = &whole;
	for (size_t size = 0; size <= 2 * sizeof whole; size++) {
		struct fsgs_report *r = calloc(1, size ? size : 1), cut = {0};
		const size_t known = size < sizeof whole ? size : sizeof whole;

		if (!r)
			exit(1);
		memcpy(r, &whole, known);
		memcpy(&cut, &whole, known);
		holds(fsgs_decide(r, size) == (size < FSGS_REPORT_MIN ? -22 : 0));
		if (size >= FSGS_REPORT_MIN) {
			fsgs_decide(&cut, sizeof cut);
			holds(memcmp(r, &cut, known) == 0);
			for (size_t i = sizeof whole; i < size; i++)
				holds(((char *)r)[i] == 0);
		}
		holds(fsgs_reason(r, size) != NULL);
		for (uint32_t step = 0; fsgs_advice(r, size, step); step++)
			holds(step < 16);
		free(r);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		stride = strtoull(argv[1], NULL, 10);
	if (!stride)
		return 64;
	verdicts_of_processes();
	verdicts_in_ring_0();
	verdicts_of_processes_that_asked();
	findings_of_processes();
	every_size();
	printf("%lu decisions\n", decisions);
	return 0;
}

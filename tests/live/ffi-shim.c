/* SPDX-License-Identifier: MIT */
/*
 * A library that reports another machine, for the tests of the bindings. On a healthy machine, most
 * fields of a report are empty or the same for FS and GS, so the tests would not notice a binding
 * that confuses two fields.
 *
 * SHIM_STATE chooses the machine that the shim reports. For "disabled" and "mixed", the shim edits
 * the evidence of the real machine and calls fsgs_decide(). For "future", it edits the result.
 * After fsgs_refresh(), it reports the real machine, as if the process had been restored there.
 */
#include <fsgscheck.h>
#include <fsgscheck/base.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The functions of the real library. meson.build compiles them under these names. */
int real_fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags);
int real_fsgs_refresh(void);
uint32_t real_fsgs_base_access(uint32_t segment);
const char *real_fsgs_name(uint32_t list, uint32_t value);
const char *real_fsgs_version_string(void);

static atomic_bool refreshed;

static int is(const char *wanted)
{
	const char *state = getenv("SHIM_STATE");

	return state && !atomic_load(&refreshed) && strcmp(state, wanted) == 0;
}

static void outcome(struct fsgs_report *report, uint32_t insn, uint32_t outcome)
{
	report->trials[insn] = (struct fsgs_trial){.outcome = outcome};
	if (outcome == FSGS_OUTCOME_UNDEFINED) {
		report->trials[insn].width = 64;
		report->trials[insn].signal = 4;
		report->trials[insn].code = 2;
	}
}

/* CPUID offers the instructions, but the kernel does not enable them. So the report has findings
 * and several steps of advice. */
static void disable(struct fsgs_report *report)
{
	report->cpuid_fsgsbase = FSGS_ANSWER_YES;
	report->hwcap2_fsgsbase = FSGS_ANSWER_NO;
	report->cpuinfo_flag = FSGS_ANSWER_NO;
	for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
		outcome(report, insn, FSGS_OUTCOME_UNDEFINED);
	memcpy(report->vendor, "GenuineIntel", sizeof "GenuineIntel");
	memcpy(report->hypervisor, "VMwareVMware", sizeof "VMwareVMware");
	fsgs_decide(report, sizeof *report);
}

/* FS works. The two instructions for GS fail in different ways. */
static void mix(struct fsgs_report *report)
{
	report->cpuid_fsgsbase = FSGS_ANSWER_YES;
	report->hwcap2_fsgsbase = FSGS_ANSWER_YES;
	report->cpuinfo_flag = FSGS_ANSWER_YES;
	outcome(report, FSGS_INSN_RDFSBASE, FSGS_OUTCOME_OK);
	outcome(report, FSGS_INSN_RDGSBASE, FSGS_OUTCOME_UNDEFINED);
	outcome(report, FSGS_INSN_WRFSBASE, FSGS_OUTCOME_OK);
	outcome(report, FSGS_INSN_WRGSBASE, FSGS_OUTCOME_WRONG_VALUE);
	fsgs_decide(report, sizeof *report);
}

/* Sets numbers that only a later library returns. fsgs_name() below names just one of them: the
 * finding with the number FSGS_FINDINGS. */
static void advance(struct fsgs_report *report)
{
	report->verdict = 42;
	report->verdicts[FSGS_SEGMENT_FS] = FSGS_VERDICT_USABLE;
	report->verdicts[FSGS_SEGMENT_GS] = UINT32_MAX;
	report->access[FSGS_SEGMENT_FS] = FSGS_ACCESS_INSTRUCTION;
	report->access[FSGS_SEGMENT_GS] = 9;
	report->proof = 7;
	report->findings = FSGS_FINDING_BIT(FSGS_FINDING_EMULATED) |
			   FSGS_FINDING_BIT(FSGS_FINDINGS) | FSGS_FINDING_BIT(40) |
			   FSGS_FINDING_BIT(63);
	report->trials[FSGS_INSN_RDFSBASE].outcome = 99;
	report->cpuid_fsgsbase = 5;
}

int fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags)
{
	const int status = real_fsgs_check(report, size, flags);

	if (status || size < sizeof *report)
		return status;
	if (is("disabled"))
		disable(report);
	if (is("mixed"))
		mix(report);
	/* The bindings' programs check with FSGS_CHECK_CONTEXT. A check without it is the library's
	 * own, for fsgs_usable(), and must not get such numbers. */
	if (is("future") && (flags & FSGS_CHECK_CONTEXT))
		advance(report);
	return 0;
}

int fsgs_refresh(void)
{
	atomic_store(&refreshed, 1);
	return real_fsgs_refresh();
}

uint32_t fsgs_base_access(uint32_t segment)
{
	return is("future") && segment == FSGS_SEGMENT_GS ? 9 : real_fsgs_base_access(segment);
}

const char *fsgs_name(uint32_t list, uint32_t value)
{
	if (is("future") && list == FSGS_LIST_FINDING && value == FSGS_FINDINGS)
		return "of-tomorrow";
	return real_fsgs_name(list, value);
}

const char *fsgs_version_string(void)
{
	return is("future") ? "9.8.7" : real_fsgs_version_string();
}

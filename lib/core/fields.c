/* SPDX-License-Identifier: MIT */
/* Describes the fields of the report. A binding reads the fields by these descriptions, so it needs
 * no translation of report.h. */
#include "core.h"

struct row {
	char name[20];
	uint16_t offset;
	uint8_t type, width, count, stride, list, index;
};

#define R             struct fsgs_report
#define WIDTH(member) sizeof(((R *)0)->member)
#define ROW(name, at, type, width, count, stride, list, index)                                   \
	{                                                                                        \
		name, offsetof(R, at), FSGS_TYPE_##type, width, count, stride, FSGS_LIST_##list, \
			FSGS_LIST_##index                                                        \
	}
#define ONE(member, type, list) \
	ROW(#member, member, type, WIDTH(member), 1, WIDTH(member), list, NONE)
#define BOTH(member, type, list) ROW(#member, member, type, 4, FSGS_SEGMENTS, 4, list, SEGMENT)
#define TRIAL(trials, member, type, list)                                                          \
	ROW(#trials "." #member, trials[0].member, type, 4, FSGS_INSNS, sizeof(struct fsgs_trial), \
	    list, INSN)
#define TRIALS(trials)                                                                   \
	TRIAL(trials, outcome, UNSIGNED, OUTCOME), TRIAL(trials, width, UNSIGNED, NONE), \
		TRIAL(trials, signal, SIGNED, NONE), TRIAL(trials, code, SIGNED, NONE)

static const struct row rows[] = {
	ONE(verdict, UNSIGNED, VERDICT),
	ONE(proof, UNSIGNED, PROOF),
	BOTH(verdicts, UNSIGNED, VERDICT),
	BOTH(access, UNSIGNED, ACCESS),
	ONE(findings, BITS, FINDING),
	ONE(vantage, UNSIGNED, VANTAGE),
	ONE(mode, UNSIGNED, MODE),
	ONE(cpuid_max_leaf, UNSIGNED, NONE),
	ONE(cpuid_fsgsbase, UNSIGNED, ANSWER),
	ONE(cpuid_faulting, UNSIGNED, ANSWER),
	ONE(hwcap2_present, UNSIGNED, ANSWER),
	ONE(hwcap2_fsgsbase, UNSIGNED, ANSWER),
	ONE(cpuinfo_flag, UNSIGNED, ANSWER),
	TRIALS(trials),
	ONE(refusal, UNSIGNED, REFUSAL),
	ONE(refusal_error, SIGNED, NONE),
	ONE(canonical_check, UNSIGNED, ANSWER),
	ONE(survival_tried, BITS, EVENT),
	ONE(survival_lost, BITS, EVENT),
	BOTH(fallback, UNSIGNED, FALLBACK),
	BOTH(fallback_error, SIGNED, NONE),
	ONE(signs, BITS, SIGN),
	ONE(kernel_version, UNSIGNED, NONE),
	ONE(cpus_checked, UNSIGNED, NONE),
	ONE(cpus_differ, UNSIGNED, ANSWER),
	ONE(samples_differ, UNSIGNED, ANSWER),
	ONE(cr4_write, UNSIGNED, OUTCOME),
	ONE(cr4_sticks, UNSIGNED, ANSWER),
	TRIALS(cr4_set),
	TRIALS(cr4_cleared),
	ONE(family, UNSIGNED, NONE),
	ONE(model, UNSIGNED, NONE),
	ONE(stepping, UNSIGNED, NONE),
	ONE(hypervisor_present, UNSIGNED, ANSWER),
	ONE(hypervisor_build, UNSIGNED, NONE),
	ONE(hypervisor_version, UNSIGNED, NONE),
	ONE(vendor, TEXT, NONE),
	ONE(brand, TEXT, NONE),
	ONE(hypervisor, TEXT, NONE),
	ONE(kernel, TEXT, NONE),
};

const char *fsgs_report_field(uint32_t number, struct fsgs_field *field, size_t size)
{
	if (!field || size < FSGS_FIELD_MIN || number >= sizeof rows / sizeof *rows)
		return NULL;

	const struct row *const row = &rows[number];
	const struct fsgs_field full = {row->type,   row->offset, row->width, row->count,
					row->stride, row->list,   row->index, 0};

	fsgs_copy_out(field, size, &full, sizeof full);
	return row->name;
}

size_t fsgs_report_size(void)
{
	return sizeof(struct fsgs_report);
}

/* SPDX-License-Identifier: MIT */
/* The report as JSON, schema 1. The keys are a contract. The kernel module builds this file,
 * too. */
#include "json.h"
#include "output.h"

static void put_answer(struct json *json, const char *key, uint32_t answer)
{
	if (answer == FSGS_ANSWER_YES || answer == FSGS_ANSWER_NO)
		json_bool(json, key, answer == FSGS_ANSWER_YES);
	else
		json_null(json, key);
}

static void put_name(struct json *json, const char *key, uint32_t list, uint32_t value)
{
	json_string(json, key, fsgs_name(list, value));
}

static void put_bits(struct json *json, const char *key, uint32_t list, uint64_t bits)
{
	json_begin(json, key, '[');
	for (uint32_t i = 0; i < 64; i++)
		if (bits >> i & 1)
			put_name(json, NULL, list, i);
	json_end(json, ']');
}

/* A number, or null when `known` is 0. */
static void put_known(struct json *json, const char *key, uint32_t value, uint32_t known)
{
	if (known)
		json_number(json, key, value);
	else
		json_null(json, key);
}

static void put_cpuid(struct json *json, const struct fsgs_report *r)
{
	json_begin(json, "cpuid", '{');
	put_known(json, "max_leaf", r->cpuid_max_leaf, r->cpuid_max_leaf);
	put_answer(json, "fsgsbase", r->cpuid_fsgsbase);
	json_string(json, "vendor", r->vendor);
	json_string(json, "brand", r->brand);
	put_known(json, "family", r->family, r->family);
	put_known(json, "model", r->model, r->family);
	put_known(json, "stepping", r->stepping, r->family);
	json_string(json, "hypervisor", r->hypervisor);
	put_known(json, "hypervisor_build", r->hypervisor_build, r->hypervisor_build);
	json_end(json, '}');
}

static void put_trials(struct json *json, const struct fsgs_report *r)
{
	const struct fsgs_trial *const trials =
		r->vantage == FSGS_VANTAGE_RING0 ? r->cr4_set : r->trials;

	json_begin(json, "trials", '{');
	for (uint32_t i = 0; i < FSGS_INSNS; i++) {
		const struct fsgs_trial *trial = &trials[i];

		json_begin(json, fsgs_name(FSGS_LIST_INSN, i), '{');
		put_name(json, "outcome", FSGS_LIST_OUTCOME, trial->outcome);
		if (trial->signal) {
			json_number(json, "signal", trial->signal);
			json_number(json, "si_code", trial->code);
		} else {
			json_null(json, "signal");
			json_null(json, "si_code");
		}
		json_end(json, '}');
	}
	json_end(json, '}');
}

static void put_ring0(struct json *json, const struct fsgs_report *r)
{
	json_begin(json, "ring0", '{');
	put_name(json, "cr4_write", FSGS_LIST_OUTCOME, r->cr4_write);
	put_answer(json, "cr4_sticks", r->cr4_sticks);
	put_answer(json, "cpus_differ", r->cpus_differ);
	put_answer(json, "samples_differ", r->samples_differ);
	json_begin(json, "set", '{');
	for (uint32_t i = 0; i < FSGS_INSNS; i++)
		put_name(json, fsgs_name(FSGS_LIST_INSN, i), FSGS_LIST_OUTCOME,
			 r->cr4_set[i].outcome);
	json_end(json, '}');
	json_begin(json, "cleared", '{');
	for (uint32_t i = 0; i < FSGS_INSNS; i++)
		put_name(json, fsgs_name(FSGS_LIST_INSN, i), FSGS_LIST_OUTCOME,
			 r->cr4_cleared[i].outcome);
	json_end(json, '}');
	json_end(json, '}');
}

static void put_cpus(struct json *json, const struct result *result)
{
	char text[CPU_LIST_SIZE];

	json_begin(json, "cpus", '[');
	for (uint32_t i = 0; i < result->group_count; i++) {
		const struct fsgs_cpu_group *group = &result->groups[i];

		json_begin(json, NULL, '{');
		json_string(json, "cpus", cpu_list(group, text));
		json_number(json, "count", group->count);
		put_answer(json, "cpuid_fsgsbase", group->cpuid_fsgsbase);
		for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
			put_name(json, fsgs_name(FSGS_LIST_INSN, insn), FSGS_LIST_OUTCOME,
				 group->outcomes[insn]);
		json_end(json, '}');
	}
	json_end(json, ']');
}

static const char *advice(const void *report, uint32_t step)
{
	return fsgs_advice(report, sizeof(struct fsgs_report), step);
}

void report_json(struct json *json, const struct result *result)
{
	const struct fsgs_report *r = &result->report;

	json_number(json, "schema", 1);
	put_name(json, "verdict", FSGS_LIST_VERDICT, r->verdict);
	put_name(json, "fs", FSGS_LIST_VERDICT, r->verdicts[FSGS_SEGMENT_FS]);
	put_name(json, "gs", FSGS_LIST_VERDICT, r->verdicts[FSGS_SEGMENT_GS]);
	put_name(json, "proof", FSGS_LIST_PROOF, r->proof);
	put_bits(json, "findings", FSGS_LIST_FINDING, r->findings);
	put_cpuid(json, r);
	json_begin(json, "hwcap2", '{');
	put_answer(json, "present", r->hwcap2_present);
	put_answer(json, "fsgsbase", r->hwcap2_fsgsbase);
	json_end(json, '}');
	put_answer(json, "cpuinfo_flag", r->cpuinfo_flag);
	put_trials(json, r);
	json_begin(json, "access", '{');
	put_name(json, "fs", FSGS_LIST_ACCESS, r->access[FSGS_SEGMENT_FS]);
	put_name(json, "gs", FSGS_LIST_ACCESS, r->access[FSGS_SEGMENT_GS]);
	json_end(json, '}');
	if (result->group_count)
		put_cpus(json, result);
	if (r->survival_tried) {
		json_begin(json, "survival", '{');
		put_bits(json, "tried", FSGS_LIST_EVENT, r->survival_tried);
		put_bits(json, "lost", FSGS_LIST_EVENT, r->survival_lost);
		json_end(json, '}');
	}
	if (r->cr4_write != FSGS_OUTCOME_NOT_TRIED)
		put_ring0(json, r);
	json_begin(json, "kernel", '{');
	json_string(json, "release", r->kernel);
	json_end(json, '}');
	json_string(json, "reason", fsgs_reason(r, sizeof *r));
	json_lines(json, "advice", advice, r);
	json_string(json, "library", fsgs_version_string());
}

void print_json(FILE *out, const struct result *result)
{
	struct json json = {.out = out};

	json_begin(&json, NULL, '{');
	report_json(&json, result);
	json_end(&json, '}');
}

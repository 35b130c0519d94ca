/* SPDX-License-Identifier: MIT */
/* One JSON object, schema 1: the machine, the cases, the counts. */
#include "suite.h"

#include <stdio.h>

#include "json.h"

static struct json json;

static void put_answer(const char *key, uint32_t answer)
{
	if (answer == FSGS_ANSWER_UNKNOWN)
		json_null(&json, key);
	else
		json_bool(&json, key, answer == FSGS_ANSWER_YES);
}

static void begin(unsigned total)
{
	const struct fsgs_report *const r = &machine.report;

	json = (struct json){.out = stdout};
	json_begin(&json, NULL, '{');
	json_number(&json, "schema", 1);
	json_string(&json, "suite", "fsgs-conformance");
	json_string(&json, "version", fsgs_version_string());
	json_begin(&json, "machine", '{');
	json_string(&json, "vendor", r->vendor);
	json_string(&json, "brand", r->brand);
	json_string(&json, "hypervisor", r->hypervisor);
	json_string(&json, "kernel", r->kernel);
	put_answer("cpuid", r->cpuid_fsgsbase);
	put_answer("hwcap2_present", r->hwcap2_present);
	put_answer("hwcap2", r->hwcap2_fsgsbase);
	json_bool(&json, "present", machine.present);
	json_end(&json, '}');
	json_number(&json, "total", total);
	json_begin(&json, "cases", '[');
}

static void result(const struct result *r, unsigned index)
{
	const struct rule_text *const rule = &rules[r->test->rule];

	(void)index;
	json_begin(&json, NULL, '{');
	json_number(&json, "number", r->test->number);
	json_string(&json, "theme", r->theme->name);
	json_string(&json, "name", r->test->name);
	json_string(&json, "result", word_name(r->record.word));
	json_string(&json, "rule", rule->name);
	json_string(&json, "text", rule->text);
	json_string(&json, "source", rule->source);
	json_begin(&json, "covers", '[');
	for (unsigned k = 1; k <= 15; k++) {
		char name[8];

		snprintf(name, sizeof name, "K%u", k);
		if (r->test->covers & K(k))
			json_string(&json, NULL, name);
	}
	json_end(&json, ']');
	json_bool(&json, "risky", r->test->flags & RISKY);
	json_number(&json, "checks", r->record.checks);
	json_number(&json, "runs", r->runs);
	json_number(&json, "failed_runs", r->failed_runs);
	json_number(&json, "skipped_runs", r->skipped_runs);
	json_number(&json, "microseconds", (int64_t)(r->seconds * 1e6));
	json_string(&json, "note", r->record.note);
	if (r->record.word == WORD_FAIL) {
		json_string(&json, "what", r->record.what);
		json_string(&json, "expected", r->record.expected);
		json_string(&json, "seen", r->record.seen);
		json_string(&json, "known", rule->known);
	}
	json_end(&json, '}');
}

static void end(const struct summary *s)
{
	json_end(&json, ']');
	json_begin(&json, "counts", '{');
	for (unsigned word = WORD_SKIP; word <= WORD_FAIL; word++)
		json_number(&json, word_name(word), s->counts[word]);
	json_end(&json, '}');
	json_end(&json, '}');
}

const struct output output_json = {begin, result, end};

/* SPDX-License-Identifier: MIT */
/* Writes the report as JSON, schema 1. The keys are part of the contract. */
#include "core.h"

#include <fsgscheck.h>

/* `used` also counts the characters that do not fit. */
struct text {
	char *to;
	size_t room;
	size_t used;
	int depth;
	int filled; /* the innermost object or array already has an element */
};

static void put(struct text *text, char c)
{
	if (text->used < text->room)
		text->to[text->used] = c;
	text->used++;
}

static void put_text(struct text *text, const char *s)
{
	while (*s)
		put(text, *s++);
}

/* The length of the UTF-8 sequence at `s`; 0 if the sequence is not valid (RFC 3629: no surrogates,
 * no overlong form, at most U+10FFFF). Brand strings can hold any bytes. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		uint8_t first, last, length, low, high; /* s[0]: first to last; s[1]: low to high */
	} forms[] = {
		{0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf},
		{0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
		{0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
		{0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf},
		{0xf4, 0xf4, 4, 0x80, 0x8f},
	};

	for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
		if (s[0] < forms[n].first || s[0] > forms[n].last)
			continue;
		if (forms[n].length > 1 && (s[1] < forms[n].low || s[1] > forms[n].high))
			return 0;
		for (size_t i = 2; i < forms[n].length; i++)
			if ((s[i] & 0xc0) != 0x80)
				return 0; /* true also for the terminating zero */
		return forms[n].length;
	}
	return 0;
}

static void put_escaped(struct text *text, const char *value)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)value;

	while (*s) {
		size_t length = utf8_length(s);

		if (length == 0) {
			put_text(text, "\\ufffd");
			length = 1;
		} else if (*s == '"' || *s == '\\') {
			put(text, '\\');
			put(text, (char)*s);
		} else if (*s == '\n') {
			put_text(text, "\\n");
		} else if (*s < 0x20 || *s == 0x7f) {
			put_text(text, "\\u00");
			put(text, digits[*s >> 4]);
			put(text, digits[*s & 0xf]);
		} else {
			for (size_t i = 0; i < length; i++)
				put(text, (char)s[i]);
		}
		s += length;
	}
}

static void indent(struct text *text)
{
	put(text, '\n');
	for (int i = 0; i < text->depth; i++)
		put_text(text, "  ");
}

/* `key` is NULL for an element of an array and at the top level. */
static void element(struct text *text, const char *key)
{
	if (text->filled)
		put(text, ',');
	if (text->depth)
		indent(text);
	text->filled = 1;
	if (key) {
		put(text, '"');
		put_text(text, key);
		put_text(text, "\": ");
	}
}

static void json_begin(struct text *text, const char *key, char bracket)
{
	element(text, key);
	put(text, bracket);
	text->depth++;
	text->filled = 0;
}

static void json_end(struct text *text, char bracket)
{
	text->depth--;
	if (text->filled)
		indent(text);
	put(text, bracket);
	text->filled = 1;
}

static void put_string(struct text *text, const char *key, const char *value)
{
	element(text, key);
	if (!value || !*value) {
		put_text(text, "null");
		return;
	}
	put(text, '"');
	put_escaped(text, value);
	put(text, '"');
}

static void put_digits(struct text *text, uint32_t value)
{
	char digits[11];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put_text(text, digits + at);
}

static void put_signed(struct text *text, const char *key, int32_t value)
{
	element(text, key);
	if (value < 0)
		put(text, '-');
	put_digits(text, value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

/* Writes a number, or null if `known` is 0. */
static void put_number(struct text *text, const char *key, uint32_t value, uint32_t known)
{
	element(text, key);
	if (known)
		put_digits(text, value);
	else
		put_text(text, "null");
}

static void put_answer(struct text *text, const char *key, uint32_t answer)
{
	element(text, key);
	put_text(text, answer == FSGS_ANSWER_YES  ? "true"
		       : answer == FSGS_ANSWER_NO ? "false"
						  : "null");
}

static void put_name(struct text *text, const char *key, uint32_t list, uint32_t value)
{
	put_string(text, key, fsgs_name(list, value));
}

static void put_bits(struct text *text, const char *key, uint32_t list, uint64_t bits)
{
	json_begin(text, key, '[');
	for (uint32_t i = 0; i < 64; i++)
		if (bits >> i & 1)
			put_name(text, NULL, list, i);
	json_end(text, ']');
}

static void put_segments(struct text *text, const char *key, uint32_t list,
			 const uint32_t values[FSGS_SEGMENTS])
{
	if (key)
		json_begin(text, key, '{');
	for (uint32_t i = 0; i < FSGS_SEGMENTS; i++)
		put_name(text, fsgs_name(FSGS_LIST_SEGMENT, i), list, values[i]);
	if (key)
		json_end(text, '}');
}

static void put_cpuid(struct text *text, const struct fsgs_report *r)
{
	json_begin(text, "cpuid", '{');
	put_number(text, "max_leaf", r->cpuid_max_leaf, r->cpuid_max_leaf);
	put_answer(text, "fsgsbase", r->cpuid_fsgsbase);
	put_string(text, "vendor", r->vendor);
	put_string(text, "brand", r->brand);
	put_number(text, "family", r->family, r->family);
	put_number(text, "model", r->model, r->family);
	put_number(text, "stepping", r->stepping, r->family);
	put_string(text, "hypervisor", r->hypervisor);
	put_number(text, "hypervisor_build", r->hypervisor_build, r->hypervisor_build);
	json_end(text, '}');
}

/* The member `trials` has the trials of the report's vantage: in a process, or in ring 0 with the
 * CR4 bit set. */
static void put_trials(struct text *text, const struct fsgs_report *r)
{
	const struct fsgs_trial *const trials = fsgs_trials(r);

	json_begin(text, "trials", '{');
	for (uint32_t i = 0; i < FSGS_INSNS; i++) {
		json_begin(text, fsgs_name(FSGS_LIST_INSN, i), '{');
		put_name(text, "outcome", FSGS_LIST_OUTCOME, trials[i].outcome);
		if (trials[i].signal) {
			put_signed(text, "signal", trials[i].signal);
			put_signed(text, "si_code", trials[i].code);
		} else {
			put_number(text, "signal", 0, 0);
			put_number(text, "si_code", 0, 0);
		}
		json_end(text, '}');
	}
	json_end(text, '}');
}

static void put_outcomes(struct text *text, const char *key, const struct fsgs_trial *trials)
{
	json_begin(text, key, '{');
	for (uint32_t i = 0; i < FSGS_INSNS; i++)
		put_name(text, fsgs_name(FSGS_LIST_INSN, i), FSGS_LIST_OUTCOME, trials[i].outcome);
	json_end(text, '}');
}

static void put_ring0(struct text *text, const struct fsgs_report *r)
{
	json_begin(text, "ring0", '{');
	put_name(text, "cr4_write", FSGS_LIST_OUTCOME, r->cr4_write);
	put_answer(text, "cr4_sticks", r->cr4_sticks);
	put_answer(text, "cpus_differ", r->cpus_differ);
	put_answer(text, "samples_differ", r->samples_differ);
	put_outcomes(text, "set", r->cr4_set);
	put_outcomes(text, "cleared", r->cr4_cleared);
	json_end(text, '}');
}

/* Writes the CPUs as "0-3,8". If some CPUs are in no range, adds the number of all CPUs of the
 * group. */
static void put_cpu_list(struct text *text, const struct fsgs_cpu_group *group)
{
	element(text, "cpus");
	put(text, '"');
	for (uint32_t i = 0; i < group->ranges && i < FSGS_CPU_RANGES; i++) {
		if (i)
			put(text, ',');
		put_digits(text, group->first[i]);
		if (group->first[i] == group->last[i])
			continue;
		put(text, '-');
		put_digits(text, group->last[i]);
	}
	if (group->unnamed) {
		put_text(text, ",... (");
		put_digits(text, group->count);
		put_text(text, " in all)");
	}
	put(text, '"');
}

static void put_cpus(struct text *text, const void *groups, size_t size, uint32_t count)
{
	json_begin(text, "cpus", '[');
	for (uint32_t i = 0; i < count; i++) {
		struct fsgs_cpu_group group;

		fsgs_copy_out(&group, sizeof group, (const char *)groups + i * size, size);
		json_begin(text, NULL, '{');
		put_cpu_list(text, &group);
		put_number(text, "count", group.count, 1);
		put_answer(text, "cpuid_fsgsbase", group.cpuid_fsgsbase);
		for (uint32_t insn = 0; insn < FSGS_INSNS; insn++)
			put_name(text, fsgs_name(FSGS_LIST_INSN, insn), FSGS_LIST_OUTCOME,
				 group.outcomes[insn]);
		json_end(text, '}');
	}
	json_end(text, ']');
}

static void put_advice(struct text *text, const struct fsgs_report *r)
{
	const char *line = fsgs_advice(r, sizeof *r, 0);

	if (!line) {
		put_string(text, "advice", NULL);
		return;
	}
	element(text, "advice");
	put(text, '"');
	for (uint32_t step = 1; line; line = fsgs_advice(r, sizeof *r, step++)) {
		if (step > 1)
			put_text(text, "\\n");
		put_escaped(text, line);
	}
	put(text, '"');
}

int fsgs_json(const struct fsgs_report *report, size_t size, const struct fsgs_cpu_group *groups,
	      size_t group_size, uint32_t count, char *to, size_t capacity)
{
	struct text text = {to, capacity, 0, 0, 0};
	struct fsgs_report r;

	if (!report || size < FSGS_REPORT_MIN || (!to && capacity) ||
	    (count && (!groups || group_size < FSGS_CPU_GROUP_MIN)))
		return -FSGS_EINVAL;
	fsgs_report_load(&r, report, size);
	json_begin(&text, NULL, '{');
	put_number(&text, "schema", 1, 1);
	put_name(&text, "verdict", FSGS_LIST_VERDICT, r.verdict);
	put_segments(&text, NULL, FSGS_LIST_VERDICT, r.verdicts);
	put_name(&text, "proof", FSGS_LIST_PROOF, r.proof);
	put_bits(&text, "findings", FSGS_LIST_FINDING, r.findings);
	put_cpuid(&text, &r);
	json_begin(&text, "hwcap2", '{');
	put_answer(&text, "present", r.hwcap2_present);
	put_answer(&text, "fsgsbase", r.hwcap2_fsgsbase);
	json_end(&text, '}');
	put_answer(&text, "cpuinfo_flag", r.cpuinfo_flag);
	put_trials(&text, &r);
	put_segments(&text, "access", FSGS_LIST_ACCESS, r.access);
	if (count)
		put_cpus(&text, groups, group_size, count);
	if (r.survival_tried) {
		json_begin(&text, "survival", '{');
		put_bits(&text, "tried", FSGS_LIST_EVENT, r.survival_tried);
		put_bits(&text, "lost", FSGS_LIST_EVENT, r.survival_lost);
		json_end(&text, '}');
	}
	if (r.cr4_write != FSGS_OUTCOME_NOT_TRIED)
		put_ring0(&text, &r);
	json_begin(&text, "kernel", '{');
	put_string(&text, "release", r.kernel);
	json_end(&text, '}');
	put_string(&text, "reason", fsgs_reason(&r, sizeof r));
	put_advice(&text, &r);
	put_string(&text, "library", fsgs_version_string());
	json_end(&text, '}');
	put(&text, '\n');
	if (capacity)
		to[text.used < capacity ? text.used : capacity - 1] = '\0';
	return (int)text.used;
}

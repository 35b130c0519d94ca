/* SPDX-License-Identifier: MIT */
/* Tests of the functions for bindings: the table of a report's fields, fsgs_number(), and the
 * JSON. */
#include <criterion/criterion.h>

#include <fsgscheck.h>
#include <string.h>

/* Each byte of a report belongs to exactly one field. */
Test(fields, cover_the_report)
{
	unsigned char covered[sizeof(struct fsgs_report)] = {0};
	struct fsgs_field field;
	const char *name;

	cr_expect_eq(fsgs_report_size(), sizeof(struct fsgs_report));
	for (uint32_t n = 0; (name = fsgs_report_field(n, &field, sizeof field)); n++) {
		cr_expect_eq(field.count == 1, field.index == FSGS_LIST_NONE, "%s", name);
		cr_expect(field.type >= FSGS_TYPE_UNSIGNED && field.type <= FSGS_TYPE_TEXT, "%s",
			  name);
		cr_expect(field.type == FSGS_TYPE_TEXT || field.width == 4 || field.width == 8);
		cr_expect(field.index == FSGS_LIST_NONE ||
				  (fsgs_name(field.index, field.count - 1) &&
				   !fsgs_name(field.index, field.count)),
			  "%s has another number of elements than its list", name);
		for (uint32_t i = 0; i < field.count; i++)
			for (uint32_t byte = 0; byte < field.width; byte++)
				cr_assert_eq(covered[field.offset + i * field.stride + byte]++, 0,
					     "%s", name);
	}
	for (size_t i = 0; i < sizeof covered; i++)
		cr_assert_eq(covered[i], 1, "byte %zu is of no field", i);
}

Test(fields, are_where_the_header_says)
{
	struct fsgs_report r = {.verdict = FSGS_VERDICT_BROKEN, .fallback_error = {0, 22}};
	struct fsgs_field field;
	const char *name;
	int seen = 0;

	r.cr4_set[FSGS_INSN_WRGSBASE].code = -7;
	strcpy(r.kernel, "6.1");
	for (uint32_t n = 0; (name = fsgs_report_field(n, &field, sizeof field)); n++) {
		const char *at = (const char *)&r + field.offset;

		if (strcmp(name, "verdict") == 0)
			seen += *(const uint32_t *)(const void *)at == FSGS_VERDICT_BROKEN &&
				field.list == FSGS_LIST_VERDICT;
		if (strcmp(name, "fallback_error") == 0)
			seen += *(const int32_t *)(const void *)(at + field.stride) == 22 &&
				field.type == FSGS_TYPE_SIGNED;
		if (strcmp(name, "cr4_set.code") == 0)
			seen += *(const int32_t *)(const void *)(at + FSGS_INSN_WRGSBASE *
									      field.stride) == -7;
		if (strcmp(name, "kernel") == 0)
			seen += strcmp(at, "6.1") == 0 && field.type == FSGS_TYPE_TEXT;
	}
	cr_expect_eq(seen, 4);
}

Test(fields, of_an_older_and_a_newer_caller)
{
	struct {
		struct fsgs_field field;
		unsigned char beyond[8];
	} it;

	memset(&it, 0xa5, sizeof it);
	cr_assert_not_null(fsgs_report_field(0, &it.field, FSGS_FIELD_MIN));
	cr_expect_eq(it.field.reserved, 0xa5a5a5a5, "nothing beyond its size");
	cr_assert_not_null(fsgs_report_field(0, &it.field, sizeof it));
	for (size_t i = 0; i < sizeof it.beyond; i++)
		cr_expect_eq(it.beyond[i], 0);
	cr_expect_null(fsgs_report_field(0, &it.field, FSGS_FIELD_MIN - 1));
	cr_expect_null(fsgs_report_field(0, NULL, sizeof it.field));
	cr_expect_null(fsgs_report_field(UINT32_MAX, &it.field, sizeof it.field));
}

Test(fields, numbers_from_names)
{
	const char *name;

	for (uint32_t list = FSGS_LIST_VERDICT; list <= FSGS_LIST_SEGMENT; list++)
		for (uint32_t value = 0; (name = fsgs_name(list, value)); value++)
			cr_expect_eq(fsgs_number(list, name), (int)value, "list %u: %s", list,
				     name);
	cr_expect_eq(fsgs_number(FSGS_LIST_VERDICT, "usabl"), -22);
	cr_expect_eq(fsgs_number(FSGS_LIST_VERDICT, ""), -22);
	cr_expect_eq(fsgs_number(FSGS_LIST_VERDICT, NULL), -22);
	cr_expect_eq(fsgs_number(FSGS_LIST_NONE, "usable"), -22);
	cr_expect_eq(fsgs_number(UINT32_MAX, "usable"), -22);
}

static struct fsgs_report report(void)
{
	struct fsgs_report r = {.vantage = FSGS_VANTAGE_PROCESS,
				.mode = FSGS_MODE_64BIT,
				.cpuid_fsgsbase = FSGS_ANSWER_YES,
				.hwcap2_present = FSGS_ANSWER_YES,
				.hwcap2_fsgsbase = FSGS_ANSWER_NO,
				.cpuinfo_flag = FSGS_ANSWER_NO};

	fsgs_decide(&r, sizeof r);
	return r;
}

/* Like snprintf(), the function returns the whole length, and writes no byte beyond the buffer. */
Test(fields, json_of_every_capacity)
{
	const struct fsgs_report r = report();
	char whole[8192], text[8192];
	const int length = fsgs_json(&r, sizeof r, NULL, 0, 0, whole, sizeof whole);

	cr_assert(length > 1000 && (size_t)length < sizeof whole);
	cr_expect_eq(strlen(whole), (size_t)length);
	cr_expect_eq(whole[length - 1], '\n');
	cr_expect_eq(fsgs_json(&r, sizeof r, NULL, 0, 0, NULL, 0), length);
	for (size_t capacity = 1; capacity <= (size_t)length + 2; capacity++) {
		const size_t kept = capacity <= (size_t)length ? capacity - 1 : (size_t)length;

		memset(text, 0x5a, sizeof text);
		cr_assert_eq(fsgs_json(&r, sizeof r, NULL, 0, 0, text, capacity), length);
		cr_assert_eq(memcmp(text, whole, kept), 0);
		cr_assert_eq(text[kept], '\0', "capacity %zu", capacity);
		cr_assert_eq(text[capacity], 0x5a, "capacity %zu", capacity);
	}
}

Test(fields, json_refuses_bad_calls)
{
	const struct fsgs_report r = report();
	const struct fsgs_cpu_group group = {0};
	char text[64];

	cr_expect_eq(fsgs_json(NULL, sizeof r, NULL, 0, 0, text, sizeof text), -22);
	cr_expect_eq(fsgs_json(&r, FSGS_REPORT_MIN - 1, NULL, 0, 0, text, sizeof text), -22);
	cr_expect_eq(fsgs_json(&r, sizeof r, NULL, 0, 0, NULL, 1), -22);
	cr_expect_eq(fsgs_json(&r, sizeof r, NULL, sizeof group, 1, text, sizeof text), -22);
	cr_expect_eq(fsgs_json(&r, sizeof r, &group, FSGS_CPU_GROUP_MIN - 1, 1, text, sizeof text),
		     -22);
}

static void expect_json(const struct fsgs_report *r, size_t size, const char *part)
{
	char text[8192];

	cr_assert_gt(fsgs_json(r, size, NULL, 0, 0, text, sizeof text), 0);
	cr_expect(strstr(text, part), "no '%s' in\n%s", part, text);
}

/* Brand strings can contain any bytes. The output must be UTF-8. */
Test(fields, json_escapes)
{
	static const struct {
		const char *brand, *json;
	} rows[] = {
		{"", "\"brand\": null"},
		{"a\"b\\c\n\x01\x7f", "\"brand\": \"a\\\"b\\\\c\\n\\u0001\\u007f\""},
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
		{"\xff\xc3", "\"\\ufffd\\ufffd\""},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* overlong */
		{"\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\""},            /* overlong */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* a surrogate */
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* beyond U+10FFFF */
		{"\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* overlong */
		{"\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\""},            /* cut off */
		{"\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fsgs_report r = report();

		strcpy(r.brand, rows[i].brand);
		expect_json(&r, sizeof r, rows[i].json);
	}
}

Test(fields, json_of_what_is_not_known)
{
	struct fsgs_report r = report();

	r.verdict = 42;
	expect_json(&r, sizeof r, "\"verdict\": null");
	r = report();
	r.trials[0].signal = -2147483647 - 1;
	expect_json(&r, sizeof r, "\"signal\": -2147483648");
	expect_json(&r, FSGS_REPORT_MIN, "\"fsgsbase\": null");
	r.vantage = FSGS_VANTAGE_RING0;
	r.cr4_write = FSGS_OUTCOME_OK;
	r.cr4_set[FSGS_INSN_RDFSBASE].outcome = FSGS_OUTCOME_UNDEFINED;
	expect_json(&r, sizeof r, "\"rdfsbase\": {\n      \"outcome\": \"undefined\"");
	expect_json(&r, sizeof r, "\"set\": {\n      \"rdfsbase\": \"undefined\"");
}

Test(fields, json_of_groups)
{
	const struct fsgs_report r = report();
	const struct fsgs_cpu_group groups[2] = {
		{.count = 5, .ranges = 2, .first = {0, 7}, .last = {3, 7}},
		{.count = 9, .ranges = 1, .first = {8}, .last = {9}, .unnamed = 7}};
	char text[8192];

	cr_assert_gt(fsgs_json(&r, sizeof r, groups, sizeof *groups, 2, text, sizeof text), 0);
	cr_expect(strstr(text, "\"cpus\": \"0-3,7\""));
	cr_expect(strstr(text, "\"cpus\": \"8-9,... (9 in all)\""));
}

/* The test passes an auxiliary vector, as a resolver or a program without a C library does. */
Test(fields, early_answer)
{
	static const unsigned long yes[] = {6, 4096, 26, 2, 0, 0}, no[] = {26, 0xfd, 0, 0, 26, 2},
				   absent[] = {6, 4096, 0, 0};
	struct fsgs_report r, whole;

	cr_assert_eq(fsgs_check_early(&r, sizeof r, yes), 0);
	cr_expect_eq(r.hwcap2_fsgsbase, FSGS_ANSWER_YES);
	cr_expect_eq(r.hwcap2_present, FSGS_ANSWER_YES);
	cr_expect_eq(r.proof, FSGS_PROOF_ADVERTISED);
	cr_expect_eq(r.refusal, FSGS_REFUSAL_FLAG);
	cr_assert_eq(fsgs_check(&whole, sizeof whole, FSGS_CHECK_NO_TRIAL), 0);
	cr_expect_eq(r.cpuid_fsgsbase, whole.cpuid_fsgsbase);
	cr_expect_str_eq(r.vendor, whole.vendor);

	cr_assert_eq(fsgs_check_early(&r, sizeof r, no), 0);
	cr_expect_eq(r.hwcap2_fsgsbase, FSGS_ANSWER_NO, "bit 1 alone, and not beyond AT_NULL");
	cr_assert_eq(fsgs_check_early(&r, sizeof r, absent), 0);
	cr_expect_eq(r.hwcap2_present, FSGS_ANSWER_NO);
	cr_assert_eq(fsgs_check_early(&r, sizeof r, NULL), 0);
	cr_expect_eq(r.hwcap2_fsgsbase, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(r.verdict, FSGS_VERDICT_UNKNOWN);
	cr_expect_eq(fsgs_check_early(NULL, sizeof r, yes), -22);
	cr_expect_eq(fsgs_check_early(&r, FSGS_REPORT_MIN - 1, yes), -22);
}

/* SPDX-License-Identifier: MIT */
/* Tests of the JSON writer: brand strings and log text can contain any bytes. */
#include <criterion/criterion.h>

#include <json.h>
#include <stdlib.h>
#include <string.h>

static char *written(const char *value)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json json = {.out = out};

	json_string(&json, NULL, value);
	fclose(out);
	return text;
}

static void expect(const char *value, const char *json)
{
	char *text = written(value);

	cr_expect_str_eq(text, json);
	free(text);
}

Test(json, escapes)
{
	expect("plain", "\"plain\"");
	expect("a \"quote\" and a \\", "\"a \\\"quote\\\" and a \\\\\"");
	expect("line\nend\ttab\x01\x1f\x7f", "\"line\\nend\\u0009tab\\u0001\\u001f\\u007f\"");
	expect("", "null");
	expect(NULL, "null");
}

Test(json, utf8)
{
	expect("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	       "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	/* A continuation byte alone, a missing one, overlong forms, a surrogate, a code point that
	 * is too large, a byte that UTF-8 never uses, and a truncated character. */
	expect("\x80", "\"\\ufffd\"");
	expect("\xc3(", "\"\\ufffd(\"");
	expect("\xc0\xaf", "\"\\ufffd\\ufffd\"");
	expect("\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	expect("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	expect("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	expect("\xff", "\"\\ufffd\"");
	expect("\xe2\x82", "\"\\ufffd\\ufffd\"");
}

Test(json, nesting)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json json = {.out = out};

	json_begin(&json, NULL, '{');
	json_begin(&json, "empty", '[');
	json_end(&json, ']');
	json_begin(&json, "list", '[');
	json_number(&json, NULL, -1);
	json_bool(&json, NULL, true);
	json_null(&json, NULL);
	json_end(&json, ']');
	json_end(&json, '}');
	fclose(out);
	cr_expect_str_eq(
		text, "{\n  \"empty\": [],\n  \"list\": [\n    -1,\n    true,\n    null\n  ]\n}\n");
	free(text);
}

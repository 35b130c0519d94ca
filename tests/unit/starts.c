/* SPDX-License-Identifier: MIT */
/* `explain` finds the message that begins a line in a table, by the line's first character. So
 * entries with the same first character must be together. If one text begins another, the longer
 * text must come first. */
#include <criterion/criterion.h>

/* Includes the readers' source, because their table is static. */
#include <explain/readers.c>

static struct explain e;

static struct text whole(const char *text)
{
	return (struct text){text, text + strlen(text)};
}

Test(starts, are_grouped_by_first_character)
{
	bool seen[256] = {false};

	for (size_t i = 0; i < STARTS; i++) {
		const unsigned char first = (unsigned char)starts[i].text[0];

		cr_expect(!seen[first] || starts[i - 1].text[0] == starts[i].text[0],
			  "\"%s\" stands apart from its group", starts[i].text);
		seen[first] = true;
	}
}

Test(starts, the_longer_of_two_stands_first)
{
	for (size_t i = 0; i < STARTS; i++)
		for (size_t after = i + 1; after < STARTS; after++)
			cr_expect(strncmp(starts[after].text, starts[i].text,
					  strlen(starts[i].text)) != 0,
				  "\"%s\" hides \"%s\"", starts[i].text, starts[after].text);
}

Test(starts, each_is_found)
{
	explain_readers_begin(&e);
	for (size_t i = 0; i < STARTS; i++) {
		const struct text t = whole(starts[i].text);
		const struct text cut = {t.at, t.end - 1};

		cr_expect_eq(explain_find_start(&e, t), &starts[i], "\"%s\"", starts[i].text);
		cr_expect(cut.at == cut.end || explain_starts_with(&e, cut), "\"%s\", cut",
			  starts[i].text);
	}
	cr_expect_null(explain_find_start(&e, whole("")));
	cr_expect_null(explain_find_start(&e, whole("~")));
}

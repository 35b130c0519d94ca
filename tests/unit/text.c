/* SPDX-License-Identifier: MIT */
/* Tests of the writers of text into buffers: however full a buffer is, they stay inside it and
 * terminate the text. */
#include <criterion/criterion.h>

#include <output.h>
#include <string.h>

#include "../../examples/boot/text.h"

/* A line, and the memory after it, which must not change. */
struct fenced {
	struct line line;
	char fence[64];
};

static void put_text(struct line *line)
{
	line_text(line, "a piece of text");
}

static void put_number(struct line *line)
{
	line_number(line, UINT32_MAX);
}

static void put_hex(struct line *line)
{
	line_hex(line, UINT64_MAX);
}

static const struct {
	void (*put)(struct line *line);
	const char *text;
} writers[] = {
	{put_text, "a piece of text"},
	{put_number, "4294967295"},
	{put_hex, "0xffffffffffffffff"},
};

Test(text, every_fill_level)
{
	const size_t room = sizeof((struct line *)NULL)->text - 1;

	for (size_t w = 0; w < sizeof writers / sizeof *writers; w++)
		for (size_t used = 0; used <= room; used++) {
			const size_t length = strlen(writers[w].text);
			const size_t fits = room - used < length ? room - used : length;
			struct fenced f;

			memset(&f, '#', sizeof f);
			f.line.used = used;
			writers[w].put(&f.line);
			cr_assert_eq(f.line.used, used + fits, "%zu", used);
			cr_assert_eq(f.line.text[f.line.used], '\0', "%zu", used);
			cr_assert_eq(memcmp(f.line.text + used, writers[w].text, fits), 0, "%zu",
				     used);
			for (size_t i = 0; i < used; i++)
				cr_assert_eq(f.line.text[i], '#', "%zu", used);
			for (size_t i = 0; i < sizeof f.fence; i++)
				cr_assert_eq(f.fence[i], '#', "%zu", used);
		}
}

/* Each possible number of ranges, with the largest CPU numbers. */
Test(text, list_of_cpus)
{
	struct {
		char text[CPU_LIST_SIZE], fence[64];
	} f;
	struct fsgs_cpu_group group = {0};

	for (uint32_t ranges = 0; ranges <= FSGS_CPU_RANGES; ranges++)
		for (uint32_t named = 0; named < 2; named++) {
			group.ranges = ranges;
			group.count = group.unnamed = named;
			memset(&f, '#', sizeof f);
			for (uint32_t i = 0; i < ranges; i++) {
				group.first[i] = UINT32_MAX - 1;
				group.last[i] = UINT32_MAX;
				group.count += 2;
			}
			cpu_list(&group, f.text);
			cr_assert(memchr(f.text, '\0', sizeof f.text), "%u ranges", ranges);
			cr_expect_eq(strstr(f.text, "in all") != NULL, named, "'%s'", f.text);
			for (size_t i = 0; i < sizeof f.fence; i++)
				cr_assert_eq(f.fence[i], '#');
		}
}

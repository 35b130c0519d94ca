/* SPDX-License-Identifier: MIT */
/* Tests of the reader of /proc/cpuinfo: good, truncated and hostile files, read in pieces of every
 * size. */
#include <criterion/criterion.h>

#include <linux/linux.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fsgs_cpuinfo feed(const char *text, size_t piece)
{
	struct fsgs_cpuinfo c = {0};
	const size_t size = strlen(text);

	for (size_t at = 0; at < size; at += piece)
		fsgs_cpuinfo_feed(&c, text + at, size - at < piece ? size - at : piece);
	return c;
}

static const char amd[] = "processor\t: 0\n"
			  "vendor_id\t: AuthenticAMD\n"
			  "model name\t: AMD EPYC 7281 16-Core Processor\n"
			  "flags\t\t: fpu vme rdfsgsbase fsgsbase bmi1\n"
			  "bugs\t\t: fxsave_leak\n"
			  "\n"
			  "processor\t: 1\n"
			  "vendor_id\t: GenuineIntel\n"
			  "flags\t\t: fpu\n";

Test(cpuinfo, in_pieces_of_every_size)
{
	for (size_t piece = 1; piece < sizeof amd; piece++) {
		struct fsgs_cpuinfo c = feed(amd, piece);

		cr_expect_eq(c.flag, FSGS_ANSWER_YES, "pieces of %zu", piece);
		cr_expect_str_eq(c.vendor, "AuthenticAMD", "pieces of %zu", piece);
		cr_expect(c.done);
	}
}

Test(cpuinfo, whole_words_only)
{
	static const char *const without[] = {
		"flags\t\t: fpu nofsgsbase fsgsbase2 xfsgsbase fsgsbas\n",
		"flags\t\t:\n",
		"flags\t\t: fsgsbase_and_a_word_that_is_longer_than_anything\n",
		"flags\t\t: a_word_that_is_longer_than_anything_and_ends_in_fsgsbase\n",
		"flags\t\t: fpu\nmodel name\t: fsgsbase\nvmx flags\t: fsgsbase\nbugs\t: fsgsbase\n",
	};

	for (size_t i = 0; i < sizeof without / sizeof *without; i++)
		cr_expect_eq(feed(without[i], 7).flag, FSGS_ANSWER_NO, "%s", without[i]);
}

Test(cpuinfo, first_and_last_word)
{
	cr_expect_eq(feed("flags\t\t: fsgsbase fpu\n", 3).flag, FSGS_ANSWER_YES);
	cr_expect_eq(feed("flags\t\t: fpu fsgsbase\n", 3).flag, FSGS_ANSWER_YES);
	cr_expect_eq(feed("flags\t\t: fsgsbase\n", 3).flag, FSGS_ANSWER_YES);
}

/* Files without flags: one of another architecture, an empty one, and a truncated one. */
Test(cpuinfo, no_flags_line)
{
	cr_expect_eq(feed("Features\t: fp asimd\n\n", 4).flag, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(feed("", 1).flag, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(feed("flags", 1).flag, FSGS_ANSWER_UNKNOWN);
}

Test(cpuinfo, vendors_with_spaces)
{
	cr_expect_str_eq(feed("vendor_id\t: User Mode Linux\n", 5).vendor, "User Mode Linux");
	cr_expect_str_eq(feed("vendor_id\t:   Shanghai  \n", 5).vendor, "  Shanghai  ");
	cr_expect_str_eq(feed("vendor_id\t: A vendor too long to be one\n", 5).vendor, "");
}

Test(cpuinfo, hostile)
{
	static const char letters[] = "flags\t: fsgsbase vendor_id\n\n\0x";
	char text[4096];
	unsigned seed = 7;

	for (int round = 0; round < 2000; round++) {
		struct fsgs_cpuinfo c = {0};

		for (size_t i = 0; i < sizeof text; i++)
			text[i] = letters[((seed = seed * 1103515245 + 12345) >> 16) %
					  sizeof letters];
		fsgs_cpuinfo_feed(&c, text, sizeof text);
		cr_assert(memchr(c.vendor, 0, sizeof c.vendor));
	}
}

Test(cpuinfo, endless_line)
{
	struct fsgs_cpuinfo c = {0};
	char block[1000];

	memset(block, 'x', sizeof block);
	for (int i = 0; i < 10000; i++)
		fsgs_cpuinfo_feed(&c, block, sizeof block);
	fsgs_cpuinfo_feed(&c, "\nflags: fsgsbase\n", 17);
	cr_expect_eq(c.flag, FSGS_ANSWER_YES);
}

/* fsgs_open_file() must refuse everything but regular files: a read of a FIFO could block, and a
 * device could return endless data. */
Test(cpuinfo, only_a_regular_file_is_opened)
{
	static const char fifo[] = "unit-cpuinfo.fifo";
	const int fd = fsgs_open_file("/proc/self/status");

	cr_expect(fd >= 0);
	close(fd);
	cr_expect(fsgs_open_file("/dev/zero") < 0);
	cr_expect(fsgs_open_file("/") < 0);
	cr_expect(fsgs_open_file("/nowhere") < 0);
	unlink(fifo);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_expect(fsgs_open_file(fifo) < 0);
	unlink(fifo);
}

Test(kernel_version, parse)
{
	cr_expect_eq(fsgs_kernel_version("6.1.0-56-amd64"), 6 << 16 | 1 << 8);
	cr_expect_eq(fsgs_kernel_version("5.4.50"), 5 << 16 | 4 << 8 | 50);
	cr_expect_eq(fsgs_kernel_version("4.19"), 4 << 16 | 19 << 8);
	cr_expect_eq(fsgs_kernel_version("4.19.999"), 4 << 16 | 19 << 8 | 255);
	cr_expect_eq(fsgs_kernel_version("6.x"), 0);
	cr_expect_eq(fsgs_kernel_version("6"), 0);
	cr_expect_eq(fsgs_kernel_version("6-rc1"), 0);
	cr_expect_eq(fsgs_kernel_version("Darwin"), 0);
	cr_expect_eq(fsgs_kernel_version(""), 0);
	cr_expect_eq(fsgs_kernel_version("99999999999999.99999999999999.1"),
		     0xff << 16 | 0xff << 8 | 1);
}

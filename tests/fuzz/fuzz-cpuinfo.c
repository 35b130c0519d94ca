/* SPDX-License-Identifier: MIT */
/* Fuzzes the readers of /proc/cpuinfo and of the kernel's release. The result for /proc/cpuinfo
 * must not depend on the size of the pieces in which the file is read. The vendor must end with a
 * NUL. The flag may be found only if the file has the whole word fsgsbase. */
#include "fuzz.h"

#include <linux/linux.h>
#include <stdlib.h>
#include <string.h>

static void check(int condition)
{
	if (!condition)
		abort();
}

static int is_end(uint8_t byte)
{
	return byte == ' ' || byte == '\n' || byte == ':';
}

static int has_word(const uint8_t *data, size_t size)
{
	static const char word[] = "fsgsbase";
	const size_t length = sizeof word - 1;

	for (size_t at = 1; at + length < size; at++)
		if (memcmp(data + at, word, length) == 0 && is_end(data[at - 1]) &&
		    (is_end(data[at + length]) || data[at + length] == '\0'))
			return 1;
	return 0;
}

static void check_release(const uint8_t *data, size_t size)
{
	char *release = calloc(size + 1, 1);

	if (!release)
		return;
	memcpy(release, data, size);

	const uint32_t version = fsgs_kernel_version(release);

	check(version < 1u << 24);
	check(!version || (release[0] >= '0' && release[0] <= '9' && strchr(release, '.')));
	free(release);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fsgs_cpuinfo whole = {0}, pieces = {0};

	if (!size)
		return 0;

	const size_t piece = 1 + data[0] % 32;

	data++;
	size--;
	fsgs_cpuinfo_feed(&whole, (const char *)data, size);
	for (size_t at = 0; at < size; at += piece)
		fsgs_cpuinfo_feed(&pieces, (const char *)data + at,
				  size - at < piece ? size - at : piece);
	check(whole.flag == pieces.flag && whole.done == pieces.done);
	check(memcmp(whole.vendor, pieces.vendor, sizeof whole.vendor) == 0);
	check(strnlen(whole.vendor, sizeof whole.vendor) < sizeof whole.vendor);
	check(whole.flag != FSGS_ANSWER_YES || has_word(data, size));
	check_release(data, size);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Fuzzes the reader of the auxiliary vector. It must return the first AT_HWCAP2 before AT_NULL. It
 * may report that AT_HWCAP2 is absent only if the vector has an AT_NULL. */
#include "fuzz.h"

#include <elf.h>
#include <linux/linux.h>
#include <stdlib.h>
#include <string.h>

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fsgs_hwcap2 seen = fsgs_auxv_parse(data, size);
	const size_t pairs = size / sizeof(Elf64_auxv_t);
	size_t end = pairs, first = pairs;
	Elf64_auxv_t entry;

	for (size_t i = pairs; i-- > 0;) {
		memcpy(&entry, data + i * sizeof entry, sizeof entry);
		if (entry.a_type == AT_NULL)
			end = i;
		if (entry.a_type == AT_HWCAP2)
			first = i;
	}
	check(seen.present == (first < end   ? FSGS_ANSWER_YES
			       : end < pairs ? FSGS_ANSWER_NO
					     : FSGS_ANSWER_UNKNOWN));
	if (first < end)
		memcpy(&entry, data + first * sizeof entry, sizeof entry);
	check(seen.value == (first < end ? entry.a_un.a_val : 0));
	return 0;
}

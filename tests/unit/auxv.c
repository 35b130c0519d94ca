/* SPDX-License-Identifier: MIT */
/* Tests of the reader of the auxiliary vector: good, truncated and hostile vectors. */
#include <criterion/criterion.h>

#include <elf.h>
#include <linux/linux.h>
#include <string.h>

static const unsigned long good[] = {AT_PAGESZ, 4096, AT_HWCAP2, 2, AT_NULL, 0};

Test(auxv, value)
{
	struct fsgs_hwcap2 h = fsgs_auxv_parse(good, sizeof good);

	cr_expect_eq(h.present, FSGS_ANSWER_YES);
	cr_expect_eq(h.value, 2);
}

Test(auxv, zero_is_present)
{
	static const unsigned long zero[] = {AT_HWCAP2, 0, AT_NULL, 0};
	struct fsgs_hwcap2 h = fsgs_auxv_parse(zero, sizeof zero);

	cr_expect_eq(h.present, FSGS_ANSWER_YES);
	cr_expect_eq(h.value, 0);
}

Test(auxv, absent)
{
	static const unsigned long other[] = {AT_HWCAP, 2, AT_NULL, 0, AT_HWCAP2, 2};

	cr_expect_eq(fsgs_auxv_parse(other, sizeof other).present, FSGS_ANSWER_NO,
		     "nothing after AT_NULL counts, and AT_HWCAP is not AT_HWCAP2");
}

/* Of a truncated vector, the reader uses only whole pairs. If these have neither AT_HWCAP2 nor
 * AT_NULL, it is unknown whether AT_HWCAP2 is present. */
Test(auxv, truncated)
{
	static const unsigned long absent[] = {AT_PAGESZ, 4096, AT_NULL, 0};

	cr_expect_eq(fsgs_auxv_parse(absent, sizeof absent).present, FSGS_ANSWER_NO);
	cr_expect_eq(fsgs_auxv_parse(absent, sizeof absent - 1).present, FSGS_ANSWER_UNKNOWN);
	for (size_t size = 0; size <= sizeof good; size++) {
		char *copy = malloc(size);

		memcpy(copy, good, size);
		cr_expect_eq(fsgs_auxv_parse(copy, size).present,
			     size >= 4 * sizeof *good ? FSGS_ANSWER_YES : FSGS_ANSWER_UNKNOWN,
			     "%zu bytes", size);
		free(copy);
	}
}

Test(auxv, unaligned)
{
	char bytes[sizeof good + 1];

	memcpy(bytes + 1, good, sizeof good);
	cr_expect_eq(fsgs_auxv_parse(bytes + 1, sizeof good).value, 2);
}

Test(auxv, hostile)
{
	unsigned char noise[999];
	unsigned seed = 1;

	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof noise; i++)
			noise[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
		fsgs_auxv_parse(noise, sizeof noise);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Evidence: the features that the kernel enabled, from AT_HWCAP2.
 *
 * getauxval(), which other programs use, reads the copy on the process's own stack. It returns 0
 * for an absent entry, too, and this code does not look at errno. /proc/self/auxv is the kernel's
 * copy. PR_GET_AUXV (Linux 6.4) reads the kernel's copy even if a tool replaces the file. Since
 * Linux 4.11, a kernel that enabled nothing provides the entry with the value zero; emulators of
 * processes leave it out.
 */
#include "../core/core.h"
#include "linux.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

/* Larger than any kernel's vector: about 25 pairs today. */
#define AUXV_SIZE 1024

struct fsgs_hwcap2 fsgs_auxv_parse(const void *bytes, size_t size)
{
	struct fsgs_hwcap2 hwcap2 = {FSGS_ANSWER_UNKNOWN, 0};
	unsigned long pair[2];

	for (size_t at = 0; at + sizeof pair <= size; at += sizeof pair) {
		memcpy(pair, (const char *)bytes + at, sizeof pair);
		if (pair[0] == AT_NULL) {
			hwcap2.present = FSGS_ANSWER_NO;
			break;
		}
		if (pair[0] == AT_HWCAP2) {
			hwcap2.present = FSGS_ANSWER_YES;
			hwcap2.value = pair[1];
			break;
		}
	}
	return hwcap2;
}

void fsgs_auxv(struct fsgs_report *report)
{
	const int set = (getauxval(AT_HWCAP2) & FSGS_HWCAP2_FSGSBASE) != 0;

	report->hwcap2_fsgsbase = set ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	report->hwcap2_present = set ? FSGS_ANSWER_YES : FSGS_ANSWER_UNKNOWN;
}

static struct fsgs_hwcap2 from_file(void)
{
	unsigned char bytes[AUXV_SIZE];
	size_t size = 0;
	ssize_t got;
	const int fd = fsgs_open_file("/proc/self/auxv");

	if (fd < 0)
		return (struct fsgs_hwcap2){FSGS_ANSWER_UNKNOWN, 0};
	/* pread(), not read(): in valgrind all descriptors of this file share one offset. */
	while (size < sizeof bytes &&
	       (got = fsgs_read_file(fd, bytes + size, sizeof bytes - size, (off_t)size)) > 0)
		size += (size_t)got;
	close(fd);
	/* The answer is `unknown` if neither AT_HWCAP2 nor AT_NULL was read: in a truncated vector,
	 * or in the empty file of a process that may not read it. */
	return fsgs_auxv_parse(bytes, size);
}

static struct fsgs_hwcap2 from_prctl(void)
{
	/* Initialised for memcheck, which does not know that this call writes to the buffer. */
	unsigned char bytes[AUXV_SIZE] = {0};
	int size = prctl(PR_GET_AUXV, bytes, sizeof bytes, 0UL, 0UL);

	if (size <= 0)
		return (struct fsgs_hwcap2){FSGS_ANSWER_UNKNOWN, 0};
	return fsgs_auxv_parse(bytes, (size_t)size < sizeof bytes ? (size_t)size : sizeof bytes);
}

void fsgs_auxv_compare(struct fsgs_report *report)
{
	const struct fsgs_hwcap2 file = from_file(), kernel = from_prctl();
	const int set = report->hwcap2_fsgsbase == FSGS_ANSWER_YES;

	if (file.present != FSGS_ANSWER_UNKNOWN)
		report->hwcap2_present = file.present;
	else if (kernel.present != FSGS_ANSWER_UNKNOWN && !set)
		report->hwcap2_present = kernel.present;

	const struct fsgs_hwcap2 *opinions[] = {&file, &kernel};

	for (int i = 0; i < 2; i++)
		if (opinions[i]->present != FSGS_ANSWER_UNKNOWN &&
		    ((opinions[i]->value & FSGS_HWCAP2_FSGSBASE) != 0) != set)
			report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS);
}

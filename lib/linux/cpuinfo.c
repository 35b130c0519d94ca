/* SPDX-License-Identifier: MIT */
/*
 * Evidence: the `fsgsbase` flag in /proc/cpuinfo.
 *
 * This flag is from the kernel's capability set, not from raw CPUID. Kernels before 5.9 list it
 * without enabling the feature; nofsgsbase and clearcpuid remove it. Together with AT_HWCAP2 it
 * shows whether the kernel is too old or the feature is disabled. The file grows with every CPU and
 * every flag, so it is read as a stream, up to the end of the first processor. If that end is not
 * found within CPUINFO_SIZE bytes, the flag counts as unknown.
 */
#include "linux.h"

#include <string.h>
#include <unistd.h>

/* The entry of the first processor has about 2 KiB today. */
#define CPUINFO_SIZE (64U * 1024)

enum field { KEY = 0, FLAGS, VENDOR, OTHER };

static void end_word(struct fsgs_cpuinfo *c)
{
	/* A word that is too long for the buffer is not one of the expected words. */
	c->word[c->length < sizeof c->word ? c->length : 0] = '\0';
	c->length = 0;
	if (c->field == FLAGS && strcmp(c->word, "fsgsbase") == 0)
		c->flag = FSGS_ANSWER_YES;
	else if (c->field == VENDOR && !c->vendor[0])
		memcpy(c->vendor, c->word, sizeof c->vendor);
}

static void end_key(struct fsgs_cpuinfo *c)
{
	while (c->length && c->length <= sizeof c->word &&
	       (c->word[c->length - 1] == ' ' || c->word[c->length - 1] == '\t'))
		c->length--;
	c->word[c->length < sizeof c->word ? c->length : 0] = '\0';
	c->length = 0;
	c->field = OTHER;
	if (strcmp(c->word, "flags") == 0) {
		c->field = FLAGS;
		if (c->flag == FSGS_ANSWER_UNKNOWN)
			c->flag = FSGS_ANSWER_NO;
	} else if (strcmp(c->word, "vendor_id") == 0) {
		c->field = VENDOR;
	}
}

void fsgs_cpuinfo_feed(struct fsgs_cpuinfo *c, const char *text, size_t size)
{
	for (size_t i = 0; i < size && !c->done; i++) {
		const char ch = text[i];

		if (ch == '\n') {
			if (c->field == KEY)
				c->done = c->length == 0 && (c->flag || c->vendor[0]);
			else
				end_word(c);
			c->field = KEY;
			c->length = 0;
		} else if (c->field == KEY && ch == ':') {
			end_key(c);
		} else if (c->field == FLAGS && ch == ' ') {
			end_word(c);
		} else if (c->field == VENDOR && ch == ' ' && !c->spaced) {
			c->spaced = 1; /* the separator; some vendor names begin with spaces */
		} else {
			if (c->length < sizeof c->word)
				c->word[c->length] = ch;
			if (c->length < UINT32_MAX)
				c->length++;
		}
	}
}

void fsgs_cpuinfo(struct fsgs_report *report, char vendor[16])
{
	struct fsgs_cpuinfo cpuinfo = {0};
	char text[1024];
	uint32_t size = 0;
	ssize_t got;
	const int fd = fsgs_open_file("/proc/cpuinfo");

	vendor[0] = '\0';
	if (fd < 0)
		return;
	while (!cpuinfo.done && size < CPUINFO_SIZE &&
	       (got = fsgs_read_file(fd, text, sizeof text, FSGS_WHERE_IT_IS)) > 0) {
		fsgs_cpuinfo_feed(&cpuinfo, text, (size_t)got);
		size += (uint32_t)got;
	}
	close(fd);
	if (size >= CPUINFO_SIZE && !cpuinfo.done)
		return; /* GCOV_EXCL_LINE: only a replaced file is so long. */

	report->cpuinfo_flag = cpuinfo.flag;
	memcpy(vendor, cpuinfo.vendor, sizeof cpuinfo.vendor);
	if (strcmp(vendor, "User Mode Linux") == 0)
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_UML);
}

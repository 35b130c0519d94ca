/* SPDX-License-Identifier: MIT */
/* What the kernel module has seen in ring 0 of this running system. */
#include "output.h"
#include "explain/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void take(void *context, const struct json_reader *reader, enum json_type type)
{
	explain_report_field(context, reader, type);
}

/* The whole answer, which must be one JSON document. */
static int read_answer(int fd, struct fsgs_report *answer)
{
	struct json_reader reader;
	enum json_progress progress = JSON_MORE;
	char bytes[4096];
	ssize_t got;

	json_reader_begin(&reader, take, answer);
	while ((got = read(fd, bytes, sizeof bytes)) != 0) {
		if (got < 0 && errno != EINTR)
			return -errno;
		for (ssize_t i = 0; i < got && progress == JSON_MORE; i++)
			progress = json_reader_push(&reader, bytes[i]);
	}
	return progress == JSON_DONE && answer->cr4_write != FSGS_OUTCOME_NOT_TRIED ? 0 : -EPROTO;
}

int ring0_ask(struct fsgs_report *report, const char *path)
{
	struct fsgs_report answer = {0};
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = read_answer(fd, &answer);
	close(fd);
	if (error)
		return error;
	report->cr4_write = answer.cr4_write;
	report->cr4_sticks = answer.cr4_sticks;
	memcpy(report->ring0, answer.ring0, sizeof report->ring0);
	memcpy(report->cleared, answer.cleared, sizeof report->cleared);
	/* What it found to differ does; what it found to agree may still differ for a process. */
	if (answer.cpus_differ == FSGS_ANSWER_YES)
		report->cpus_differ = FSGS_ANSWER_YES;
	if (answer.samples_differ == FSGS_ANSWER_YES)
		report->samples_differ = FSGS_ANSWER_YES;
	return fsgs_decide(report, sizeof *report);
}

/* SPDX-License-Identifier: MIT */
/*
 * Reads what the kernel module of examples/kmod found in ring 0 of the running system.
 *
 * The device's path may lead to any file. A file is refused unless it is a character device that
 * belongs to root and that only root may write to. An answer with a schema other than 1, or about a
 * kernel other than the running one, is refused, too. The functions return the reason for a
 * refusal.
 */
#include "output.h"
#include "explain/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The longest answer that is accepted, in bytes. The module's answers have about 3 KiB. */
#define LONGEST 65536

static const char no_answer[] =
	"this is not an answer of the guest's kernel module; load the module that came with this "
	"fsgscheck";

struct answer {
	struct fsgs_report report;
	enum { SCHEMA_MISSING, SCHEMA_KNOWN, SCHEMA_OTHER } schema;
};

static void take(void *context, const struct json_reader *reader, enum json_type type)
{
	static const char *const schema[] = {"schema", NULL};
	struct answer *answer = context;

	if (!json_reader_at(reader, schema)) {
		explain_report_field(&answer->report, reader, type);
		return;
	}
	if (type != JSON_NUMBER || strcmp(reader->text, "1") != 0)
		answer->schema = SCHEMA_OTHER;
	else if (answer->schema == SCHEMA_MISSING)
		answer->schema = SCHEMA_KNOWN;
}

static const char *system_error(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "Permission denied; run this as root";
	case EBUSY:
		return "the guest's kernel uses FSGSBASE on one of its CPUs; unload the module";
	case EIO:
		return "CR4 could not be restored; read the guest's kernel log, and reboot the "
		       "guest";
	}
	return strerror(error);
}

/* Reads one JSON document. Only white space may follow the document. Returns NULL on success, else
 * the reason why the answer is refused. */
static const char *read_document(int fd, struct answer *answer)
{
	struct json_reader reader;
	enum json_progress progress = JSON_MORE;
	size_t left = LONGEST;
	char bytes[4096];
	ssize_t got;

	json_reader_begin(&reader, take, answer);
	while ((got = read(fd, bytes, sizeof bytes)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return system_error(errno);
		if ((size_t)got > left)
			return no_answer;
		left -= (size_t)got;
		for (ssize_t i = 0; i < got; i++) {
			if (progress == JSON_MORE)
				progress = json_reader_push(&reader, bytes[i]);
			else if (!memchr(" \t\r\n", bytes[i], 4))
				return no_answer;
			if (progress == JSON_BAD)
				return no_answer;
		}
	}
	return progress == JSON_DONE ? NULL : no_answer;
}

const char *ring0_distrust(const struct stat *device)
{
	if (!S_ISCHR(device->st_mode))
		return "this is not a character device, so the guest's kernel module did not make "
		       "it; remove it";
	if (device->st_uid != 0 || (device->st_mode & (S_IWGRP | S_IWOTH)))
		return "a user other than the guest's root owns the device or may write to it; "
		       "remove the device, and load the module again";
	return NULL;
}

const char *ring0_take(struct fsgs_report *report, int fd)
{
	struct answer answer = {0};
	struct utsname system;
	const char *why = read_document(fd, &answer);

	if (why)
		return why;
	if (answer.schema == SCHEMA_OTHER)
		return "the answer's schema is not 1; load the module that came with this "
		       "fsgscheck";
	if (answer.schema == SCHEMA_MISSING || answer.report.cr4_write == FSGS_OUTCOME_NOT_TRIED)
		return no_answer;
	if (uname(&system) || strcmp(answer.report.kernel, system.release) != 0)
		return "the answer is about a different kernel; build the module for the running "
		       "kernel, and load it";
	report->cr4_write = answer.report.cr4_write;
	report->cr4_sticks = answer.report.cr4_sticks;
	memcpy(report->cr4_set, answer.report.cr4_set, sizeof report->cr4_set);
	memcpy(report->cr4_cleared, answer.report.cr4_cleared, sizeof report->cr4_cleared);
	/* Copy only YES. If the module found no difference between CPUs or between repeated tests,
	 * this process may have found a difference, so the report's own answer stays. */
	if (answer.report.cpus_differ == FSGS_ANSWER_YES)
		report->cpus_differ = FSGS_ANSWER_YES;
	if (answer.report.samples_differ == FSGS_ANSWER_YES)
		report->samples_differ = FSGS_ANSWER_YES;
	fsgs_decide(report, sizeof *report);
	return NULL;
}

const char *ring0_ask(struct fsgs_report *report, const char *path)
{
	/* O_NONBLOCK: the open must not wait for a FIFO or a terminal at this path. O_NOCTTY: a
	 * terminal there must not become the controlling terminal. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat device = {0}; /* MemorySanitizer does not see that fstat() fills this in */
	const char *why;

	if (fd < 0)
		return errno == ENOENT ? NULL : system_error(errno);
	why = fstat(fd, &device) ? system_error(errno) : ring0_distrust(&device);
	if (!why)
		why = ring0_take(report, fd);
	close(fd);
	return why;
}

/* SPDX-License-Identifier: MIT */
/* The command's results, and their output formats. */
#ifndef FSGSCHECK_OUTPUT_H
#define FSGSCHECK_OUTPUT_H

#include <fsgscheck.h>
#include <stdbool.h>
#include <stdio.h>

/* Maximum number of distinct results of a sweep; a machine with more has one cause for all of
 * them. */
#define MAX_GROUPS 8

struct result {
	struct fsgs_report report;
	struct fsgs_cpu_group groups[MAX_GROUPS];
	uint32_t group_count; /* 0 without --all-cpus */
};

/* The kernel module of examples/kmod: it answers with a report of ring 0. */
#define RING0_DEVICE "/dev/fsgscheck"

/* Adds the evidence of ring 0 to the report, and decides again. Returns NULL on success or without
 * a device. If the answer cannot be read or trusted, returns the reason and the next step. */
const char *ring0_ask(struct fsgs_report *report, const char *path);
/* Its parts: whether a file is the kernel's device for root, and how that device is read. */
struct stat;
const char *ring0_distrust(const struct stat *device);
const char *ring0_take(struct fsgs_report *report, int fd);

typedef void print_result(FILE *out, const struct result *result);

print_result print_human;
print_result print_json;
print_result print_tap;
print_result print_prometheus;

/* Whether all output was written; if not, prints an error on standard error. */
bool flushed(FILE *out);

/* The parts of print_human() that do not depend on where the report comes from. */
void print_verdict(FILE *out, const struct fsgs_report *report);
/* The same with other words than report_side()'s. */
void print_verdict_words(FILE *out, const struct fsgs_report *report, const char *words);
void print_findings(FILE *out, const struct fsgs_report *report);
void print_advice(FILE *out, const struct fsgs_report *report);
/* The steps 0, 1, ... up to NULL, numbered. A row that begins with blanks is a command of the step
 * before it: it stands whole on its line, to be copied. */
typedef const char *print_step(const void *context, uint32_t n);
void print_steps(FILE *out, const char *title, print_step *step, const void *context);
/* Wraps at words; `column` is the start of the first line, `indent` that of the others. */
void print_wrapped(FILE *out, const char *text, size_t column, size_t indent);

/* print_json() without the closing brace, so that more keys can follow. */
struct json;
void report_json(struct json *json, const struct result *result);

/* side.c: the side at fault. `name`, for programs, is host, guest, process, none or unknown. */
struct side {
	const char *name;
	const char *words;
};
const struct side *report_side(const struct fsgs_report *report);

static inline bool has_finding(const struct fsgs_report *report, uint32_t finding)
{
	return report->findings & FSGS_FINDING_BIT(finding);
}

/* "0-3,8" into a buffer; "..." at the end when the ranges do not name all CPUs. */
#define CPU_LIST_SIZE 256
const char *cpu_list(const struct fsgs_cpu_group *group, char text[CPU_LIST_SIZE]);

#endif

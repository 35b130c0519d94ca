/* SPDX-License-Identifier: MIT */
/* The command's results, and their output formats. */
#ifndef FSGSCHECK_OUTPUT_H
#define FSGSCHECK_OUTPUT_H

#include <fsgscheck.h>
#include <stdbool.h>
#include <stdio.h>

/* Maximum number of groups of CPUs with distinct results in a check with --all-cpus. More groups
 * would not help to find the cause. */
#define MAX_GROUPS 8

struct result {
	struct fsgs_report report;
	struct fsgs_cpu_group groups[MAX_GROUPS];
	uint32_t group_count; /* 0 without --all-cpus */
};

/* The device of the kernel module in examples/kmod. Its content is a report from ring 0. */
#define RING0_DEVICE "/dev/fsgscheck"

/* Reads the device at `path`, adds its evidence from ring 0 to the report, and decides again.
 * Returns NULL on success, and if there is no device. If the device cannot be read or trusted,
 * returns a text with the reason and what to do. */
const char *ring0_ask(struct fsgs_report *report, const char *path);
/* The two steps of ring0_ask(). ring0_distrust() returns NULL if the file is a character device
 * that belongs to root and that only root may write to, else the reason to refuse the file.
 * ring0_take() reads the open file, adds its evidence and decides again. It returns NULL on
 * success, else the reason. */
struct stat;
const char *ring0_distrust(const struct stat *device);
const char *ring0_take(struct fsgs_report *report, int fd);

typedef void print_result(FILE *out, const struct result *result);

print_result print_human;
print_result print_json;
print_result print_tap;
print_result print_prometheus;

/* Flushes `out`. If any output could not be written, prints an error and returns false. */
bool flushed(FILE *out);

/* Parts of print_human(). `explain` and `run` use some of them, too. */
void print_verdict(FILE *out, const struct fsgs_report *report);
/* As print_verdict(), but prints `words` instead of the words of report_side(). */
void print_verdict_words(FILE *out, const struct fsgs_report *report, const char *words);
void print_findings(FILE *out, const struct fsgs_report *report);
void print_advice(FILE *out, const struct fsgs_report *report);
/* Prints the steps 0, 1, ... with numbers, until `step` returns NULL. A text that begins with a
 * blank is a command of the step before: it gets no number, and is not wrapped, so that it can be
 * copied. */
typedef const char *print_step(const void *context, uint32_t n);
void print_steps(FILE *out, const char *title, print_step *step, const void *context);
/* Breaks lines between words. `column` is where the first line starts, `indent` where the other
 * lines start. */
void print_wrapped(FILE *out, const char *text, size_t column, size_t indent);

/* As print_json(), but without the closing brace, so that more keys can follow. */
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

/* Writes the CPUs of a group to `text`, such as "0-3,8". If the ranges do not name all CPUs, the
 * text ends with ",... (N in all)". */
#define CPU_LIST_SIZE 256
const char *cpu_list(const struct fsgs_cpu_group *group, char text[CPU_LIST_SIZE]);

#endif

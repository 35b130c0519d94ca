/* SPDX-License-Identifier: MIT */
/* What was found out about this machine: each distinct result of its processors, and their sum. */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include <fsgscheck/core.h>
#include "text.h"

/* A machine with more distinct results has one cause for all of them. */
#define RESULTS 8

/* Of processors in a row; a list with more gaps than this ends in "...". */
#define RANGES  8

struct result {
	struct fsgs_report report;
	uint32_t ranges;
	uint32_t first[RANGES], last[RANGES];
	int more;
};

struct machine {
	struct result results[RESULTS];
	uint32_t result_count;
	uint32_t tested;           /* processors whose test came to its end */
	uint32_t present;          /* as far as firmware says; 0 when it does not */
	struct fsgs_report report; /* the sum */
};

extern struct machine machine;

/* Tests the processor that this runs on, announcing each step, and files the result. The hooks that
 * depend on the environment are the caller's; flags are of enum fsgs_ring0_flag. */
void machine_check(uint32_t cpu, const struct fsgs_core_ops *hooks, uint32_t flags);

/* Adds up, prints everything and shows the page. Returns the exit status. */
int machine_finish(void);

/* The end of a test that could not come to a result, with the reason on the line. */
int machine_give_up(const char *why);

/* "fsgscheck boot image 1.2.3" */
void machine_version_line(struct line *line);

/* "CPU 0: broken: CPUID yes, ..., rdfsbase undefined, ..." */
void machine_result_line(struct line *line, const struct result *result);

/* "CPUs 0-3,7" */
void machine_cpus(struct line *line, const struct result *result);

/* "4 of 4 CPUs tested" */
void machine_tested_line(struct line *line);

/* Name, version and build of the hypervisor; the processor. */
void machine_host_line(struct line *line);
void machine_processor_line(struct line *line);

/* The last line of the output: "fsgscheck: verdict=V findings=a,b cpus=N". */
void machine_contract_line(struct line *line);

/* Writes the exit status to an emulator's debug exit device, which ends it where there is one. */
void machine_exit(int status);

void tap_start(void);
void tap_step(uint32_t cpu, const char *text);
void tap_finish(void);

/* page.c: the screen for a person. */
void page_show(void);

#endif

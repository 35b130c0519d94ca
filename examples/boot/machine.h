/* SPDX-License-Identifier: MIT */
/* The results of this machine: each distinct result of its processors, and the total. */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include <fsgscheck/core.h>
#include "text.h"

/* Added to the exit status that is written to the debug exit device. QEMU then exits with 33, 35,
 * 37 or 39, and not with 1, the status of its own failures. */
#define MACHINE_EXIT_BASE 16

/* The maximum number of distinct results that are stored. If there are more, they have a common
 * cause, so processors with further results are listed with the last stored result. */
#define RESULTS           8

/* The maximum number of ranges of consecutive processors. A list with more ranges ends in "...". */
#define RANGES            8

struct result {
	struct fsgs_report report;
	uint32_t ranges;
	uint32_t first[RANGES], last[RANGES];
	int more;
};

struct machine {
	struct result results[RESULTS];
	uint32_t result_count;
	uint32_t tested;           /* processors that finished their test */
	uint32_t present;          /* processors that should be tested; 0 if unknown */
	struct fsgs_report report; /* the total */
};

extern struct machine machine;

/* The `step` hook of the core: prints a step on the console and on the screen. `context` points to
 * the processor's number. */
void machine_step(void *context, const char *text);

/* Tests the current processor and stores the result. Calls the caller's hooks with a context that
 * points to the processor's number. The flags are those of enum fsgs_ring0_flag. */
void machine_check(uint32_t cpu, const struct fsgs_core_ops *hooks, uint32_t flags);

/* Stores the result of processor `cpu`, which has finished its test. The caller may run on another
 * processor. */
void machine_file(uint32_t cpu, const struct fsgs_report *report);

/* Computes the total of the results. */
void machine_add_up(void);

/* Computes the total, prints everything and shows the page. Returns the exit status. */
int machine_finish(void);

/* Prints why the test has no result, and shows the page. Returns the exit status. */
int machine_give_up(const char *why);

/* "fsgscheck boot image 1.2.3" */
void machine_version_line(struct line *line);

/* "CPU 0: broken: CPUID yes, ..., rdfsbase undefined, ..." */
void machine_result_line(struct line *line, const struct result *result);

/* "CPUs 0-3,7" */
void machine_cpus(struct line *line, const struct result *result);

/* "4 of 4 CPUs tested" */
void machine_tested_line(struct line *line);

/* One line each: name, version and build of the hypervisor; brand, family, model and stepping of
 * the processor. */
void machine_host_line(struct line *line);
void machine_processor_line(struct line *line);

/* The last line of the output: "fsgscheck: verdict=V findings=a,b cpus=N". */
void machine_contract_line(struct line *line);

/* Writes the exit status to the debug exit device of an emulator. If the device exists, the
 * emulator ends. */
void machine_exit(int status);

/* Resets the machine: there is no operating system to return to. */
_Noreturn void machine_reset(void);

void tap_comment(const char *text);
void tap_start(void);
void tap_step(uint32_t cpu, const char *text);
void tap_finish(void);

/* page.c: shows the verdict and the advice on the screen. */
void page_show(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Shared by the files of the Linux library. */
#ifndef FSGSCHECK_LIB_LINUX_H
#define FSGSCHECK_LIB_LINUX_H

#include <stddef.h>
#include <stdint.h>

#include <fsgscheck.h>
#include <fsgscheck/core.h>

#include "../core/stubs.h"

#pragma GCC visibility push(hidden)

/* auxv.c: the second witness. */

/* What one copy of the auxiliary vector says about AT_HWCAP2. */
struct fsgs_hwcap2 {
	uint32_t present; /* enum fsgs_answer; unknown when the copy could not be read */
	uint64_t value;
};

/* Reads pairs of native words up to AT_NULL or to the end; a torn pair at the end is not looked at.
 * Absent is what is not there before an AT_NULL; a copy that has been cut off does not tell. */
struct fsgs_hwcap2 fsgs_auxv_parse(const void *bytes, size_t size);

/* Fills in hwcap2_fsgsbase and what is known for free of hwcap2_present. */
void fsgs_auxv(struct fsgs_report *report);

/* Fills in hwcap2_present and FSGS_SIGN_AUXV_DIFFERS from all copies. */
void fsgs_auxv_compare(struct fsgs_report *report);

/* cpuinfo.c: the third. */

/* Takes /proc/cpuinfo in pieces of any size and remembers what it needs of the first processor. */
struct fsgs_cpuinfo {
	/* enum fsgs_answer: `fsgsbase` among the flags; unknown without such a line. */
	uint32_t flag;
	uint32_t field;  /* which line this is */
	uint32_t length; /* of the word that has begun */
	char word[16];
	char vendor[16];
	uint32_t spaced; /* the space before the vendor has been read */
	uint32_t done;   /* the first processor has been read */
};

void fsgs_cpuinfo_feed(struct fsgs_cpuinfo *cpuinfo, const char *text, size_t size);

/* Fills in cpuinfo_flag and FSGS_SIGN_UML; gives what the kernel calls the vendor. */
void fsgs_cpuinfo(struct fsgs_report *report, char vendor[16]);

/* surroundings.c: evidence for findings and advice. */

/* Opens a file of procfs or sysfs for reading, or gives a negative number. A container can put
 * anything in its place. A FIFO or a terminal does not keep the caller, and only a regular file is
 * opened, as those of the kernel are. It may have any length: the reader sets the limit. */
int fsgs_open_file(const char *path);

/* "6.1.0-56-amd64" to 6<<16 | 1<<8 | 0; 0 when it does not begin with two numbers. */
uint32_t fsgs_kernel_version(const char *release);

/* Fills in kernel, kernel_version and signs. */
void fsgs_surroundings(struct fsgs_report *report);
/* Names Xen in its paravirtual guests, whose CPUID shows what is below Xen. After
 * fsgs_identify(). */
void fsgs_name_paravirtual(struct fsgs_report *report);

/* trial.c, or no-trial.c if the code is not 64-bit x86. */

/* Evidence that may fault is collected between these two, by functions that get this structure. A
 * refused trial has no guard: `ops` is empty, and CPUID runs bare. Where CPUID faults, the program
 * that loaded the library would have died in its loader. */
struct fsgs_guarded {
	struct fsgs_core_ops ops; /* for functions of the core */
	uint64_t thread_pointer;  /* the FS base, from when it was right */
	int kernel_tells;         /* ARCH_GET_FS is known to give it */
};

/* Enters the guard unless `refusal` says why not. Fills in refusal and refusal_error. */
void fsgs_guarded_begin(struct fsgs_guarded *guarded, struct fsgs_report *report,
			enum fsgs_refusal refusal);
void fsgs_guarded_end(const struct fsgs_guarded *guarded);

/* After fsgs_core_cpuid(): whose processor and which hypervisor; tells whether CPUID faults. */
void fsgs_identify(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* Executes the four instructions. */
void fsgs_try(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* After fsgs_try(): whether WRGSBASE refuses an address that is not canonical. */
void fsgs_try_canonical(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* After fsgs_try(): whether arch_prctl gives the bases that are known by another source. */
void fsgs_try_fallback(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* Touches a stack page by page from the top, since it may be committed that way. Nothing below
 * may be used before. */
static inline __attribute__((always_inline)) void fsgs_touch(volatile char *low, size_t size)
{
	for (size_t at = size; at > 0; at = at > 4096 ? at - 4096 : 0)
		low[at - 1] = 0;
}

/* apart.c: runs it in a thread of its own, where no handler of the process runs but those of SIGSYS
 * and SIGTRAP, and waits for its end. Where there can be no such thread: an error, as
 * pthread_create() gives it. */
int fsgs_apart(void *(*body)(void *), void *argument);

/* survival.c: fills in survival_tried and survival_lost, and marks WRGSBASE value-lost. */
void fsgs_survive(struct fsgs_report *report);

/* environment.c */

/* FSGSCHECK_TRIAL: 0 for no trial, 1, or -1 for a value that is not known, which counts as 1. */
int fsgs_environment_trial(void);

/* FSGSCHECK_BASE: enum fsgs_access, or FSGS_BASE_AUTO; and whether the value is a known one. */
uint32_t fsgs_environment_access(int *known);

/* access.c: the word that holds all decisions. */

/* The word once the access of this segment is decided, and what it says of a segment. */
uint32_t fsgs_decided(uint32_t segment);
uint32_t fsgs_access_in(uint32_t word, uint32_t segment);

/* Whether a set by arch_prctl has shown that it works, since this decision; and that it has. */
int fsgs_trusted_in(uint32_t word, uint32_t segment);
void fsgs_trust(uint32_t word, uint32_t segment);

/* sweep.c */

/* The caller's groups, each of the size that the caller passed. */
struct fsgs_groups {
	void *first;
	size_t size;
	uint32_t room;
	uint32_t count;
};

void fsgs_sweep(struct fsgs_report *report, enum fsgs_refusal refusal, struct fsgs_groups *groups);

/* Keeps the calling thread on one CPU; a negative errno where that cannot be. */
int fsgs_move_to(uint32_t cpu);

/* Adds one CPU's result to the groups. CPUs must come in ascending order. */
void fsgs_cpu_group_add(struct fsgs_groups *groups, uint32_t cpu, const struct fsgs_report *report);

#pragma GCC visibility pop

#endif

/* SPDX-License-Identifier: MIT */
/* Shared by the files of the Linux library. */
#ifndef FSGSCHECK_LIB_LINUX_H
#define FSGSCHECK_LIB_LINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <fsgscheck.h>
#include <fsgscheck/core.h>

#include "../core/stubs.h"

#pragma GCC visibility push(hidden)

/* auxv.c: AT_HWCAP2. */

/* The result of reading one copy of the auxiliary vector. */
struct fsgs_hwcap2 {
	uint32_t present; /* enum fsgs_answer; unknown if the copy ended too early */
	uint64_t value;
};

/* Looks for AT_HWCAP2 in pairs of native words, up to AT_NULL or to the end; ignores an incomplete
 * last pair. AT_HWCAP2 counts as absent only if AT_NULL was found; in a truncated copy its presence
 * is unknown. */
struct fsgs_hwcap2 fsgs_auxv_parse(const void *bytes, size_t size);

/* Fills in hwcap2_fsgsbase, and hwcap2_present if it can be known without reading a file. */
void fsgs_auxv(struct fsgs_report *report);

/* Fills in hwcap2_present and FSGS_SIGN_AUXV_DIFFERS from all copies. */
void fsgs_auxv_compare(struct fsgs_report *report);

/* cpuinfo.c: /proc/cpuinfo. */

/* The state of fsgs_cpuinfo_feed(), which takes /proc/cpuinfo in pieces of any size. Holds what is
 * needed of the first processor. */
struct fsgs_cpuinfo {
	/* enum fsgs_answer: `fsgsbase` is among the flags; unknown if there is no line with
	 * flags. */
	uint32_t flag;
	uint32_t field;  /* the part of the line that is being read */
	uint32_t length; /* length of the current word */
	char word[16];
	char vendor[16];
	uint32_t spaced; /* the space before the vendor has been read */
	uint32_t done;   /* the first processor has been read */
};

void fsgs_cpuinfo_feed(struct fsgs_cpuinfo *cpuinfo, const char *text, size_t size);

/* Fills in cpuinfo_flag and FSGS_SIGN_UML. Stores the vendor as the kernel names it. */
void fsgs_cpuinfo(struct fsgs_report *report, char vendor[16]);

/* surroundings.c: evidence for findings and advice. */

/* Opens a file of procfs or sysfs for reading; returns a negative number on failure. A container
 * can replace the file. So the call does not block on a FIFO or a terminal, and opens regular files
 * only. The file may have any length: the caller limits how much it reads. */
int fsgs_open_file(const char *path);

/* read(2), or pread(2) if an offset is given. After an interruption, which a FUSE file can report,
 * the call is repeated. The number of repeats is limited, because a sandbox can report an
 * interruption each time. */
ssize_t fsgs_read_file(int fd, void *to, size_t size, off_t at);
#define FSGS_WHERE_IT_IS (-1)

/* Converts "6.1.0-56-amd64" to 6<<16 | 1<<8 | 0. Returns 0 if `release` does not begin with two
 * numbers. */
uint32_t fsgs_kernel_version(const char *release);

/* Fills in kernel, kernel_version and the signs of gVisor, of paravirtual Xen and of a tracer. */
void fsgs_surroundings(struct fsgs_report *report);
/* If the signs have paravirtual Xen, sets the hypervisor to Xen, which CPUID does not show in such
 * a guest. Call after fsgs_identify(). */
void fsgs_name_paravirtual(struct fsgs_report *report);

/* trial.c, or no-trial.c if the code is not 64-bit x86. */

/* The functions that take this structure may fault while they collect evidence. Call them between
 * fsgs_guarded_begin() and fsgs_guarded_end(). If the trial is refused, there is no guard: `ops` is
 * empty, and CPUID runs unguarded. This is safe: if CPUID faulted, this program would have died in
 * its loader, which executes CPUID, too. */
struct fsgs_guarded {
	struct fsgs_core_ops ops; /* for functions of the core */
	uint64_t thread_pointer;  /* the FS base, read before the trial */
	int kernel_tells;         /* ARCH_GET_FS is known to return the FS base */
};

/* Enters the guard, unless `refusal` gives a reason not to. Fills in refusal and refusal_error. */
void fsgs_guarded_begin(struct fsgs_guarded *guarded, struct fsgs_report *report,
			enum fsgs_refusal refusal);
void fsgs_guarded_end(const struct fsgs_guarded *guarded);

/* After fsgs_core_cpuid(): identifies processor and hypervisor, and finds out whether CPUID
 * faults. */
void fsgs_identify(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* Executes the four instructions. */
void fsgs_try(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* After fsgs_try(): whether WRGSBASE refuses an address that is not canonical. */
void fsgs_try_canonical(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* After fsgs_try(): whether arch_prctl returns the bases that are known from another source. */
void fsgs_try_fallback(struct fsgs_report *report, const struct fsgs_guarded *guarded);

/* Touches the stack page by page from the top, for stacks that are committed in this order. Call
 * before lower parts of the stack are used. */
static inline __attribute__((always_inline)) void fsgs_touch(volatile char *low, size_t size)
{
	for (size_t at = size; at > 0; at = at > 4096 ? at - 4096 : 0)
		low[at - 1] = 0;
}

/* apart.c: runs a function in a separate thread and waits for its end. In that thread, the C
 * library's own signals are not blocked. All others are blocked, except SIGSYS, SIGTRAP, SIGSEGV
 * and SIGBUS, which are as in the caller. Returns 0, or the error if the thread cannot be
 * created. */
int fsgs_apart(void *(*body)(void *), void *argument);

/* survival.c: fills in survival_tried and survival_lost. If a base was lost, sets the outcome of
 * WRGSBASE to value-lost. */
void fsgs_survive(struct fsgs_report *report);

/* environment.c */

/* The value of FSGSCHECK_TRIAL: 0 for no trial, 1 for a trial, -1 for an unknown value, which
 * counts as 1. */
int fsgs_environment_trial(void);

/* The value of FSGSCHECK_BASE: enum fsgs_access, or FSGS_BASE_AUTO. Sets `known` to 0 if the value
 * is unknown, else to 1. */
uint32_t fsgs_environment_access(int *known);

/* access.c: the word that holds all decisions. */

/* fsgs_decided() returns the word. If the access of this segment is undecided, it decides first.
 * fsgs_access_in() returns the access of a segment in such a word. */
uint32_t fsgs_decided(uint32_t segment);
uint32_t fsgs_access_in(uint32_t word, uint32_t segment);

/* fsgs_trusted_in(): whether arch_prctl has changed this segment's base since the decision, and the
 * change was read back. fsgs_trust() records this. */
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

/* Pins the calling thread to one CPU; a negative errno on failure. */
int fsgs_move_to(uint32_t cpu);

/* 1 if a CPU's result contradicts `known`, the results of the CPUs before it. If an instruction was
 * not tried on this CPU, its outcome contradicts nothing. If it was tried here for the first time,
 * `known` gets its outcome. */
int fsgs_cpu_differs(struct fsgs_report *known, const struct fsgs_report *one);

/* Adds one CPU's result to the groups. CPUs must come in ascending order. */
void fsgs_cpu_group_add(struct fsgs_groups *groups, uint32_t cpu, const struct fsgs_report *report);

#pragma GCC visibility pop

#endif

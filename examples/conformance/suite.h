/* SPDX-License-Identifier: MIT */
/* The conformance suite: its cases, their possible results, and their helpers. */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include <fsgscheck.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "foreign.h"
#include "rules.h"

/* 0, 1 and 4 are exit statuses of kselftest. 64 is EX_USAGE of sysexits.h. */
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 4, CANNOT_RUN = 3, BAD_USAGE = 64 };

/* The result of a case. If a case runs several times, the highest number counts. */
enum word {
	WORD_NONE = 0,
	WORD_SKIP, /* could not be tested; the note holds the reason */
	WORD_PASS, /* the rule holds */
	/* Vendors differ here, so there is no rule to break. The note holds what was measured. */
	WORD_CLASSIFIED,
	WORD_FAIL /* the rule does not hold, or the case died */
};

enum theme {
	THEME_ENCODING,
	THEME_VALUES,
	THEME_FAULTS,
	THEME_SELECTORS,
	THEME_AGREEMENT,
	THEME_PTRACE,
	THEME_INHERITANCE,
	THEME_SURVIVAL,
	THEME_CPUS,
	THEME_PROMISES,
	THEMES
};

/* Flags of a case: whether and where it may run. */
#define KERNEL_HALF (1u << 0) /* puts a base of the kernel's half into GS and enters the kernel */
#define RISKY       (1u << 1) /* is known to crash a defective kernel */
#define ANYWHERE    (1u << 2) /* can also run on a machine without FSGSBASE */

/* K1 to K15 of doc/conformance.md, as bits: what the kernel's selftest checks. */
#define K(n)        (1u << (n))

#define FS          FSGS_SEGMENT_FS
#define GS          FSGS_SEGMENT_GS

struct test {
	unsigned number; /* never reused, never changed */
	const char *name;
	enum rule rule;
	unsigned covers; /* K() */
	unsigned flags;
	void (*run)(const struct test *test);
	uint64_t a, b, c; /* parameters of `run` */
};

struct theme_cases {
	const char *name;
	const struct test *tests;
	size_t count;
};

extern const struct theme_cases themes[THEMES];

extern const struct test encoding_tests[], value_tests[], fault_tests[], selector_tests[],
	agreement_tests[], ptrace_tests[], inheritance_tests[], survival_tests[], cpu_tests[],
	promise_tests[];
extern const size_t encoding_count, value_count, fault_count, selector_count, agreement_count,
	ptrace_count, inheritance_count, survival_count, cpu_count, promise_count;

/* The results of a case, in memory that the runner shares with the case's child. */
struct record {
	uint32_t word;     /* enum word */
	uint32_t finished; /* the case returned or was skipped */
	uint32_t checks;   /* expectations that were tested */
	uint32_t failures; /* expectations that failed; the texts below are about the first */
	char what[160];
	char expected[128];
	char seen[128];
	char note[400]; /* the reason of a skip, the measured result, or another remark */
	struct foreign_fault crash;
};

/* Facts about the machine, determined once before the first case. */
struct machine {
	struct fsgs_report report;
	bool present;    /* the instructions run, or the kernel advertises them */
	bool half_safe;  /* a base of the kernel's half may be written to GS */
	bool stray_rsp;  /* the kernel can return to a stack pointer that is not canonical */
	const char *why; /* why the instructions are missing, if not present */
};

extern struct machine machine;
extern struct record *record;

/* Functions for the cases: */

/* Notes a deviation unless both values are equal. */
void expect(uint64_t expected, uint64_t seen, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* Notes a deviation that is described in words. */
void fail(const char *expected, const char *seen, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the case as skipped. A case that has noted a deviation still fails. */
_Noreturn void skip(const char *why, ...) __attribute__((format(printf, 1, 2)));
/* Adds a remark to a result without changing it. */
void remark(const char *what, ...) __attribute__((format(printf, 1, 2)));
/* Marks the case as measured, and adds text to the result. */
void classify(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* A window with the defaults: it sets nothing, and restores the bases of this process. */
struct window *window_new(void);
/* run_window() calls need_gs() and foreign_window(). need_gs() skips the case if the window would
 * change a GS base that a sandbox needs. */
void run_window(struct window *w);
void need_gs(const struct window *w);
/* Makes the window set the base of one segment by the instruction, which accepts any canonical
 * address. */
void window_base(struct window *w, int segment, uint64_t base);
/* Makes the window set the base by arch_prctl: for cases that then test an instruction on this
 * base, or that test arch_prctl. */
void window_prctl(struct window *w, int segment, uint64_t base);
/* Notes a deviation unless ARCH_GET returns this base. If ARCH_GET fails, there is no check. */
void expect_got(uint64_t expected, const struct sight *sight, int segment, const char *when);
/* The base as arch_prctl reports it, or as the instruction reads it if arch_prctl fails. */
uint64_t base_of(const struct sight *sight, int segment);
/* For a case about arch_prctl: skips the case if the call was refused. The kernel's documentation
 * says that ARCH_SET_GS "may be disabled", and sandboxes refuse more. */
void need_get(const struct sight *sight, int segment);
void need_set(int64_t error, int segment);
void need_set_by(const struct window *w, int segment);
/* The address of the stub with this form of an instruction. */
uint64_t stub(unsigned insn, unsigned width, unsigned reg);
uint64_t odd_stub(unsigned odd, unsigned insn);
bool is_write(uint64_t insn);
int segment_of(uint64_t insn);
const char *segment_name(int segment);
const char *insn_name(uint64_t insn, uint64_t width);
const char *register_name(unsigned reg, uint64_t width);

/* Memory below 2 GiB, zeroed, readable and writable; skips the case if none is available. */
void *low_memory(size_t size);
/* Installs a data descriptor with this base in the LDT. Returns its selector, or skips the case. */
unsigned ldt_selector(unsigned entry, uint32_t base);
/* Installs a data descriptor with this base in a TLS entry of the GDT. Returns its selector, or
 * skips the case. */
unsigned tls_selector(uint32_t base);

/* Installs a descriptor in the LDT or, if that fails, as a TLS entry: for cases that can use
 * either. Returns its selector, or skips the case. */
unsigned any_selector(unsigned entry, uint32_t base);

/* Makes the window's stub execute 32-bit code: copies `size` bytes, nine at most, to w->stub +
 * COMPAT_CODE, which is below 4 GiB, and adds the switches to 32-bit mode and back. */
#define COMPAT_CODE 16
void compat_stub(struct window *w, const void *code, size_t size);

/* Pins the calling thread; false on failure. */
bool pin(int cpu);
/* The CPUs on which this process may run, in ascending order. */
size_t allowed_cpus(int *cpus, size_t room);

/* Starts a child that runs the window. If the window returns, the child exits with status 0. */
pid_t start_window(struct window *w);
/* Waits for the child. Notes a deviation unless the child exits with status 0. */
void end_window(pid_t child, const char *who);

/* How often no child could be created for a case. */
extern unsigned never_started;

struct options {
	const char *only;
	unsigned repeat;
	bool risky;
	bool no_fork;     /* run_here() */
	unsigned seconds; /* the time limit of a case */
};

/* Runs one case in a child and stores the result in the global `record`. Returns false if the case
 * must not be run. */
bool run_case(const struct test *test, const struct options *options);
/* Runs one case in this process, for a debugger. A case that dies ends the process. */
bool run_here(const struct test *test, const struct options *options);

/* One case's result, for the output formats. */
struct result {
	const struct theme_cases *theme;
	const struct test *test;
	struct record record;
	unsigned runs, failed_runs, skipped_runs;
	double seconds;
};

struct summary {
	unsigned counts[WORD_FAIL + 1];
	unsigned total;
	double seconds;
};

struct output {
	void (*begin)(unsigned total);
	void (*result)(const struct result *result, unsigned index);
	void (*end)(const struct summary *summary);
};

extern const struct output output_tap, output_ktap, output_human, output_json, output_junit;

const char *word_name(unsigned word);

#endif

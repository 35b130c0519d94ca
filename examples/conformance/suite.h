/* SPDX-License-Identifier: MIT */
/* The conformance suite: its cases, what a case may say, and what it works with. */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include <fsgscheck.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "foreign.h"
#include "rules.h"

/* As kselftest counts; 64 is EX_USAGE, which no result is. */
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 4, CANNOT_RUN = 3, BAD_USAGE = 64 };

/* What came of a case, the worse the higher. */
enum word {
	WORD_NONE = 0,
	WORD_SKIP, /* could not be asked here, with the reason */
	WORD_PASS, /* the rule holds */
	/* Measured where vendors differ: no rule to break, the note says what was seen. */
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

/* What a case needs, or what speaks against running it unasked. */
#define KERNEL_HALF (1u << 0) /* puts a base of the kernel's half into GS and enters the kernel */
#define RISKY       (1u << 1) /* is known to take a defective kernel down */
#define ANYWHERE    (1u << 2) /* has something to say without the feature, too */

/* The behaviours of the kernel's selftest, K1 to K15, as bits. */
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
	uint64_t a, b, c; /* what the function makes of them */
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

/* Where the child that runs a case leaves what it found: memory shared with the runner. */
struct record {
	uint32_t word;     /* enum word */
	uint32_t finished; /* the case returned */
	uint32_t checks;   /* expectations that were tested */
	uint32_t failures; /* and not met; the texts are those of the first */
	char what[160];
	char expected[128];
	char seen[128];
	char note[400]; /* reason of a skip, what was classified, or what else is to be known */
	struct foreign_fault crash;
};

/* What the machine is: asked once, before the first case. */
struct machine {
	struct fsgs_report report;
	bool present;    /* the instructions run, or the kernel says that they do */
	bool half_safe;  /* a base of the kernel's half may stand in GS */
	const char *why; /* not present */
};

extern struct machine machine;
extern struct record *record;

/* To be called by a case. */

/* Notes a deviation unless both are equal. */
void expect(uint64_t expected, uint64_t seen, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* Notes a deviation in words. */
void fail(const char *expected, const char *seen, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the case, which is a failure still if something deviated before. */
_Noreturn void skip(const char *why, ...) __attribute__((format(printf, 1, 2)));
/* Adds what a reader has to know of a result, and leaves the result as it is. */
void remark(const char *what, ...) __attribute__((format(printf, 1, 2)));
/* Adds to what was measured. */
void classify(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* A window with the defaults: nothing set, the bases of this process to be put back. */
struct window *window_new(void);
/* foreign_window(), or a skip where it would take the sandbox's GS away: need_gs(). */
void run_window(struct window *w);
void need_gs(const struct window *w);
/* Sets the base of one segment by the instruction, in both halves. */
void window_base(struct window *w, int segment, uint64_t base);
/* Sets it by arch_prctl: for what is to be read by an instruction under test. */
void window_prctl(struct window *w, int segment, uint64_t base);
/* Notes a deviation unless ARCH_GET gave this base, where it gives any. */
void expect_got(uint64_t expected, const struct sight *sight, int segment, const char *when);
/* The base as the kernel has it; as the instruction reads it where the kernel does not tell. */
uint64_t base_of(const struct sight *sight, int segment);
/* For a case about arch_prctl: ends it where that is refused. "May be disabled", says the kernel's
 * document of ARCH_SET_GS, and sandboxes refuse more. */
void need_get(const struct sight *sight, int segment);
void need_set(int64_t error, int segment);
void need_set_by(const struct window *w, int segment);
/* The stub of one form. */
uint64_t stub(unsigned insn, unsigned width, unsigned reg);
uint64_t odd_stub(unsigned odd, unsigned insn);
bool is_write(uint64_t insn);
int segment_of(uint64_t insn);
const char *segment_name(int segment);
const char *insn_name(uint64_t insn, uint64_t width);
const char *register_name(unsigned reg, uint64_t width);

/* Memory below 4 GiB, zeroed, readable and writable; skips where there is none. */
void *low_memory(size_t size);
/* A data descriptor with this base in the LDT; the selector, or a skip. */
unsigned ldt_selector(unsigned entry, uint32_t base);
/* The same as a TLS descriptor of the GDT. */
unsigned tls_selector(uint32_t base);

/* Either of them, the LDT where it is to be had: for what only needs a descriptor. */
unsigned any_selector(unsigned entry, uint32_t base);

/* Makes 32-bit code the window's stub: `size` bytes, nine at most, below 4 GiB, with the way there
 * and back. The code is at w->stub + COMPAT_CODE. */
#define COMPAT_CODE 16
void compat_stub(struct window *w, const void *code, size_t size);

/* Pins the calling thread; false where that is not possible. */
bool pin(int cpu);
/* The CPUs that the run was given, ascending. */
size_t allowed_cpus(int *cpus, size_t room);

/* Starts a child that runs the window, and ends its process with the status of the window. */
pid_t start_window(struct window *w);
/* Waits for it to end in order; a deviation where it does not. */
void end_window(pid_t child, const char *who);

/* How long one case may take. */
#define CASE_SECONDS 30

/* How many cases had no process to run in. */
extern unsigned never_started;

/* Runs one case in a child; the result is in *record. False where it must not be run at all. */
bool run_case(const struct test *test, bool risky);

struct options {
	const char *only;
	unsigned repeat;
	bool risky;
};

/* One case's result, as the forms of output need it. */
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

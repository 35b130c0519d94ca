/* SPDX-License-Identifier: MIT */
/* fsgs-conformance: tests the rules of FSGSBASE, case by case. */
#include "suite.h"
#include "clean.h"
#include "explain/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_REPEAT   1000000
#define CASE_SECONDS 30
#define MAX_SECONDS  86400

/* The first Linux with AT_HWCAP2 on x86, 4.11, as major<<16 | minor<<8. */
#define LINUX_HWCAP2 ((4u << 16) | (11u << 8))

const struct theme_cases themes[THEMES] = {
	[THEME_ENCODING] = {"encoding", encoding_tests, 0},
	[THEME_VALUES] = {"values", value_tests, 0},
	[THEME_FAULTS] = {"faults", fault_tests, 0},
	[THEME_SELECTORS] = {"selectors", selector_tests, 0},
	[THEME_AGREEMENT] = {"agreement", agreement_tests, 0},
	[THEME_PTRACE] = {"ptrace", ptrace_tests, 0},
	[THEME_INHERITANCE] = {"inheritance", inheritance_tests, 0},
	[THEME_SURVIVAL] = {"survival", survival_tests, 0},
	[THEME_CPUS] = {"cpus", cpu_tests, 0},
	[THEME_PROMISES] = {"promises", promise_tests, 0},
};

static const char usage[] =
	"usage: fsgs-conformance [--tap|--ktap|--json|--xml junit] [--list] [--only PATTERN]\n"
	"                        [--repeat N] [--limit SECONDS] [--cpus LIST] [--risky]\n"
	"                        [--no-fork]\n";

static const char help[] =
	"Checks the rules of FSGSBASE by numbered cases.\n"
	"\n"
	"Output (default: a summary for a person)\n"
	"  --tap           Test Anything Protocol 13, as prove reads it\n"
	"  --ktap          Kernel TAP, as kselftest reads it\n"
	"  --json          one JSON object, schema 1\n"
	"  --xml junit     JUnit XML, as CI systems read it\n"
	"\n"
	"Choice\n"
	"  --list          the cases, their rules and sources; runs nothing\n"
	"  --only PATTERN  only cases whose number, theme, name or theme/name matches\n"
	"  --repeat N      each case N times; the worst result counts\n"
	"  --limit SECONDS the time limit of a case, 30 by default, for a slow emulator\n"
	"  --cpus LIST     only on these CPUs, such as 0-3,8\n"
	"  --risky         also cases that may crash a kernel\n"
	"  --no-fork       run one case in this process, for a debugger\n"
	"\n"
	"  --help, --version\n"
	"\n"
	"Exit status\n"
	"  0   no case failed\n"
	"  1   a case failed\n"
	"  3   the suite could not run\n"
	"  4   no case could be tested, for example without FSGSBASE;\n"
	"      0 with --tap, whose readers treat any other status as a failure\n"
	"  64  bad usage\n";

static const struct option long_options[] = {
	{"tap", no_argument, NULL, 't'},
	{"ktap", no_argument, NULL, 'k'},
	{"json", no_argument, NULL, 'j'},
	{"xml", required_argument, NULL, 'x'},
	{"list", no_argument, NULL, 'l'},
	{"only", required_argument, NULL, 'o'},
	{"repeat", required_argument, NULL, 'n'},
	{"limit", required_argument, NULL, 's'},
	{"cpus", required_argument, NULL, 'c'},
	{"risky", no_argument, NULL, 'r'},
	{"no-fork", no_argument, NULL, 'f'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{"gs-base-is-zero", no_argument, NULL, 'z'},
	{NULL, 0, NULL, 0},
};

static int bad_usage(const char *what, const char *which)
{
	char clean[256];

	text_clean(which, clean, sizeof clean);
	fprintf(stderr, "fsgs-conformance: %s%s; try 'fsgs-conformance --help'\n", what, clean);
	return BAD_USAGE;
}

static size_t count_of(size_t theme)
{
	const size_t counts[THEMES] = {
		[THEME_ENCODING] = encoding_count,
		[THEME_VALUES] = value_count,
		[THEME_FAULTS] = fault_count,
		[THEME_SELECTORS] = selector_count,
		[THEME_AGREEMENT] = agreement_count,
		[THEME_PTRACE] = ptrace_count,
		[THEME_INHERITANCE] = inheritance_count,
		[THEME_SURVIVAL] = survival_count,
		[THEME_CPUS] = cpu_count,
		[THEME_PROMISES] = promise_count,
	};

	return counts[theme];
}

static bool selected(const char *pattern, const struct theme_cases *theme, const struct test *test)
{
	char number[16], path[128];

	if (!pattern)
		return true;
	snprintf(number, sizeof number, "%u", test->number);
	snprintf(path, sizeof path, "%s/%s", theme->name, test->name);
	return fnmatch(pattern, number, 0) == 0 || fnmatch(pattern, theme->name, 0) == 0 ||
	       fnmatch(pattern, test->name, 0) == 0 || fnmatch(pattern, path, 0) == 0;
}

static unsigned count_selected(const char *pattern)
{
	unsigned count = 0;

	for (size_t i = 0; i < THEMES; i++)
		for (size_t n = 0; n < count_of(i); n++)
			count += selected(pattern, &themes[i], &themes[i].tests[n]);
	return count;
}

static void list(const char *pattern)
{
	for (size_t i = 0; i < THEMES; i++) {
		for (size_t n = 0; n < count_of(i); n++) {
			const struct test *const t = &themes[i].tests[n];

			if (!selected(pattern, &themes[i], t))
				continue;
			printf("%u\t%s/%s\t%s\t%s", t->number, themes[i].name, t->name,
			       rules[t->rule].text, rules[t->rule].source);
			for (unsigned k = 1; k <= 15; k++)
				if (t->covers & K(k))
					printf("\tK%u", k);
			if (t->flags & RISKY)
				printf("\trisky");
			putchar('\n');
		}
	}
}

/* Parses a number from 1 to `most`. False if the text is no such number. */
static bool parse_number(const char *text, unsigned long most, unsigned *number)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	*number = (unsigned)value;
	return !*end && value && value <= most;
}

/* Parses a list of CPUs such as "0-3,8". False if the text is no valid list. */
static bool parse_cpus(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	do {
		char *end;
		const unsigned long first = strtoul(text, &end, 10);
		unsigned long last = first;

		if (end == text)
			return false;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text)
				return false;
		}
		if (last < first || last >= CPU_SETSIZE)
			return false;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, set);
		text = end;
	} while (*text++ == ',');
	return text[-1] == '\0';
}

/* Runs a function in a child, which the function may kill. Sets *outlived to whether the child
 * exited with status 0. Returns false if no child can be created. */
static bool outlives(void (*what)(unsigned), unsigned which, bool *outlived)
{
	int status = 0;
	const pid_t child = fork();

	if (child == 0) {
		what(which);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	*outlived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return true;
}

/* Executes RDGSBASE, which changes no state. Where RDGSBASE is undefined, the child dies. */
static void rdgsbase(unsigned unused)
{
	static struct window w = {.flags = FLAGS_FIXED};

	(void)unused;
	w.stub = stub(FSGS_INSN_RDGSBASE, 64, RAX);
	window_enter(&w);
}

static void handle_segv(void (*handler)(int))
{
	signal(SIGSEGV, handler);
}

static void gs_call(unsigned changed)
{
	foreign_gs_call((int)changed, handle_segv);
}

static void int80(unsigned unused)
{
	static struct window w;

	(void)unused;
	event_int80(&w);
}

static void breakpoint(int signal)
{
	(void)signal;
}

/* Executes INT3 while RSP is not canonical. IRET returns to any RSP. A hypervisor that returns in
 * another way may end the process. */
static void stray_rsp(unsigned unused)
{
	static unsigned char room[1 << 16];
	const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
	const struct sigaction action = {.sa_handler = breakpoint, .sa_flags = SA_ONSTACK};

	(void)unused;
	if (sigaltstack(&stack, NULL) || sigaction(SIGTRAP, &action, NULL))
		return;
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "movq %0, %%rsp\n\t"
			 "int3\n\t"
			 "movq %%rbx, %%rsp"
			 :
			 : "r"(UINT64_C(1) << 63)
			 : "rbx", "memory");
}

/* Makes one of four arch_prctl calls. A filter may end the child by SIGSYS. ARCH_SET_FS sets the
 * base that FS has. ARCH_SET_GS sets 0, because the child does not need GS. */
static void each_prctl(unsigned which)
{
	const int get = (int)(which >> 1), s = (int)(which & 1);
	uint64_t base = 0;

	if (get)
		base = (uintptr_t)&base;
	else if (s == FS)
		__asm__("movq %%fs:0, %0" : "=r"(base));
	foreign_prctl(get, s, base);
}

/* Whether it is safe to write a base of the kernel's half to GS. The conditions are those of the
 * library's canonical check: may_flash() in lib/linux/trial.c. Here, FSGS_SIGN_VENDOR_DIFFERS is
 * one more sign of a process emulator. */
static bool half_safe(const struct fsgs_report *r)
{
	if (r->signs & (FSGS_SIGN_BIT(FSGS_SIGN_UML) | FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV)))
		return false;
	if (r->hwcap2_fsgsbase == FSGS_ANSWER_YES)
		return true;
	return r->hwcap2_present == FSGS_ANSWER_NO &&
	       (r->kernel_version >= LINUX_HWCAP2 ||
		r->signs & (FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS) |
			    FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS)));
}

/* Determines the facts about the machine. Returns false if the check fails or no child can be
 * created: then nothing can be tested. */
static bool examine(void)
{
	static char why[160];
	struct fsgs_report *const r = &machine.report;
	bool lives;

	if (fsgs_check(r, sizeof *r, FSGS_CHECK_NO_TRIAL | FSGS_CHECK_CONTEXT))
		return false;
	clean_report(r);
	for (unsigned which = 0; which < 4; which++) {
		if (!outlives(each_prctl, which, &lives))
			return false;
		if (!lives)
			foreign_deadly |= FOREIGN_CALL(which >> 1, which & 1);
	}
	if (!outlives(rdgsbase, 0, &lives))
		return false;
	foreign_runs = lives;
	machine.present = r->hwcap2_fsgsbase == FSGS_ANSWER_YES || lives;
	if (!outlives(int80, 0, &lives))
		return false;
	if (!lives)
		foreign_deadly |= FOREIGN_INT80;
	/* First run the code with GS unchanged. A sandbox is to blame only if the code survives
	 * that, but dies with a changed GS base. */
	if (foreign_runs && !outlives(gs_call, 0, &lives))
		return false;
	if (foreign_runs && lives) {
		if (!outlives(gs_call, 1, &lives))
			return false;
		if (!lives)
			foreign_deadly |= FOREIGN_GS_CALL;
	}
	if (!outlives(stray_rsp, 0, &machine.stray_rsp))
		return false;
	machine.half_safe = half_safe(r);
	snprintf(why, sizeof why, "this machine has no FSGSBASE: CPUID %s it, AT_HWCAP2 %s it",
		 r->cpuid_fsgsbase == FSGS_ANSWER_YES ? "offers" : "does not offer",
		 r->hwcap2_present == FSGS_ANSWER_NO ? "is absent and cannot advertise"
						     : "does not advertise");
	machine.why = why;
	return true;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void repeat(const struct test *test, const struct options *options, struct result *result)
{
	const double begin = seconds();

	for (unsigned i = 0; i < options->repeat; i++) {
		const bool asked =
			options->no_fork ? run_here(test, options) : run_case(test, options);

		result->runs++;
		result->failed_runs += record->word == WORD_FAIL;
		result->skipped_runs += record->word == WORD_SKIP;
		if (record->word > result->record.word)
			result->record = *record;
		if (!asked)
			break; /* the case must not be run, so a repetition would be skipped, too */
	}
	result->seconds = seconds() - begin;
}

/* Progress is for a person at the terminal. It is not shown if output for programs goes to a
 * terminal, because it would mix with that output. */
static bool shows_progress(const struct output *output)
{
	return isatty(STDERR_FILENO) && (output == &output_human || !isatty(STDOUT_FILENO));
}

/* Flushes the output and returns the exit status, which is CANNOT_RUN if the output is incomplete,
 * for example because the disk is full. */
static int written(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "fsgs-conformance: cannot write the output: %s\n", strerror(errno));
	return CANNOT_RUN;
}

static int run(const struct options *options, const struct output *output)
{
	const unsigned total = count_selected(options->only);
	struct summary summary = {.total = total};
	const double begin = seconds();
	const bool progress = shows_progress(output);
	unsigned index = 0;

	output->begin(total);
	for (size_t i = 0; i < THEMES; i++) {
		for (size_t n = 0; n < count_of(i); n++) {
			struct result result = {.theme = &themes[i], .test = &themes[i].tests[n]};

			if (!selected(options->only, result.theme, result.test))
				continue;
			index++;
			if (progress)
				fprintf(stderr, "%u/%u %s/%s", index, total, result.theme->name,
					result.test->name);
			/* A child must not inherit unwritten output, because the C library could
			 * print it again. */
			fflush(stdout);
			repeat(result.test, options, &result);
			summary.counts[result.record.word]++;
			if (progress)
				fputs("\r\033[K", stderr);
			output->result(&result, index);
		}
	}
	summary.seconds = seconds() - begin;
	output->end(&summary);
	if (summary.counts[WORD_FAIL])
		return written(EXIT_FAIL);
	if (summary.counts[WORD_PASS] + summary.counts[WORD_CLASSIFIED])
		return written(EXIT_PASS);
	if (never_started) {
		fprintf(stderr, "fsgs-conformance: no child process can be created for a "
				"case\n");
		return CANNOT_RUN;
	}
	/* All cases were skipped. Readers of TAP treat any exit status but 0 as a failure. */
	return written(output == &output_tap ? EXIT_PASS : EXIT_SKIP);
}

/* The option --gs-base-is-zero: inheritance/gs-exec-seen executes this program with it, to read the
 * GS base that execve leaves. Returns the exit status. */
static int gs_base_is_zero(void)
{
	static struct window w = {.flags = FLAGS_FIXED};

	w.stub = stub(FSGS_INSN_RDGSBASE, 64, RAX);
	window_enter(&w);
	return w.out[RAX] != 0;
}

static int prepare_and_run(const struct options *options, const struct output *output)
{
	const int defaults[] = {SIGCHLD, SIGQUIT, SIGILL, SIGSYS};
	struct rlimit core = {0, 0};
	sigset_t chld;

	record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (record == MAP_FAILED) {
		perror("fsgs-conformance: mmap");
		return CANNOT_RUN;
	}
	/* The parent may have made this process ignore these signals. Then waiting for children
	 * would fail, and no child would die of SIGQUIT, SIGILL or SIGSYS. */
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		signal(defaults[i], SIG_DFL);
	/* No core files, except in the cases that test them and raise the limit again. */
	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &core);
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_SETMASK, &chld, NULL);
	if (!examine()) {
		fprintf(stderr, "fsgs-conformance: no child process can be created: %s\n",
			strerror(errno));
		return CANNOT_RUN;
	}
	return run(options, output);
}

int main(int argc, char **argv)
{
	struct options options = {.repeat = 1, .seconds = CASE_SECONDS};
	const struct output *output = NULL, *chosen;
	bool listing = false;
	cpu_set_t cpus;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		chosen = NULL;
		switch (option) {
		case 't':
			chosen = &output_tap;
			break;
		case 'k':
			chosen = &output_ktap;
			break;
		case 'j':
			chosen = &output_json;
			break;
		case 'x':
			if (strcmp(optarg, "junit") != 0)
				return bad_usage("unknown form of XML: ", optarg);
			chosen = &output_junit;
			break;
		case 'l':
			listing = true;
			break;
		case 'o':
			options.only = optarg;
			break;
		case 'n':
			if (!parse_number(optarg, MAX_REPEAT, &options.repeat))
				return bad_usage("not a number of repeats: ", optarg);
			break;
		case 's':
			if (!parse_number(optarg, MAX_SECONDS, &options.seconds))
				return bad_usage("not a number of seconds: ", optarg);
			break;
		case 'c':
			if (!parse_cpus(optarg, &cpus))
				return bad_usage("not a list of CPUs: ", optarg);
			if (sched_setaffinity(0, sizeof cpus, &cpus))
				return bad_usage("cannot run on CPUs ", optarg);
			break;
		case 'r':
			options.risky = true;
			break;
		case 'f':
			options.no_fork = true;
			break;
		case 'z':
			return gs_base_is_zero();
		case 'h':
			fputs(usage, stdout);
			fputs(help, stdout);
			return written(EXIT_PASS);
		case 'v':
			printf("fsgs-conformance %s\n", fsgs_version_string());
			return written(EXIT_PASS);
		default:
			return bad_usage("bad option: ", argv[optind - 1]);
		}
		if (chosen && output && output != chosen)
			return bad_usage("choose one form of output", "");
		if (chosen)
			output = chosen;
	}
	if (optind < argc)
		return bad_usage("unexpected argument: ", argv[optind]);
	if (!count_selected(options.only))
		return bad_usage("no case matches: ", options.only);
	if (options.no_fork && (count_selected(options.only) != 1 || options.repeat != 1))
		return bad_usage("--no-fork runs one case once: choose it by --only", "");
	if (listing && output)
		return bad_usage("--list has one form", "");
	if (listing) {
		list(options.only);
		return written(EXIT_PASS);
	}
	return prepare_and_run(&options, output ? output : &output_human);
}

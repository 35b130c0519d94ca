/* SPDX-License-Identifier: MIT */
/* fsgscheck: checks whether FSGSBASE works here. */
#include "clean.h"
#include "output.h"
#include "explain/command.h"
#include "explain/text.h"
#include "run/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Exit statuses of errors. fsgs_exit_status() returns the exit status of a verdict. */
enum { CANNOT_RUN = 3, BAD_USAGE = 64 };

static const char usage[] = "usage: fsgscheck [--json|--tap|--prometheus|--quiet]\n"
			    "                 [--all-cpus] [--survival] [--no-trial]\n"
			    "       fsgscheck explain [--json] FILE...\n"
			    "       fsgscheck run [OPTION...] [--] PROGRAM [ARGUMENT...]\n";

static const char help[] =
	"Checks whether programs can really use the FSGSBASE instructions here.\n"
	"\n"
	"Output (default: a page for a person)\n"
	"  --json         one JSON object, schema 1\n"
	"  --tap          Test Anything Protocol 13\n"
	"  --prometheus   Prometheus text format\n"
	"  --quiet        print nothing; only set the exit status\n"
	"\n"
	"What to check\n"
	"  --all-cpus     check each CPU that this process may run on\n"
	"  --survival     check that a base survives system calls, signals and sleep\n"
	"  --no-trial     do not execute the instructions (as with FSGSCHECK_TRIAL=0)\n"
	"\n"
	"explain\n"
	"  checks another machine from its kernel log, /proc/cpuinfo or reports\n"
	"\n"
	"run\n"
	"  runs a program; if it dies at an FSGSBASE instruction, shows where and why\n"
	"\n"
	"  --help, --version\n"
	"\n"
	"Exit status\n"
	"  0   usable\n"
	"  1   not usable, and all sources agree: unsupported, disabled\n"
	"  2   a defect or a security hole: unadvertised, broken, inconsistent\n"
	"  3   unknown, or the check could not run\n"
	"  64  bad usage\n";

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},       {"tap", no_argument, NULL, 't'},
	{"prometheus", no_argument, NULL, 'p'}, {"quiet", no_argument, NULL, 'q'},
	{"all-cpus", no_argument, NULL, 'a'},   {"survival", no_argument, NULL, 's'},
	{"no-trial", no_argument, NULL, 'n'},   {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},    {NULL, 0, NULL, 0},
};

static int bad_usage(const char *what, const char *which)
{
	char clean[128];

	text_clean(which, clean, sizeof clean);
	fprintf(stderr, "fsgscheck: %s%s; try 'fsgscheck --help'\n", what, clean);
	return BAD_USAGE;
}

static void print_nothing(FILE *out, const struct result *result)
{
	(void)out;
	(void)result;
}

static int run(uint32_t flags, print_result *print)
{
	struct result result = {.group_count = MAX_GROUPS};
	int error;

	if (flags & FSGS_CHECK_ALL_CPUS) {
		error = fsgs_check_cpus(&result.report, sizeof result.report, flags, result.groups,
					sizeof *result.groups, &result.group_count);
	} else {
		error = fsgs_check(&result.report, sizeof result.report, flags);
		result.group_count = 0;
	}
	if (error) {
		fprintf(stderr, "fsgscheck: the check could not run: %s\n", strerror(-error));
		return CANNOT_RUN;
	}
	/* Read the device only if needed, because each read makes the kernel module execute the
	 * instructions in ring 0. If this process has tried them and the verdict is `disabled`,
	 * only ring 0 can show whether the machine executes them. */
	if (result.report.verdict == FSGS_VERDICT_DISABLED &&
	    result.report.refusal == FSGS_REFUSAL_NONE) {
		const char *why = ring0_ask(&result.report, RING0_DEVICE);

		if (why && print != print_nothing)
			fprintf(stderr,
				"fsgscheck: the report has no evidence from ring 0: " RING0_DEVICE
				": %s\n",
				why);
	}
	clean_report(&result.report);
	print(stdout, &result);
	return flushed(stdout) ? fsgs_exit_status(result.report.verdict) : CANNOT_RUN;
}

int main(int argc, char **argv)
{
	print_result *print = NULL, *chosen;
	uint32_t flags = FSGS_CHECK_CONTEXT;
	int option;

	if (argc > 1 && strcmp(argv[1], "explain") == 0)
		return explain_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return run_command(argc - 1, argv + 1);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		chosen = NULL;
		switch (option) {
		case 'j':
			chosen = print_json;
			break;
		case 't':
			chosen = print_tap;
			break;
		case 'p':
			chosen = print_prometheus;
			break;
		case 'q':
			chosen = print_nothing;
			break;
		case 'a':
			flags |= FSGS_CHECK_ALL_CPUS;
			break;
		case 's':
			flags |= FSGS_CHECK_SURVIVAL;
			break;
		case 'n':
			flags |= FSGS_CHECK_NO_TRIAL;
			break;
		case 'h':
			fputs(usage, stdout);
			fputs(help, stdout);
			return flushed(stdout) ? EXIT_SUCCESS : CANNOT_RUN;
		case 'v':
			printf("fsgscheck %s\n", fsgs_version_string());
			return flushed(stdout) ? EXIT_SUCCESS : CANNOT_RUN;
		default:
			return bad_usage("bad option: ", argv[optind - 1]);
		}
		if (chosen && print && print != chosen)
			return bad_usage("choose one form of output", "");
		if (chosen)
			print = chosen;
	}
	if (optind < argc)
		return bad_usage("unexpected argument: ", argv[optind]);
	return run(flags, print ? print : print_human);
}

/* SPDX-License-Identifier: MIT */
/* The command fsgscheck explain: finds out from another machine's files whether FSGSBASE works
 * there. */
#include "command.h"
#include "found.h"
#include "../output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CANNOT_RUN = 3, BAD_USAGE = 64 };

static const char usage[] =
	"usage: fsgscheck explain [--json] FILE...\n"
	"\n"
	"Shows from a machine's files whether FSGSBASE works there. The files may be\n"
	"kernel logs, /proc/cpuinfo, and the output of fsgscheck --json and of the boot\n"
	"image, in any mixture. The file - is standard input.\n"
	"\n"
	"Exit status: as for fsgscheck, of the worst verdict in the files; 3 if they have\n"
	"no evidence.\n";

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void take(void *context, const struct explain_source *source)
{
	found_add(context, source);
}

static bool read_file(struct explain *e, struct found *found, const char *path)
{
	static char bytes[1 << 17];
	const bool is_stdin = strcmp(path, "-") == 0;
	const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	ssize_t got;

	found_begin_file(found, is_stdin ? FOUND_STANDARD_INPUT : path);
	while (!error && (got = read(fd, bytes, sizeof bytes)) != 0) {
		if (got > 0)
			explain_feed(e, bytes, (size_t)got);
		else if (errno != EINTR)
			error = errno;
	}
	read_module(e);
	found_end_file(found, e, !error);
	if (fd >= 0 && !is_stdin)
		close(fd);
	if (error) {
		char name[MAX_NAME];

		text_clean(found->file, name, sizeof name);
		fprintf(stderr, "fsgscheck: %s: %s\n", name, strerror(error));
	}
	return !error;
}

static int status(const struct found *found, bool all_read)
{
	const int says = found->worst.count ? fsgs_exit_status(found->worst.source.report.verdict)
					    : CANNOT_RUN;

	/* If a file was not read, or if memory ran out, a worse verdict may have been missed. Only
	 * the worst exit status is certain then. */
	return all_read || says == fsgs_exit_status(FSGS_VERDICT_BROKEN) ? says : CANNOT_RUN;
}

int explain_command(int argc, char **argv)
{
	static struct explain explain;
	static struct found found;
	bool json = false, all_read = true;
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return flushed(stdout) ? EXIT_SUCCESS : CANNOT_RUN;
		}
		if (option != 'j') {
			char name[MAX_NAME];

			text_clean(argv[optind - 1], name, sizeof name);
			fprintf(stderr,
				"fsgscheck: bad option: %s; try 'fsgscheck explain --help'\n",
				name);
			return BAD_USAGE;
		}
		json = true;
	}
	if (optind == argc) {
		fputs("fsgscheck: explain needs files, or - for standard input\n", stderr);
		return BAD_USAGE;
	}
	explain_begin(&explain, take, &found);
	for (int i = optind; i < argc; i++)
		all_read &= read_file(&explain, &found, argv[i]);
	found_end(&found, &explain);
	if (json)
		found_json(stdout, &found);
	else
		found_print(stdout, &found);
	if (found.out_of_memory)
		fputs("fsgscheck: out of memory: not all machines are listed\n", stderr);
	found_free(&found);
	if (!flushed(stdout))
		return CANNOT_RUN;
	return status(&found, all_read && !found.out_of_memory);
}

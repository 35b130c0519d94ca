/* SPDX-License-Identifier: MIT */
/* A table of cases. Each row is one case, and runs in a new process. */
#ifndef TORTURE_ROWS_H
#define TORTURE_ROWS_H

#include "torture.h"

#include <sys/wait.h>

struct torture_row {
	const char *name;
	void (*test)(const char *name);
};

/* Runs the row named `wanted`, or all rows if `wanted` is NULL. SIGALRM ends a row after `seconds`.
 * Returns the program's exit status, which is 64 if there is no such row. */
static inline int torture_rows(const char *program, const struct torture_row *rows, size_t count,
			       unsigned seconds, const char *wanted)
{
	int known = 0;

	for (const struct torture_row *row = rows; row < rows + count; row++) {
		int status = 0;

		if (wanted && strcmp(wanted, row->name) != 0)
			continue;
		known = 1;

		const pid_t child = fork();

		if (child == 0) {
			alarm(seconds);
			atomic_store(&torture_failures, 0);
			row->test(row->name);
			exit(atomic_load(&torture_failures) != 0);
		}
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
			printf("%-45s skipped\n", row->name);
			continue;
		}
		EXPECT(status == 0, "%s: status %#x", row->name, status);
		printf("%-45s %s\n", row->name, status ? "FAILED" : "ok");
	}
	return known ? torture_status(program) : 64;
}

#endif

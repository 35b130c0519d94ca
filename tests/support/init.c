/* SPDX-License-Identifier: MIT */
/*
 * The first process of a test machine: runs one program on the console, prints how the program
 * ended, and ends the machine. Options on the kernel's command line:
 *
 *   fsgs.run=PATH        the program; the default is /fsgscheck
 *   fsgs.args=A,B,C      its arguments; the default is none. An argument has no space or comma.
 *   fsgs.end=off         switches the machine off instead of restarting it, for user-mode Linux
 *
 * Prints "=== cmdline " and the kernel's command line first, then the program's output between two
 * lines:
 *
 *   === begin NAME
 *   === end NAME status=N
 *
 * NAME is the last component of the program's path. N is the exit status, or 128 + the number of
 * the signal that ended the program. The kernel must be "quiet", so that its messages do not mix
 * with the output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CMDLINE_MAX       4096
#define ARGS_MAX          32

#define DEFAULT_PROGRAM   "/fsgscheck"

#define STATUS_CANNOT_RUN 127
#define STATUS_SIGNAL     128

static char cmdline[CMDLINE_MAX];

static void mount_at(const char *type, const char *path)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL) != 0)
		printf("init: cannot mount %s\n", path);
}

static void read_cmdline(void)
{
	FILE *file = fopen("/proc/cmdline", "re");

	if (!file)
		return;
	if (fgets(cmdline, sizeof(cmdline), file))
		cmdline[strcspn(cmdline, "\n")] = '\0';
	fclose(file);
}

/* Splits the command line in place and reads its words fsgs.run=, fsgs.args= and fsgs.end=off.
 * `run` and `args` point into it. */
static void find_words(char **run, char **args, int *end)
{
	char *state = NULL;

	for (char *word = strtok_r(cmdline, " ", &state); word;
	     word = strtok_r(NULL, " ", &state)) {
		if (strncmp(word, "fsgs.run=", 9) == 0)
			*run = word + 9;
		else if (strncmp(word, "fsgs.args=", 10) == 0)
			*args = word + 10;
		else if (strcmp(word, "fsgs.end=off") == 0)
			*end = RB_POWER_OFF;
	}
}

static int run_program(char *program, char *args)
{
	char *argv[ARGS_MAX + 2] = {program};
	char *state = NULL;
	int count = 1;
	int status;
	pid_t child;

	for (char *arg = strtok_r(args, ",", &state); arg && count <= ARGS_MAX;
	     arg = strtok_r(NULL, ",", &state))
		argv[count++] = arg;

	child = fork();
	if (child == 0) {
		execv(program, argv);
		_exit(STATUS_CANNOT_RUN);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return STATUS_CANNOT_RUN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
}

int main(void)
{
	char *program = NULL;
	char *args = NULL;
	char none[] = "";
	char fallback[] = DEFAULT_PROGRAM;
	const char *name;
	int end = RB_AUTOBOOT;
	int status;

	mount_at("devtmpfs", "/dev");
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	read_cmdline();
	printf("=== cmdline %s\n", cmdline);
	find_words(&program, &args, &end);
	if (!program)
		program = fallback;
	name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;

	printf("=== begin %s\n", name);
	fflush(stdout);
	status = run_program(program, args ? args : none);
	printf("=== end %s status=%d\n", name, status);
	fflush(stdout);
	tcdrain(STDOUT_FILENO); /* waits until the console has sent all output */

	sync();
	reboot(end);
	return EXIT_FAILURE;
}

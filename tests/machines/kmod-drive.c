/* SPDX-License-Identifier: MIT */
/*
 * Performs steps with the kernel module, one for each argument, and prints how each ended:
 *
 *   load, unload    loads the module /fsgscheck.ko, or unloads it
 *   read            prints /dev/fsgscheck
 *   check, page     runs /fsgscheck --json, or /fsgscheck
 *   user-STEP       performs one of these steps without privileges
 *   cycle-N         loads, reads and unloads, N times, while processes keep all CPUs busy
 *   log             prints the kernel's warnings and errors, and its messages about the module
 *
 * During all steps, this program has a GS base that is not 0. It prints a message if a step has
 * changed the program's GS or FS base, or if a process that keeps a CPU busy has detected a changed
 * base.
 *
 * The output of a step is between two lines like those of tests/support/init.c. The status in the
 * second line is 0 or an errno, or the exit status of a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <stdint.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE   "/fsgscheck.ko"
#define DEVICE   "/dev/fsgscheck"
#define NOBODY   65534
#define MAX_BUSY 64

#define READ_ALL 3 /* syslog(2), SYSLOG_ACTION_READ_ALL */

static int load(void)
{
	const int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 || syscall(SYS_finit_module, fd, "", 0) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "fsgscheck", O_NONBLOCK) ? errno : 0;
}

static int read_device(FILE *out)
{
	const int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	char bytes[512]; /* smaller than the answer, so that several reads are needed */
	ssize_t got;
	int error;

	if (fd < 0)
		return errno;
	while ((got = read(fd, bytes, sizeof bytes)) > 0)
		if (out)
			fwrite(bytes, 1, (size_t)got, out);
	error = got < 0 ? errno : 0;
	close(fd);
	return error;
}

static int run_command(char *option)
{
	char program[] = "/fsgscheck";
	char *argv[] = {program, option, NULL};
	int status;

	fflush(stdout);
	const pid_t child = fork();
	if (child == 0) {
		execv(program, argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint64_t base_of(int question)
{
	uint64_t base = 0;

	syscall(SYS_arch_prctl, question, &base);
	return base;
}

/* Starts a process that uses both bases and enters the kernel in a loop. The process ends by itself
 * only if a base has changed. */
static pid_t make_busy(void)
{
	static __thread volatile uint64_t behind_fs;
	uint64_t cell = 0, behind_gs;
	const pid_t child = fork();

	if (child)
		return child;
	syscall(SYS_arch_prctl, ARCH_SET_GS, &cell);
	for (uint64_t n = 1;; n++) {
		behind_fs = cell = n;
		getppid();
		__asm__ volatile("movq %%gs:0, %0" : "=r"(behind_gs) : : "memory");
		if (behind_gs != n || behind_fs != n)
			_exit(1);
	}
}

static int cycle(int times)
{
	pid_t busy[MAX_BUSY];
	int count = get_nprocs() + 1;
	int error = 0;

	if (count > MAX_BUSY)
		count = MAX_BUSY;
	fflush(stdout);
	for (int i = 0; i < count; i++)
		busy[i] = make_busy();
	for (int i = 0; i < times && !error; i++) {
		error = load();
		if (!error)
			error = read_device(NULL);
		if (!error)
			error = unload();
		if (error)
			printf("cycle %d: %s\n", i, strerror(error));
	}
	for (int i = 0; i < count; i++)
		if (busy[i] > 0) {
			int status = 0;

			kill(busy[i], SIGKILL);
			waitpid(busy[i], &status, 0);
			if (!WIFSIGNALED(status))
				puts("bases changed");
		}
	return error;
}

static int print_log(void)
{
	static const char *const wanted[] = {"fsgscheck", "WARNING", "BUG",       "Oops",
					     "RIP:",      "CR4",     "Call Trace"};
	static char log[1 << 20];
	const int length = klogctl(READ_ALL, log, sizeof log - 1);
	char *state = NULL;

	if (length < 0)
		return errno;
	log[length] = '\0';
	for (char *line = strtok_r(log, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
		for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
			/* Lines that quote the kernel's command line are left out: they are no
			 * messages about the module. */
			if (strstr(line, wanted[i]) && !strstr(line, "ommand line")) {
				puts(line);
				break;
			}
	return 0;
}

static int step(const char *name)
{
	char json[] = "--json";

	if (strcmp(name, "load") == 0)
		return load();
	if (strcmp(name, "unload") == 0)
		return unload();
	if (strcmp(name, "read") == 0)
		return read_device(stdout);
	if (strcmp(name, "check") == 0)
		return run_command(json);
	if (strcmp(name, "page") == 0)
		return run_command(NULL);
	if (strncmp(name, "cycle-", 6) == 0)
		return cycle(atoi(name + 6));
	if (strcmp(name, "log") == 0)
		return print_log();
	return EINVAL;
}

/* Performs a step in a child without privileges. */
static int unprivileged(const char *name)
{
	int status;

	fflush(stdout);
	const pid_t child = fork();
	if (child == 0) {
		status = setgid(NOBODY) || setuid(NOBODY) ? 126 : step(name);
		fflush(stdout);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	const uint64_t fs = base_of(ARCH_GET_FS), gs = (uint64_t)(uintptr_t)&argc;

	syscall(SYS_arch_prctl, ARCH_SET_GS, gs);
	/* Steps are numbered, because a step may be repeated. */
	for (int i = 1; i < argc; i++) {
		printf("=== begin %d-%s\n", i, argv[i]);
		const int status = strncmp(argv[i], "user-", 5) == 0 ? unprivileged(argv[i] + 5)
								     : step(argv[i]);
		if (base_of(ARCH_GET_FS) != fs || base_of(ARCH_GET_GS) != gs)
			puts("bases changed");
		printf("=== end %d-%s status=%d\n", i, argv[i], status);
		fflush(stdout);
	}
	return 0;
}

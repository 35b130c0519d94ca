/* SPDX-License-Identifier: MIT */
/* Loads the library, runs a check, and unloads the library, more than a thousand times. The last
 * thousand rounds must not change memory, mappings, descriptors, threads, signal handlers or the
 * signal mask. */
#include <fsgscheck.h>

#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { TIMES = 1000, WARM_UP = 50 };

struct state {
	size_t allocated;
	int maps, descriptors, threads;
	void (*handlers[NSIG])(int);
	sigset_t mask;
};

static int entries(const char *path)
{
	DIR *const directory = opendir(path);
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static int lines(const char *path)
{
	FILE *const file = fopen(path, "r");
	int count = 0, c;

	while (file && (c = fgetc(file)) != EOF)
		count += c == '\n';
	if (file)
		fclose(file);
	return count;
}

static struct state look(void)
{
	struct state now;

	memset(&now, 0, sizeof now);
	now.maps = lines("/proc/self/maps");
	now.descriptors = entries("/proc/self/fd");
	now.threads = entries("/proc/self/task");
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction action;

		if (sigaction(sig, NULL, &action) == 0)
			now.handlers[sig] = action.sa_handler;
	}
	sigprocmask(SIG_BLOCK, NULL, &now.mask);
	now.allocated = mallinfo2().uordblks;
	return now;
}

static int check_once(const char *path)
{
	struct fsgs_report report;
	int (*check)(struct fsgs_report *, size_t, uint32_t);
	int (*usable)(void);
	void *const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	*(void **)&check = dlsym(library, "fsgs_check");
	*(void **)&usable = dlsym(library, "fsgs_usable");
	if (!check || !usable || check(&report, sizeof report, FSGS_CHECK_CONTEXT) ||
	    usable() != (report.verdict == FSGS_VERDICT_USABLE))
		return -1;
	dlclose(library);
	if (dlopen(path, RTLD_NOW | RTLD_NOLOAD)) {
		fprintf(stderr, "it stayed loaded\n");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct state before, after;

	if (argc != 2)
		return 2;
	/* In the first rounds the C library allocates memory that it keeps, so `before` is taken
	 * after WARM_UP rounds. */
	memset(&before, 0, sizeof before);
	for (int i = 0; i < TIMES + WARM_UP; i++) {
		if (check_once(argv[1]))
			return 1;
		if (i == WARM_UP - 1)
			before = look();
	}
	after = look();
	printf("maps %d to %d, descriptors %d to %d, threads %d to %d, bytes allocated %zu to "
	       "%zu\n",
	       before.maps, after.maps, before.descriptors, after.descriptors, before.threads,
	       after.threads, before.allocated, after.allocated);
	return memcmp(&before, &after, sizeof before) != 0;
}

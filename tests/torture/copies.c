/* SPDX-License-Identifier: MIT */
/*
 * Several copies of the library in one process: each plugin contains one. Threads load one plugin
 * each, run trials at the same time, and unload the plugins right after their trials. Afterwards
 * every signal action must be as before. Failures depend on timing, so many processes do this.
 *
 *     copies PROCESSES PLUGIN PLUGIN...
 */
#include "../support/caught.h"
#include "torture.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { COPIES = 4, TRIALS = 3 };

/* Set in every second process: its threads also raise faults of their own. In these processes, the
 * plugins stay loaded until all faults are handled, because a program must not unload a handler
 * that another thread has just entered. */
static int raises;

struct actions {
	unsigned char of[CAUGHT][32];
};

static struct actions look(void)
{
	struct actions now;

	memset(&now, 0, sizeof now);
	for (size_t i = 0; i < CAUGHT; i++)
		syscall(SYS_rt_sigaction, caught[i], NULL, now.of[i], 8);
	return now;
}

static pthread_barrier_t together;
static atomic_int faults, raised;
static int copies;

static void skip(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
	atomic_fetch_add(&faults, 1);
}

/* Loads a plugin, runs trials, and unloads the plugin. Each plugin is a file of its own, because
 * dlopen() loads the same file only once. */
static void *use(void *path)
{
	void *const plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int (*const copy_try)(int) =
		plugin ? (int (*)(int))(uintptr_t)dlsym(plugin, "copy_try") : NULL;

	EXPECT(copy_try, "%s", dlerror());
	pthread_barrier_wait(&together);
	for (int i = 0; copy_try && i < TRIALS; i++) {
		const int error = copy_try(i % 2);

		EXPECT(error == 0, "a trial of %s: %d", (const char *)path, error);
		if (raises)
			__asm__ volatile("ud2");
		atomic_fetch_add(&raised, raises);
	}
	if (raises)
		pthread_barrier_wait(&together);
	if (plugin)
		dlclose(plugin);
	return NULL;
}

static int process(char **paths)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
	pthread_t threads[COPIES];
	struct actions before, after;

	alarm(60);
	sigaction(SIGILL, &action, NULL);
	before = look();
	pthread_barrier_init(&together, NULL, (unsigned)copies);
	for (int i = 0; i < copies; i++)
		if (pthread_create(&threads[i], NULL, use, paths[i]))
			return 1;
	for (int i = 0; i < copies; i++)
		pthread_join(threads[i], NULL);
	after = look();
	for (size_t i = 0; i < CAUGHT; i++)
		EXPECT(memcmp(before.of[i], after.of[i], 32) == 0, "action of signal %d",
		       caught[i]);
	__asm__ volatile("ud2");
	EXPECT(atomic_load(&faults) == atomic_load(&raised) + 1,
	       "%d faults reached their owner, not %d", atomic_load(&faults),
	       atomic_load(&raised) + 1);
	return atomic_load(&torture_failures) != 0;
}

int main(int argc, char **argv)
{
	const long processes = argc > 1 ? atol(argv[1]) : 0;
	long bad = 0;

	copies = argc - 2;
	if (processes < 1 || copies < 2 || copies > COPIES)
		return 64;
	for (long i = 0; i < processes; i++) {
		raises = (int)(i % 2);

		const pid_t child = fork();
		int status = -1;

		if (child == 0)
			_exit(process(argv + 2));
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (status != 0 && bad++ < 10)
			printf("process %ld: status %#x\n", i, status);
	}
	printf("%ld processes with %d copies, %ld bad\n", processes, copies, bad);
	return bad != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A library to preload. It changes the state of its process before main().
 *
 *   FOREIGN=sigill   Installs a handler for SIGILL. The handler must not receive a fault
 *                    of a trial. After main() it must receive a SIGILL that the process raises.
 *                    Otherwise the exit status is 99.
 *   FOREIGN=cpuid    Makes CPUID fault (ARCH_SET_CPUID). No handler emulates CPUID.
 */
#include <asm/prctl.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012
#endif

#define NOT_AS_IT_WAS 99

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void),
		     void *);

start_fn __libc_start_main;

static main_fn *real_main;
static volatile sig_atomic_t seen;

static void handle(int sig)
{
	(void)sig;
	seen++;
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "foreign: %s\n", what);
	_exit(NOT_AS_IT_WAS);
}

static int owns_sigill(int argc, char **argv, char **environment)
{
	struct sigaction mine;
	int status;

	memset(&mine, 0, sizeof mine);
	mine.sa_handler = handle;
	sigaction(SIGILL, &mine, NULL);
	status = real_main(argc, argv, environment);
	if (seen != 0)
		give_up("the handler received a fault of the trial");
	raise(SIGILL);
	if (seen != 1)
		give_up("the handler did not receive the raised SIGILL");
	return status;
}

static int wrapped_main(int argc, char **argv, char **environment)
{
	const char *what = getenv("FOREIGN");

	if (what && strcmp(what, "sigill") == 0)
		return owns_sigill(argc, argv, environment);
	if (what && strcmp(what, "cpuid") == 0 && syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0UL))
		give_up("the processor has no CPUID faulting");
	return real_main(argc, argv, environment);
}

/* Replaces main() by wrapped_main(), which runs after the dynamic linker and the constructors have
 * used CPUID. */
int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	start_fn *next;
	void *const symbol = dlsym(RTLD_NEXT, "__libc_start_main");

	memcpy(&next, &symbol, sizeof next);
	real_main = main;
	return next(wrapped_main, argc, argv, init, fini, rtld_fini, stack_end);
}

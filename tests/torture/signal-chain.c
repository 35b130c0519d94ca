/* SPDX-License-Identifier: MIT */
/*
 * A process in which another library replaces sigaction(): OpenJDK's signal chain (libjsig,
 * preloaded). Once the Java virtual machine (JVM) has installed its handlers, they stay installed
 * in the kernel. The chain stores each handler that the program installs later, and the JVM's
 * handler calls the stored handler. libfsgscheck exchanges actions by system calls, so during a
 * trial its handler replaces the JVM's handler. Here, machines() is the JVM's handler, and
 * programs() is the program's.
 */
#include "torture.h"

#include <dlfcn.h>
#include <fsgscheck/core.h>
#include <linux/guard.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

typedef void setting_fn(void);
typedef struct sigaction *get_fn(int sig);

static get_fn *get_action;
static atomic_int by_machine, by_program;

static void machines(int sig, siginfo_t *info, void *context)
{
	struct sigaction *const next = get_action(sig);

	atomic_fetch_add(&by_machine, 1);
	EXPECT(next && next->sa_sigaction, "nothing in the chain");
	if (next)
		next->sa_sigaction(sig, info, context);
}

static void programs(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
	atomic_fetch_add(&by_program, 1);
}

static void programs_next(int sig, siginfo_t *info, void *context)
{
	programs(sig, info, context);
	atomic_fetch_add(&by_program, 99);
}

static void *raise_genuine(void *argument)
{
	__asm__ volatile("ud2");
	return argument;
}

static void raise_in_thread(int machine, int program)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, raise_genuine, NULL))
		exit(EXIT_SKIP);
	pthread_join(thread, NULL);
	EXPECT(atomic_exchange(&by_machine, 0) == machine, "the JVM's handler");
	EXPECT(atomic_exchange(&by_program, 0) == program, "the program's handler");
}

/* The handler that is installed in the kernel. */
static uintptr_t installed(void)
{
	uintptr_t action[4] = {0};

	syscall(SYS_rt_sigaction, SIGILL, NULL, action, 8);
	return action[0];
}

static void try_and_raise(void (*meanwhile)(int, siginfo_t *, void *), int before, int after)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	struct fsgs_stub io = {0};

	EXPECT(fsgs_guard_enter() == 0, "guard");
	EXPECT(installed() != (uintptr_t)machines, "not installed");
	EXPECT(fsgs_guard_run(NULL, fsgs_stub_undefined, &io) == 1 && io.fault == SIGILL,
	       "the trial's own fault");
	EXPECT(atomic_load(&by_machine) == 0, "the trial's own fault reached the machine");
	raise_in_thread(1, before);
	action.sa_sigaction = meanwhile;
	EXPECT(sigaction(SIGILL, &action, NULL) == 0, "sigaction");
	raise_in_thread(1, after);
	fsgs_guard_leave();
	EXPECT(installed() == (uintptr_t)machines, "not restored");
	raise_in_thread(1, after);
}

int main(void)
{
	setting_fn *const begin =
		(setting_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "JVM_begin_signal_setting");
	setting_fn *const end =
		(setting_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "JVM_end_signal_setting");
	struct sigaction action = {.sa_sigaction = machines, .sa_flags = SA_SIGINFO};

	get_action = (get_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "JVM_get_signal_action");
	if (!begin || !end || !get_action) {
		printf("no signal chain here: preload OpenJDK's libjsig.so\n");
		return EXIT_SKIP;
	}
	begin();
	EXPECT(sigaction(SIGILL, &action, NULL) == 0, "sigaction");
	end();
	action.sa_sigaction = programs;
	EXPECT(sigaction(SIGILL, &action, NULL) == 0, "sigaction");
	EXPECT(installed() == (uintptr_t)machines, "this is no signal chain");
	raise_in_thread(1, 1);
	try_and_raise(programs_next, 1, 100);
	try_and_raise(programs, 100, 1);
	return torture_status("signal-chain");
}

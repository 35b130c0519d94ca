/* SPDX-License-Identifier: MIT */
/*
 * `fsgscheck run` has three processes: the front, the program and the tracer. The caller starts the
 * front and waits for it. The program and the tracer are children of the front. The tracer has a
 * session of its own, so that no terminal sends it signals. As the program's real parent, the front
 * learns of the program's stops, too, so it can stop together with the program.
 */
#ifndef FSGSCHECK_RUN_TRACER_H
#define FSGSCHECK_RUN_TRACER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Shared by front and tracer. The front writes `relayed`, and the tracer writes `seen`. */
struct shared {
	/* By signal number: sender and time of the latest signal to the program. Signals that the
	 * front passes on do not count. */
	struct {
		_Atomic pid_t sender;
		_Atomic int64_t when;
	} seen[NSIG];
	/* By signal number: the siginfo of the signal that the front passes on. The tracer puts it
	 * in place of the siginfo of the front's kill(2). */
	siginfo_t relayed[NSIG];
};

struct tracing {
	pid_t front, program;
	bool json, trace;
	struct shared *shared;
};

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t tracer_now(void);

/* Attaches to the program. Returns 0 or an errno. */
int tracer_seize(pid_t program);

/* Handles the events of the program and its descendants until the program has ended. */
void tracer_serve(const struct tracing *tracing);

/* elf.c: whether the program of a process imports ptrace(). If its children are traced already,
 * such a program cannot trace them. */
bool elf_imports_ptrace(pid_t pid);

#endif

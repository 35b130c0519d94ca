/* SPDX-License-Identifier: MIT */
/*
 * Three processes: the front, which the caller started and waits for; the program, its child; and
 * the tracer, another child, in a session of its own, which no signal of a terminal reaches. The
 * kernel keeps the front informed as a real parent: of stops too, so that it can stop with the
 * program.
 */
#ifndef FSGSCHECK_RUN_TRACER_H
#define FSGSCHECK_RUN_TRACER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Shared by front and tracer. The front writes relayed, the tracer the rest. */
struct shared {
	/* By signal number: sender and time of the latest signal to the program. */
	struct {
		_Atomic pid_t sender;
		_Atomic int64_t when;
	} seen[NSIG];
	/* The signal that the front passes on; its siginfo replaces that of the front's kill(2). */
	siginfo_t relayed[NSIG];
};

struct tracing {
	pid_t front, program;
	bool json, trace;
	struct shared *shared;
};

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t tracer_now(void);

/* Attaches; 0 or an errno. */
int tracer_seize(pid_t program);

/* Serves the program and its descendants until the program has ended. */
void tracer_serve(const struct tracing *tracing);

/* elf.c: whether the program of a process imports ptrace(): it cannot trace children that are
 * traced already. */
bool elf_imports_ptrace(pid_t pid);

#endif

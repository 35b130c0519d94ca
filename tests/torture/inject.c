/* SPDX-License-Identifier: MIT */
/*
 * A tracer makes each instruction of the trial fault: with invalid opcode, with #GP or with a bus
 * error, every time or only the first time. Afterwards both bases and all other state must be as
 * before, and the access must not use an instruction that failed. The survival check is left out:
 * it runs without the guard, and executes only instructions that worked in the trial.
 */
#include "state.h"

#include <core/stubs.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* In lib/core/stubs.S. */
#pragma GCC visibility push(hidden)
extern const int32_t fsgs_stub_table[];
#pragma GCC visibility pop

#define UD2 0x0b0fL

static struct {
	atomic_int hits;
	struct fsgs_report report;
	atomic_ulong failures;
} * shared;

static _Noreturn void tracee(void)
{
	uint64_t gs = 0x5000;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (;;) {
		syscall(SYS_arch_prctl, ARCH_SET_GS, gs += 0x1000);
		raise(SIGSTOP);
		shared->report =
			check_unchanged("injected fault", FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS);
		atomic_store(&shared->failures, atomic_load(&torture_failures));
	}
}

/* Lets the tracee run to its next SIGSTOP. At each fault at the address `at`, delivers `signal`
 * instead of SIGILL. With `once`, restores the instruction at the first of these faults. Returns 0,
 * or -1 if the tracee ends. */
static int run(pid_t pid, int signal, uintptr_t at, long original, int once)
{
	int status, deliver = 0;

	for (;;) {
		ptrace(PTRACE_CONT, pid, NULL, (long)deliver);
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
			EXPECT(0, "the tracee ended: status %#x, fault %d at %#lx", status, signal,
			       (unsigned long)at);
			return -1;
		}
		deliver = WSTOPSIG(status);
		if (deliver == SIGSTOP)
			return 0;

		struct user_regs_struct regs;
		siginfo_t info;

		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		if (deliver != SIGILL || regs.rip != at)
			continue;
		atomic_fetch_add(&shared->hits, 1);
		if (once)
			ptrace(PTRACE_POKETEXT, pid, at, original);
		if (signal == SIGILL)
			continue;
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		info.si_signo = deliver = signal;
		info.si_code = signal == SIGSEGV ? SI_KERNEL : BUS_OBJERR;
		ptrace(PTRACE_SETSIGINFO, pid, NULL, &info);
	}
}

int main(void)
{
	static const int signals[] = {SIGILL, SIGSEGV, SIGBUS};
	unsigned long rounds = 0, instructions = 0, unreached = 0;
	int status;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);

	const pid_t pid = fork();

	if (pid == 0)
		tracee();
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		printf("no tracing here\n");
		return EXIT_SKIP;
	}
	for (const int32_t *entry = fsgs_stub_table; *entry; entry++, instructions++) {
		const uintptr_t at = (uintptr_t)entry + (uintptr_t)(intptr_t)*entry;
		const long original = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
		int hits = 0;

		for (int i = 0; i < 6; i++) {
			const int once = i / 3, signal = signals[i % 3];

			ptrace(PTRACE_POKETEXT, pid, at, (original & ~0xffffL) | UD2);
			atomic_store(&shared->hits, 0);
			if (run(pid, signal, at, original, once))
				return torture_status("inject");
			ptrace(PTRACE_POKETEXT, pid, at, original);
			hits += atomic_load(&shared->hits);
			rounds++;

			const struct fsgs_report *r = &shared->report;

			for (int insn = 0; insn < FSGS_INSNS; insn++)
				EXPECT(r->trials[insn].outcome <= FSGS_OUTCOME_OK ||
					       r->access[insn & 1] != FSGS_ACCESS_INSTRUCTION,
				       "access by what failed");
			EXPECT(atomic_load(&shared->failures) == 0,
			       "changed by fault %d at instruction %lu", signal, instructions);
		}
		unreached += hits == 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("%lu instructions, %lu of them not part of a check here, %lu rounds of every flag\n",
	       instructions, unreached, rounds);
	return torture_status("inject");
}

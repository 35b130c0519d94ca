/* SPDX-License-Identifier: MIT */
/*
 * Survival: does a base that WRGSBASE wrote outlive a thread's system calls, switches and
 * migrations?
 *
 * A trial cannot detect a loss: under a paravirtual Xen before 4.15 all four instructions run, but
 * a base is lost at a context switch. This test runs in a thread of its own, so that the caller's
 * GS base is never touched. To force context switches, a second thread, rival(), writes another
 * base on the same CPU. Only GS is tested: the C library could not run after a lost FS base.
 */
#include "guard.h"
#include "linux.h"

#include <fsgscheck/insn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OURS     UINT64_C(0x00003a5bc6d7e8f0)
#define RIVAL    UINT64_C(0x0000051e9e0ffee0)

#define SLEEP_NS 2000000
/* How many times at most outlive_rival() yields or sleeps until rival() has written its base. Once
 * may not be enough, because other threads may use the CPU, too. */
#define YIELDS   4096
#define SLEEPS   16

struct arena {
	atomic_int stop;
	atomic_uint turns; /* how often rival() has written its base */
	int cpu;
	uint32_t tried;
	uint32_t lost;
};

static void write_gs(uint64_t base)
{
	struct fsgs_stub io = {.in = {base}};

	fsgs_stub_wrgs64(&io);
}

static uint64_t read_gs(void)
{
	struct fsgs_stub io = {0};

	fsgs_stub_rdgs64(&io);
	return io.out[0];
}

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof set, &set);
}

/* True if RDGSBASE and WRGSBASE run on this CPU: CPUs may differ. Writes only the current value. */
static int runs_here(void)
{
	struct fsgs_stub io = {0};
	int runs;

	if (fsgs_guard_enter())
		return 0; /* GCOV_EXCL_LINE: the trial would have failed to enter, too */
	runs = !fsgs_guard_run(NULL, fsgs_stub_rdgs64, &io);
	io.in[0] = io.out[0];
	runs = runs && !fsgs_guard_run(NULL, fsgs_stub_wrgs64, &io);
	fsgs_guard_leave();
	return runs;
}

static void *rival(void *argument)
{
	struct arena *const arena = argument;

	pin(arena->cpu);
	while (!atomic_load(&arena->stop)) {
		write_gs(RIVAL);
		atomic_fetch_add(&arena->turns, 1);
		sched_yield();
	}
	return NULL;
}

static void begin(void)
{
	write_gs(OURS);
}

static void end(struct arena *arena, enum fsgs_event event)
{
	arena->tried |= FSGS_EVENT_BIT(event);
	if (read_gs() != OURS)
		arena->lost |= FSGS_EVENT_BIT(event);
}

static void outlive_syscall(struct arena *arena)
{
	begin();
	(void)syscall(SYS_getppid);
	end(arena, FSGS_EVENT_SYSCALL);
}

/* A fault under the guard is a signal that no handler of the process receives. */
static void outlive_signal(struct arena *arena)
{
	struct fsgs_stub io = {0};

	if (fsgs_guard_enter())
		return; /* GCOV_EXCL_LINE: the trial would have failed to enter, too */
	begin();
	fsgs_guard_run(NULL, fsgs_stub_undefined, &io);
	end(arena, FSGS_EVENT_SIGNAL);
	fsgs_guard_leave();
}

/* In a VM, CPUID is the shortest exit to the hypervisor. If CPUID faults, the fault is a signal, as
 * in outlive_signal(). */
static void outlive_cpuid(struct arena *arena)
{
	struct fsgs_stub io = {0};

	if (fsgs_guard_enter())
		return; /* GCOV_EXCL_LINE: the trial would have failed to enter, too */
	begin();
	fsgs_guard_run(NULL, fsgs_stub_cpuid, &io);
	end(arena, FSGS_EVENT_CPUID);
	fsgs_guard_leave();
}

/* A result counts only if rival() has written its base in between. */
static void outlive_rival(struct arena *arena)
{
	const struct timespec moment = {0, SLEEP_NS};
	unsigned turns = atomic_load(&arena->turns);

	begin();
	for (int i = 0; i < YIELDS && atomic_load(&arena->turns) == turns; i++)
		sched_yield();
	if (atomic_load(&arena->turns) != turns)
		end(arena, FSGS_EVENT_YIELD);

	turns = atomic_load(&arena->turns);
	begin();
	for (int i = 0; i < SLEEPS && atomic_load(&arena->turns) == turns; i++)
		nanosleep(&moment, NULL);
	if (atomic_load(&arena->turns) != turns)
		end(arena, FSGS_EVENT_SLEEP);
}

/* Creates a child that compares its GS base with `base`. The child shares the memory (CLONE_VM),
 * because only its base matters, and a copy of a large process takes long and leaves page faults
 * behind. The caller waits for the child (CLONE_VFORK). The child sends no SIGCHLD, is invisible to
 * the process's own wait(), and touches neither memory nor stack. */
static long fork_and_compare(uint64_t base)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long child;

	__asm__ volatile(
		"syscall\n\t"
		"testq %%rax, %%rax\n\t"
		"jnz 1f\n\t" FSGS_ASM(
			FSGS_RDGSBASE,
			"%%rax") "\n\t"
				 "xorl %%edi, %%edi\n\t"
				 "cmpq %%rbx, %%rax\n\t"
				 "setne %%dil\n\t"
				 "movl %[exit_group], %%eax\n\t"
				 "syscall\n\t"
				 /* Only if a sandbox denied exit_group(): the child must not
				  * continue with the code of the process. */
				 "movl %[exit], %%eax\n\t"
				 "syscall\n\t"
				 "ud2\n"
				 "1:"
		: "=a"(child)
		: "0"((long)SYS_clone), "b"(base), "D"((long)(CLONE_VM | CLONE_VFORK)), "S"(0L),
		  "d"(0L), "r"(r10), "r"(r8), [exit_group] "i"(SYS_exit_group), [exit] "i"(SYS_exit)
		: "rcx", "r11", "cc", "memory");
	return child;
}

static void outlive_fork(struct arena *arena)
{
	int status = 0;

	begin();
	const long child = fork_and_compare(OURS);

	if (child < 0)
		return;
	end(arena, FSGS_EVENT_FORK);
	/* If another thread reaped the child, or it was killed, no loss of the child's base is
	 * recorded. */
	if (waitpid((pid_t)child, &status, __WALL) == child && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 1)
		arena->lost |= FSGS_EVENT_BIT(FSGS_EVENT_FORK);
}

static void outlive_migrations(struct arena *arena, const cpu_set_t *allowed)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET((size_t)cpu, allowed) || cpu == arena->cpu)
			continue;
		begin();
		if (pin(cpu) == 0 && runs_here())
			end(arena, FSGS_EVENT_MIGRATE);
		/* Return to the CPU where the instructions are known to run. */
		if (pin(arena->cpu))
			return; /* GCOV_EXCL_LINE: only if a sandbox was installed meanwhile */
	}
}

/* Pins this thread to its current CPU. True if the instructions run there. */
static int settle(struct arena *arena)
{
	arena->cpu = sched_getcpu();
	return arena->cpu >= 0 && arena->cpu < CPU_SETSIZE && pin(arena->cpu) == 0 && runs_here();
}

static void outlive_all(struct arena *arena, const cpu_set_t *allowed)
{
	pthread_t opponent;

	outlive_syscall(arena);
	outlive_signal(arena);
	outlive_cpuid(arena);
	outlive_fork(arena);
	outlive_migrations(arena, allowed);
	if (sched_getcpu() == arena->cpu && pthread_create(&opponent, NULL, rival, arena) == 0) {
		while (!atomic_load(&arena->turns))
			sched_yield();
		outlive_rival(arena);
		atomic_store(&arena->stop, 1);
		pthread_join(opponent, NULL);
	}
}

static void *subject(void *arena)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof allowed, &allowed);
	if (settle(arena))
		outlive_all(arena, &allowed);
	return NULL;
}

static int usable(const struct fsgs_report *report)
{
	return report->hwcap2_fsgsbase == FSGS_ANSWER_YES &&
	       report->trials[FSGS_INSN_RDGSBASE].outcome == FSGS_OUTCOME_OK &&
	       report->trials[FSGS_INSN_WRGSBASE].outcome == FSGS_OUTCOME_OK;
}

void fsgs_survive(struct fsgs_report *report)
{
	struct arena arena = {0};

	if (!usable(report) || fsgs_apart(subject, &arena))
		return;
	report->survival_tried = arena.tried;
	report->survival_lost = arena.lost;
	if (arena.lost) {
		report->trials[FSGS_INSN_WRGSBASE].outcome = FSGS_OUTCOME_VALUE_LOST;
		report->trials[FSGS_INSN_WRGSBASE].width = 64;
	}
}

/* SPDX-License-Identifier: MIT */
/* The tracer (ptrace(2)): lets the program receive all its signals, and examines faults at the four
 * instructions and at CPUID. */
#include "tracer.h"
#include "../explain/text.h"
#include "death.h"
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* PTRACE_O_EXITKILL is not set, so that programs outlive a tracer that is killed. */
#define OPTIONS \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
/* Options for a program that may trace its children. The children must stay untraced, because a
 * process can have only one tracer. The threads are traced. */
#define OPTIONS_OF_TRACER (PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* Maximum number of stored faults, one for each thread. A fault is stored as long as the program's
 * own handler for this fault may still be running. A further fault replaces the oldest one. */
#define MAX_CAUGHT        64
/* Maximum number of stored places. The first death at a place is printed in full, and a further
 * death there as one line. */
#define MAX_PRINTED       32

struct caught {
	pid_t thread; /* 0: free */
	bool entering;
	uint64_t frame; /* the stack pointer at the handler's first instruction */
	struct death death;
};

static const struct tracing *tracing;
static struct caught caught[MAX_CAUGHT];
static uint32_t next_caught;
static struct place printed[MAX_PRINTED];
static uint32_t printed_count;

int64_t tracer_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int tracer_seize(pid_t program)
{
	return ptrace(PTRACE_SEIZE, program, NULL, OPTIONS) == 0 ? 0 : errno;
}

static long options_for(pid_t thread)
{
	return elf_imports_ptrace(thread) ? OPTIONS_OF_TRACER : OPTIONS;
}

static void go_on(pid_t thread, int signal)
{
	/* The call fails if the thread has been killed meanwhile, which needs no handling. */
	ptrace(PTRACE_CONT, thread, NULL, (long)signal);
}

/* Reads a number from /proc/PID/status; -1 if it cannot be read. */
static int64_t status_field(pid_t pid, const char *key, int base)
{
	const size_t length = strlen(key);
	char path[64], line[256];
	int64_t value = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof line, file))
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			value = (int64_t)strtoull(line + length + 1, NULL, base);
	fclose(file);
	return value;
}

static void read_name(pid_t thread, char *name, size_t size)
{
	char path[64];
	ssize_t got = 0;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)thread);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		got = read(fd, name, size - 1);
		close(fd);
	}
	/* The kernel adds a newline to the name. */
	name[got > 0 ? got - 1 : 0] = '\0';
	text_clean(name, name, size);
}

/* Reads up to FAULT_CODE bytes at RIP, and returns how many it could read. The next page may be
 * unmapped. */
static size_t read_code(pid_t thread, uint64_t rip, uint8_t code[FAULT_CODE])
{
	const size_t on_page = 4096 - (rip & 4095);
	char path[64];
	ssize_t got;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)thread);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	got = pread(fd, code, FAULT_CODE, (off_t)rip);
	if (got < 0 && on_page < FAULT_CODE)
		got = pread(fd, code, on_page, (off_t)rip);
	close(fd);
	return got > 0 ? (size_t)got : 0;
}

/* Whether the signal is a fault at one of the four instructions or at CPUID. If so, fills in `d`,
 * except its places. */
static bool read_fault(pid_t thread, struct death *d)
{
	uint8_t code[FAULT_CODE];

	memset(d, 0, sizeof *d);
	d->thread = thread;
	if (ptrace(PTRACE_GETSIGINFO, thread, NULL, &d->info) != 0 || d->info.si_code <= 0 ||
	    ptrace(PTRACE_GETREGS, thread, NULL, &d->regs) != 0)
		return false;
	fault_decode(&d->fault, &d->info, &d->regs, code, read_code(thread, d->regs.rip, code));
	if (d->fault.cause == FAULT_NONE)
		return false;
	d->process = (pid_t)status_field(thread, "Tgid", 10);
	read_name(thread, d->name, sizeof d->name);
	return true;
}

/* Returns the report about this machine, decided for the mode of the program. Checks the machine
 * only once, when the first death needs the report. */
static const struct fsgs_report *verdict_for(const struct death *d)
{
	static struct fsgs_report here, decided;
	static bool checked;

	/* If the check fails, the report stays zero: its verdict is unknown. */
	if (!checked)
		(void)!fsgs_check(&here, sizeof here, FSGS_CHECK_CONTEXT | FSGS_CHECK_ALL_CPUS);
	checked = true;
	decided = here;
	death_verdict(d, &decided);
	return &decided;
}

static bool was_printed(const struct place *place)
{
	for (uint32_t i = 0; i < printed_count; i++)
		if (printed[i].offset == place->offset &&
		    strcmp(printed[i].module, place->module) == 0)
			return true;
	if (printed_count < MAX_PRINTED)
		printed[printed_count++] = *place;
	return false;
}

static void tell(struct death *d)
{
	place_death(d);
	if (tracing->json)
		json_death(stderr, d, verdict_for(d));
	else if ((d->handled && !d->status) || was_printed(&d->here))
		print_fault(stderr, d);
	else
		print_death(stderr, d, verdict_for(d));
	fflush(stderr);
}

static struct caught *find_caught(pid_t thread)
{
	for (uint32_t i = 0; i < MAX_CAUGHT; i++)
		if (caught[i].thread == thread)
			return &caught[i];
	return NULL;
}

static void forget(pid_t thread)
{
	struct caught *c = find_caught(thread);

	if (c)
		c->thread = 0;
}

/* Lets the program's handler receive the fault. The handler may still end the process, as in Go and
 * the JVM, so the thread's exit is traced, too. */
static void serve_handled(struct death *d, int signal)
{
	struct caught *c = find_caught(d->thread);

	if (!c)
		c = &caught[next_caught++ % MAX_CAUGHT];
	d->handled = true;
	if (tracing->trace)
		tell(d);
	c->thread = d->thread;
	c->death = *d;
	c->frame = 0;
	c->entering = true;
	ptrace(PTRACE_SETOPTIONS, d->thread, NULL, options_for(d->thread) | PTRACE_O_TRACEEXIT);
	/* The thread stops at the handler's first instruction. It does not stop again after the
	 * handler, because the kernel does not save the single-step flag in the handler's frame. */
	if (ptrace(PTRACE_SINGLESTEP, d->thread, NULL, (long)signal) != 0)
		c->thread = 0;
}

/* If the front has passed the signal on, restores the original sender in the siginfo. Otherwise
 * stores the sender, so that the front does not pass on a signal that the program has received as a
 * member of the process group. */
static void note_sender(pid_t thread, int signal)
{
	struct shared *shared = tracing->shared;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, thread, NULL, &info) != 0 ||
	    (info.si_code != SI_USER && info.si_code != SI_QUEUE) ||
	    (thread != tracing->program && status_field(thread, "Tgid", 10) != tracing->program))
		return;
	if (info.si_pid == tracing->front && shared->relayed[signal].si_signo == signal) {
		ptrace(PTRACE_SETSIGINFO, thread, NULL, &shared->relayed[signal]);
		return;
	}
	shared->seen[signal].sender = info.si_pid;
	shared->seen[signal].when = tracer_now();
}

static void serve_signal(pid_t thread, int signal)
{
	struct caught *c;
	struct death d;

	if (signal == SIGTRAP && (c = find_caught(thread)) && c->entering) {
		struct user_regs_struct regs;

		c->entering = false;
		if (ptrace(PTRACE_GETREGS, thread, NULL, &regs) == 0)
			c->frame = regs.rsp;
		go_on(thread, 0);
		return;
	}
	if ((signal == SIGILL || signal == SIGSEGV) && read_fault(thread, &d)) {
		const int64_t handlers = status_field(thread, "SigCgt", 16);

		if (handlers >= 0 && (handlers >> (signal - 1) & 1)) {
			serve_handled(&d, signal);
			return;
		}
		tell(&d);
	} else {
		note_sender(thread, signal);
	}
	go_on(thread, signal);
}

/* If a thread ends inside its handler, neither with status 0 nor by SIGKILL, the fault killed it. A
 * thread that has left its handler has its stack pointer above the frame or on another stack. */
static void serve_exit(pid_t thread)
{
	struct caught *c = find_caught(thread);
	struct place frame = {0}, now = {0};
	struct user_regs_struct regs;
	unsigned long status = 0;

	if (c && c->frame && ptrace(PTRACE_GETEVENTMSG, thread, NULL, &status) == 0 && status &&
	    status != SIGKILL && ptrace(PTRACE_GETREGS, thread, NULL, &regs) == 0 &&
	    regs.rsp <= c->frame) {
		place_module(thread, c->frame, &frame);
		place_module(thread, regs.rsp, &now);
		if (frame.in_module && now.in_module &&
		    c->frame - frame.offset == regs.rsp - now.offset) {
			c->death.status = (int)status;
			tell(&c->death);
		}
	}
	forget(thread);
	go_on(thread, 0);
}

static void serve_exec(pid_t thread)
{
	static int kept = -1;
	unsigned long former;
	char path[64];

	/* execve() changes the ID of the calling thread to that of the first thread. */
	if (ptrace(PTRACE_GETEVENTMSG, thread, NULL, &former) == 0)
		forget((pid_t)former);
	forget(thread);
	if (kept < 0)
		kept = privilege_is_kept();
	snprintf(path, sizeof path, "/proc/%d/exe", (int)thread);
	if (!kept && privilege_is_gained(path) && privilege_restart(thread))
		return;
	ptrace(PTRACE_SETOPTIONS, thread, NULL, options_for(thread));
	go_on(thread, 0);
}

/* Whether the thread's stops count as the program's. The stops of the first thread do. After the
 * first thread has ended, the stops of every thread do. A thread that has ended has no VmSize. */
static bool stands_for_program(pid_t thread)
{
	return thread == tracing->program ||
	       (status_field(thread, "Tgid", 10) == tracing->program &&
		status_field(tracing->program, "VmSize", 10) < 0);
}

static void signal_front(int signal)
{
	if (getppid() == tracing->front)
		kill(tracing->front, signal);
}

/* The front stops and continues together with the program. It cannot send SIGSTOP to itself:
 * SIGSTOP takes effect immediately, and a SIGCONT for the program might already have arrived. So
 * the tracer sends SIGSTOP, because it sees all stops and continuations in order. */
static void serve_job_control(pid_t thread, int signal)
{
	const bool stopped = signal != SIGTRAP;

	if (stopped)
		ptrace(PTRACE_LISTEN, thread, NULL, NULL);
	if (stands_for_program(thread)) {
		/* Forget a SIGCONT that arrived before the stop: it does not end this stop. */
		if (stopped)
			tracing->shared->seen[SIGCONT].sender = 0;
		if (!stopped || signal == SIGSTOP)
			signal_front(stopped ? SIGSTOP : SIGCONT);
	}
	if (!stopped)
		go_on(thread, 0);
}

static void serve_stop(pid_t thread, int status)
{
	const int signal = WSTOPSIG(status);

	switch (status >> 16) {
	case 0:
		serve_signal(thread, signal);
		break;
	case PTRACE_EVENT_STOP:
		serve_job_control(thread, signal);
		break;
	case PTRACE_EVENT_EXIT:
		serve_exit(thread);
		break;
	case PTRACE_EVENT_EXEC:
		serve_exec(thread);
		break;
	default:
		go_on(thread, 0);
	}
}

void tracer_serve(const struct tracing *given)
{
	int status;
	pid_t thread;

	tracing = given;
	while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (thread <= 0)
			continue;
		if (WIFSTOPPED(status)) {
			serve_stop(thread, status);
			continue;
		}
		forget(thread);
		if (thread == tracing->program)
			return;
	}
}

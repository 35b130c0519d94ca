/* SPDX-License-Identifier: MIT */
/*
 * mutate MUTATION PROGRAM [ARGUMENT...]: runs a program as on a machine that breaks one rule. Exits
 * with the program's status, or with 3 if a signal killed the program.
 * mutate --list: prints the names of all mutations.
 *
 * Traces the program by ptrace, with a breakpoint on each of the four instructions in its text, and
 * changes the effect of an instruction or of the kernel. Unless the mutation replaces it, the
 * processor itself executes an instruction: the tracer restores the original byte for one step, and
 * the mutation acts before or after this step. So the mutation "none" is a control: the program
 * must behave as it does without a tracer, except that no other tracer can trace it.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SITES     1024
#define MAX_PROCESSES 256
#define COMPAT_CS     0x23
#define BREAKPOINT    0xcc
#define HWCAP2        26
#define FOREIGN       0x5000

struct site {
	uint64_t address;
	unsigned insn, width, reg, length;
	bool locked;
	unsigned char byte;
};

struct process {
	pid_t pid;
	uint64_t own_fs; /* the C library's FS base: spoil() and set_shifts() keep it */
	bool fresh, in_call;
	long number; /* the system call that the thread is in */
	uint64_t argument[3];
};

enum verdict { EXECUTE, PASS_OVER, RAISE_GP, RAISE_GP_MAPERR, RAISE_UD };

struct mutation {
	const char *name;
	enum verdict (*before)(const struct site *, struct user_regs_struct *);
	void (*after)(const struct site *, struct user_regs_struct *,
		      const struct user_regs_struct *before);
	/* Returns the signal to deliver, or 0. May change registers and siginfo. */
	int (*at_signal)(struct process *, int signal);
	void (*at_child)(struct process *);
	void (*at_exec)(struct process *);
	void (*at_call)(struct process *, struct user_regs_struct *);
	void (*at_return)(struct process *, struct user_regs_struct *);
	bool holds_rivals;
};

static struct site sites[MAX_SITES];
static size_t site_count;
static struct process processes[MAX_PROCESSES];
static const struct mutation *mutation;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "mutate: %s: %s\n", what, strerror(errno));
	exit(3);
}

static unsigned long long *operand(struct user_regs_struct *regs, unsigned reg)
{
	unsigned long long *const all[] = {&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx,
					   &regs->rsp, &regs->rbp, &regs->rsi, &regs->rdi,
					   &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
					   &regs->r12, &regs->r13, &regs->r14, &regs->r15};

	return all[reg];
}

static uint64_t value_in(const struct user_regs_struct *regs, unsigned reg)
{
	struct user_regs_struct copy = *regs;

	return *operand(&copy, reg);
}

static bool writes(const struct site *site)
{
	return site->insn >= 2;
}

static unsigned long long *base(struct user_regs_struct *regs, unsigned segment)
{
	return segment ? &regs->gs_base : &regs->fs_base;
}

static bool canonical(uint64_t value)
{
	return value >> 47 == 0 || value >> 47 == 0x1ffff;
}

static bool refused(const struct site *site, struct user_regs_struct *regs)
{
	return writes(site) && site->width == 64 && !canonical(*operand(regs, site->reg));
}

/* -- mutations of the instructions -- */

static void rd_value(const struct site *site, struct user_regs_struct *regs,
		     const struct user_regs_struct *before)
{
	(void)before;
	if (!writes(site))
		*operand(regs, site->reg) ^= 0x10;
}

static void rd32_upper(const struct site *site, struct user_regs_struct *regs,
		       const struct user_regs_struct *before)
{
	(void)before;
	if (!writes(site) && site->width == 32)
		*operand(regs, site->reg) |= UINT64_C(0xffff00000000);
}

static void rd64_truncates(const struct site *site, struct user_regs_struct *regs,
			   const struct user_regs_struct *before)
{
	(void)before;
	if (!writes(site) && site->width == 64)
		*operand(regs, site->reg) &= 0xffffffff;
}

static void rex_b_ignored(const struct site *site, struct user_regs_struct *regs,
			  const struct user_regs_struct *before)
{
	if (writes(site) || site->reg < 8)
		return;
	*operand(regs, site->reg - 8) = *operand(regs, site->reg);
	*operand(regs, site->reg) = value_in(before, site->reg);
}

static enum verdict wr_ignored(const struct site *site, struct user_regs_struct *regs)
{
	(void)regs;
	return writes(site) ? PASS_OVER : EXECUTE;
}

static enum verdict wr64_truncates(const struct site *site, struct user_regs_struct *regs)
{
	if (writes(site) && site->width == 64 && canonical(*operand(regs, site->reg)))
		*operand(regs, site->reg) &= 0xffffffff;
	return EXECUTE;
}

static enum verdict wr_aligns(const struct site *site, struct user_regs_struct *regs)
{
	if (writes(site))
		*operand(regs, site->reg) &= ~UINT64_C(1);
	return EXECUTE;
}

/* The mutation's before() has changed the operand. The program must find the old value in the
 * register. */
static void restore_source(const struct site *site, struct user_regs_struct *regs,
			   const struct user_regs_struct *before)
{
	if (writes(site))
		*operand(regs, site->reg) = value_in(before, site->reg);
}

static void wr32_keeps_upper(const struct site *site, struct user_regs_struct *regs,
			     const struct user_regs_struct *before)
{
	const unsigned segment = site->insn & 1;
	const uint64_t old = segment ? before->gs_base : before->fs_base;

	if (writes(site) && site->width == 32)
		*base(regs, segment) |= old & ~UINT64_C(0xffffffff);
}

static enum verdict wr32_gp(const struct site *site, struct user_regs_struct *regs)
{
	return writes(site) && site->width == 32 && !canonical(*operand(regs, site->reg)) ? RAISE_GP
											  : EXECUTE;
}

static enum verdict gp_missing(const struct site *site, struct user_regs_struct *regs)
{
	return refused(site, regs) ? PASS_OVER : EXECUTE;
}

static enum verdict gp_maperr(const struct site *site, struct user_regs_struct *regs)
{
	return refused(site, regs) ? RAISE_GP_MAPERR : EXECUTE;
}

static enum verdict gp_as_ud(const struct site *site, struct user_regs_struct *regs)
{
	return refused(site, regs) ? RAISE_UD : EXECUTE;
}

static enum verdict gp_stores(const struct site *site, struct user_regs_struct *regs)
{
	if (refused(site, regs))
		*base(regs, site->insn & 1) = 0x1000;
	return EXECUTE;
}

static enum verdict kernel_half_gp(const struct site *site, struct user_regs_struct *regs)
{
	return writes(site) && site->width == 64 && *operand(regs, site->reg) >> 63 ? RAISE_GP
										    : EXECUTE;
}

static enum verdict lock_accepted(const struct site *site, struct user_regs_struct *regs)
{
	(void)regs;
	return site->locked ? PASS_OVER : EXECUTE;
}

static void flags(const struct site *site, struct user_regs_struct *regs,
		  const struct user_regs_struct *before)
{
	(void)site;
	(void)before;
	regs->eflags ^= 1;
}

static void clobber(const struct site *site, struct user_regs_struct *regs,
		    const struct user_regs_struct *before)
{
	(void)before;
	*operand(regs, (site->reg + 1) % 16 == 4 ? 5 : (site->reg + 1) % 16) ^= 0x100;
}

static void selector(const struct site *site, struct user_regs_struct *regs,
		     const struct user_regs_struct *before)
{
	(void)before;
	if (!writes(site))
		return;
	if (site->insn & 1)
		regs->gs = 0;
	else
		regs->fs = 0;
}

/* -- mutations of the kernel -- */

static void get_regs(pid_t pid, struct user_regs_struct *regs)
{
	ptrace(PTRACE_GETREGS, pid, 0, regs);
}

/* Changes the GS base, and the FS base unless it is the C library's. */
static void spoil(struct process *process)
{
	struct user_regs_struct regs;

	get_regs(process->pid, &regs);
	regs.gs_base = FOREIGN;
	if (regs.fs_base != process->own_fs)
		regs.fs_base = FOREIGN;
	ptrace(PTRACE_SETREGS, process->pid, 0, &regs);
}

static int spoil_at_signal(struct process *process, int signal)
{
	spoil(process);
	return signal;
}

static int ud_code(struct process *process, int signal)
{
	siginfo_t info;

	if (signal == SIGILL && !ptrace(PTRACE_GETSIGINFO, process->pid, 0, &info)) {
		info.si_code = ILL_ILLOPC;
		ptrace(PTRACE_SETSIGINFO, process->pid, 0, &info);
	}
	return signal;
}

static int compat_runs(struct process *process, int signal)
{
	struct user_regs_struct regs;

	get_regs(process->pid, &regs);
	if (signal != SIGILL || regs.cs != COMPAT_CS)
		return signal;
	regs.rip += 4;
	ptrace(PTRACE_SETREGS, process->pid, 0, &regs);
	return 0;
}

static void spoil_exec(struct process *process)
{
	ptrace(PTRACE_POKEUSER, process->pid, offsetof(struct user_regs_struct, gs_base), FOREIGN);
}

/* Sets AT_HWCAP2 to 0. The stack has argc, argv, NULL, the environment, NULL, and then the
 * auxiliary vector. */
static void no_hwcap2(struct process *process)
{
	struct user_regs_struct regs;
	uint64_t at;

	get_regs(process->pid, &regs);
	at = regs.rsp + 8;
	for (int zeros = 0; zeros < 2; at += 8)
		zeros += ptrace(PTRACE_PEEKDATA, process->pid, at, 0) == 0;
	for (; ptrace(PTRACE_PEEKDATA, process->pid, at, 0); at += 16)
		if (ptrace(PTRACE_PEEKDATA, process->pid, at, 0) == HWCAP2)
			ptrace(PTRACE_POKEDATA, process->pid, at + 8, 0);
}

static void spoil_at_return(struct process *process, struct user_regs_struct *regs)
{
	static const long spoilt[] = {SYS_getppid, SYS_sched_yield, SYS_nanosleep,
				      SYS_sched_setaffinity, SYS_kill};

	(void)regs;
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++)
		if (process->number == spoilt[i])
			spoil(process);
}

static void get_lies(struct process *process, struct user_regs_struct *regs)
{
	const uint64_t code = process->argument[0], at = process->argument[1];

	if (process->number == SYS_arch_prctl && (code == ARCH_GET_FS || code == ARCH_GET_GS) &&
	    regs->rax == 0)
		ptrace(PTRACE_POKEDATA, process->pid, at,
		       ptrace(PTRACE_PEEKDATA, process->pid, at, 0) ^ 0x40);
}

static bool sets_base(const struct user_regs_struct *regs)
{
	return regs->orig_rax == SYS_arch_prctl &&
	       (regs->rdi == ARCH_SET_FS || regs->rdi == ARCH_SET_GS);
}

/* Leaves alone the suite's own bases, which are the thread pointer and 0, and values that the
 * kernel refuses. */
static void set_shifts(struct process *process, struct user_regs_struct *regs)
{
	if (!sets_base(regs) || regs->rsi == process->own_fs || regs->rsi == 0 || regs->rsi >> 47)
		return;
	regs->rsi ^= 0x20;
	ptrace(PTRACE_SETREGS, process->pid, 0, regs);
}

static void limit_shifts(struct process *process, struct user_regs_struct *regs)
{
	if (!sets_base(regs) || regs->rsi >> 47 == 0)
		return;
	regs->rsi = FOREIGN;
	ptrace(PTRACE_SETREGS, process->pid, 0, regs);
}

static void settls_ignored(struct process *process, struct user_regs_struct *regs)
{
	if (regs->orig_rax != SYS_clone || !(regs->rdi & CLONE_SETTLS))
		return;
	regs->rdi &= ~(unsigned long long)CLONE_SETTLS;
	ptrace(PTRACE_SETREGS, process->pid, 0, regs);
}

static const struct mutation mutations[] = {
	{.name = "none"},
	{.name = "rd-value", .after = rd_value},
	{.name = "rd32-upper", .after = rd32_upper},
	{.name = "rd64-truncates", .after = rd64_truncates},
	{.name = "rex-b-ignored", .after = rex_b_ignored},
	{.name = "wr-ignored", .before = wr_ignored},
	{.name = "wr64-truncates", .before = wr64_truncates, .after = restore_source},
	{.name = "wr-aligns", .before = wr_aligns, .after = restore_source},
	{.name = "wr32-keeps-upper", .after = wr32_keeps_upper},
	{.name = "wr32-gp", .before = wr32_gp},
	{.name = "gp-missing", .before = gp_missing},
	{.name = "gp-maperr", .before = gp_maperr},
	{.name = "gp-as-ud", .before = gp_as_ud},
	{.name = "gp-stores", .before = gp_stores},
	{.name = "kernel-half-gp", .before = kernel_half_gp},
	{.name = "lock-accepted", .before = lock_accepted},
	{.name = "flags", .after = flags},
	{.name = "clobber", .after = clobber},
	{.name = "selector", .after = selector},
	{.name = "ud-code", .at_signal = ud_code},
	{.name = "compat-runs", .at_signal = compat_runs},
	{.name = "signal-spoils", .at_signal = spoil_at_signal},
	{.name = "fork-spoils", .at_child = spoil},
	{.name = "exec-spoils", .at_exec = spoil_exec},
	{.name = "hwcap2-missing", .at_exec = no_hwcap2},
	{.name = "call-spoils", .at_return = spoil_at_return},
	{.name = "get-lies", .at_return = get_lies},
	{.name = "set-shifts", .at_call = set_shifts},
	{.name = "limit-shifts", .at_call = limit_shifts},
	{.name = "settls-ignored", .at_call = settls_ignored},
	{.name = "rivals-held", .holds_rivals = true},
};

static int open_memory(pid_t pid, int mode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = open(path, mode | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static void put_byte(pid_t pid, uint64_t address, unsigned char byte)
{
	const int fd = open_memory(pid, O_RDWR);

	if (pwrite(fd, &byte, 1, (off_t)address) != 1)
		die("writing text");
	close(fd);
}

/* Adds each F3 [REX] 0F AE C0-DF in the text to `sites`, with or without a LOCK prefix. */
static void scan(const unsigned char *text, size_t size, uint64_t address)
{
	for (size_t i = 0; i + 6 <= size; i++) {
		struct site site = {.width = 32, .length = 4};
		size_t at = i + 1;
		unsigned char rex = 0;

		if (text[i] != 0xf3)
			continue;
		if (text[at] >> 4 == 4)
			rex = text[at++];
		if (text[at] != 0x0f || text[at + 1] != 0xae || text[at + 2] >> 5 != 6)
			continue;
		/* The template of the code for compatibility mode has a far jump after the
		 * instruction. Only copies of the template are executed, so it gets no
		 * breakpoint. */
		if (text[at + 3] == 0xea)
			continue;
		site.insn = text[at + 2] >> 3 & 3;
		site.reg = (text[at + 2] & 7u) | (rex & 1u) << 3;
		site.width = rex & 8 ? 64 : 32;
		site.length = rex ? 5 : 4;
		site.locked = i > 0 && text[i - 1] == 0xf0;
		site.length += site.locked;
		site.address = address + i - site.locked;
		site.byte = site.locked ? 0xf0 : 0xf3;
		if (site_count == MAX_SITES)
			die("too many instructions");
		sites[site_count++] = site;
	}
}

/* Sets a breakpoint on each of the four instructions in the executable mappings of the program's
 * own file. */
static void patch(pid_t pid)
{
	char path[64], line[512], exe[256];
	ssize_t length;
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	length = readlink(path, exe, sizeof exe - 1);
	if (length < 0)
		die(path);
	exe[length] = '\0';
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		die(path);
	site_count = 0;
	while (fgets(line, sizeof line, maps)) {
		uint64_t begin, end;
		char mode[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, mode) != 3 ||
		    mode[2] != 'x' || !strstr(line, exe))
			continue;
		unsigned char *const text = malloc(end - begin);
		const int fd = open_memory(pid, O_RDONLY);

		if (!text || pread(fd, text, end - begin, (off_t)begin) != (ssize_t)(end - begin))
			die("reading text");
		close(fd);
		scan(text, end - begin, begin);
		free(text);
	}
	fclose(maps);
	for (size_t i = 0; i < site_count; i++)
		put_byte(pid, sites[i].address, BREAKPOINT);
}

static struct process *process_of(pid_t pid)
{
	struct process *empty = NULL;

	for (size_t i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].pid == pid)
			return &processes[i];
		if (!processes[i].pid)
			empty = &processes[i];
	}
	if (!empty)
		die("too many processes");
	*empty = (struct process){.pid = pid, .fresh = true};
	return empty;
}

static const struct site *site_at(uint64_t address)
{
	for (size_t i = 0; i < site_count; i++)
		if (sites[i].address == address)
			return &sites[i];
	return NULL;
}

static void inject(pid_t pid, int signal, int code)
{
	siginfo_t info = {.si_signo = signal, .si_code = code};

	ptrace(PTRACE_SETSIGINFO, pid, 0, &info);
}

/* Handles one of our breakpoints. Returns the signal to continue with, 0 for none, or -1 if the
 * process has ended. */
static int instruction(pid_t pid, const struct site *site, struct user_regs_struct *regs)
{
	struct user_regs_struct before, changed;
	int status = 0;

	regs->rip = site->address;
	before = *regs;
	const enum verdict verdict = mutation->before ? mutation->before(site, regs) : EXECUTE;

	switch (verdict) {
	case PASS_OVER:
		regs->rip += site->length;
		ptrace(PTRACE_SETREGS, pid, 0, regs);
		return 0;
	case RAISE_GP:
	case RAISE_GP_MAPERR:
		ptrace(PTRACE_SETREGS, pid, 0, regs);
		inject(pid, SIGSEGV, verdict == RAISE_GP ? SI_KERNEL : SEGV_MAPERR);
		return SIGSEGV;
	case RAISE_UD:
		ptrace(PTRACE_SETREGS, pid, 0, regs);
		inject(pid, SIGILL, ILL_ILLOPN);
		return SIGILL;
	default:
		break;
	}
	/* PTRACE_SETREGS writes nothing if a base is in the kernel's half. Then only RIP and the
	 * operand are written, one by one. */
	changed = before;
	changed.rip = before.rip + 1;
	if (memcmp(&changed, regs, sizeof changed) != 0 && ptrace(PTRACE_SETREGS, pid, 0, regs)) {
		ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), regs->rip);
		ptrace(PTRACE_POKEUSER, pid, (char *)operand(regs, site->reg) - (char *)regs,
		       *operand(regs, site->reg));
	}
	put_byte(pid, site->address, site->byte);
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return -1;
	put_byte(pid, site->address, BREAKPOINT);
	if (WSTOPSIG(status) != SIGTRAP)
		return WSTOPSIG(status);
	if (mutation->after) {
		struct user_regs_struct after;

		get_regs(pid, &after);
		changed = after;
		mutation->after(site, &changed, &before);
		/* PTRACE_SETREGS writes nothing if a base is in the kernel's half, so each register
		 * that has changed is written alone. */
		for (size_t i = 0; i < sizeof after; i += 8)
			if (memcmp((char *)&after + i, (char *)&changed + i, 8) != 0) {
				long word;

				memcpy(&word, (char *)&changed + i, 8);
				ptrace(PTRACE_POKEUSER, pid, i, word);
			}
	}
	return 0;
}

static int stopped_by_signal(struct process *process, int signal)
{
	struct user_regs_struct regs;
	const struct site *site;

	get_regs(process->pid, &regs);
	if (signal == SIGTRAP && (site = site_at(regs.rip - 1)) != NULL)
		return instruction(process->pid, site, &regs);
	return mutation->at_signal ? mutation->at_signal(process, signal) : signal;
}

static void system_call(struct process *process)
{
	struct user_regs_struct regs;

	get_regs(process->pid, &regs);
	process->in_call = !process->in_call;
	if (process->in_call) {
		process->number = (long)regs.orig_rax;
		process->argument[0] = regs.rdi;
		process->argument[1] = regs.rsi;
		if (mutation->at_call)
			mutation->at_call(process, &regs);
	} else if (mutation->at_return) {
		mutation->at_return(process, &regs);
	}
}

/* Handles the first stop of a new process or thread. Its memory has the creator's breakpoints. */
static void arrived(struct process *process)
{
	struct user_regs_struct regs;

	get_regs(process->pid, &regs);
	process->fresh = false;
	/* A new process may start with a foreign FS base. All cases are forked from the first
	 * process and inherit its thread pointer, so own_fs is that of the first process. */
	process->own_fs = processes[0].own_fs ? processes[0].own_fs : regs.fs_base;
	if (mutation->at_child && process != &processes[0])
		mutation->at_child(process);
}

/* Whether this is a thread of a case, or a process that a case has forked. The suite itself and its
 * direct children, which are the cases, must run. */
static bool is_rival(pid_t pid, pid_t first)
{
	char path[64], line[128];
	long group = 0, parent = 0;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	if (!status)
		die(path);
	while (fgets(line, sizeof line, status))
		if (sscanf(line, "Tgid: %ld", &group) != 1)
			sscanf(line, "PPid: %ld", &parent);
	fclose(status);
	return pid != first && (group != pid || parent != first);
}

static int loop(pid_t first)
{
	const enum __ptrace_request how =
		mutation->at_call || mutation->at_return ? PTRACE_SYSCALL : PTRACE_CONT;
	int status, result = 3;

	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		struct process *const process = process_of(pid);
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			if (pid == first)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 3;
			process->pid = 0;
			continue;
		}
		if (process->fresh) {
			arrived(process);
			if (mutation->holds_rivals && is_rival(pid, first))
				continue; /* the thread or process stays stopped */
		} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			patch(pid);
			if (mutation->at_exec)
				mutation->at_exec(process);
		} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			system_call(process);
		} else if (status >> 16 == 0) {
			signal = stopped_by_signal(process, WSTOPSIG(status));
		}
		if (status >> 16 != 0 && status >> 16 != PTRACE_EVENT_EXEC && pid == first) {
			struct user_regs_struct regs;

			get_regs(pid, &regs);
			process->own_fs = regs.fs_base;
		}
		if (signal >= 0)
			ptrace(how, pid, 0, signal);
	}
	return result;
}

int main(int argc, char **argv)
{
	const size_t count = sizeof mutations / sizeof *mutations;
	int status;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < count; i++)
			puts(mutations[i].name);
		return 0;
	}
	for (size_t i = 0; argc > 2 && i < count; i++)
		if (strcmp(argv[1], mutations[i].name) == 0)
			mutation = &mutations[i];
	if (!mutation) {
		fprintf(stderr, "usage: mutate MUTATION PROGRAM [ARGUMENT...]\n");
		return 64;
	}
	const pid_t child = fork();

	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0) {
			/* Without randomisation, the program has the same addresses after each
			 * exec. So `sites` is right for all processes of the program. */
			personality(ADDR_NO_RANDOMIZE);
			raise(SIGSTOP);
			execv(argv[2], argv + 2);
		}
		_exit(3);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		die("starting the program");
	ptrace(PTRACE_SETOPTIONS, child, 0,
	       PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD);
	processes[0] = (struct process){.pid = child};
	ptrace(PTRACE_CONT, child, 0, 0);
	return loop(child);
}

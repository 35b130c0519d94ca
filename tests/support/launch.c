/* SPDX-License-Identifier: MIT */
/*
 * Runs a program as if this machine were in another state. This tracer edits the answers that the
 * program gets from the kernel, and the effect of its instructions.
 *
 *   launch [OPTION...] -- PROGRAM ARGUMENT...
 *
 *   --hwcap2=N|absent        changes AT_HWCAP2 on the stack, where getauxval() reads it
 *   --everywhere             changes AT_HWCAP2 in /proc/self/auxv and PR_GET_AUXV, too
 *   --insn=NAME:HOW          changes one of the four instructions: ud or gp (the processor raises
 *                            #UD or #GP), wrong (a bit is flipped), narrow (the 32-bit form keeps
 *                            the upper half)
 *   --cpuid=LEAF:REG:KEEP:SET  changes a register that CPUID returns: REG & KEEP | SET, with
 *                            numbers as in C
 *   --cpuid-faulting         makes CPUID fault (ARCH_SET_CPUID) and emulates it, as a
 *                            record-and-replay debugger does
 *   --cpu=N                  applies --insn and --cpuid only while the program runs on CPU N
 *   --lose=EVENT             sets the GS base to 0 at an event: syscall (getppid), signal, yield,
 *                            sleep, fork or migrate
 *   --file=PATH=OTHER        opens OTHER when the program opens PATH
 *   --uname=FIELD:TEXT       changes a field of uname(): sysname, nodename, release or version
 *   --untraced               changes TracerPid in /proc/self/status to 0
 *   --arch_prctl=CODE:HOW    makes one code of arch_prctl fail (einval), or makes ARCH_GET_FS or
 *                            ARCH_GET_GS give a wrong base (lies)
 *   --sites                  prints how many instructions of each kind the launcher found, and ends
 *
 * The launcher finds the instructions by their bytes in the executable mappings, when the program
 * has reached its entry and all its libraries are loaded. If the processor itself must raise a
 * fault, the launcher overwrites the instruction with another one, which faults. If the instruction
 * must have another result, the launcher overwrites it with a breakpoint.
 */
#include <Zydis/Zydis.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* <linux/ptrace.h> cannot be included together with <sys/ptrace.h>. Linux has this request since
 * 5.3. */
#define GET_SYSCALL_INFO 0x420e
#define OP_ENTRY         1
#define OP_EXIT          2

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012
#endif

#define CANNOT_LAUNCH 125

#define INSNS         4
#define CPUID_SITE    INSNS
#define KINDS         (INSNS + 1)
#define MAX_SITES     512
#define MAX_RULES     8
#define MAX_TRACEES   32
#define PATH_SIZE     256

static const char *const insn_names[INSNS] = {"rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"};

enum how { RIGHT, UNDEFINED, PROTECTION, WRONG, NARROW };

static const char *const hows[] = {"right", "ud", "gp", "wrong", "narrow"};

/* The options of the command line. */
static struct {
	const char *hwcap2;
	int everywhere;
	enum how insns[INSNS];
	struct {
		uint32_t leaf, keep, set;
		int reg;
	} cpuid[MAX_RULES];
	int cpuid_rules;
	int cpuid_faulting;
	int cpu; /* -1: on each CPU */
	uint32_t lose;
	struct {
		const char *from;
		char to[PATH_SIZE];
	} files[MAX_RULES];
	int file_rules;
	const char *uname_text[6];
	int untraced;
	struct {
		unsigned long code;
		int lies;
	} arch_prctl[MAX_RULES];
	int arch_prctl_rules;
	int sites;
} ask = {.cpu = -1};

/* An instruction that was found, and the bytes that replace it. */
struct site {
	uint64_t at;
	int kind;
	int length;
	int wide;
	int reg;
	enum how how;
	unsigned char bytes[2];
	unsigned char instead[2];
};

static struct site sites[MAX_SITES];
static int site_count;

/* A traced thread. During a call of openat() with a replaced path, `path` is the program's own
 * pointer to its path, which is put back into RSI when the call returns. Otherwise `path` is 0. */
struct tracee {
	pid_t pid;
	uint64_t path;
};

static struct tracee tracees[MAX_TRACEES];

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "launch: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(CANNOT_LAUNCH);
}

static void check(int good, const char *what)
{
	if (!good)
		give_up(what);
}

/* -- the memory and the registers of the program -- */

static int memory = -1; /* /proc/PID/mem, where read-only mappings can be written, too */

static void read_memory(uint64_t at, void *to, size_t size)
{
	check(pread(memory, to, size, (off_t)at) == (ssize_t)size, "read memory");
}

static void write_memory(uint64_t at, const void *from, size_t size)
{
	check(pwrite(memory, from, size, (off_t)at) == (ssize_t)size, "write memory");
}

static void get_regs(pid_t pid, struct user_regs_struct *regs)
{
	check(ptrace(PTRACE_GETREGS, pid, NULL, regs) == 0, "PTRACE_GETREGS");
}

static void set_regs(pid_t pid, struct user_regs_struct *regs)
{
	check(ptrace(PTRACE_SETREGS, pid, NULL, regs) == 0, "PTRACE_SETREGS");
}

/* The register with this number in the instruction's encoding. */
static unsigned long long *reg_of(struct user_regs_struct *regs, int number)
{
	unsigned long long *const all[16] = {
		&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
		&regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
		&regs->r12, &regs->r13, &regs->r14, &regs->r15,
	};

	return all[number];
}

/* -- the auxiliary vector and the files -- */

static void edit_auxv(Elf64_auxv_t *auxv, size_t count)
{
	size_t to = 0;

	for (size_t from = 0; from < count; from++) {
		auxv[to] = auxv[from];
		if (auxv[from].a_type == AT_HWCAP2) {
			if (strcmp(ask.hwcap2, "absent") == 0)
				continue;
			auxv[to].a_un.a_val = strtoul(ask.hwcap2, NULL, 0);
		}
		to++;
	}
	while (to < count)
		memset(&auxv[to++], 0, sizeof *auxv);
}

/* Reads a file of /proc/PID into `text`. Returns a new empty file for the edited text. */
static int copy_file(pid_t pid, const char *name, char *text, size_t size, ssize_t *length)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);

	const int from = open(path, O_RDONLY | O_CLOEXEC);

	check(from >= 0, path);
	*length = read(from, text, size);
	check(*length > 0, path);
	close(from);
	return memfd_create(name, 0);
}

static void replace_file(const char *path, int with, const void *content, size_t size)
{
	check(with >= 0 && write(with, content, size) == (ssize_t)size, "memfd");
	check(ask.file_rules < MAX_RULES, "too many files");
	ask.files[ask.file_rules].from = path;
	snprintf(ask.files[ask.file_rules].to, PATH_SIZE, "/proc/%d/fd/%d", getpid(), with);
	ask.file_rules++;
}

static void replace_auxv(pid_t pid)
{
	Elf64_auxv_t auxv[64];
	ssize_t length;
	const int fd = copy_file(pid, "auxv", (char *)auxv, sizeof auxv, &length);

	edit_auxv(auxv, (size_t)length / sizeof *auxv);
	replace_file("/proc/self/auxv", fd, auxv, (size_t)length);
}

static void replace_status(pid_t pid)
{
	char text[4096];
	ssize_t length;
	const int fd = copy_file(pid, "status", text, sizeof text - 1, &length);

	text[length] = '\0';

	char *at = strstr(text, "\nTracerPid:\t");

	check(at != NULL, "no TracerPid");
	at += strlen("\nTracerPid:\t");
	for (*at++ = '0'; *at != '\n'; at++)
		*at = ' ';
	replace_file("/proc/self/status", fd, text, (size_t)length);
}

/* Edits the auxiliary vector on the stack, which is after argc, the arguments and the environment.
 * Returns AT_ENTRY. */
static uint64_t edit_stack(pid_t pid)
{
	struct user_regs_struct regs;
	Elf64_auxv_t auxv[64];
	uint64_t word, at, entry = 0;
	size_t count = 0;

	get_regs(pid, &regs);
	read_memory(regs.rsp, &word, sizeof word);
	at = regs.rsp + 8 * (word + 2);
	do {
		read_memory(at, &word, sizeof word);
		at += 8;
	} while (word);
	do {
		check(count < sizeof auxv / sizeof *auxv, "a long auxiliary vector");
		read_memory(at + count * sizeof *auxv, &auxv[count], sizeof *auxv);
		if (auxv[count].a_type == AT_ENTRY)
			entry = auxv[count].a_un.a_val;
	} while (auxv[count++].a_type != AT_NULL);
	if (ask.hwcap2) {
		edit_auxv(auxv, count);
		write_memory(at, auxv, count * sizeof *auxv);
	}
	return entry;
}

/* -- the instructions -- */

/* Recognises the four instructions (F3 [REX] 0F AE with mod=11 and /0 to /3) and CPUID (0F A2).
 * Returns the length, or 0. */
static int recognise(const unsigned char *code, struct site *site)
{
	const int rex = code[0] == 0xf3 && (code[1] & 0xf0) == 0x40 ? code[1] : 0;
	const unsigned char *const rest = code + (rex ? 2 : 1);

	memset(site, 0, sizeof *site);
	if (code[0] == 0x0f && code[1] == 0xa2) {
		site->kind = CPUID_SITE;
		return 2;
	}
	if (code[0] != 0xf3 || rest[0] != 0x0f || rest[1] != 0xae || rest[2] < 0xc0 ||
	    rest[2] > 0xdf)
		return 0;
	site->kind = rest[2] >> 3 & 3;
	site->reg = (rest[2] & 7) | (rex & 1) << 3;
	site->wide = (rex & 8) != 0;
	site->how = ask.insns[site->kind];
	return rex ? 5 : 4;
}

/* Finds the bytes that replace an instruction. Returns 0 if the instruction is not replaced. */
static int replacement(struct site *site)
{
	static const unsigned char ud2[2] = {0x0f, 0x0b}, hlt[2] = {0xf4, 0x90}, trap[2] = {0xcc};
	const int changed = site->kind == CPUID_SITE ? ask.cpuid_rules > 0 : site->how != RIGHT;

	if (!changed || (site->kind == CPUID_SITE && ask.cpuid_faulting))
		return 0;
	memcpy(site->instead, trap, 2);
	site->instead[1] = site->bytes[1];
	if (ask.cpu < 0 && site->how == UNDEFINED)
		memcpy(site->instead, ud2, 2);
	if (ask.cpu < 0 && site->how == PROTECTION)
		memcpy(site->instead, hlt, 2);
	return 1;
}

/* Decodes every instruction, because the same bytes also occur in displacements and constants. */
static void patch_range(uint64_t from, uint64_t to)
{
	const size_t size = to - from;
	unsigned char *const code = calloc(1, size + 8);
	ZydisDecoder decoder;
	ZydisDecoderContext context;
	ZydisDecodedInstruction instruction;

	check(code != NULL, "memory");
	check(ZYAN_SUCCESS(
		      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)),
	      "the decoder");
	read_memory(from, code, size);
	for (size_t i = 0, next; i < size; i = next) {
		struct site site;
		const int known = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			&decoder, &context, code + i, size - i, &instruction));
		const int length = known ? recognise(code + i, &site) : 0;

		next = i + (known ? instruction.length : 1);
		if (!length)
			continue;
		check(site_count < MAX_SITES, "too many instructions");
		site.at = from + i;
		site.length = length;
		memcpy(site.bytes, code + i, 2);
		if (replacement(&site))
			write_memory(site.at, site.instead, 2);
		sites[site_count++] = site;
	}
	free(code);
}

static void patch_program(pid_t pid)
{
	char path[64], line[512];

	snprintf(path, sizeof path, "/proc/%d/maps", pid);

	FILE *const maps = fopen(path, "re");

	check(maps != NULL, path);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char access[5];

		check(sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3, "/proc/PID/maps");
		if (access[2] == 'x' && !strstr(line, "[v"))
			patch_range(from, to);
	}
	fclose(maps);
}

static struct site *site_at(uint64_t at)
{
	for (int i = 0; i < site_count; i++)
		if (sites[i].at == at)
			return &sites[i];
	return NULL;
}

static int current_cpu(pid_t pid)
{
	char path[64], text[1024] = "";
	int cpu = -1;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	check(length > 0, path);
	close(fd);

	/* The CPU is the 39th field. The second field, in brackets, may contain blanks. */
	const char *at = strrchr(text, ')');

	for (int field = 2; at && field < 39; field++)
		at = strchr(at + 1, ' ');
	check(at && sscanf(at, "%d", &cpu) == 1, path);
	return cpu;
}

static int applies_here(pid_t pid)
{
	return ask.cpu < 0 || current_cpu(pid) == ask.cpu;
}

static void answer_cpuid(pid_t pid, struct user_regs_struct *regs)
{
	uint32_t answer[4] = {0}; /* EAX, EBX, ECX, EDX */
	const uint32_t leaf = (uint32_t)regs->rax, subleaf = (uint32_t)regs->rcx;

	__cpuid_count(leaf, subleaf, answer[0], answer[1], answer[2], answer[3]);
	for (int i = 0; i < ask.cpuid_rules && applies_here(pid); i++)
		if (ask.cpuid[i].leaf == leaf)
			answer[ask.cpuid[i].reg] =
				(answer[ask.cpuid[i].reg] & ask.cpuid[i].keep) | ask.cpuid[i].set;
	regs->rax = answer[0];
	regs->rbx = answer[1];
	regs->rcx = answer[2];
	regs->rdx = answer[3];
}

static void execute(const struct site *site, enum how how, struct user_regs_struct *regs)
{
	const int gs = site->kind & 1, write = site->kind & 2;
	unsigned long long *const base = gs ? &regs->gs_base : &regs->fs_base;
	unsigned long long *const reg = reg_of(regs, site->reg);
	unsigned long long value = write ? *reg : *base;

	if (!site->wide)
		value &= UINT32_MAX;
	/* Reads and writes flip different bits. If both flipped the same bit, a read after a write
	 * would give the right value. */
	if (how == WRONG)
		value ^= write ? 0x20 : 0x10;
	if (how == NARROW && !site->wide)
		value |= *(write ? base : reg) & ~(unsigned long long)UINT32_MAX;
	*(write ? base : reg) = value;
}

/* Assumes 4 levels of paging, with addresses of 48 bits. */
static int is_canonical(uint64_t address)
{
	const uint64_t top = address >> 47;

	return top == 0 || top == 0x1ffff;
}

/* What the instruction must do on this CPU, with this operand. */
static enum how how_here(pid_t pid, const struct site *site, struct user_regs_struct *regs)
{
	const enum how how = applies_here(pid) ? site->how : RIGHT;
	const int faults = how == UNDEFINED || how == PROTECTION;
	const int write = site->kind & 2;

	if (!faults && write && site->wide && !is_canonical(*reg_of(regs, site->reg)))
		return PROTECTION;
	return how;
}

/* The processor must raise the fault itself, at this address. So an instruction that faults
 * replaces the breakpoint until serve_fault() puts the breakpoint back. */
static void raise_once(struct site *site, enum how how)
{
	const unsigned char ud2[2] = {0x0f, 0x0b}, hlt[2] = {0xf4, 0x90};

	write_memory(site->at, how == UNDEFINED ? ud2 : hlt, 2);
}

/* Serves a breakpoint of the launcher. Returns 0 for any other trap. */
static int serve_breakpoint(pid_t pid)
{
	struct user_regs_struct regs;

	get_regs(pid, &regs);

	struct site *const site = site_at(regs.rip - 1);

	if (!site || site->instead[0] != 0xcc)
		return 0;
	regs.rip = site->at;
	if (site->kind == CPUID_SITE) {
		answer_cpuid(pid, &regs);
		regs.rip += (unsigned)site->length;
	} else {
		const enum how how = how_here(pid, site, &regs);

		if (how == UNDEFINED || how == PROTECTION) {
			raise_once(site, how);
		} else {
			execute(site, how, &regs);
			regs.rip += (unsigned)site->length;
		}
	}
	set_regs(pid, &regs);
	return 1;
}

/* Serves a fault of CPUID, which is emulated, or of the instruction that raise_once() has written.
 * Returns the signal to continue with. */
static int serve_fault(pid_t pid, int sig)
{
	struct user_regs_struct regs;

	get_regs(pid, &regs);

	struct site *const site = site_at(regs.rip);

	if (!site)
		return sig;
	if (site->kind == CPUID_SITE && sig == SIGSEGV) {
		answer_cpuid(pid, &regs);
		regs.rip += (unsigned)site->length;
		set_regs(pid, &regs);
		return 0;
	}
	if (site->instead[0] == 0xcc)
		write_memory(site->at, site->instead, 2);
	return sig;
}

/* -- system calls -- */

static const struct {
	const char *name;
	long calls[2];
} events[] = {
	{"signal", {-1, -1}}, /* sigreturn, found at its entry because it changes orig_rax */
	{"syscall", {SYS_getppid, -1}},
	{"yield", {SYS_sched_yield, -1}},
	{"sleep", {SYS_nanosleep, SYS_clock_nanosleep}},
	{"migrate", {SYS_sched_setaffinity, -1}},
	{"fork", {-1, -1}}, /* the child loses its base when it starts */
};

#define EVENTS      ((int)(sizeof events / sizeof *events))
#define LOSE_SIGNAL 1u
#define LOSE_FORK   (1u << (EVENTS - 1))

static void lose_gs(pid_t pid)
{
	check(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, gs_base), 0L) == 0,
	      "PTRACE_POKEUSER");
}

static struct tracee *tracee_of(pid_t pid)
{
	for (int i = 0; i < MAX_TRACEES; i++) {
		if (!tracees[i].pid)
			tracees[i].pid = pid;
		if (tracees[i].pid == pid)
			return &tracees[i];
	}
	give_up("too many threads");
}

static void exchange_path(pid_t pid, struct user_regs_struct *regs)
{
	char path[PATH_SIZE] = "";

	if (pread(memory, path, sizeof path - 1, (off_t)regs->rsi) <= 0)
		return;
	for (int i = 0; i < ask.file_rules; i++) {
		if (strcmp(path, ask.files[i].from) != 0)
			continue;
		tracee_of(pid)->path = regs->rsi;
		regs->rsi = regs->rsp - 1024; /* below the red zone */
		write_memory(regs->rsi, ask.files[i].to, PATH_SIZE);
		set_regs(pid, regs);
		return;
	}
}

static void edit_arch_prctl(pid_t pid, struct user_regs_struct *regs)
{
	const uint64_t wrong = 0x1dea;

	for (int i = 0; i < ask.arch_prctl_rules; i++) {
		if (regs->rdi != ask.arch_prctl[i].code)
			continue;
		if (ask.arch_prctl[i].lies) {
			write_memory(regs->rsi, &wrong, sizeof wrong);
		} else {
			regs->rax = (unsigned long long)-EINVAL;
			set_regs(pid, regs);
		}
	}
}

static void edit_uname(const struct user_regs_struct *regs)
{
	for (size_t i = 0; i < sizeof ask.uname_text / sizeof *ask.uname_text; i++)
		if (ask.uname_text[i])
			write_memory(regs->rdi + i * sizeof((struct utsname *)0)->release,
				     ask.uname_text[i], strlen(ask.uname_text[i]) + 1);
}

static void edit_prctl(const struct user_regs_struct *regs)
{
	Elf64_auxv_t auxv[64];
	const size_t size = regs->rax < regs->rdx ? regs->rax : regs->rdx;

	if (regs->rdi != PR_GET_AUXV || (long long)regs->rax <= 0 || size > sizeof auxv)
		return;
	read_memory(regs->rsi, auxv, size);
	edit_auxv(auxv, size / sizeof *auxv);
	write_memory(regs->rsi, auxv, size);
}

static void leave_call(pid_t pid, struct user_regs_struct *regs)
{
	const long number = (long)regs->orig_rax;
	struct tracee *const tracee = tracee_of(pid);

	if (tracee->path) {
		regs->rsi = tracee->path;
		tracee->path = 0;
		set_regs(pid, regs);
	}
	if (number == SYS_uname)
		edit_uname(regs);
	else if (number == SYS_arch_prctl)
		edit_arch_prctl(pid, regs);
	else if (number == SYS_prctl && ask.hwcap2 && ask.everywhere)
		edit_prctl(regs);
	for (int i = 0; i < EVENTS; i++)
		if ((ask.lose >> i & 1) && number >= 0 &&
		    (number == events[i].calls[0] || number == events[i].calls[1]))
			lose_gs(pid);
}

static void serve_call(pid_t pid)
{
	struct {
		uint8_t op;
		uint8_t rest[87];
	} info;
	struct user_regs_struct regs;

	check(ptrace((enum __ptrace_request)GET_SYSCALL_INFO, pid, sizeof info, &info) > 0,
	      "PTRACE_GET_SYSCALL_INFO");
	get_regs(pid, &regs);
	if (info.op == OP_ENTRY && regs.orig_rax == SYS_openat)
		exchange_path(pid, &regs);
	if (info.op == OP_ENTRY && regs.orig_rax == SYS_rt_sigreturn && (ask.lose & LOSE_SIGNAL))
		lose_gs(pid);
	if (info.op == OP_EXIT)
		leave_call(pid, &regs);
}

/* -- the program from its start to its end -- */

static pid_t start(char **argv)
{
	const pid_t pid = fork();
	char path[64];
	int status;

	check(pid >= 0, "fork");
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execvp(argv[0], argv);
		give_up(argv[0]);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status));
	check(ptrace(PTRACE_SETOPTIONS, pid, NULL,
		     PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK) == 0,
	      "PTRACE_SETOPTIONS");
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	check(memory >= 0, path);
	return pid;
}

static void run_to(pid_t pid, uint64_t entry)
{
	struct user_regs_struct regs;
	unsigned char byte;
	const unsigned char trap = 0xcc;
	int status;

	read_memory(entry, &byte, 1);
	write_memory(entry, &trap, 1);
	check(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0, "PTRACE_CONT");
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP,
	      "the program did not reach its entry");
	write_memory(entry, &byte, 1);
	get_regs(pid, &regs);
	regs.rip = entry;
	set_regs(pid, &regs);
}

/* Makes the program itself do the system call, because the setting belongs to the calling
 * thread. */
static void set_cpuid_faulting(pid_t pid)
{
	const unsigned char call[2] = {0x0f, 0x05};
	struct user_regs_struct saved, regs;
	unsigned char bytes[2];
	int status;

	get_regs(pid, &saved);
	regs = saved;
	regs.rax = SYS_arch_prctl;
	regs.rdi = ARCH_SET_CPUID;
	regs.rsi = 0;
	read_memory(saved.rip, bytes, 2);
	write_memory(saved.rip, call, 2);
	set_regs(pid, &regs);
	check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0, "PTRACE_SINGLESTEP");
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "waitpid");
	get_regs(pid, &regs);
	errno = (int)-(long long)regs.rax;
	check(regs.rax == 0, "ARCH_SET_CPUID");
	write_memory(saved.rip, bytes, 2);
	set_regs(pid, &saved);
}

static void list_sites(void)
{
	int counts[KINDS] = {0};

	for (int i = 0; i < site_count; i++)
		counts[sites[i].kind]++;
	for (int i = 0; i < INSNS; i++)
		printf("%s %d\n", insn_names[i], counts[i]);
	printf("cpuid %d\n", counts[CPUID_SITE]);
}

static int serve_stop(pid_t pid, int status)
{
	const int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		serve_call(pid);
		return 0;
	}
	if (status >> 16)
		return 0;
	if (sig == SIGSTOP) {
		if (ask.lose & LOSE_FORK)
			lose_gs(pid);
		return 0;
	}
	if (sig == SIGTRAP)
		return serve_breakpoint(pid) ? 0 : sig;
	return sig == SIGILL || sig == SIGSEGV ? serve_fault(pid, sig) : sig;
}

static int serve(pid_t program)
{
	int status = 0, sig = 0;
	pid_t pid = program;

	for (;;) {
		/* If the process has been killed, this call fails, and waitpid() returns the end of
		 * the process. */
		ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig);
		sig = 0;
		pid = waitpid(-1, &status, __WALL);
		check(pid > 0, "waitpid");
		if (WIFSTOPPED(status)) {
			sig = serve_stop(pid, status);
			continue;
		}
		tracee_of(pid)->pid = -1;
		if (pid == program)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* -- the command line -- */

static int index_of(const char *word, size_t length, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strlen(names[i]) == length && strncmp(word, names[i], length) == 0)
			return i;
	errno = 0;
	give_up(word);
}

static const char *behind(const char *text, char separator)
{
	const char *const at = strchr(text, separator);

	errno = 0;
	check(at != NULL, text);
	return at + 1;
}

static void ask_insn(const char *text)
{
	const char *const how = behind(text, ':');
	const int insn = index_of(text, (size_t)(how - text - 1), insn_names, INSNS);

	ask.insns[insn] = (enum how)index_of(how, strlen(how), hows, 5);
}

static void ask_cpuid(const char *text)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};
	const int i = ask.cpuid_rules++;
	const char *const reg = behind(text, ':'), *const keep = behind(reg, ':'),
			  *const set = behind(keep, ':');

	check(i < MAX_RULES, "too many --cpuid");
	ask.cpuid[i].leaf = (uint32_t)strtoul(text, NULL, 0);
	ask.cpuid[i].reg = index_of(reg, (size_t)(keep - reg - 1), regs, 4);
	ask.cpuid[i].keep = (uint32_t)strtoul(keep, NULL, 0);
	ask.cpuid[i].set = (uint32_t)strtoul(set, NULL, 0);
}

static void ask_lose(const char *text)
{
	const char *names[EVENTS];

	for (int i = 0; i < EVENTS; i++)
		names[i] = events[i].name;
	ask.lose |= 1u << index_of(text, strlen(text), names, EVENTS);
}

static void ask_file(const char *text)
{
	const int i = ask.file_rules++;

	check(i < MAX_RULES, "too many --file");
	snprintf(ask.files[i].to, PATH_SIZE, "%s", behind(text, '='));
	ask.files[i].from = strndup(text, (size_t)(behind(text, '=') - text - 1));
}

static void ask_uname(const char *text)
{
	/* The names are in the order of struct utsname. */
	static const char *const fields[] = {"sysname", "nodename", "release", "version"};
	const char *const value = behind(text, ':');

	ask.uname_text[index_of(text, (size_t)(value - text - 1), fields, 4)] = value;
}

static void ask_arch_prctl(const char *text)
{
	static const char *const answers[] = {"einval", "lies"};
	const char *const how = behind(text, ':');
	const int i = ask.arch_prctl_rules++;

	check(i < MAX_RULES, "too many --arch_prctl");
	ask.arch_prctl[i].code = strtoul(text, NULL, 0);
	ask.arch_prctl[i].lies = index_of(how, strlen(how), answers, 2);
}

static void parse(const char *option)
{
	static const struct {
		const char *key;
		void (*take)(const char *text);
	} valued[] = {
		{"--insn=", ask_insn}, {"--cpuid=", ask_cpuid}, {"--lose=", ask_lose},
		{"--file=", ask_file}, {"--uname=", ask_uname}, {"--arch_prctl=", ask_arch_prctl},
	};
	static const struct {
		const char *key;
		int *flag;
	} flags[] = {
		{"--everywhere", &ask.everywhere},
		{"--cpuid-faulting", &ask.cpuid_faulting},
		{"--untraced", &ask.untraced},
		{"--sites", &ask.sites},
	};

	for (size_t i = 0; i < sizeof valued / sizeof *valued; i++)
		if (strncmp(option, valued[i].key, strlen(valued[i].key)) == 0) {
			valued[i].take(option + strlen(valued[i].key));
			return;
		}
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (strcmp(option, flags[i].key) == 0) {
			*flags[i].flag = 1;
			return;
		}
	if (strncmp(option, "--hwcap2=", 9) == 0) {
		ask.hwcap2 = option + 9;
	} else if (strncmp(option, "--cpu=", 6) == 0) {
		ask.cpu = atoi(option + 6);
	} else {
		errno = 0;
		give_up(option);
	}
}

int main(int argc, char **argv)
{
	int at = 1;

	for (; at < argc && strcmp(argv[at], "--") != 0; at++)
		parse(argv[at]);
	errno = 0;
	check(at + 1 < argc, "no program");

	const pid_t pid = start(argv + at + 1);

	run_to(pid, edit_stack(pid));
	if (ask.hwcap2 && ask.everywhere)
		replace_auxv(pid);
	if (ask.untraced)
		replace_status(pid);
	patch_program(pid);
	if (ask.sites) {
		list_sites();
		return 0;
	}
	if (ask.cpuid_faulting)
		set_cpuid_faulting(pid);
	return serve(pid);
}

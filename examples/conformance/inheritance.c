/* SPDX-License-Identifier: MIT */
/* Tests the bases after clone, after execve, in and after a signal handler, and in a core file. */
#include "suite.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_BASE     UINT64_C(0x000021bc54d3a7e0)
#define GS_BASE     UINT64_C(0x0000651e9f3c8d20)
#define CHILD_FS    UINT64_C(0x0000111122223330)
#define CHILD_GS    UINT64_C(0x0000444455556660)
#define KERNEL_BASE UINT64_C(0xffff8abc00000000)
#define LDT_BASE    0x00123000u

#define STACK       (64 * 1024)
#define FORK        ((uint64_t)SIGCHLD)
#define VFORK       ((uint64_t)(CLONE_VM | CLONE_VFORK | SIGCHLD))
#define THREAD                                                                         \
	((uint64_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
		    CLONE_SYSVSEM))

/* A window with an event that creates a process or thread with these clone flags. */
static struct window *maker(uint64_t flags)
{
	struct window *const w = window_new();
	void *const stack =
		mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		skip("no memory: %s", strerror(errno));
	window_base(w, FS, FS_BASE);
	window_base(w, GS, GS_BASE);
	w->event = event_fork;
	w->argument[0] = flags;
	w->argument[1] = (uintptr_t)stack + STACK;
	return w;
}

static void made(const struct window *w)
{
	if (w->result < 0)
		skip("clone: %s", strerror((int)-w->result));
	expect(1, w->turns, "children that looked at their bases");
}

/* a: segment, b: clone flags */
static void inherits(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = maker(t->b);
	const uint64_t base = s == FS ? FS_BASE : GS_BASE;

	run_window(w);
	made(w);
	expect(base, w->child.insn[s], "base of %s in the child", segment_name(s));
	expect_got(base, &w->child, s, " in the child");
	expect(base, w->last.insn[s], "base of %s in the parent", segment_name(s));
}

/* a: segment, b: clone flags, c: base */
static void inherits_base(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = maker(t->b);

	window_base(w, s, t->c);
	run_window(w);
	made(w);
	expect(t->c, w->child.insn[s], "base of %s in the child", segment_name(s));
	expect(t->c, w->last.insn[s], "base of %s in the parent", segment_name(s));
}

/* a: segment, b: clone flags. The base is not that of the selector's descriptor. The child must
 * inherit both the selector and the base. */
static void inherits_selector(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = maker(t->b);
	const uint64_t base = s == FS ? FS_BASE : GS_BASE;

	w->load_selector[s] = 1;
	w->selector[s] = (uint16_t)ldt_selector(0, LDT_BASE);
	run_window(w);
	made(w);
	expect(w->selector[s], w->child.selector[SEL_FS + s], "selector in the child");
	expect(base, w->child.insn[s], "base of %s in the child", segment_name(s));
	expect(base, w->last.insn[s], "base of %s in the parent", segment_name(s));
}

/* a: segment, b: clone flags. The child's writes must not change the parent's base. */
static void independent(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = maker(t->b);

	w->event = event_fork_change;
	w->handler_base[FS] = CHILD_FS;
	w->handler_base[GS] = CHILD_GS;
	run_window(w);
	made(w);
	expect(w->handler_base[s], w->child.insn[s], "base that the child wrote");
	expect(s == FS ? FS_BASE : GS_BASE, w->last.insn[s], "base of the parent afterwards");
}

/* b: clone flags in addition to CLONE_SETTLS */
static void settls(const struct test *t)
{
	struct window *const w = maker(t->b | CLONE_SETTLS);

	w->argument[2] = CHILD_FS;
	run_window(w);
	made(w);
	expect(CHILD_FS, w->child.insn[FS], "FS base of the new thread");
	expect_got(CHILD_FS, &w->child, FS, " in the new thread");
	expect(GS_BASE, w->child.insn[GS], "GS base of the new thread");
	expect(FS_BASE, w->last.insn[FS], "FS base of the thread that created it");
}

/* Measures whether CLONE_SETTLS clears the FS selector of the new thread, as ARCH_SET_FS does. */
static void settls_selector(const struct test *t)
{
	struct window *const w = maker(THREAD | CLONE_SETTLS);

	(void)t;
	w->load_selector[FS] = 1;
	w->selector[FS] = (uint16_t)ldt_selector(0, LDT_BASE);
	w->argument[2] = CHILD_FS;
	run_window(w);
	made(w);
	expect(CHILD_FS, w->child.insn[FS], "FS base of the new thread");
	expect(w->selector[FS], w->last.selector[SEL_FS],
	       "FS selector of the thread that created it");
	classify("FS selector of the new thread is 0x%x", w->child.selector[SEL_FS]);
}

/* The kernel must refuse a thread pointer in its own half. */
static void settls_limit(const struct test *t)
{
	struct window *const w = maker(THREAD | CLONE_SETTLS);

	(void)t;
	w->argument[2] = KERNEL_BASE;
	run_window(w);
	/* Compares 0 instead of the identifier of the new thread if clone succeeds. */
	expect((uint64_t)-EPERM, w->result < 0 ? (uint64_t)w->result : 0,
	       "clone with a thread pointer of 0x%llx", (unsigned long long)KERNEL_BASE);
}

/* a: segment, b: 1 if a descriptor's selector is loaded before execve. A tracer reads the base
 * before the first instruction of the new program. */
static void exec_traced(const struct test *t)
{
	static char path[] = "/proc/self/exe", option[] = "--version";
	static char *argv[] = {path, option, NULL};
	const int s = (int)t->a;
	struct window *const w = window_new();
	struct user_regs_struct regs = {0};
	int status = 0;

	if (t->b) {
		w->load_selector[s] = 1;
		w->selector[s] = (uint16_t)ldt_selector(0, LDT_BASE);
	}
	window_base(w, FS, FS_BASE);
	window_base(w, GS, GS_BASE);
	w->event = event_exec;
	w->argument[0] = (uintptr_t)path;
	w->argument[1] = (uintptr_t)argv;
	w->argument[2] = (uintptr_t)environ;
	const pid_t child = fork();

	if (child < 0)
		skip("fork: %s", strerror(errno));
	if (child == 0) {
		if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0))
			_exit(77);
		run_window(w);
		_exit(78);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		skip("the child cannot be traced or cannot execve");
	syscall(SYS_ptrace, PTRACE_GETREGS, child, 0, &regs);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	expect(s == FS ? FS_BASE : GS_BASE, w->before.insn[s], "base before execve");
	expect(0, s == FS ? regs.fs_base : regs.gs_base, "base of %s after execve",
	       segment_name(s));
	expect(0, s == FS ? regs.fs : regs.gs, "selector of %s after execve", segment_name(s));
}

/* The new program reads its own GS base, which its C library does not use. */
static void exec_seen(const struct test *t)
{
	static char path[] = "/proc/self/exe", option[] = "--gs-base-is-zero";
	static char *argv[] = {path, option, NULL};
	struct window *const w = window_new();

	(void)t;
	window_base(w, GS, GS_BASE);
	w->event = event_exec;
	w->argument[0] = (uintptr_t)path;
	w->argument[1] = (uintptr_t)argv;
	w->argument[2] = (uintptr_t)environ;
	end_window(start_window(w), "a program that looks for a GS base of zero");
	expect(0, (uint64_t)w->result, "error of execve");
}

/* a: segment, b: 1 for a base of the kernel's half */
static void handler_sees(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();
	const uint64_t base = t->b ? KERNEL_BASE : s == FS ? FS_BASE : GS_BASE;

	window_base(w, s, base);
	w->event = event_storm;
	w->argument[0] = 1;
	run_window(w);
	expect(1, w->signals, "signals that were handled");
	expect(base, w->handler.insn[s], "base of %s in the handler", segment_name(s));
	expect(base, w->last.insn[s], "base of %s after it", segment_name(s));
}

/* a: segment, b: the signal is sent (0) or comes from a trap of the case itself (1). The base that
 * the handler writes must stay after the handler returns, because a signal frame holds no base. */
static void handler_changes(const struct test *t)
{
	const int s = (int)t->a;
	struct window *const w = window_new();

	window_base(w, s, FS_BASE);
	w->change_in_handler[s] = 1;
	w->handler_base[s] = CHILD_GS;
	w->event = t->b ? event_breakpoint : event_storm;
	w->argument[0] = 1;
	run_window(w);
	expect(CHILD_GS, w->last.insn[s], "base of %s after the handler", segment_name(s));
	expect_got(CHILD_GS, &w->last, s, " after the handler");
}

/* Reads the pr_reg of the first NT_PRSTATUS in a core file. False if the first 64 KiB have none. */
static bool core_registers(const char *path, struct user_regs_struct *regs)
{
	static char bytes[1 << 16];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
	Elf64_Ehdr header;

	if (fd >= 0)
		close(fd);
	if (size < (ssize_t)sizeof header)
		return false;
	memcpy(&header, bytes, sizeof header);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		Elf64_Nhdr note;
		struct elf_prstatus status;
		const size_t at = header.e_phoff + i * sizeof segment;

		if (at + sizeof segment > (size_t)size)
			return false;
		memcpy(&segment, bytes + at, sizeof segment);
		if (segment.p_type != PT_NOTE)
			continue;
		/* The kernel writes the NT_PRSTATUS of the dying thread first. The note's name,
		 * "CORE", takes 8 bytes. */
		if (segment.p_offset + sizeof note + 8 + sizeof status > (size_t)size)
			return false;
		memcpy(&note, bytes + segment.p_offset, sizeof note);
		if (note.n_type != NT_PRSTATUS || note.n_descsz < sizeof status)
			return false;
		memcpy(&status, bytes + segment.p_offset + sizeof note + 8, sizeof status);
		memcpy(regs, &status.pr_reg, sizeof *regs);
		return true;
	}
	return false;
}

/* Reads the name that the kernel gives to core files. Skips the case unless it is a plain name: the
 * kernel creates such a file in the current directory of the process. */
static void core_pattern(char *pattern, int room)
{
	FILE *const file = fopen("/proc/sys/kernel/core_pattern", "re");

	if (!file || !fgets(pattern, room, file))
		skip("/proc/sys/kernel/core_pattern cannot be read");
	fclose(file);
	pattern[strcspn(pattern, "\n")] = '\0';
	if (strcspn(pattern, "|/%") != strlen(pattern) || !*pattern)
		skip("core_pattern is not a plain file name");
}

static void die_with_core(struct window *w, const char *directory)
{
	struct rlimit limit;
	const int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	/* Dump no memory of the process: only the notes are needed. */
	if (filter < 0 || write(filter, "0", 1) != 1 || getrlimit(RLIMIT_CORE, &limit))
		_exit(77);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_CORE, &limit) || chdir(directory))
		_exit(77);
	w->event = event_abort;
	run_window(w);
	_exit(78);
}

/* Removes the directory and the files in it. An emulator may have written a core file of its
 * own. */
static void empty(const char *directory)
{
	DIR *const files = opendir(directory);

	for (struct dirent *file; files && (file = readdir(files));)
		unlinkat(dirfd(files), file->d_name, 0);
	if (files)
		closedir(files);
	rmdir(directory);
}

/* a: segment, b: 1 for a base of the kernel's half */
static void core(const struct test *t)
{
	const int s = (int)t->a;
	const char *const tmp = getenv("TMPDIR");
	struct user_regs_struct regs = {0};
	char pattern[128], directory[256], path[512];
	int status = 0;

	core_pattern(pattern, sizeof pattern);
	snprintf(directory, sizeof directory, "%s/conformance-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(directory))
		skip("no temporary directory: %s", strerror(errno));
	struct window *const w = window_new();
	const uint64_t base = t->b ? KERNEL_BASE : s == FS ? FS_BASE : GS_BASE;

	window_base(w, s, base);
	const pid_t child = fork();

	if (child == 0)
		die_with_core(w, directory);
	waitpid(child, &status, 0);
	snprintf(path, sizeof path, "%s/%s", directory, pattern);
	if (access(path, F_OK))
		snprintf(path, sizeof path, "%s/%s.%d", directory, pattern, (int)child);
	const bool found = core_registers(path, &regs);

	empty(directory);
	if (!WIFSIGNALED(status) || !WCOREDUMP(status) || !found)
		skip("no core file is written here");
	/* Under an emulator, the core file may be that of the emulator. */
	if (regs.rip - (uintptr_t)event_abort > 1024)
		skip("the core file is not of this program");
	expect(base, s == FS ? regs.fs_base : regs.gs_base, "base of %s in the core file",
	       segment_name(s));
}

#define BOTH(number, name, rule, k, f, function, b, c)                   \
	{(number), "fs-" name, rule, k, 0, function, FS, b, c},          \
	{                                                                \
		(number) + 1, "gs-" name, rule, k, f, function, GS, b, c \
	}

const struct test inheritance_tests[] = {
	BOTH(601, "fork", RULE_INHERIT, 0, 0, inherits, FORK, 0),
	BOTH(603, "vfork", RULE_INHERIT, 0, 0, inherits, VFORK, 0),
	BOTH(605, "thread", RULE_INHERIT, 0, 0, inherits, THREAD, 0),
	BOTH(607, "fork-small", RULE_INHERIT, 0, 0, inherits_base, FORK, 1),
	BOTH(609, "fork-kernel-half", RULE_INHERIT, 0, KERNEL_HALF, inherits_base, FORK,
	     KERNEL_BASE),
	BOTH(611, "thread-kernel-half", RULE_INHERIT, 0, KERNEL_HALF, inherits_base, THREAD,
	     KERNEL_BASE),
	BOTH(613, "fork-ldt", RULE_INHERIT, 0, 0, inherits_selector, FORK, 0),
	BOTH(615, "thread-ldt", RULE_INHERIT, 0, 0, inherits_selector, THREAD, 0),
	BOTH(617, "fork-child-writes", RULE_OWN, 0, 0, independent, FORK, 0),
	BOTH(619, "vfork-child-writes", RULE_OWN, 0, 0, independent, VFORK, 0),
	BOTH(621, "thread-writes", RULE_OWN, 0, 0, independent, THREAD, 0),
	{623, "settls-thread", RULE_SETTLS, 0, 0, settls, 0, THREAD, 0},
	{624, "settls-process", RULE_SETTLS, 0, 0, settls, 0, CLONE_VM | SIGCHLD, 0},
	{625, "settls-ldt", RULE_SETTLS, 0, 0, settls_selector, 0, 0, 0},
	{626, "settls-limit", RULE_PRCTL_LIMIT, 0, 0, settls_limit, 0, 0, 0},
	BOTH(627, "exec", RULE_EXEC, 0, 0, exec_traced, 0, 0),
	BOTH(629, "exec-ldt", RULE_EXEC, 0, 0, exec_traced, 1, 0),
	{631, "gs-exec-seen", RULE_EXEC, 0, 0, exec_seen, 0, 0, 0},
	BOTH(633, "handler-sees", RULE_SIGNAL_FRAME, 0, 0, handler_sees, 0, 0),
	BOTH(635, "handler-sees-kernel-half", RULE_SIGNAL_FRAME, 0, KERNEL_HALF, handler_sees, 1,
	     0),
	BOTH(637, "handler-changes", RULE_SIGNAL_FRAME, 0, 0, handler_changes, 0, 0),
	BOTH(639, "trap-handler-changes", RULE_SIGNAL_FRAME, 0, 0, handler_changes, 1, 0),
	BOTH(641, "core", RULE_CORE, 0, 0, core, 0, 0),
	BOTH(643, "core-kernel-half", RULE_CORE, 0, KERNEL_HALF, core, 1, 0),
};
const size_t inheritance_count = sizeof inheritance_tests / sizeof *inheritance_tests;

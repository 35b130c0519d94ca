/* SPDX-License-Identifier: MIT */
/* Lets a traced program execute a set-user-id program again, untraced, so that the set-user-id
 * program gets its privileges. */
#include "privilege.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#define USER_CS 0x33 /* 64-bit code */

static bool read_word(int memory, uint64_t at, uint64_t *word)
{
	return pread(memory, word, sizeof *word, (off_t)at) == sizeof *word;
}

/* Finds the arguments of execve() on the new stack, which the new program has not changed yet
 * (psABI, figure 3.9). */
static bool read_stack(int memory, uint64_t at, uint64_t *path, uint64_t *argv, uint64_t *envp)
{
	uint64_t count, word, value;

	if (!read_word(memory, at, &count))
		return false;
	*argv = at + 8;
	*envp = at + 8 * (count + 2);
	at = *envp;
	do {
		if (!read_word(memory, at, &word))
			return false;
		at += 8;
	} while (word);
	for (; read_word(memory, at, &word) && read_word(memory, at + 8, &value) && word; at += 16)
		if (word == AT_EXECFN) {
			*path = value;
			return true;
		}
	return false;
}

bool privilege_restart(pid_t thread)
{
	/* MOV EAX, SYS_execve; SYSCALL; and UD2 in case this second execve() fails. The code must
	 * set RAX itself: the thread has stopped inside the first execve(), which overwrites RAX
	 * with its result. */
	static const uint8_t code[] = {0xb8, SYS_execve, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b};
	struct user_regs_struct regs;
	uint64_t path, argv, envp;
	uint8_t old[sizeof code];
	char name[64];
	bool done = false;

	if (ptrace(PTRACE_GETREGS, thread, NULL, &regs) != 0 || regs.cs != USER_CS)
		return false;
	snprintf(name, sizeof name, "/proc/%d/mem", (int)thread);

	const int memory = open(name, O_RDWR | O_CLOEXEC);

	if (memory < 0)
		return false;
	regs.orig_rax = (unsigned long long)-1; /* the kernel must not restart the first execve() */
	/* Write the code to the traced process's copy of the page, which the second execve()
	 * discards. */
	if (read_stack(memory, regs.rsp, &path, &argv, &envp) &&
	    pread(memory, old, sizeof old, (off_t)regs.rip) == sizeof old &&
	    pwrite(memory, code, sizeof code, (off_t)regs.rip) == sizeof code) {
		regs.rdi = path;
		regs.rsi = argv;
		regs.rdx = envp;
		done = ptrace(PTRACE_SETREGS, thread, NULL, &regs) == 0 &&
		       ptrace(PTRACE_DETACH, thread, NULL, NULL) == 0;
		if (!done)
			(void)!pwrite(memory, old, sizeof old, (off_t)regs.rip);
	}
	close(memory);
	return done;
}

/* SPDX-License-Identifier: MIT */
/*
 * victim INSTRUCTION VALUE [HOW]: executes an instruction with this value. HOW says what the
 * process does about the fault.
 *
 *   INSTRUCTION  rdfsbase, rdgsbase, wrfsbase, wrgsbase: executes the 64-bit form
 *                cpuid: makes CPUID fault, and executes it
 *   HOW          plain    no handler: the fault ends the process
 *                jump     the handler jumps out, and the process exits with status 7
 *                late     the handler jumps out, and the process then calls abort()
 *                exit     the handler exits with status 2, as Go's handler does
 *                quiet    the handler exits with status 0
 *                abort    the handler aborts, as the JVM's handler does
 *                stack    the handler runs on an alternate stack, and aborts
 *                again    the handler restores the default action and returns: the instruction
 *                         faults again
 *                raise    the handler restores the default action and raises the signal, as
 *                         Python's faulthandler does
 *                blocked  the signals are blocked
 *                ignored  the signals are ignored
 *                thread   another thread executes the instruction
 *                child, vfork  a child of fork() or vfork() executes the instruction
 *                last     a thread that outlives the first thread executes the instruction
 *                last-abort  the same, with a handler that aborts
 */
#include <asm/prctl.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012
#endif

static const char *insn, *how = "plain";
static uintptr_t value;
static sigjmp_buf back;

/* The form with REX.W and %rdi. 32-bit code has no REX prefix, and uses %edi. */
#ifdef __x86_64__
#define EXECUTE(digits) __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, " digits : : "D"(to))
#else
#define EXECUTE(digits) __asm__ volatile(".byte 0xf3, 0x0f, 0xae, " digits : : "D"(to))
#endif

__attribute__((noinline)) static void execute(uintptr_t to)
{
	if (strcmp(insn, "rdfsbase") == 0)
		EXECUTE("0xc7");
	else if (strcmp(insn, "rdgsbase") == 0)
		EXECUTE("0xcf");
	else if (strcmp(insn, "wrfsbase") == 0)
		EXECUTE("0xd7");
	else if (strcmp(insn, "wrgsbase") == 0)
		EXECUTE("0xdf");
	else
		__asm__ volatile("cpuid" : : "a"(0) : "ebx", "ecx", "edx");
	__asm__ volatile(""); /* prevents a tail call, which would hide the caller */
}

__attribute__((noinline)) static void call(void)
{
	execute(value);
	__asm__ volatile("");
}

static void handle(int number)
{
	if (strcmp(how, "jump") == 0 || strcmp(how, "late") == 0)
		siglongjmp(back, 1);
	if (strcmp(how, "exit") == 0)
		_exit(2);
	if (strcmp(how, "quiet") == 0)
		_exit(0);
	if (strstr(how, "abort") || strcmp(how, "stack") == 0)
		abort();
	signal(number, SIG_DFL);
	if (strcmp(how, "raise") == 0)
		raise(number);
}

static void set_actions(void)
{
	static char stack[65536];
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_NODEFER};
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGILL);
	sigaddset(&both, SIGSEGV);
	if (strcmp(how, "blocked") == 0)
		sigprocmask(SIG_BLOCK, &both, NULL);
	if (strcmp(how, "stack") == 0) {
		sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
		action.sa_flags |= SA_ONSTACK;
	}
	if (strcmp(how, "ignored") == 0)
		action.sa_handler = SIG_IGN;
	else if (strstr("plain blocked thread child vfork last", how))
		action.sa_handler = SIG_DFL;
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static void *in_thread(void *none)
{
	call();
	return none;
}

/* Waits until the first thread has ended, then executes the instruction. /proc/self/maps is empty
 * from then on, because the kernel finds the maps through the first thread. */
static void *in_last_thread(void *none)
{
	ssize_t got;
	char byte;

	(void)none;
	do {
		const int maps = open("/proc/self/maps", O_RDONLY);

		got = read(maps, &byte, 1);
		close(maps);
	} while (got > 0);
	call();
	exit(7);
}

static int in_child(int vforked)
{
	const pid_t child = vforked ? vfork() : fork();
	int status = 0;

	if (child == 0) {
		call();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 3)
		return 64;
	insn = argv[1];
	value = (uintptr_t)strtoull(argv[2], NULL, 0);
	if (argc > 3)
		how = argv[3];
	if (strcmp(insn, "cpuid") == 0 && syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0)
		return 77;
	set_actions();
	if (strcmp(how, "child") == 0 || strcmp(how, "vfork") == 0)
		return in_child(strcmp(how, "vfork") == 0);
	if (strcmp(how, "thread") == 0) {
		pthread_create(&thread, NULL, in_thread, NULL);
		pthread_join(thread, NULL);
	} else if (strncmp(how, "last", 4) == 0) {
		pthread_create(&thread, NULL, in_last_thread, NULL);
		pthread_exit(NULL);
	} else if (!sigsetjmp(back, 1)) {
		call();
	}
	if (strcmp(how, "late") == 0)
		abort();
	return 7;
}

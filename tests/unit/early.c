/* SPDX-License-Identifier: MIT */
/*
 * Tests fsgs_check_early() in an IFUNC resolver, which runs while the program is being relocated.
 * In a static program, there is no thread-local storage yet, so the resolver has no canary.
 * With the program of no-libc.c as the argument, also compares the verdict of that program.
 *
 *     early [PROGRAM-WITHOUT-LIBC]
 */
#include <fsgscheck.h>

#include <spawn.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_HWCAP2
#define AT_HWCAP2 26
#endif

static struct fsgs_report early;
static int result = 1;

static const char *by_instruction(void)
{
	return "the instruction";
}

static const char *by_arch_prctl(void)
{
	return "arch_prctl";
}

__attribute__((no_stack_protector, used)) static const char *(*resolve(void))(void)
{
	const unsigned long auxv[] = {AT_HWCAP2, getauxval(AT_HWCAP2), AT_NULL, 0};

	result = fsgs_check_early(&early, sizeof early, auxv);
	return early.verdict == FSGS_VERDICT_USABLE ? by_instruction : by_arch_prctl;
}

const char *chosen(void) __attribute__((ifunc("resolve")));

/* Runs a program without a C library, which exits with 10 + the verdict. Returns the verdict, or
 * -1. */
static int verdict_of(const char *program)
{
	int status = 0;

	if (posix_spawn(&(pid_t){0}, program, NULL, NULL, (char *[]){(char[]){"no-libc"}, NULL},
			environ) ||
	    wait(&status) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) - 10 : -1;
}

static int differs(const char *what, long one, long other)
{
	if (one != other)
		printf("not ok: %s: early %ld, later %ld\n", what, one, other);
	return one != other;
}

/* Compares the early report with a report about the same evidence after start-up. That check runs
 * no trial, because a trial could change the verdict. */
int main(int argc, char **argv)
{
	struct fsgs_report late;
	int wrong = result;

	if (fsgs_check(&late, sizeof late, FSGS_CHECK_NO_TRIAL))
		return 1;
	printf("%s: early %s, later %s\n", chosen(), fsgs_name(FSGS_LIST_VERDICT, early.verdict),
	       fsgs_name(FSGS_LIST_VERDICT, late.verdict));
	wrong |= differs("verdict", early.verdict, late.verdict);
	wrong |= differs("CPUID", early.cpuid_fsgsbase, late.cpuid_fsgsbase);
	wrong |= differs("AT_HWCAP2", early.hwcap2_fsgsbase, late.hwcap2_fsgsbase);
	wrong |= differs("choice", chosen() == by_instruction(),
			 late.verdict == FSGS_VERDICT_USABLE);
	if (argc > 1)
		wrong |= differs("without a C library", verdict_of(argv[1]), late.verdict);
	return wrong;
}

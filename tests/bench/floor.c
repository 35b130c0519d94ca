/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include "../support/caught.h"
#include "harness.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's own layout of struct sigaction, which rt_sigaction takes. */
struct action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static struct action old[CAUGHT];
static uint64_t mask;

void floor_begin(void)
{
	uint64_t all = 0;
	unsigned regs[4];

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, sizeof mask);
	for (size_t i = 0; i < CAUGHT; i++)
		syscall(SYS_rt_sigaction, caught[i], NULL, &old[i], sizeof mask);
	for (size_t i = 0; i < CAUGHT; i++) {
		const struct action same = old[i];
		struct action found;

		syscall(SYS_rt_sigaction, caught[i], &same, &found, sizeof mask);
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	/* keep() uses the results, so that the compiler does not remove the CPUID instructions. */
	__cpuid(0, regs[0], regs[1], regs[2], regs[3]);
	keep(regs[0]);
	__cpuid_count(7, 0, regs[0], regs[1], regs[2], regs[3]);
	keep(regs[1]);
}

void floor_get_gs(void)
{
	uint64_t base;

	syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
}

void floor_end(void)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	for (size_t i = 0; i < CAUGHT; i++) {
		struct action found;

		syscall(SYS_rt_sigaction, caught[i], &old[i], &found, sizeof mask);
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

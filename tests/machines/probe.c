/* SPDX-License-Identifier: MIT */
/*
 * The probe, for the defective host's own test. Prints one line for each source of evidence about
 * FSGSBASE: CPUID, AT_HWCAP2, and several trials of the instructions.
 *
 * The probe shares no code with the library, so that the machines are verified independently of the
 * library. It only prints its results; selftest.py compares them with the expected results.
 */
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE 2u

/* An address of the user half. A 32-bit register would lose some of its bits. */
#define MARKER          UINT64_C(0x0000123456789000)

static sigjmp_buf after_fault;

static void on_fault(int signal_number)
{
	siglongjmp(after_fault, signal_number);
}

static uint64_t rdfsbase(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t rdgsbase(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void wrfsbase(uint64_t base)
{
	__asm__ volatile("wrfsbase %0" : : "r"(base));
}

static void wrgsbase(uint64_t base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base));
}

/* By the ABI of thread-local storage, the word at the FS base contains the FS base. */
static uint64_t thread_pointer(void)
{
	uint64_t base;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(base));
	return base;
}

/*
 * Each instruction has a trial of its own, because a fault ends the trial. The trials GS_* use both
 * WRGSBASE and RDGSBASE.
 */
enum trial {
	TRIAL_RDFSBASE,
	TRIAL_RDGSBASE,
	TRIAL_WRFSBASE,
	TRIAL_WRGSBASE,
	TRIAL_GS_MOVES,
	TRIAL_GS_ZERO_EXTENDS,
	TRIAL_GS_SURVIVES_CPUID,
	TRIAL_GS_SURVIVES_SLEEP,
	TRIAL_COUNT
};

static const char *const names[TRIAL_COUNT] = {
	"rdfsbase", "rdgsbase",        "wrfsbase",          "wrgsbase",
	"gs-moves", "gs-zero-extends", "gs-survives-cpuid", "gs-survives-sleep",
};

static int is_right(enum trial trial)
{
	uint64_t wide = UINT64_MAX;
	uint32_t eax, ebx, ecx, edx;

	switch (trial) {
	case TRIAL_RDFSBASE:
		return rdfsbase() == thread_pointer();
	case TRIAL_RDGSBASE:
		return rdgsbase() == 0;
	case TRIAL_WRFSBASE:
		wrfsbase(thread_pointer());
		return 1;
	case TRIAL_WRGSBASE:
		wrgsbase(0);
		return 1;
	case TRIAL_GS_MOVES:
		wrgsbase(MARKER);
		return rdgsbase() == MARKER;
	case TRIAL_GS_ZERO_EXTENDS:
		wrgsbase(MARKER);
		__asm__ volatile("rdgsbase %k0" : "+r"(wide));
		return wide == (uint32_t)MARKER;
	case TRIAL_GS_SURVIVES_CPUID:
		wrgsbase(MARKER);
		__cpuid(0, eax, ebx, ecx, edx);
		return rdgsbase() == MARKER;
	case TRIAL_GS_SURVIVES_SLEEP:
		wrgsbase(MARKER);
		usleep(1000);
		return rdgsbase() == MARKER;
	case TRIAL_COUNT:
		break;
	}
	return 0;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_fault};
	unsigned int eax, ebx = 0, ecx, edx;

	__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	printf("probe: cpuid=%u\n", ebx & 1);
	printf("probe: hwcap2=%u\n", (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0);

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (enum trial trial = 0; trial < TRIAL_COUNT; trial++) {
		int fault = sigsetjmp(after_fault, 1);

		if (fault)
			printf("probe: %s=%s\n", names[trial], strsignal(fault));
		else
			printf("probe: %s=%s\n", names[trial], is_right(trial) ? "ok" : "wrong");
	}
	return 0;
}

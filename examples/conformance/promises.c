/* SPDX-License-Identifier: MIT */
/* Compares what CPUID offers, what the kernel advertises in AT_HWCAP2 and lists in /proc/cpuinfo,
 * and whether the instructions run. */
#include "suite.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE 2

/* Since Linux 6.4. */
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

static bool cpuid_says(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1;
}

static bool hwcap2_says(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

/* Whether the instructions run: executes RDGSBASE. */
static bool runs(void)
{
	struct window *const w = window_new();

	w->stub = stub(FSGS_INSN_RDGSBASE, 64, RAX);
	foreign_now = w;
	window_enter(w);
	return !w->fault.signal;
}

static void hwcap2_runs(const struct test *t)
{
	(void)t;
	if (!hwcap2_says())
		skip("AT_HWCAP2 bit 1 is not set");
	expect(1, runs(), "execution where AT_HWCAP2 bit 1 is set");
}

static void runs_hwcap2(const struct test *t)
{
	(void)t;
	if (!runs())
		skip("the instructions do not run");
	expect(1, hwcap2_says(), "AT_HWCAP2 bit 1 where the instructions run");
}

static void runs_cpuid(const struct test *t)
{
	(void)t;
	if (!runs())
		skip("the instructions do not run");
	expect(1, cpuid_says(), "CPUID.(EAX=7,ECX=0):EBX[0] where the instructions run");
}

static void hwcap2_cpuid(const struct test *t)
{
	(void)t;
	if (!hwcap2_says())
		skip("AT_HWCAP2 bit 1 is not set");
	expect(1, cpuid_says(), "CPUID.(EAX=7,ECX=0):EBX[0] where AT_HWCAP2 bit 1 is set");
}

/* The value of AT_HWCAP2 in a copy of the auxiliary vector; -1 if the copy has no AT_HWCAP2. */
static int64_t in_vector(const Elf64_auxv_t *vector, size_t size)
{
	for (size_t i = 0; i < size / sizeof *vector && vector[i].a_type != AT_NULL; i++)
		if (vector[i].a_type == AT_HWCAP2)
			return (int64_t)vector[i].a_un.a_val;
	return -1;
}

/* Compares with getauxval(), which returns 0 for an absent entry. */
static void compare(int64_t copy, const char *name)
{
	expect(getauxval(AT_HWCAP2), copy < 0 ? 0 : (uint64_t)copy, "AT_HWCAP2 in %s", name);
}

static void proc_auxv(const struct test *t)
{
	Elf64_auxv_t vector[64];
	const int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	const ssize_t size = fd < 0 ? -1 : read(fd, vector, sizeof vector);

	(void)t;
	if (fd >= 0)
		close(fd);
	if (size <= 0)
		skip("/proc/self/auxv cannot be read");
	compare(in_vector(vector, (size_t)size), "/proc/self/auxv");
}

static void prctl_auxv(const struct test *t)
{
	Elf64_auxv_t vector[64];
	const int size = prctl(PR_GET_AUXV, vector, sizeof vector, 0, 0);

	(void)t;
	if (size <= 0)
		skip("PR_GET_AUXV: %s", strerror(errno));
	compare(in_vector(vector, (size_t)size < sizeof vector ? (size_t)size : sizeof vector),
		"PR_GET_AUXV");
}

/* AT_HWCAP2 without the flag in /proc/cpuinfo is always a defect. The flag without AT_HWCAP2 is no
 * defect: the kernel is older than 5.9, or an emulator shows the file of the host. */
static void cpuinfo(const struct test *t)
{
	FILE *const file = fopen("/proc/cpuinfo", "re");
	static char line[16384];
	unsigned flags = 0, with = 0;

	(void)t;
	if (!hwcap2_says())
		skip("AT_HWCAP2 bit 1 is not set");
	if (!file)
		skip("/proc/cpuinfo cannot be read");
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		flags++;
		with += strstr(line, " fsgsbase ") || strstr(line, " fsgsbase\n");
	}
	fclose(file);
	if (!flags)
		skip("/proc/cpuinfo has no flags");
	expect(flags, with, "processors in /proc/cpuinfo with the word fsgsbase");
}

const struct test promise_tests[] = {
	{901, "hwcap2-then-runs", RULE_HWCAP2, K(4), 0, hwcap2_runs, 0, 0, 0},
	{902, "runs-then-hwcap2", RULE_HWCAP2, K(4), 0, runs_hwcap2, 0, 0, 0},
	{903, "runs-then-cpuid", RULE_CPUID, K(4), 0, runs_cpuid, 0, 0, 0},
	{904, "hwcap2-then-cpuid", RULE_CPUID, K(4), 0, hwcap2_cpuid, 0, 0, 0},
	{905, "proc-auxv-agrees", RULE_SOURCES, 0, 0, proc_auxv, 0, 0, 0},
	{906, "prctl-auxv-agrees", RULE_SOURCES, 0, 0, prctl_auxv, 0, 0, 0},
	{907, "hwcap2-then-cpuinfo", RULE_SOURCES, 0, 0, cpuinfo, 0, 0, 0},
};
const size_t promise_count = sizeof promise_tests / sizeof *promise_tests;

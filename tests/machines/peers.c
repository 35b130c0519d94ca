/* SPDX-License-Identifier: MIT */
/*
 * Prints the answers of the peers, which are other detection code, as one line of JSON. Then it
 * executes its arguments as a command, if there are any. So one boot runs the peers and fsgscheck.
 *
 * true and false are a peer's answers to "may I use the instructions?"; null means that the peer
 * does not exist in this build, or that /proc/cpuinfo cannot be opened.
 */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define X86 1
#else
#define X86 0
#endif

#if X86 && defined(__GLIBC__)
#include <sys/platform/x86.h>
#endif

#define HWCAP2_FSGSBASE 2UL

enum answer { NO, YES, NONE };

static const char *const words[] = {"false", "true", "null"};

static enum answer ask_builtin(void)
{
#if X86 && defined(__GNUC__) && !defined(__clang__)
	__builtin_cpu_init();
	return __builtin_cpu_supports("fsgsbase") ? YES : NO;
#else
	return NONE;
#endif
}

static enum answer ask_present(void)
{
#if X86 && defined(__GLIBC__)
	return CPU_FEATURE_PRESENT(FSGSBASE) ? YES : NO;
#else
	return NONE;
#endif
}

static enum answer ask_active(void)
{
#if X86 && defined(__GLIBC__)
	return CPU_FEATURE_ACTIVE(FSGSBASE) ? YES : NO;
#else
	return NONE;
#endif
}

static enum answer ask_auxv(void)
{
	return X86 ? (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE ? YES : NO) : NONE;
}

static enum answer ask_cpuinfo(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	enum answer found = NO;
	char line[8192];

	if (!file)
		return NONE;
	while (found == NO && fgets(line, sizeof line, file))
		if (strncmp(line, "flags", 5) == 0 && strstr(line, " fsgsbase"))
			found = YES;
	fclose(file);
	return found;
}

int main(int argc, char **argv)
{
	printf("{\"builtin\": %s, \"present\": %s, \"active\": %s, \"auxv\": %s, \"cpuinfo\": "
	       "%s}\n",
	       words[ask_builtin()], words[ask_present()], words[ask_active()], words[ask_auxv()],
	       words[ask_cpuinfo()]);
	if (argc < 2)
		return 0;
	fflush(stdout);
	execv(argv[1], argv + 1);
	return 127;
}

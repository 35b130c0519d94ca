/* SPDX-License-Identifier: MIT */
/* Code that the torture programs share. They use no test framework, because such a framework may
 * change signal handlers, too. */
#ifndef TORTURE_H
#define TORTURE_H

#include <asm/prctl.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIP 77

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SLOW_TOOL 1
#endif
#if __has_feature(address_sanitizer)
#define GREEDY_TOOL 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SLOW_TOOL 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GREEDY_TOOL 1
#endif
#ifndef SLOW_TOOL
#define SLOW_TOOL 0
#endif
/* Whether a tool needs more memory than a process with small limits has. */
#ifndef GREEDY_TOOL
#define GREEDY_TOOL SLOW_TOOL
#endif

/* Weak, so that all files of a program share one counter. */
__attribute__((weak)) atomic_ulong torture_failures;

/* Counts a failure, and prints the first 20 failures. */
#define EXPECT(condition, ...)                                                          \
	do {                                                                            \
		if (!(condition) && atomic_fetch_add(&torture_failures, 1) < 20) {      \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                   \
			fputc('\n', stderr);                                            \
		}                                                                       \
	} while (0)

static inline int torture_status(const char *name)
{
	const unsigned long failures = atomic_load(&torture_failures);

	printf("%s: %lu failures\n", name, failures);
	return failures ? 1 : 0;
}

/* The number of seconds for which a program repeats its phases: FSGSCHECK_TORTURE_SECONDS, or
 * `usual` if that is not set. */
static inline double torture_seconds(double usual)
{
	const char *text = getenv("FSGSCHECK_TORTURE_SECONDS");

	return text ? atof(text) : usual;
}

/* Writes gcov's counters, for a process that does not end by exit(). gcov reads the existing file
 * to merge the counters into it. If a sandbox forbids reading, gcov would replace the file, so this
 * function then does nothing. */
static inline void torture_write_coverage(void)
{
#ifdef TORTURE_COVERAGE
	extern void __gcov_dump(void);
	const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char byte;

	if (fd >= 0 && read(fd, &byte, 1) == 1 && close(fd) == 0)
		__gcov_dump();
#endif
}

static inline double torture_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline uint64_t torture_base(int code)
{
	uint64_t value = 0;

	syscall(SYS_arch_prctl, code, &value);
	return value;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A replacement for the part of Criterion that the unit tests use, for sanitizers and valgrind. It
 * is compiled with the tests, so all code that runs is instrumented. It allocates nothing. Each
 * test is a forked child, which all tools can follow.
 */
#ifndef FSGSCHECK_PLAIN_CRITERION_H
#define FSGSCHECK_PLAIN_CRITERION_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The time limit of a test. It is high, because tools and busy machines make tests slow. */
#define PLAIN_SECONDS 120

struct plain_test {
	const char *name;
	void (*run)(void);
	const struct plain_test *next;
};

static const struct plain_test *plain_tests;
static atomic_int plain_failures;

#define Test(suite, title)                                                              \
	static void test_##suite##_##title(void);                                       \
	__attribute__((constructor)) static void add_##suite##_##title(void)            \
	{                                                                               \
		static struct plain_test test = {#title, test_##suite##_##title, NULL}; \
                                                                                        \
		test.next = plain_tests;                                                \
		plain_tests = &test;                                                    \
	}                                                                               \
	static void test_##suite##_##title(void)

static inline void plain_check(int holds, int fatal, const char *file, int line,
			       const char *condition, const char *format, ...)
{
	va_list arguments;

	if (holds)
		return;
	atomic_store(&plain_failures, 1);
	fprintf(stderr, "%s:%d: %s ", file, line, condition);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	if (fatal)
		_exit(1);
}

/* Each cr_ macro appends an empty string. It is the message if the caller passes none, and
 * otherwise an argument that the message does not use. */
#define PLAIN_(holds, fatal, condition, ...) \
	plain_check(!!(holds), fatal, __FILE__, __LINE__, condition, __VA_ARGS__)
#define PLAIN_TRUE(fatal, a, ...) PLAIN_(a, fatal, #a, __VA_ARGS__)
#define PLAIN_NULL(fatal, a, ...) PLAIN_(!(a), fatal, "!" #a, __VA_ARGS__)
#define PLAIN_COMPARE(fatal, operator, a, b, ...) \
	PLAIN_((a) operator(b), fatal, #a " " #operator" " #b, __VA_ARGS__)
#define PLAIN_STR_EQ(fatal, a, b, ...) PLAIN_(!strcmp(a, b), fatal, #a " is " #b, __VA_ARGS__)

#define cr_expect(...)                 PLAIN_TRUE(0, __VA_ARGS__, "")
#define cr_expect_eq(...)              PLAIN_COMPARE(0, ==, __VA_ARGS__, "")
#define cr_expect_neq(...)             PLAIN_COMPARE(0, !=, __VA_ARGS__, "")
#define cr_expect_lt(...)              PLAIN_COMPARE(0, <, __VA_ARGS__, "")
#define cr_expect_leq(...)             PLAIN_COMPARE(0, <=, __VA_ARGS__, "")
#define cr_expect_gt(...)              PLAIN_COMPARE(0, >, __VA_ARGS__, "")
#define cr_expect_geq(...)             PLAIN_COMPARE(0, >=, __VA_ARGS__, "")
#define cr_expect_str_eq(...)          PLAIN_STR_EQ(0, __VA_ARGS__, "")
#define cr_expect_null(...)            PLAIN_NULL(0, __VA_ARGS__, "")
#define cr_expect_not_null(...)        PLAIN_TRUE(0, __VA_ARGS__, "")
#define cr_expect_not(...)             PLAIN_NULL(0, __VA_ARGS__, "")
#define cr_assert(...)                 PLAIN_TRUE(1, __VA_ARGS__, "")
#define cr_assert_eq(...)              PLAIN_COMPARE(1, ==, __VA_ARGS__, "")
#define cr_assert_neq(...)             PLAIN_COMPARE(1, !=, __VA_ARGS__, "")
#define cr_assert_lt(...)              PLAIN_COMPARE(1, <, __VA_ARGS__, "")
#define cr_assert_leq(...)             PLAIN_COMPARE(1, <=, __VA_ARGS__, "")
#define cr_assert_gt(...)              PLAIN_COMPARE(1, >, __VA_ARGS__, "")
#define cr_assert_geq(...)             PLAIN_COMPARE(1, >=, __VA_ARGS__, "")
#define cr_assert_str_eq(...)          PLAIN_STR_EQ(1, __VA_ARGS__, "")
#define cr_assert_null(...)            PLAIN_NULL(1, __VA_ARGS__, "")
#define cr_assert_not_null(...)        PLAIN_TRUE(1, __VA_ARGS__, "")
#define cr_assert_not(...)             PLAIN_NULL(1, __VA_ARGS__, "")
#define cr_assert_fail(...)            PLAIN_(0, 1, "", __VA_ARGS__, "")
#define cr_skip_test(reason)           (puts("skipped: " reason), exit(0))

static int plain_runs(const struct plain_test *test)
{
	int status = 0;

	fflush(NULL);

	const pid_t child = fork();

	if (child == 0) {
		alarm(PLAIN_SECONDS);
		test->run();
		/* The child ends by exit(), because tools look for leaks there. */
		exit(atomic_load(&plain_failures));
	}
	waitpid(child, &status, 0);
	if (status)
		fprintf(stderr, "%s: status %#x\n", test->name, (unsigned)status);
	return status == 0;
}

/* Runs all tests except those that the arguments name. */
int main(int argc, char **argv)
{
	int run = 0, failed = 0;

	for (const struct plain_test *test = plain_tests; test; test = test->next) {
		int left_out = 0;

		for (int i = 1; i < argc; i++)
			left_out |= !strcmp(argv[i], test->name);
		if (left_out)
			continue;
		run++;
		failed += !plain_runs(test);
	}
	printf("%d tests, %d failed\n", run, failed);
	return failed || !run;
}

#endif

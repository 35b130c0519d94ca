/* SPDX-License-Identifier: MIT */
/* What the command makes of the kernel module's answer, and of what is none. */
#include <criterion/criterion.h>

#include <errno.h>
#include <output.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTCOMES(word)                                                                   \
	"{\"rdfsbase\": \"" word "\", \"rdgsbase\": \"" word "\", \"wrfsbase\": \"" word \
	"\", \"wrgsbase\": \"" word "\"}"
#define ANSWER(write, sticks, differ, word)                                                \
	"{\"schema\": 1, \"verdict\": \"usable\", \"ring0\": {\"cr4_write\": " write       \
	", \"cr4_sticks\": " sticks ", \"cpus_differ\": " differ                           \
	", \"samples_differ\": null, \"set\": " OUTCOMES(word) ", \"cleared\": " OUTCOMES( \
		"undefined") "}, \"advice\": null}\n"

/* nofsgsbase, seen by a process. */
static struct fsgs_report switched_off(void)
{
	struct fsgs_report r = {
		.mode = FSGS_MODE_64BIT,
		.cpuid_fsgsbase = FSGS_ANSWER_YES,
		.hwcap2_present = FSGS_ANSWER_YES,
		.hwcap2_fsgsbase = FSGS_ANSWER_NO,
		.cpuinfo_flag = FSGS_ANSWER_NO,
		.kernel_version = 6 << 16 | 1 << 8,
	};

	for (int i = 0; i < FSGS_INSNS; i++)
		r.trials[i] = (struct fsgs_trial){FSGS_OUTCOME_UNDEFINED, 64, 4, 2};
	fsgs_decide(&r, sizeof r);
	cr_assert_eq(r.verdict, FSGS_VERDICT_DISABLED);
	return r;
}

static int ask(struct fsgs_report *report, const char *answer, size_t length)
{
	const int fd = memfd_create("answer", 0);
	char path[64];
	int error;

	cr_assert_eq(write(fd, answer, length), (ssize_t)length);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	error = ring0_ask(report, path);
	close(fd);
	return error;
}

static const struct {
	const char *answer;
	uint32_t verdict;
	uint64_t findings;
} answers[] = {
	{ANSWER("\"ok\"", "true", "false", "ok"), FSGS_VERDICT_DISABLED,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_PROVEN)},
	{ANSWER("\"ok\"", "true", "false", "undefined"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_INSN_UD)},
	{ANSWER("\"ok\"", "false", "false", "undefined"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_DROPPED)},
	{ANSWER("\"faulted\"", "null", "false", "not-tried"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_REFUSED)},
	{ANSWER("\"ok\"", "true", "true", "ok"), FSGS_VERDICT_INCONSISTENT,
	 FSGS_FINDING_BIT(FSGS_FINDING_CPUS_DIFFER)},
};

Test(ring0_ask, answers)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct fsgs_report r = switched_off();

		cr_expect_eq(ask(&r, answers[i].answer, strlen(answers[i].answer)), 0, "%zu", i);
		cr_expect_eq(r.verdict, answers[i].verdict, "%zu", i);
		cr_expect_eq(r.findings, answers[i].findings, "%zu: %#lx", i,
			     (unsigned long)r.findings);
		cr_expect_eq(r.access[FSGS_SEGMENT_GS], FSGS_ACCESS_ARCH_PRCTL);
	}
}

static void expect_no_answer(const char *answer, size_t length)
{
	const struct fsgs_report before = switched_off();
	struct fsgs_report r = before;

	cr_expect_eq(ask(&r, answer, length), -EPROTO, "of '%.*s'", (int)length, answer);
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
}

/* Half of an answer is none, wherever it ends. */
Test(ring0_ask, cut_off)
{
	const char *answer = answers[0].answer;

	for (size_t length = 0; length < strlen(answer) - 1; length++)
		expect_no_answer(answer, length);
}

Test(ring0_ask, no_answer)
{
	static const char *const others[] = {"usable\n",
					     "[]",
					     "{}",
					     "{\"schema\": 1, \"verdict\": \"usable\"}",
					     "{\"ring0\": {\"cr4_write\": \"maybe\"}}",
					     "{\"ring0\": {\"cr4_write\": 1}}"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		expect_no_answer(others[i], strlen(others[i]));
}

/* Without the module nothing changes, and that is no error. */
Test(ring0_ask, nobody_there)
{
	const struct fsgs_report before = switched_off();
	struct fsgs_report r = before;

	cr_expect_eq(ring0_ask(&r, "/nonexistent/fsgscheck"), 0);
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
	cr_expect_eq(ring0_ask(&r, "/proc/self"), -EISDIR);
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
}

/* SPDX-License-Identifier: MIT */
/* Tests how the command reads valid and invalid answers of the kernel module. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <output.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define OUTCOMES(word)                                                                   \
	"{\"rdfsbase\": \"" word "\", \"rdgsbase\": \"" word "\", \"wrfsbase\": \"" word \
	"\", \"wrgsbase\": \"" word "\"}"
#define RING0(write, sticks, differ, word)                                             \
	"\"ring0\": {\"cr4_write\": " write ", \"cr4_sticks\": " sticks                \
	", \"cpus_differ\": " differ ", \"samples_differ\": null, \"set\": " OUTCOMES( \
		word) ", \"cleared\": " OUTCOMES("undefined") "}"
#define SOUND RING0("\"ok\"", "true", "false", "ok")

struct text {
	char bytes[4096];
	size_t length;
};

/* Makes an answer of the module, with the text `behind` after it. If `release` is NULL, the answer
 * is about the current kernel. */
static struct text answer(const char *schema, const char *ring0, const char *release,
			  const char *behind)
{
	struct utsname here;
	struct text text;

	uname(&here);
	text.length = (size_t)snprintf(
		text.bytes, sizeof text.bytes,
		"{\"schema\": %s, \"verdict\": \"usable\", %s, \"kernel\": {\"release\": "
		"\"%s\"}}%s",
		schema, ring0, release ? release : here.release, behind);
	return text;
}

/* The report of a process under a kernel with nofsgsbase. */
static struct fsgs_report switched_off(void)
{
	struct fsgs_report r = {
		.mode = FSGS_MODE_64BIT,
		.cpuid_fsgsbase = FSGS_ANSWER_YES,
		.vantage = FSGS_VANTAGE_PROCESS,
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

static const char *ask(struct fsgs_report *report, const char *bytes, size_t length)
{
	const int fd = memfd_create("answer", 0);
	const char *why;

	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
	lseek(fd, 0, SEEK_SET);
	why = ring0_take(report, fd);
	close(fd);
	return why;
}

static const struct {
	const char *ring0;
	uint32_t verdict;
	uint64_t findings;
} answers[] = {
	{SOUND, FSGS_VERDICT_DISABLED,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_PROVEN)},
	{RING0("\"ok\"", "true", "false", "undefined"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_INSN_UD)},
	{RING0("\"ok\"", "false", "false", "undefined"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_DROPPED)},
	{RING0("\"faulted\"", "null", "false", "not-tried"), FSGS_VERDICT_BROKEN,
	 FSGS_FINDING_BIT(FSGS_FINDING_SWITCHED_OFF) | FSGS_FINDING_BIT(FSGS_FINDING_CR4_REFUSED)},
	{RING0("\"ok\"", "true", "true", "ok"), FSGS_VERDICT_INCONSISTENT,
	 FSGS_FINDING_BIT(FSGS_FINDING_CPUS_DIFFER)},
};

Test(ring0_ask, answers)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct text text = answer("1", answers[i].ring0, NULL, "\n");
		struct fsgs_report r = switched_off();

		cr_expect_null(ask(&r, text.bytes, text.length), "%zu", i);
		cr_expect_eq(r.verdict, answers[i].verdict, "%zu", i);
		cr_expect_eq(r.findings, answers[i].findings, "%zu: %#lx", i,
			     (unsigned long)r.findings);
		cr_expect_eq(r.access[FSGS_SEGMENT_GS], FSGS_ACCESS_ARCH_PRCTL);
	}
}

/* The command must refuse the answer with a message that contains `word`, and must use no part of
 * the answer. */
static void expect_refused(const char *word, const char *bytes, size_t length)
{
	const struct fsgs_report before = switched_off();
	struct fsgs_report r = before;
	const char *why = ask(&r, bytes, length);

	cr_assert_not_null(why, "of '%.*s'", (int)length, bytes);
	cr_expect(strstr(why, word), "'%s' of '%.*s'", why, (int)length, bytes);
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
}

/* A truncated answer is invalid, wherever it was cut. */
Test(ring0_ask, cut_off)
{
	const struct text text = answer("1", SOUND, NULL, "");

	for (size_t length = 0; length < text.length; length++)
		expect_refused("not an answer", text.bytes, length);
}

Test(ring0_ask, no_answer)
{
	static const char *const others[] = {
		"usable\n",
		"[]",
		"{}",
		"{\"schema\": 1, \"verdict\": \"usable\"}",
		"{" SOUND "}",
		"{\"schema\": 1, \"ring0\": {\"cr4_write\": \"maybe\"}}",
		"{\"schema\": 1, \"ring0\": {\"cr4_write\": 1}}"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		expect_refused("not an answer", others[i], strlen(others[i]));
}

Test(ring0_ask, other_schemas)
{
	static const char *const others[] = {
		"99", "10", "\"1\"", "null", "1.0", "2, \"schema\": 1", "1, \"schema\": 2"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const struct text text = answer(others[i], SOUND, NULL, "\n");

		expect_refused("schema is not 1", text.bytes, text.length);
	}
}

Test(ring0_ask, other_kernels)
{
	static const char *const others[] = {"", "6.1.0", "6.1.0-1-other"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const struct text text = answer("1", SOUND, others[i], "\n");

		expect_refused("a different kernel", text.bytes, text.length);
	}
}

Test(ring0_ask, something_behind)
{
	static const char *const behind[] = {"x", "\n\n{}", " \t\r\n}"};
	const struct text blank = answer("1", SOUND, NULL, " \t\r\n\n"),
			  zero = answer("1", SOUND, NULL, "\n");
	struct fsgs_report r = switched_off();

	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
		const struct text text = answer("1", SOUND, NULL, behind[i]);

		expect_refused("not an answer", text.bytes, text.length);
	}
	expect_refused("not an answer", zero.bytes, zero.length + 1);
	cr_expect_null(ask(&r, blank.bytes, blank.length));
}

/* White space is allowed after an answer, but the command accepts at most 65536 bytes in all. */
Test(ring0_ask, too_long)
{
	static char bytes[65537];
	const struct text text = answer("1", SOUND, NULL, "");
	struct fsgs_report r = switched_off();

	memset(bytes, ' ', sizeof bytes);
	memcpy(bytes, text.bytes, text.length);
	cr_expect_null(ask(&r, bytes, sizeof bytes - 1));
	expect_refused("not an answer", bytes, sizeof bytes);
}

/* An endless answer is read only up to its first error. */
Test(ring0_ask, endless)
{
	const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct fsgs_report r = switched_off();

	alarm(10);
	cr_expect(strstr(ring0_take(&r, fd), "not an answer"));
	close(fd);
}

Test(ring0_ask, only_a_device_of_roots_own)
{
	static const struct {
		mode_t mode;
		uid_t owner;
		const char *why;
	} files[] = {
		{S_IFCHR | 0400, 0, NULL},
		{S_IFCHR | 0600, 0, NULL},
		{S_IFCHR | 0444, 0, NULL},
		{S_IFCHR | 0400, 1, "other than"},
		{S_IFCHR | 0420, 0, "other than"},
		{S_IFCHR | 0402, 0, "other than"},
		{S_IFREG | 0400, 0, "not a character device"},
		{S_IFIFO | 0400, 0, "not a character device"},
		{S_IFBLK | 0400, 0, "not a character device"},
		{S_IFDIR | 0400, 0, "not a character device"},
		{S_IFSOCK | 0400, 0, "not a character device"},
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const struct stat file = {.st_mode = files[i].mode, .st_uid = files[i].owner};
		const char *why = ring0_distrust(&file);

		cr_expect_eq(!why, !files[i].why, "%zu", i);
		cr_expect(!why || strstr(why, files[i].why), "%zu: %s", i, why);
	}
}

static void expect_distrust(const char *word, const char *path)
{
	const struct fsgs_report before = switched_off();
	struct fsgs_report r = before;
	const char *why = ring0_ask(&r, path);

	cr_assert_not_null(why, "%s", path);
	cr_expect(strstr(why, word), "%s: %s", path, why);
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
}

/* Other files in place of the module's device. The command must neither wait for them nor trust
 * them. */
Test(ring0_ask, other_files)
{
	const struct text text = answer("1", SOUND, NULL, "\n");
	char folder[] = "/tmp/ring0-ask-XXXXXX", path[64];
	int fd;

	alarm(10);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/fsgscheck", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
	cr_assert_eq(write(fd, text.bytes, text.length), (ssize_t)text.length);
	close(fd);
	expect_distrust("not a character device", path);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0400), 0);
	expect_distrust("not a character device", path);
	unlink(path);
	expect_distrust("not a character device", "/proc/self");
	/* All users may write to /dev/zero. */
	expect_distrust("other than", "/dev/zero");

	/* A device like /dev/zero with the owner and the mode of the module's device: the command
	 * reads it, but its content never ends. */
	if (mknod(path, S_IFCHR | 0400, makedev(1, 5)) == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			expect_distrust("not an answer", path);
		}
		unlink(path);
	}
	/* Normally, no driver has this device number, so the device cannot be opened. */
	if (mknod(path, S_IFCHR | 0400, makedev(239, 239)) == 0) {
		expect_distrust("", path);
		unlink(path);
	}
	rmdir(folder);
}

/* The command opens a terminal without making it the controlling terminal, and does not wait for
 * input. */
Test(ring0_ask, terminal)
{
	const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	alarm(10);
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		cr_skip_test("no terminals here");
	setsid();
	/* The command refuses the terminal for its mode, or because there is nothing to read
	 * yet. */
	expect_distrust("", ptsname(terminal));
	cr_expect_eq(open("/dev/tty", O_RDONLY | O_CLOEXEC), -1,
		     "it became the controlling terminal");
	close(terminal);
}

/* Without the module, the report does not change, and there is no error. */
Test(ring0_ask, nobody_there)
{
	const struct fsgs_report before = switched_off();
	struct fsgs_report r = before;

	cr_expect_null(ring0_ask(&r, "/nonexistent/fsgscheck"));
	cr_expect_eq(memcmp(&r, &before, sizeof r), 0);
}

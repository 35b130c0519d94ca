/* SPDX-License-Identifier: MIT */
/*
 * Reads of the kernel's files that return only a part, are interrupted, or fail, and uname() of
 * other kernels. To simulate them, the program replaces open(), read(), pread(), uname() and
 * prctl().
 */
#undef _FORTIFY_SOURCE /* its inline read() would hide ours */
#include <criterion/criterion.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/linux.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

static struct {
	const char *path, *text; /* a file that is replaced, and its new content */
	size_t size;
	const char *missing;           /* a file that cannot be opened */
	size_t piece;                  /* the maximum length of one read; 0: real reads */
	int interrupted;               /* 1: every other read is interrupted, 2: each read */
	int fails_at;                  /* read n and all later ones fail; 0: none fails */
	const char *release, *version; /* the answer of uname(); "": it fails */
	const unsigned long *auxv;     /* the answer of PR_GET_AUXV */
	int auxv_size;                 /* size of auxv; -1: the call fails; 0: the kernel answers */
	int reads;
} fake;

/* Set while the library reads, because Criterion's own threads read files, too. */
static _Thread_local int looking;

#define NEXT(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
	va_end(arguments);
	if (fake.missing && strcmp(path, fake.missing) == 0) {
		errno = ENOENT;
		return -1;
	}
	if (fake.path && strcmp(path, fake.path) == 0) {
		const int fd = memfd_create("fake", MFD_CLOEXEC);

		cr_assert_eq(pwrite(fd, fake.text, fake.size, 0), (ssize_t)fake.size);
		return fd;
	}
	return openat(AT_FDCWD, path, flags, mode);
}

/* The number of bytes that may be read, or a negative errno. */
static ssize_t allowed(size_t size)
{
	if (!looking || !fake.piece)
		return (ssize_t)size;
	fake.reads++;
	if (fake.fails_at && fake.reads >= fake.fails_at)
		return -EIO;
	if (fake.interrupted && (fake.interrupted > 1 || fake.reads % 2))
		return -EINTR;
	return (ssize_t)(size < fake.piece ? size : fake.piece);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	const ssize_t piece = allowed(size);

	if (piece < 0) {
		errno = (int)-piece;
		return -1;
	}
	return syscall(SYS_read, fd, buffer, piece);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t at)
{
	const ssize_t piece = allowed(size);

	if (piece < 0) {
		errno = (int)-piece;
		return -1;
	}
	return syscall(SYS_pread64, fd, buffer, piece, at);
}

/* If the library is compiled with -D_FORTIFY_SOURCE, it calls these functions instead of read() and
 * pread(). */
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t at, size_t room);

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
	cr_assert_leq(size, room);
	return read(fd, buffer, size);
}

ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t at, size_t room)
{
	cr_assert_leq(size, room);
	return pread(fd, buffer, size, at);
}

int uname(struct utsname *name)
{
	if (!fake.release)
		return NEXT(int (*)(struct utsname *), "uname")(name);
	if (!fake.release[0]) {
		errno = EFAULT;
		return -1;
	}
	memset(name, 0, sizeof *name);
	strncpy(name->release, fake.release, sizeof name->release - 1);
	strncpy(name->version, fake.version ? fake.version : "", sizeof name->version - 1);
	return 0;
}

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list arguments;

	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (option == PR_GET_AUXV && fake.auxv_size < 0) {
		errno = EINVAL;
		return -1;
	}
	if (option == PR_GET_AUXV && fake.auxv_size) {
		const unsigned long size = (unsigned long)fake.auxv_size;

		memcpy((void *)a[0], fake.auxv, a[1] < size ? a[1] : size); /* NOLINT */
		return fake.auxv_size;
	}
	return NEXT(int (*)(int, unsigned long, unsigned long, unsigned long, unsigned long),
		    "prctl")(option, a[0], a[1], a[2], a[3]);
}

static struct fsgs_report look(char vendor[16])
{
	struct fsgs_report r = {0};

	fake.reads = 0;
	looking = 1;
	fsgs_surroundings(&r);
	fsgs_auxv(&r);
	fsgs_auxv_compare(&r);
	fsgs_cpuinfo(&r, vendor);
	looking = 0;
	return r;
}

static void replace(const char *path, const void *text, size_t size)
{
	fake.path = path;
	fake.text = text;
	fake.size = size;
}

Test(reading, in_pieces_with_interruptions)
{
	char vendor[16], again[16];
	const struct fsgs_report whole = look(vendor);

	cr_assert_eq(whole.hwcap2_present, FSGS_ANSWER_YES);
	cr_assert_neq(whole.cpuinfo_flag, FSGS_ANSWER_UNKNOWN);
	for (size_t piece = 1; piece < 40; piece += 6) {
		fake.piece = piece;
		for (fake.interrupted = 0; fake.interrupted < 2; fake.interrupted++) {
			const struct fsgs_report r = look(again);

			cr_expect_eq(memcmp(&r, &whole, sizeof r), 0, "pieces of %zu", piece);
			cr_expect_str_eq(again, vendor);
		}
	}
}

/* A failed read gives unknown, not "no". */
Test(reading, errors)
{
	char vendor[16];

	fake.piece = 4096;
	fake.fails_at = 1;

	const struct fsgs_report r = look(vendor);

	cr_expect_eq(r.cpuinfo_flag, FSGS_ANSWER_UNKNOWN);
	cr_expect_neq(r.hwcap2_present, FSGS_ANSWER_NO);
	cr_expect_eq(r.signs, 0);
	cr_expect_str_eq(vendor, "");
}

/* If a sandbox interrupts each read, the library gives up instead of reading for ever. */
Test(reading, interrupted_for_ever)
{
	char vendor[16];

	alarm(10);
	fake.piece = 4096;
	fake.interrupted = 2;

	const struct fsgs_report r = look(vendor);

	cr_expect_eq(r.cpuinfo_flag, FSGS_ANSWER_UNKNOWN);
	cr_expect_neq(r.hwcap2_present, FSGS_ANSWER_NO);
	cr_expect_eq(r.signs, 0);
}

/* If a later read fails, AT_HWCAP2 is not known to be absent: the part that was not read may have
 * it. */
Test(reading, error_in_the_middle)
{
	static const unsigned long zero[] = {AT_PAGESZ, 4096, AT_HWCAP2, 0, AT_NULL, 0};
	struct fsgs_report r = {.hwcap2_fsgsbase = FSGS_ANSWER_NO};

	replace("/proc/self/auxv", zero, sizeof zero);
	fake.auxv_size = -1;
	fake.piece = 20;
	fake.fails_at = 2;
	looking = 1;
	fsgs_auxv_compare(&r);
	looking = 0;
	cr_expect_eq(r.hwcap2_present, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(r.signs, 0);
}

Test(reading, no_files)
{
	static const char *const paths[] = {"/proc/self/auxv", "/proc/cpuinfo", "/proc/self/status",
					    "/sys/hypervisor/guest_type"};
	char vendor[16];

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		fake.missing = paths[i];

		const struct fsgs_report r = look(vendor);

		cr_expect_eq(r.signs, 0, "%s", paths[i]);
		cr_expect_neq(r.hwcap2_present, FSGS_ANSWER_NO, "%s", paths[i]);
	}
}

/* getauxval() returns 0 both for an absent AT_HWCAP2 and for a value of 0. So the kernel's copy in
 * /proc/self/auxv decides. If that cannot be read, the answer of prctl() decides. If one copy has
 * the bit and another does not, the report has the sign `auxv-differs`. */
Test(reading, three_copies_of_the_vector)
{
	static const unsigned long with[] = {AT_PAGESZ, 4096, AT_HWCAP2, 2, AT_NULL, 0, 0, 0},
				   zero[] = {AT_PAGESZ, 4096, AT_HWCAP2, 0, AT_NULL, 0, 0, 0},
				   without[] = {AT_PAGESZ, 4096, AT_NULL, 0, AT_NULL, 0, 0, 0};
	static const struct {
		const unsigned long *file, *kernel; /* NULL: this copy cannot be read */
		uint32_t own, present;
		int differs;
	} rows[] = {
		{with, with, FSGS_ANSWER_YES, FSGS_ANSWER_YES, 0},
		{zero, zero, FSGS_ANSWER_NO, FSGS_ANSWER_YES, 0},
		{without, NULL, FSGS_ANSWER_NO, FSGS_ANSWER_NO, 0},
		{without, zero, FSGS_ANSWER_NO, FSGS_ANSWER_NO, 0},
		{NULL, zero, FSGS_ANSWER_NO, FSGS_ANSWER_YES, 0},
		{NULL, without, FSGS_ANSWER_NO, FSGS_ANSWER_NO, 0},
		{NULL, NULL, FSGS_ANSWER_NO, FSGS_ANSWER_UNKNOWN, 0},
		{NULL, NULL, FSGS_ANSWER_YES, FSGS_ANSWER_YES, 0},
		{NULL, with, FSGS_ANSWER_YES, FSGS_ANSWER_YES, 0},
		{NULL, with, FSGS_ANSWER_NO, FSGS_ANSWER_YES, 1},
		{without, with, FSGS_ANSWER_NO, FSGS_ANSWER_NO, 1},
		{zero, zero, FSGS_ANSWER_YES, FSGS_ANSWER_YES, 1},
		{NULL, without, FSGS_ANSWER_YES, FSGS_ANSWER_YES, 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fsgs_report r = {.hwcap2_fsgsbase = rows[i].own};

		if (rows[i].own == FSGS_ANSWER_YES)
			r.hwcap2_present = FSGS_ANSWER_YES;
		memset(&fake, 0, sizeof fake);
		if (rows[i].file)
			replace("/proc/self/auxv", rows[i].file, sizeof with);
		else
			fake.missing = "/proc/self/auxv";
		fake.auxv = rows[i].kernel;
		fake.auxv_size = rows[i].kernel ? (int)sizeof with : -1;
		fsgs_auxv_compare(&r);
		cr_expect_eq(r.hwcap2_present, rows[i].present, "row %zu", i);
		cr_expect_eq(r.signs, rows[i].differs ? FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS) : 0,
			     "row %zu", i);
	}
}

/* The vector is longer than any real one, and the library reads only its first part. The rest might
 * have AT_HWCAP2, so it must not count as absent. */
Test(reading, a_long_vector)
{
	unsigned long pairs[512];
	struct fsgs_report r = {.hwcap2_fsgsbase = FSGS_ANSWER_NO};

	for (int i = 0; i < 512; i++)
		pairs[i] = AT_PAGESZ;
	replace("/proc/self/auxv", pairs, sizeof pairs);
	fake.auxv = pairs;
	fake.auxv_size = sizeof pairs;
	fsgs_auxv_compare(&r);
	cr_expect_eq(r.hwcap2_present, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(r.signs, 0);
}

Test(reading, user_mode_linux)
{
	static const char text[] = "processor\t: 0\nvendor_id\t: User Mode Linux\n"
				   "vendor_id\t: Somebody else\nflags\t\t: fsgsbase\n"
				   "flags\t\t: fpu\n\n";
	char vendor[16];

	replace("/proc/cpuinfo", text, sizeof text - 1);

	const struct fsgs_report r = look(vendor);

	cr_expect_eq(r.signs, FSGS_SIGN_BIT(FSGS_SIGN_UML));
	cr_expect_str_eq(vendor, "User Mode Linux", "the first one counts");
	cr_expect_eq(r.cpuinfo_flag, FSGS_ANSWER_YES);
}

Test(reading, xen_and_a_tracer)
{
	static const char traced[] = "Name:\tx\nTracerPid:\t42\n",
			  not_traced[] = "TracerPid:\t42\n";
	char vendor[16];

	replace("/sys/hypervisor/guest_type", "PV\n", 3);
	cr_expect_eq(look(vendor).signs, FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV));
	replace("/sys/hypervisor/guest_type", "PVH\n", 4);
	cr_expect_eq(look(vendor).signs, 0);
	replace("/proc/self/status", traced, sizeof traced - 1);
	cr_expect_eq(look(vendor).signs, FSGS_SIGN_BIT(FSGS_SIGN_TRACED));
	/* The first line has the name of the process, which may be any text. So TracerPid must not
	 * be read there. */
	replace("/proc/self/status", not_traced, sizeof not_traced - 1);
	cr_expect_eq(look(vendor).signs, 0);
}

Test(reading, uname)
{
	static const char longest[] =
		"6.1.0-a-release-that-fills-what-the-kernel-has-for-it-to-its-end";
	char vendor[16];
	struct fsgs_report r;

	fake.release = "4.4.0";
	fake.version = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
	r = look(vendor);
	cr_expect_eq(r.signs, FSGS_SIGN_BIT(FSGS_SIGN_GVISOR));
	cr_expect_str_eq(r.kernel, "4.4.0");
	cr_expect_eq(r.kernel_version, 4 << 16 | 4 << 8);
	fake.version = "#1 SMP Sun Jan 10 15:06:55 PST 2016";
	fake.release = longest;
	r = look(vendor);
	cr_expect_eq(r.signs, 0);
	cr_expect_eq(strncmp(r.kernel, longest, strlen(r.kernel)), 0);
	cr_expect_gt(strlen(r.kernel), 20);
	cr_expect_eq(r.kernel_version, 6 << 16 | 1 << 8);
	fake.release = "";
	r = look(vendor);
	cr_expect_str_eq(r.kernel, "");
	cr_expect_eq(r.kernel_version, 0);
}

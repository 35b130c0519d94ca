/* SPDX-License-Identifier: MIT */
/* Evidence for findings and advice, except CPUID: the kernel's release, and signs of gVisor,
 * paravirtual Xen and tracers. */
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* gVisor's build string, the same in all its versions (pkg/sentry/syscalls/linux, Version). */
#define GVISOR_VERSION "Sun Jan 10 15:06:54 PST 2016"

/* How often a read is repeated at most. */
enum { MOST_INTERRUPTIONS = 100 };

static const char *number(const char *text, uint32_t *value)
{
	uint32_t n = 0;

	while (*text >= '0' && *text <= '9') {
		if (n < 0xffff)
			n = n * 10 + (uint32_t)(*text - '0');
		text++;
	}
	*value = n;
	return text;
}

uint32_t fsgs_kernel_version(const char *release)
{
	uint32_t part[3] = {0};
	const char *at = number(release, &part[0]);

	if (at == release || *at != '.')
		return 0;

	const char *minor = at + 1;

	at = number(minor, &part[1]);
	if (at == minor)
		return 0;
	if (*at == '.')
		number(at + 1, &part[2]);
	for (int i = 0; i < 3; i++)
		if (part[i] > 255)
			part[i] = 255;
	return part[0] << 16 | part[1] << 8 | part[2];
}

int fsgs_open_file(const char *path)
{
	struct stat file = {0};
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && (fstat(fd, &file) || !S_ISREG(file.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

ssize_t fsgs_read_file(int fd, void *to, size_t size, off_t at)
{
	int interruptions = MOST_INTERRUPTIONS;
	ssize_t got;

	do
		got = at == FSGS_WHERE_IT_IS ? read(fd, to, size) : pread(fd, to, size, at);
	while (got < 0 && errno == EINTR && interruptions--);
	return got;
}

/* Reads the beginning of a small file as text. */
static size_t read_text(const char *path, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;
	const int fd = fsgs_open_file(path);

	text[0] = '\0';
	if (fd < 0)
		return 0;
	while (used < size - 1 &&
	       (got = fsgs_read_file(fd, text + used, size - 1 - used, FSGS_WHERE_IT_IS)) > 0)
		used += (size_t)got;
	close(fd);
	text[used] = '\0';
	return used;
}

static int is_traced(void)
{
	static const char key[] = "\nTracerPid:";
	char text[1024];

	read_text("/proc/self/status", text, sizeof text);

	const char *at = strstr(text, key);

	return at && strtol(at + sizeof key - 1, NULL, 10) > 0;
}

static int is_xen_pv(void)
{
	char text[8];

	read_text("/sys/hypervisor/guest_type", text, sizeof text);
	return strcmp(text, "PV\n") == 0;
}

static uint32_t read_number(const char *path)
{
	char text[16];

	read_text(path, text, sizeof text);
	return (uint32_t)strtoul(text, NULL, 10) & 0xffff;
}

void fsgs_name_paravirtual(struct fsgs_report *report)
{
	static const char xen[] = "XenVMMXenVMM";

	if (!(report->signs & FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV)))
		return;
	memcpy(report->hypervisor, xen, sizeof xen);
	report->hypervisor_present = FSGS_ANSWER_YES;
	report->hypervisor_build = 0;
	report->hypervisor_version = read_number("/sys/hypervisor/version/major") << 16 |
				     read_number("/sys/hypervisor/version/minor");
}

void fsgs_surroundings(struct fsgs_report *report)
{
	struct utsname name;

	if (uname(&name) == 0) {
		const size_t length = strnlen(name.release, sizeof name.release);

		_Static_assert(sizeof name.release < sizeof report->kernel,
			       "the release and its end");
		memcpy(report->kernel, name.release, length);
		report->kernel[length] = '\0';
		report->kernel_version = fsgs_kernel_version(report->kernel);
		if (strstr(name.version, GVISOR_VERSION))
			report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_GVISOR);
	}
	if (is_traced())
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_TRACED);
	if (is_xen_pv())
		report->signs |= FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV);
}

/* SPDX-License-Identifier: MIT */
#include "command.h"
#include "explain.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void read_module(struct explain *e)
{
	const struct explain_module *module = explain_core_module(e);
	unsigned char page[EXPLAIN_PAGE], code[EXPLAIN_CODE];
	struct stat file;
	ssize_t got;

	if (!module)
		return;

	/* The path comes from the core file and may lead to any file. O_NONBLOCK: the open must not
	 * wait for a FIFO or a terminal. */
	const int fd = open(module->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return;
	if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
	    pread(fd, page, sizeof page, 0) == sizeof page &&
	    explain_page_hash(page) == module->page_hash) {
		got = pread(fd, code, sizeof code, (off_t)module->offset);
		if (got > 0)
			explain_core_code(e, code, (size_t)got);
	}
	close(fd);
}

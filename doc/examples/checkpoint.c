/* SPDX-License-Identifier: MIT */
/* What a checkpoint tool does with the GS base: save it, and restore it on another machine. */
#define _GNU_SOURCE
#include <fsgscheck.h>
#include <fsgscheck/base.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct image {
	uint64_t gs;
};

static int save(struct image *image)
{
	return fsgs_get_gs_base(&image->gs);
}

/* Called in the restored process. The last decision is about the old machine, so no thread may
 * access a base before fsgs_refresh() has returned. */
static int restore(const struct image *image)
{
	(void)fsgs_refresh();
	return fsgs_set_gs_base(image->gs);
}

int main(void)
{
	static uint64_t heap[2] = {0, 42};
	struct image image = {0};
	uint64_t before = 0, now = 0;
	pid_t child;
	int status = 0, error;

	if (fsgs_get_gs_base(&before) || fsgs_set_gs_base((uintptr_t)heap) || save(&image) ||
	    fsgs_set_gs_base(before))
		return 1;
	/* The child stands for a restored process. It has the same memory, and a GS base of 0, as a
	 * new process has. */
	child = fork();
	if (child == 0) {
		if (fsgs_set_gs_base(0) || restore(&image) || fsgs_get_gs_base(&now))
			_exit(1);
		_exit(now != image.gs);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		return 1;
	/* WRGSBASE can write a base that fsgs_set_gs_base() refuses. restore() fails for such a
	 * base. */
	image.gs = UINT64_C(0x800000000000);
	error = restore(&image);
	if (error != -1 /* -EPERM */ || fsgs_get_gs_base(&now) || now != before)
		return 1;
	printf("restored by %s; a base beyond the limit is refused (%d)\n",
	       fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)), error);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Base access: the get and set functions of fsgscheck/base.h, which has their contract.
 *
 * Everything here may run while the FS base is foreign. Until the thread's own is restored, nothing
 * may touch thread-local storage. So this file is compiled without stack protector and sanitizers,
 * and calls only functions of access.c, which then use an earlier decision. The results of the
 * system call are checked: some kernels return 0 and do nothing (Asterinas, enarx), return the base
 * instead of storing it, or give a wrong base (WSL1).
 */
#include "linux.h"

#include <fsgscheck/base.h>

#include <errno.h>

#if FSGS_BASE_INLINE
#include "arch-prctl.h"

static int get_by_prctl(uint32_t segment, uint64_t *base)
{
	uint64_t value = FSGS_SENTINEL;

	if (fsgs_raw_arch_prctl(segment == FSGS_SEGMENT_FS ? ARCH_GET_FS : ARCH_GET_GS,
				(uintptr_t)&value) ||
	    value == FSGS_SENTINEL)
		return -ENOTSUP;
	*base = value;
	return 0;
}

/* Reads the base back after each set, until a set has changed the base. A set of the old value
 * proves nothing, because an arch_prctl that does nothing would pass, too. */
static int set_by_prctl(uint32_t segment, uint64_t base, uint32_t word)
{
	const int code = segment == FSGS_SEGMENT_FS ? ARCH_SET_FS : ARCH_SET_GS;
	uint64_t before, after;

	if (fsgs_trusted_in(word, segment))
		return fsgs_raw_arch_prctl(code, base) ? -ENOTSUP : 0;
	if (get_by_prctl(segment, &before) || fsgs_raw_arch_prctl(code, base) ||
	    get_by_prctl(segment, &after) || after != base)
		return -ENOTSUP;
	if (before != base)
		fsgs_trust(word, segment);
	return 0;
}

/* Called if fsgs_base_limit does not allow the instruction, for example before the first
 * decision. */
static __attribute__((noinline)) int get_otherwise(uint32_t segment, uint64_t *base)
{
	switch (fsgs_access_in(fsgs_decided(segment), segment)) {
	case FSGS_ACCESS_INSTRUCTION: /* decided by this call, or meanwhile by another thread */
		*base = segment == FSGS_SEGMENT_FS ? fsgs_read_fs_() : fsgs_read_gs_();
		return 0;
	case FSGS_ACCESS_ARCH_PRCTL:
		return get_by_prctl(segment, base);
	default:
		return -ENOTSUP;
	}
}

static __attribute__((noinline)) int set_otherwise(uint32_t segment, uint64_t base)
{
	uint32_t word;

	if (base >= FSGS_BASE_LIMIT)
		return -EPERM;
	word = fsgs_decided(segment);
	switch (fsgs_access_in(word, segment)) {
	case FSGS_ACCESS_INSTRUCTION:
		if (segment == FSGS_SEGMENT_FS)
			fsgs_write_fs_(base);
		else
			fsgs_write_gs_(base);
		return 0;
	case FSGS_ACCESS_ARCH_PRCTL:
		return set_by_prctl(segment, base, word);
	default:
		return -ENOTSUP;
	}
}

int fsgs_get_base(uint32_t segment, uint64_t *base)
{
	if (segment >= FSGS_SEGMENTS)
		return -EINVAL;
	if (!fsgs_may_write_(segment, 0))
		return get_otherwise(segment, base);
	*base = segment == FSGS_SEGMENT_FS ? fsgs_read_fs_() : fsgs_read_gs_();
	return 0;
}

int fsgs_set_base(uint32_t segment, uint64_t base)
{
	if (segment >= FSGS_SEGMENTS)
		return -EINVAL;
	if (!fsgs_may_write_(segment, base))
		return set_otherwise(segment, base);
	if (segment == FSGS_SEGMENT_FS)
		fsgs_write_fs_(base);
	else
		fsgs_write_gs_(base);
	return 0;
}

int fsgs_ensure_base(uint32_t segment, uint64_t base)
{
	uint64_t before;

	if (base < FSGS_BASE_LIMIT && fsgs_get_base(segment, &before) == 0 && before == base)
		return 0;
	return fsgs_set_base(segment, base);
}

#else

int fsgs_get_base(uint32_t segment, uint64_t *base)
{
	(void)base;
	return segment < FSGS_SEGMENTS ? -ENOTSUP : -EINVAL;
}

int fsgs_set_base(uint32_t segment, uint64_t base)
{
	(void)base;
	return segment < FSGS_SEGMENTS ? -ENOTSUP : -EINVAL;
}

int fsgs_ensure_base(uint32_t segment, uint64_t base)
{
	return fsgs_set_base(segment, base);
}

#endif

struct fsgs_base_value fsgs_get_base_value(uint32_t segment)
{
	struct fsgs_base_value value = {0, 0, 0};

	value.error = fsgs_get_base(segment, &value.base);
	return value;
}

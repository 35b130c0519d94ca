/* SPDX-License-Identifier: MIT */
/* Shared by the files of the core. */
#ifndef FSGSCHECK_LIB_CORE_H
#define FSGSCHECK_LIB_CORE_H

#include "stubs.h"

/* Freestanding code has no errno.h. Linux uses this number on every architecture. */
#define FSGS_EINVAL          22

/* The first kernel with AT_HWCAP2 on x86, in the format of fsgs_report.kernel_version. */
#define FSGS_LINUX_HWCAP2    ((4u << 16) | (11u << 8))

/* The bit of AT_HWCAP2 by which the kernel advertises the instructions, as a mask. */
#define FSGS_HWCAP2_FSGSBASE 2

#if defined(__x86_64__)
#define FSGS_THIS_MODE FSGS_MODE_64BIT
#elif defined(__i386__)
#define FSGS_THIS_MODE FSGS_MODE_COMPAT
#else
#define FSGS_THIS_MODE FSGS_MODE_NOT_X86
#endif

/* Copies between structures of different sizes. Members that the source lacks become zero. */
static inline void fsgs_copy_out(void *to, size_t to_size, const void *from, size_t from_size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (size_t i = 0; i < to_size; i++)
		/* The analyzer takes bytes that memcpy() has set to be uninitialised. */
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
		t[i] = i < from_size ? f[i] : 0;
}

/* Sets every field to 0, which counts as unknown. */
static inline void fsgs_report_clear(struct fsgs_report *report)
{
	unsigned char *r = (unsigned char *)report;

	for (size_t i = 0; i < sizeof *report; i++)
		r[i] = 0;
}

/* Loads a report of any size. Evidence beyond that size counts as not known. */
static inline void fsgs_report_load(struct fsgs_report *to, const struct fsgs_report *from,
				    size_t size)
{
	fsgs_copy_out(to, sizeof *to, from, size);
}

/* Like fsgs_decide(), but without a copy: the report must have this library's own size. */
__attribute__((visibility("hidden"))) void fsgs_decide_whole(struct fsgs_report *report);

/* The trials of the report's vantage: those in ring 0 with CR4.FSGSBASE set, or those in a
 * process. */
static inline const struct fsgs_trial *fsgs_trials(const struct fsgs_report *report)
{
	return report->vantage == FSGS_VANTAGE_RING0 ? report->cr4_set : report->trials;
}

/* True if the strings are equal. */
static inline int fsgs_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

#if defined(__x86_64__)
/* Runs a stub under the caller's guard. Returns 0 if the stub ran, 1 if it faulted. */
static inline int fsgs_core_run(const struct fsgs_core_ops *ops, fsgs_stub_fn *stub,
				struct fsgs_stub *io)
{
	return ops->run ? ops->run(ops->context, stub, io) : stub(io);
}
#endif

/* Returns the string after `text`, in a sequence of zero-terminated strings. */
static inline const char *fsgs_next_string(const char *text)
{
	while (*text++)
		;
	return text;
}

/* The hypervisors that the core distinguishes by their signatures. */
enum fsgs_product {
	FSGS_PRODUCT_OTHER,
	FSGS_PRODUCT_HYPERV,
	FSGS_PRODUCT_KVM,
	FSGS_PRODUCT_TCG,
	FSGS_PRODUCT_XEN,
	FSGS_PRODUCT_VMWARE
};

/* The product that has this hypervisor signature. */
__attribute__((visibility("hidden"))) enum fsgs_product fsgs_product(const char *signature);

#endif

/* SPDX-License-Identifier: MIT */
/* Collects evidence from CPUID. */
#include "core.h"

#if defined(__i386__)
#include <cpuid.h>
#endif

#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_STEP  0x100u
/* How many leaf bases are searched for a signature. If KVM or Xen shows a Hyper-V interface at the
 * first base, its own leaves are at the second. Linux searches as far as 0x40010000, but no known
 * product has its leaves beyond these four bases. */
#define HYPERVISOR_BASES 4u

static int cpuid(const struct fsgs_core_ops *ops, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	if (ops->cpuid)
		return ops->cpuid(ops->context, leaf, subleaf, regs);
#if defined(__x86_64__)
	struct fsgs_stub io = {.in = {leaf, subleaf}};
	int faulted = fsgs_core_run(ops, fsgs_stub_cpuid, &io);

	for (int i = 0; i < 4; i++)
		regs[i] = (uint32_t)io.out[i];
	return faulted;
#elif defined(__i386__)
	/* Without a stub, because stubs are 64-bit code. The verdict of 32-bit code does not depend
	 * on CPUID. */
	__cpuid_count(leaf, subleaf, regs[0], regs[1], regs[2], regs[3]);
	return 0;
#else
	(void)regs;
	return 1;
#endif
}

/* Stores a register's four bytes at `to`, lowest first. */
static void put_register(char *to, uint32_t reg)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(reg >> (8 * i));
}

void fsgs_core_cpuid(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	uint32_t regs[4];

	if (cpuid(ops, 0, 0, regs)) {
		report->cpuid_faulting = FSGS_ANSWER_YES;
		return;
	}
	report->cpuid_faulting = FSGS_ANSWER_NO;
	report->cpuid_max_leaf = regs[0];
	put_register(report->vendor, regs[1]);
	put_register(report->vendor + 4, regs[3]);
	put_register(report->vendor + 8, regs[2]);
	report->vendor[12] = '\0';

	report->cpuid_fsgsbase = FSGS_ANSWER_NO;
	if (regs[0] < 7)
		return;
	if (cpuid(ops, 7, 0, regs))
		report->cpuid_fsgsbase = FSGS_ANSWER_UNKNOWN;
	else if (regs[1] & 1)
		report->cpuid_fsgsbase = FSGS_ANSWER_YES;
}

/* SDM vol. 2, CPUID leaf 1: the extended fields are valid only for certain families. */
static void put_version(struct fsgs_report *report, uint32_t eax)
{
	report->stepping = eax & 0xf;
	report->model = (eax >> 4) & 0xf;
	report->family = (eax >> 8) & 0xf;
	if (report->family == 0xf || report->family == 6)
		report->model |= (eax >> 12) & 0xf0;
	if (report->family == 0xf)
		report->family += (eax >> 20) & 0xff;
}

static void put_brand(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	uint32_t regs[4];
	char text[sizeof report->brand];
	size_t at = 0, end = 0;

	if (cpuid(ops, 0x80000000u, 0, regs) || regs[0] < 0x80000004u)
		return;
	for (uint32_t leaf = 0x80000002u; leaf <= 0x80000004u; leaf++) {
		if (cpuid(ops, leaf, 0, regs))
			return;
		for (int i = 0; i < 4; i++, at += 4)
			put_register(text + at, regs[i]);
	}
	text[at] = '\0';
	/* Some processors pad the text with blanks on the left, some on the right. */
	for (at = 0; text[at] == ' ';)
		at++;
	for (size_t i = 0; text[at + i]; i++) {
		report->brand[i] = text[at + i];
		if (text[at + i] != ' ')
			end = i + 1;
	}
	report->brand[end] = '\0';
}

static void put_hypervisor(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	for (uint32_t n = 0; n < HYPERVISOR_BASES; n++) {
		const uint32_t base = HYPERVISOR_FIRST + n * HYPERVISOR_STEP;
		uint32_t regs[4];
		char signature[13] = {0};

		if (cpuid(ops, base, 0, regs))
			return;
		for (int i = 0; i < 3; i++)
			put_register(signature + 4 * i, regs[1 + i]);
		/* A leaf base that does not exist reads as zero, or as the highest basic leaf. So
		 * only a known signature replaces the signature of the first base. */
		enum fsgs_product product = fsgs_product(signature);

		if (n > 0 && product == FSGS_PRODUCT_OTHER)
			continue;
		for (int i = 0; i < 13; i++)
			report->hypervisor[i] = signature[i];
		report->hypervisor_build = report->hypervisor_version = 0;
		if (product == FSGS_PRODUCT_HYPERV && regs[0] >= base + 2 &&
		    !cpuid(ops, base + 2, 0, regs)) {
			report->hypervisor_build = regs[0];
			report->hypervisor_version = regs[1];
		} else if (product == FSGS_PRODUCT_XEN && !cpuid(ops, base + 1, 0, regs)) {
			report->hypervisor_version = regs[0];
		}
	}
}

void fsgs_core_identify(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	uint32_t regs[4];

	if (report->cpuid_faulting != FSGS_ANSWER_NO || report->cpuid_max_leaf < 1)
		return;
	if (cpuid(ops, 1, 0, regs))
		return;
	put_version(report, regs[0]);
	report->hypervisor_present = regs[2] >> 31 ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	if (report->hypervisor_present == FSGS_ANSWER_YES)
		put_hypervisor(report, ops);
	put_brand(report, ops);
}

/* SPDX-License-Identifier: MIT */
/* Tests the CPUID evidence of processors that are not available. The tests inject the leaves of
 * these processors. */
#include <criterion/criterion.h>

#include <core/stubs.h>
#include <string.h>

struct leaf {
	uint32_t leaf;
	uint32_t regs[4];
};

struct fake {
	const struct leaf *leaves; /* ends with an entry whose leaf is UINT32_MAX */
	uint32_t highest_basic;    /* the leaf whose data is returned for missing leaves */
	int asked_7;
	int faults_from; /* execution n and all later ones fault; 0: none faults */
	int executed;
};

static int fake_cpuid(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct fake *fake = context;

	(void)subleaf;
	fake->executed++;
	if (fake->faults_from && fake->executed >= fake->faults_from)
		return 1;
	fake->asked_7 += leaf == 7;
	memset(regs, 0, 4 * sizeof *regs);
	for (const struct leaf *l = fake->leaves; l->leaf != UINT32_MAX; l++)
		if (l->leaf == leaf) {
			memcpy(regs, l->regs, sizeof l->regs);
			return 0;
		}
	for (const struct leaf *l = fake->leaves; l->leaf != UINT32_MAX; l++)
		if (l->leaf == fake->highest_basic)
			memcpy(regs, l->regs, sizeof l->regs);
	return 0;
}

#define INTEL 0x756e6547, 0x6c65746e, 0x49656e69
#define AMD   0x68747541, 0x444d4163, 0x69746e65
#define END                 \
	{                   \
		UINT32_MAX, \
		{           \
			0   \
		}           \
	}

static struct fsgs_report look(struct fake *fake)
{
	const struct fsgs_core_ops ops = {.context = fake, .cpuid = fake_cpuid};
	struct fsgs_report r = {0};

	fsgs_core_cpuid(&r, &ops);
	fsgs_core_identify(&r, &ops);
	return r;
}

Test(cpuid, leaf_7_is_the_last)
{
	static const struct leaf leaves[] = {{0, {7, INTEL}}, {7, {0, 1, 0, 0}}, END};
	struct fake fake = {leaves, 7, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_eq(r.cpuid_max_leaf, 7);
	cr_expect_eq(r.cpuid_fsgsbase, FSGS_ANSWER_YES);
	cr_expect_str_eq(r.vendor, "GenuineIntel");
}

/* If the highest leaf of an Intel processor is below 7, the processor returns the data of its
 * highest leaf for leaf 7. Here, bit 0 of EBX is set in the data of leaf 6. */
Test(cpuid, leaf_7_is_not_there)
{
	static const struct leaf leaves[] = {{0, {6, INTEL}}, {6, {0x77, 0xffffffff, 9, 0}}, END};
	struct fake fake = {leaves, 6, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_eq(r.cpuid_fsgsbase, FSGS_ANSWER_NO);
	cr_expect_eq(fake.asked_7, 0);
}

Test(cpuid, other_bits_of_leaf_7)
{
	static const struct leaf leaves[] = {
		{0, {13, AMD}}, {7, {0xffffffff, 0xfffffffe, 0xffffffff, 0xffffffff}}, END};
	struct fake fake = {leaves, 13, 0, 0, 0};

	cr_expect_eq(look(&fake).cpuid_fsgsbase, FSGS_ANSWER_NO);
}

Test(cpuid, faults)
{
	static const struct leaf leaves[] = {{0, {7, INTEL}}, {7, {0, 1, 0, 0}}, END};
	struct fake at_once = {leaves, 7, 0, 1, 0}, later = {leaves, 7, 0, 2, 0};
	struct fsgs_report r = look(&at_once);

	cr_expect_eq(r.cpuid_faulting, FSGS_ANSWER_YES);
	cr_expect_eq(r.cpuid_fsgsbase, FSGS_ANSWER_UNKNOWN);
	cr_expect_eq(at_once.executed, 1, "nothing more is asked");
	r = look(&later);
	cr_expect_eq(r.cpuid_fsgsbase, FSGS_ANSWER_UNKNOWN);
}

#define ZEN1                                         \
	{                                            \
		1,                                   \
		{                                    \
			0x00800f12, 0, 0x80000000, 0 \
		}                                    \
	}
#define BRAND                                                                   \
	{0x80000000, {0x80000004, 0, 0, 0}},                                    \
		{0x80000002, {0x20202020, 0x20444d41, 0x43595045, 0x32373020}}, \
		{0x80000003, {0x20203138, 0, 0, 0}},                            \
	{                                                                       \
		0x80000004,                                                     \
		{                                                               \
			0, 0, 0, 0                                              \
		}                                                               \
	}

/* The machine with which this project began: a guest of Hyper-V on an AMD EPYC 7281. */
static const struct leaf hyperv_on_zen1[] = {
	{0, {13, AMD}},
	{7, {0, 0x9801a9, 0, 0}},
	ZEN1,
	BRAND,
	{0x40000000, {0x40000006, 0x7263694d, 0x666f736f, 0x76482074}},
	{0x40000002, {20348, 10 << 16, 0, 0}},
	{0x40000100, {0, 0, 0, 0}},
	{0x40000200, {0, 0, 0, 0}},
	{0x40000300, {0, 0, 0, 0}},
	END};

Test(cpuid, hyperv_on_zen1)
{
	struct fake fake = {hyperv_on_zen1, 13, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_eq(r.family, 23);
	cr_expect_eq(r.model, 1);
	cr_expect_eq(r.stepping, 2);
	cr_expect_str_eq(r.brand, "AMD EPYC 07281", "trimmed on both sides: '%s'", r.brand);
	cr_expect_str_eq(r.hypervisor, "Microsoft Hv");
	cr_expect_eq(r.hypervisor_build, 20348);
	cr_expect_eq(r.hypervisor_version, 10 << 16);
}

/* KVM with a Hyper-V interface is still KVM: the advice for Hyper-V would be wrong. */
Test(cpuid, kvm_with_hyperv_interface)
{
	static const struct leaf leaves[] = {
		{0, {13, AMD}},
		ZEN1,
		{7, {0, 1, 0, 0}},
		{0x40000000, {0x40000006, 0x7263694d, 0x666f736f, 0x76482074}},
		{0x40000002, {14393, 10 << 16, 0, 0}},
		{0x40000100, {0x40000101, 0x4b4d564b, 0x564b4d56, 0x0000004d}},
		{0x40000200, {0, 0, 0, 0}},
		{0x40000300, {0, 0, 0, 0}},
		END};
	struct fake fake = {leaves, 13, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_str_eq(r.hypervisor, "KVMKVMKVM");
	cr_expect_eq(r.hypervisor_build, 0);
	cr_expect_str_eq(r.brand, "");
}

/* If CPUID.1:ECX[31] is clear, the hypervisor leaves return the data of the highest basic leaf. */
Test(cpuid, no_hypervisor)
{
	static const struct leaf leaves[] = {{0, {13, INTEL}},
					     {1, {0x000306f2, 0, 0x7fffffff, 0}},
					     {7, {0, 1, 0, 0}},
					     {13, {7, 832, 832, 0}},
					     END};
	struct fake fake = {leaves, 13, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_str_eq(r.hypervisor, "");
	cr_expect_eq(r.family, 6);
	cr_expect_eq(r.model, 63);
}

/* Xen returns its version in leaf 0x40000001, and Hyper-V in leaf 0x40000002. */
static const struct leaf xen[] = {{0, {13, INTEL}},
				  {1, {0x000306f2, 0, 0x80000000, 0}},
				  {7, {0, 1, 0, 0}},
				  {0x40000000, {0x40000002, 0x566e6558, 0x65584d4d, 0x4d4d566e}},
				  {0x40000001, {4 << 16 | 14, 0, 0, 0}},
				  {0x40000100, {0, 0, 0, 0}},
				  {0x40000200, {0, 0, 0, 0}},
				  {0x40000300, {0, 0, 0, 0}},
				  {0x80000000, {0x80000008, 0, 0, 0}},
				  END};

Test(cpuid, xen_has_a_version)
{
	struct fake fake = {xen, 13, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_str_eq(r.hypervisor, "XenVMMXenVMM");
	cr_expect_eq(r.hypervisor_version, 4 << 16 | 14);
}

/* The highest leaf of the hypervisor is 0x40000001, so leaf 0x40000002 with the version must not be
 * read. */
Test(cpuid, short_hyperv_interface)
{
	static const struct leaf leaves[] = {
		{0, {13, AMD}},
		ZEN1,
		{7, {0, 1, 0, 0}},
		{0x40000000, {0x40000001, 0x7263694d, 0x666f736f, 0x76482074}},
		{0x40000002, {20348, 10 << 16, 0, 0}},
		{0x40000100, {0, 0, 0, 0}},
		{0x40000200, {0, 0, 0, 0}},
		{0x40000300, {0, 0, 0, 0}},
		{0x80000000, {0x80000001, 0, 0, 0}},
		END};
	struct fake fake = {leaves, 13, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_str_eq(r.hypervisor, "Microsoft Hv");
	cr_expect_eq(r.hypervisor_build, 0);
	cr_expect_str_eq(r.brand, "");
}

Test(cpuid, only_leaf_0)
{
	static const struct leaf leaves[] = {{0, {0, INTEL}}, END};
	struct fake fake = {leaves, 0, 0, 0, 0};
	struct fsgs_report r = look(&fake);

	cr_expect_eq(r.cpuid_fsgsbase, FSGS_ANSWER_NO);
	cr_expect_eq(fake.executed, 1);
	cr_expect_eq(r.family, 0);
}

/* CPUID may fault at any execution. Each text is then complete or empty, and a number that was not
 * read is 0. */
Test(cpuid, faults_at_any_leaf)
{
	static const struct leaf *const machines[] = {hyperv_on_zen1, xen};

	for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
		struct fake whole = {machines[i], 13, 0, 0, 0};
		const struct fsgs_report all = look(&whole);

		for (int n = 1; n <= whole.executed; n++) {
			struct fake fake = {machines[i], 13, 0, n, 0};
			const struct fsgs_report r = look(&fake);

			cr_expect(!r.brand[0] || !strcmp(r.brand, all.brand), "'%s'", r.brand);
			cr_expect(!r.hypervisor[0] || !strcmp(r.hypervisor, all.hypervisor));
			cr_expect(!r.hypervisor_version ||
				  r.hypervisor_version == all.hypervisor_version);
			cr_expect(n <= 2 || r.cpuid_fsgsbase == FSGS_ANSWER_YES, "at %d", n);
		}
	}
}

/* SPDX-License-Identifier: MIT */
/* The report's layout is part of the ABI: if a field moves, every program that was compiled before
 * breaks. */
#include <criterion/criterion.h>

#include <fsgscheck.h>

#define AT(field, offset) cr_expect_eq(offsetof(struct fsgs_report, field), offset, #field)

Test(report, layout)
{
	AT(verdict, 0);
	AT(proof, 4);
	AT(verdicts, 8);
	AT(access, 16);
	AT(findings, 24);
	AT(vantage, 32);
	AT(cpuid_fsgsbase, 44);
	AT(hwcap2_fsgsbase, 56);
	AT(trials, 64);
	AT(refusal, 128);
	AT(fallback, 148);
	AT(signs, 164);
	AT(cr4_write, 184);
	AT(cr4_set, 192);
	AT(cr4_cleared, 256);
	AT(family, 320);
	AT(vendor, 344);
	AT(brand, 360);
	AT(hypervisor, 416);
	AT(kernel, 432);
	cr_expect_eq(sizeof(struct fsgs_report), 504);
	cr_expect_eq(sizeof(struct fsgs_trial), 16);
	cr_expect_eq(sizeof(struct fsgs_cpu_group), 104);
	cr_expect_eq(FSGS_REPORT_MIN, 32);
}

Test(report, version)
{
	cr_expect_eq(fsgs_version(), FSGS_VERSION);
	cr_expect_str_eq(fsgs_version_string(), "1.0.0");
}

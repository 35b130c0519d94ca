/* SPDX-License-Identifier: MIT */
/* Tests fsgs_decide() row by row: the evidence of a process or of ring 0, and the right verdicts,
 * findings and accesses. Then tests the advice. */
#include <criterion/criterion.h>

#include <fsgscheck/report.h>
#include <stdio.h>
#include <string.h>

#define N      FSGS_ANSWER_NO
#define Y      FSGS_ANSWER_YES
#define U      FSGS_ANSWER_UNKNOWN

#define OK     FSGS_OUTCOME_OK
#define UD     FSGS_OUTCOME_UNDEFINED
#define GP     FSGS_OUTCOME_FAULTED
#define WRONG  FSGS_OUTCOME_WRONG_VALUE
#define LOST   FSGS_OUTCOME_VALUE_LOST
#define UNDONE FSGS_OUTCOME_NOT_TRIED

#define ALL(outcome)                               \
	{                                          \
		outcome, outcome, outcome, outcome \
	}

/* clang-format off */
#define TRIAL(result)    {.outcome = (result)}
#define FOUR(a, b, c, d)  {TRIAL(a), TRIAL(b), TRIAL(c), TRIAL(d)}
/* clang-format on */
#define TRIALS(result)      FOUR(result, result, result, result)

#define F(finding)          FSGS_FINDING_BIT(FSGS_FINDING_##finding)

#define USABLE              FSGS_VERDICT_USABLE
#define UNSUPPORTED         FSGS_VERDICT_UNSUPPORTED
#define DISABLED            FSGS_VERDICT_DISABLED
#define UNADVERTISED        FSGS_VERDICT_UNADVERTISED
#define BROKEN              FSGS_VERDICT_BROKEN
#define INCONSISTENT        FSGS_VERDICT_INCONSISTENT
#define UNKNOWN             FSGS_VERDICT_UNKNOWN

#define INSN                FSGS_ACCESS_INSTRUCTION
#define ARCH_PRCTL          FSGS_ACCESS_ARCH_PRCTL
#define NONE                FSGS_ACCESS_NONE

#define LINUX(major, minor) ((major) << 16 | (minor) << 8)

struct row {
	const char *name;
	/* The evidence. evidence() fills in what `more` leaves at 0: 64-bit mode and a process; for
	 * a process, also Linux 6.1 and, except in the rows "no context", AT_HWCAP2 as present if
	 * `hwcap2` is known. */
	uint32_t cpuid, cpuinfo, hwcap2;
	uint32_t trials[FSGS_INSNS];
	struct fsgs_report more;
	/* The answer. */
	uint32_t fs, gs;
	uint64_t findings;
	uint32_t fs_access, gs_access;
};

#define HYPERV            .hypervisor = "Microsoft Hv"
#define TCG               .hypervisor = "TCGTCGTCGTCG"
#define XEN_PV            .signs = FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV), .hypervisor = "XenVMMXenVMM"
#define XEN(major, minor) ((major##u << 16) | (minor))
#define AMD               .vendor = "AuthenticAMD"
#define ABSENT            .hwcap2_present = N
#define NO_CHECK          .canonical_check = N
#define SET               .cr4_write = OK, .cr4_sticks = Y
/* Results of ring 0 in the report of a process: the bit in CR4 can be set, the trials with the bit
 * set had `outcome`, and those with the bit clear raised #UD. */
#define ASKED(outcome)    SET, .cr4_set = TRIALS(outcome), .cr4_cleared = TRIALS(UD)
/* clang-format off */
#define GVISOR_GS \
	.fallback = {FSGS_FALLBACK_OK, FSGS_FALLBACK_DENIED}, .fallback_error = {0, 22}

/* Each state of a process. Rows whose names begin with the same letter and number, such as A1, are
 * variants of one machine state. */
static const struct row process_rows[] = {
	{"A1 healthy", Y, Y, Y, ALL(OK), {0}, USABLE, USABLE, 0, INSN, INSN},
	{"A1 not tried", Y, Y, Y, ALL(UNDONE), {0}, USABLE, USABLE, 0, INSN, INSN},
	{"A1 no context", Y, U, Y, ALL(OK), {0}, USABLE, USABLE, 0, INSN, INSN},
	{"A1 traced", Y, Y, Y, ALL(OK), {.signs = FSGS_SIGN_BIT(FSGS_SIGN_TRACED)}, USABLE,
		USABLE, 0, INSN,
	 INSN},
	{"A1 arch_prctl denied", Y, Y, Y, ALL(OK), {.fallback = {FSGS_FALLBACK_DENIED,
	 FSGS_FALLBACK_DENIED}, .fallback_error = {1, 1}}, USABLE, USABLE, F(ARCH_PRCTL_DENIED),
	 INSN, INSN},
	{"A2 Xen loses the base", Y, Y, Y, {OK, OK, OK, LOST}, {0}, USABLE, BROKEN,
	 F(VALUE_LOST), INSN, ARCH_PRCTL},
	{"A3 inside TCG", Y, Y, Y, ALL(OK), {TCG, NO_CHECK}, USABLE, USABLE, F(EMULATED) |
	 F(NO_CANONICAL_CHECK), INSN, INSN},
	{"B1 i386", Y, Y, Y, ALL(UNDONE), {.mode = FSGS_MODE_COMPAT}, UNSUPPORTED, UNSUPPORTED,
	 F(WRONG_MODE), NONE, NONE},
	{"B1 aarch64", U, U, U, ALL(UNDONE), {.mode = FSGS_MODE_NOT_X86}, UNSUPPORTED,
	 UNSUPPORTED, F(WRONG_MODE), NONE, NONE},
	{"B2 mixed CPUs", N, N, Y, ALL(UD), {.cpus_differ = Y}, INCONSISTENT, INCONSISTENT,
	 F(CPUS_DIFFER), ARCH_PRCTL, ARCH_PRCTL},
	{"B2 seen from a CPU that has it", Y, N, N, ALL(UD), {.cpus_differ = Y}, INCONSISTENT,
	 INCONSISTENT, F(CPUS_DIFFER), ARCH_PRCTL, ARCH_PRCTL},
	{"B3 instrumented", Y, Y, Y, ALL(UD), {0}, BROKEN, BROKEN, F(INSTRUMENTED), ARCH_PRCTL,
	 ARCH_PRCTL},
	{"B3 one of four", Y, Y, Y, {OK, UD, OK, OK}, {0}, USABLE, BROKEN, F(INSTRUMENTED),
	 INSN, ARCH_PRCTL},
	{"B3 FS only", Y, Y, Y, {OK, OK, GP, OK}, {0}, BROKEN, USABLE, F(INSTRUMENTED),
	 ARCH_PRCTL, INSN},
	{"B3 wrong value", Y, Y, Y, {OK, WRONG, OK, OK}, {0}, USABLE, BROKEN, 0, INSN,
	 ARCH_PRCTL},
	{"B3 wrong value, traced", Y, Y, Y, {OK, WRONG, OK, OK},
		{.signs = FSGS_SIGN_BIT(FSGS_SIGN_TRACED)},
	 USABLE, BROKEN, F(INSTRUMENTED), INSN, ARCH_PRCTL},
	{"B3 kernel does not list it", Y, N, Y, ALL(UD), {0}, BROKEN, BROKEN, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"C1 module, old kernel", Y, Y, N, ALL(OK), {.kernel_version = LINUX(5, 4)},
	 UNADVERTISED, UNADVERTISED, F(KERNEL_TOO_OLD) | F(PRIVILEGE_RISK), ARCH_PRCTL,
	 ARCH_PRCTL},
	{"C1 before AT_HWCAP2", Y, Y, N, ALL(OK), {ABSENT, .kernel_version = LINUX(3, 10)},
	 UNADVERTISED, UNADVERTISED, F(KERNEL_TOO_OLD) | F(PRIVILEGE_RISK), ARCH_PRCTL,
	 ARCH_PRCTL},
	{"C2 Xen PV", Y, N, N, ALL(OK), {.signs = FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV)}, UNADVERTISED,
		UNADVERTISED,
	 F(PRIVILEGE_RISK), ARCH_PRCTL, ARCH_PRCTL},
	{"C3 gVisor", Y, Y, N, ALL(OK), {GVISOR_GS}, UNADVERTISED, UNADVERTISED, F(SANDBOXED) |
	 F(ARCH_PRCTL_DENIED), ARCH_PRCTL, NONE},
	{"C3 gVisor by name", Y, Y, N, ALL(OK), {GVISOR_GS,
		.signs = FSGS_SIGN_BIT(FSGS_SIGN_GVISOR)},
	 UNADVERTISED, UNADVERTISED, F(SANDBOXED) | F(ARCH_PRCTL_DENIED), ARCH_PRCTL, NONE},
	{"C4 qemu-user", Y, Y, N, ALL(OK), {ABSENT, TCG, NO_CHECK, .signs =
	 FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS)}, UNADVERTISED, UNADVERTISED, F(EMULATED) |
	 F(NO_CANONICAL_CHECK), ARCH_PRCTL, ARCH_PRCTL},
	{"C4 user-mode Linux", Y, Y, N, ALL(OK), {ABSENT, .signs = FSGS_SIGN_BIT(FSGS_SIGN_UML)},
		UNADVERTISED,
	 UNADVERTISED, F(EMULATED), ARCH_PRCTL, ARCH_PRCTL},
	{"C4 nameless emulator", Y, Y, N, ALL(OK), {ABSENT}, UNADVERTISED, UNADVERTISED,
	 F(EMULATED), ARCH_PRCTL, ARCH_PRCTL},
	{"C5 deprivileging host", Y, N, N, ALL(OK), {0}, UNADVERTISED, UNADVERTISED,
	 F(SWITCHED_OFF) | F(PRIVILEGE_RISK), ARCH_PRCTL, ARCH_PRCTL},
	{"forged AT_HWCAP2", Y, Y, N, ALL(OK), {.signs = FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS)},
		UNADVERTISED,
	 UNADVERTISED, F(INSTRUMENTED), ARCH_PRCTL, ARCH_PRCTL},
	{"D1 old kernel", Y, Y, N, ALL(UD), {.kernel_version = LINUX(5, 4)}, DISABLED, DISABLED,
	 F(KERNEL_TOO_OLD) | F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 nofsgsbase", Y, N, N, ALL(UD), {0}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 inside TCG", Y, N, N, ALL(UD), {TCG}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 not tried", Y, N, N, ALL(UNDONE), {0}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 Xen PV", Y, N, N, ALL(UD), {XEN_PV, .hypervisor_version = XEN(4, 14)}, DISABLED,
		DISABLED,
	 F(SWITCHED_OFF) | F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 Xen PV, age unknown", Y, N, N, ALL(UD), {XEN_PV}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D2 Xen PV that offers it to no guest", Y, N, N, ALL(UD), {XEN_PV, .hypervisor_version =
	 XEN(4, 13)}, DISABLED, DISABLED, F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D3 rescued VM", Y, N, N, ALL(UD), {HYPERV, AMD}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN) | F(UPGRADE_RISK), ARCH_PRCTL, ARCH_PRCTL},
	{"D4 by its cpuinfo alone", U, Y, U, ALL(UNDONE), {HYPERV, AMD}, UNKNOWN, UNKNOWN,
	 F(UNPROVEN) | F(UPGRADE_RISK), ARCH_PRCTL, ARCH_PRCTL},
	{"cpuinfo alone, on Intel", U, Y, U, ALL(UNDONE), {HYPERV, .vendor = "GenuineIntel"},
	 UNKNOWN, UNKNOWN, F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D3 on Intel", Y, N, N, ALL(UD), {HYPERV, .vendor = "GenuineIntel"}, DISABLED,
	 DISABLED, F(SWITCHED_OFF) | F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D4 before the upgrade", Y, Y, N, ALL(UD), {HYPERV, AMD, .kernel_version = LINUX(4,
	 19)}, DISABLED, DISABLED, F(KERNEL_TOO_OLD) | F(UNPROVEN) | F(UPGRADE_RISK), ARCH_PRCTL,
	 ARCH_PRCTL},
	{"D no context", Y, U, N, ALL(UD), {.hwcap2_present = U}, DISABLED, DISABLED,
	 F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D arch_prctl lies", Y, N, N, ALL(UD), {.fallback = {FSGS_FALLBACK_OK,
	 FSGS_FALLBACK_LIES}}, DISABLED, DISABLED, F(SWITCHED_OFF) | F(UNPROVEN) |
	 F(ARCH_PRCTL_LIES), ARCH_PRCTL, NONE},
	{"D2 arch_prctl for FS only", Y, N, N, ALL(UD), {.fallback = {FSGS_FALLBACK_OK,
	 FSGS_FALLBACK_DENIED}, .fallback_error = {0, 1}}, DISABLED, DISABLED, F(SWITCHED_OFF) |
	 F(UNPROVEN) | F(ARCH_PRCTL_DENIED), ARCH_PRCTL, NONE},
	{"an emulator that ignores CR4", Y, N, N, ALL(OK), {TCG}, UNADVERTISED, UNADVERTISED,
	 F(EMULATED), ARCH_PRCTL, ARCH_PRCTL},
	{"D1 proven", Y, Y, N, ALL(UD), {ASKED(OK), .kernel_version = LINUX(5, 4)}, DISABLED,
		DISABLED,
	 F(KERNEL_TOO_OLD) | F(PROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D3 proven", Y, N, N, ALL(UD), {ASKED(OK), HYPERV, AMD}, DISABLED, DISABLED,
	 F(SWITCHED_OFF) | F(PROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"D proven, no context", Y, U, N, ALL(UD), {ASKED(OK)}, DISABLED, DISABLED, F(PROVEN),
	 ARCH_PRCTL, ARCH_PRCTL},
	{"D2 half proven", Y, N, N, ALL(UD), {SET, .cr4_set = FOUR(OK, OK, OK, UNDONE)},
		DISABLED,
	 DISABLED, F(SWITCHED_OFF) | F(UNPROVEN), ARCH_PRCTL, ARCH_PRCTL},
	{"R2 behind D3", Y, N, N, ALL(UD), {ASKED(UD), HYPERV, AMD}, BROKEN, BROKEN,
	 F(SWITCHED_OFF) | F(INSN_UD), ARCH_PRCTL, ARCH_PRCTL},
	{"R2 behind D1", Y, Y, N, ALL(UD), {ASKED(UD), .kernel_version = LINUX(5, 4)}, BROKEN,
		BROKEN,
	 F(KERNEL_TOO_OLD) | F(INSN_UD), ARCH_PRCTL, ARCH_PRCTL},
	{"R2 behind D1, traced", Y, Y, N, ALL(UD), {ASKED(UD), .kernel_version = LINUX(5, 4),
		.signs =
	 FSGS_SIGN_BIT(FSGS_SIGN_TRACED)}, BROKEN, BROKEN, F(KERNEL_TOO_OLD) | F(INSN_UD),
	 	ARCH_PRCTL, ARCH_PRCTL},
	{"R3 behind D2", Y, N, N, ALL(UD), {.cr4_write = GP}, BROKEN, BROKEN, F(SWITCHED_OFF) |
	 F(CR4_REFUSED), ARCH_PRCTL, ARCH_PRCTL},
	{"R4 behind D2", Y, N, N, ALL(UD), {.cr4_write = OK, .cr4_sticks = N,
		.cr4_set = TRIALS(UD)}, BROKEN, BROKEN,
	 F(SWITCHED_OFF) | F(CR4_DROPPED), ARCH_PRCTL, ARCH_PRCTL},
	{"R8 behind D2", Y, N, N, ALL(UD), {SET, .cr4_set = FOUR(OK, OK, OK, UD)}, DISABLED,
		BROKEN,
	 F(SWITCHED_OFF) | F(INSN_UD), ARCH_PRCTL, ARCH_PRCTL},
	{"R8 wrong value behind D2", Y, N, N, ALL(UD), {SET, .cr4_set = FOUR(WRONG, OK, OK, OK)},
	 BROKEN, DISABLED, F(SWITCHED_OFF), ARCH_PRCTL, ARCH_PRCTL},
	{"R9 behind D2", Y, N, N, ALL(UD), {ASKED(OK), .cpus_differ = Y}, INCONSISTENT,
		INCONSISTENT,
	 F(CPUS_DIFFER), ARCH_PRCTL, ARCH_PRCTL},
	{"R2 asked in spite of AT_HWCAP2", Y, N, Y, ALL(OK), {ASKED(UD)}, BROKEN, BROKEN,
		F(INSN_UD),
	 ARCH_PRCTL, ARCH_PRCTL},
	{"E1 old CPU", N, N, N, ALL(UD), {0}, UNSUPPORTED, UNSUPPORTED, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"E1 qemu-user", N, Y, N, ALL(UD), {ABSENT, TCG,
		.signs = FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS)},
	 UNSUPPORTED, UNSUPPORTED, 0, ARCH_PRCTL, ARCH_PRCTL},
	{"E2 valgrind", N, Y, N, ALL(UD), {ABSENT, .signs = FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS)},
	 UNSUPPORTED, UNSUPPORTED, F(INSTRUMENTED), ARCH_PRCTL, ARCH_PRCTL},
	{"E2 valgrind's si_code alone", N, Y, N, ALL(UD), {ABSENT}, UNSUPPORTED, UNSUPPORTED,
	 F(INSTRUMENTED), ARCH_PRCTL, ARCH_PRCTL},
	{"E2 vendors differ", N, Y, N, ALL(UD), {ABSENT,
		.signs = FSGS_SIGN_BIT(FSGS_SIGN_VENDOR_DIFFERS)},
	 UNSUPPORTED, UNSUPPORTED, F(INSTRUMENTED), ARCH_PRCTL, ARCH_PRCTL},
	{"F hidden but live", N, N, N, ALL(OK), {0}, UNADVERTISED, UNADVERTISED, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"F GS only", N, N, N, {UD, OK, UD, OK}, {0}, UNSUPPORTED, UNADVERTISED, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"G masked CPUID", N, Y, Y, ALL(OK), {.cpuid_faulting = Y}, INCONSISTENT, INCONSISTENT,
	 F(CPUID_MASKED), ARCH_PRCTL, ARCH_PRCTL},
	{"G CPUID faults", U, Y, Y, ALL(OK), {.cpuid_faulting = Y}, INCONSISTENT, INCONSISTENT,
	 F(CPUID_MASKED), ARCH_PRCTL, ARCH_PRCTL},
	{"G emulated CPUID", Y, Y, Y, ALL(OK), {.cpuid_faulting = Y}, INCONSISTENT, INCONSISTENT,
	 F(CPUID_MASKED), ARCH_PRCTL, ARCH_PRCTL},
	{"H forged", N, Y, Y, ALL(UD), {0}, INCONSISTENT, INCONSISTENT, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"no AT_HWCAP2 known", Y, U, U, ALL(OK), {0}, UNKNOWN, UNKNOWN, 0, ARCH_PRCTL,
	 ARCH_PRCTL},
	{"no CPUID known", U, U, N, ALL(UD), {0}, UNKNOWN, UNKNOWN, 0, ARCH_PRCTL, ARCH_PRCTL},
	{"R10 samples differ", Y, Y, Y, ALL(OK), {.samples_differ = Y}, INCONSISTENT,
	 INCONSISTENT, 0, ARCH_PRCTL, ARCH_PRCTL},
};
/* clang-format on */

#define RING0             .vantage = FSGS_VANTAGE_RING0
#define CLEARED(outcome)  .cr4_cleared = TRIALS(outcome)

/* clang-format off */
static const struct row ring0_rows[] = {
	{"R1 healthy", Y, U, U, ALL(OK), {RING0, SET, CLEARED(UD)}, USABLE, USABLE, 0, INSN,
	 INSN},
	{"R1 TCG", Y, U, U, ALL(OK), {RING0, SET, CLEARED(UD), TCG, NO_CHECK}, USABLE, USABLE,
	 F(EMULATED) | F(NO_CANONICAL_CHECK), INSN, INSN},
	{"R2 the report", Y, U, U, ALL(UD), {RING0, SET, CLEARED(UD)}, BROKEN, BROKEN,
	 F(INSN_UD), ARCH_PRCTL, ARCH_PRCTL},
	{"R3 CR4 refuses", Y, U, U, ALL(UNDONE), {RING0, .cr4_write = GP, CLEARED(UD)}, BROKEN,
	 BROKEN, F(CR4_REFUSED), ARCH_PRCTL, ARCH_PRCTL},
	{"R4 CR4 drops", Y, U, U, ALL(UD), {RING0, .cr4_write = OK, .cr4_sticks = N,
	 CLEARED(UD)}, BROKEN, BROKEN, F(CR4_DROPPED), ARCH_PRCTL, ARCH_PRCTL},
	{"R5 not enforced", Y, U, U, ALL(OK), {RING0, SET, CLEARED(OK)}, USABLE, USABLE,
	 F(CR4_UNENFORCED), INSN, INSN},
	{"R6 not offered", N, U, U, ALL(UNDONE), {RING0, CLEARED(UD)}, UNSUPPORTED, UNSUPPORTED,
	 0, ARCH_PRCTL, ARCH_PRCTL},
	{"R7 hidden but settable", N, U, U, ALL(OK), {RING0, SET, CLEARED(UD)}, UNADVERTISED,
	 UNADVERTISED, 0, ARCH_PRCTL, ARCH_PRCTL},
	{"R7 hidden and live", N, U, U, ALL(UNDONE), {RING0, CLEARED(OK)}, UNADVERTISED,
	 UNADVERTISED, 0, ARCH_PRCTL, ARCH_PRCTL},
	{"R8 one of four", Y, U, U, {OK, OK, OK, UD}, {RING0, SET, CLEARED(UD)}, USABLE, BROKEN,
	 F(INSN_UD), INSN, ARCH_PRCTL},
	{"R8 wrong value", Y, U, U, {WRONG, OK, OK, OK}, {RING0, SET, CLEARED(UD)}, BROKEN,
	 USABLE, 0, ARCH_PRCTL, INSN},
	{"R8 lost value", Y, U, U, {OK, OK, OK, LOST}, {RING0, SET, CLEARED(UD)}, USABLE,
	 BROKEN, F(VALUE_LOST), INSN, ARCH_PRCTL},
	{"R9 CPUs differ", Y, U, U, ALL(UD), {RING0, SET, CLEARED(UD), .cpus_differ = Y},
	 INCONSISTENT, INCONSISTENT, F(INSN_UD) | F(CPUS_DIFFER), ARCH_PRCTL, ARCH_PRCTL},
	{"R10 samples differ", Y, U, U, ALL(OK), {RING0, SET, CLEARED(UD), .samples_differ = Y},
	 INCONSISTENT, INCONSISTENT, 0, ARCH_PRCTL, ARCH_PRCTL},
	{"R2 inside TCG", Y, U, U, ALL(UD), {RING0, SET, CLEARED(UD), TCG}, BROKEN, BROKEN,
	 F(INSN_UD), ARCH_PRCTL, ARCH_PRCTL},
	{"hidden, live and lost", N, U, U, ALL(LOST), {RING0, SET, CLEARED(UD)}, UNADVERTISED,
	 UNADVERTISED, F(VALUE_LOST), ARCH_PRCTL, ARCH_PRCTL},
	{"no CPUID known", U, U, U, ALL(OK), {RING0, SET, CLEARED(UD)}, UNKNOWN, UNKNOWN, 0,
	 ARCH_PRCTL, ARCH_PRCTL},
	{"CR4 not tried", Y, U, U, ALL(UNDONE), {RING0, CLEARED(UD)}, UNKNOWN, UNKNOWN, 0,
	 ARCH_PRCTL, ARCH_PRCTL},
};
/* clang-format on */

static struct fsgs_report evidence(const struct row *row)
{
	struct fsgs_report r = row->more;

	struct fsgs_trial *trials = r.trials;

	if (!r.mode)
		r.mode = FSGS_MODE_64BIT;
	if (!r.vantage)
		r.vantage = FSGS_VANTAGE_PROCESS;
	if (r.vantage == FSGS_VANTAGE_RING0)
		trials = r.cr4_set;
	if (r.vantage == FSGS_VANTAGE_PROCESS) {
		if (!r.kernel_version)
			r.kernel_version = LINUX(6, 1);
		/* By default, AT_HWCAP2 is present if `hwcap2` is known. In the rows "no context",
		 * it stays unknown whether AT_HWCAP2 is present. */
		if (!r.hwcap2_present && !strstr(row->name, "no context"))
			r.hwcap2_present = row->hwcap2 ? Y : U;
	}
	r.cpuid_fsgsbase = row->cpuid;
	r.cpuinfo_flag = row->cpuinfo;
	r.hwcap2_fsgsbase = row->hwcap2;
	for (int i = 0; i < FSGS_INSNS; i++) {
		trials[i].outcome = row->trials[i];
		if (row->trials[i] == UD)
			trials[i] = (struct fsgs_trial){UD, 64, 4,
							strstr(row->name, "E2 valgrind") ? 1 : 2};
	}
	return r;
}

static void write_findings(char *text, size_t size, uint64_t findings)
{
	text[0] = '\0';
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		if (findings >> i & 1) {
			strncat(text, fsgs_name(FSGS_LIST_FINDING, i), size - strlen(text) - 1);
			strncat(text, " ", size - strlen(text) - 1);
		}
}

static void check_row(const struct row *row)
{
	struct fsgs_report r = evidence(row);
	char seen[512], wanted[512];

	cr_assert_eq(fsgs_decide(&r, sizeof r), 0);
	write_findings(seen, sizeof seen, r.findings);
	write_findings(wanted, sizeof wanted, row->findings);
	cr_expect_str_eq(fsgs_name(FSGS_LIST_VERDICT, r.verdicts[0]),
			 fsgs_name(FSGS_LIST_VERDICT, row->fs), "%s: FS", row->name);
	cr_expect_str_eq(fsgs_name(FSGS_LIST_VERDICT, r.verdicts[1]),
			 fsgs_name(FSGS_LIST_VERDICT, row->gs), "%s: GS", row->name);
	cr_expect_str_eq(seen, wanted, "%s: findings", row->name);
	/* Unlike the texts above, this also compares bits that have no name. */
	cr_expect_eq(r.findings, row->findings, "%s: findings", row->name);
	cr_expect_str_eq(fsgs_name(FSGS_LIST_ACCESS, r.access[0]),
			 fsgs_name(FSGS_LIST_ACCESS, row->fs_access), "%s: FS access", row->name);
	cr_expect_str_eq(fsgs_name(FSGS_LIST_ACCESS, r.access[1]),
			 fsgs_name(FSGS_LIST_ACCESS, row->gs_access), "%s: GS access", row->name);
}

Test(decide, process)
{
	for (size_t i = 0; i < sizeof process_rows / sizeof *process_rows; i++)
		check_row(&process_rows[i]);
}

Test(decide, ring0)
{
	for (size_t i = 0; i < sizeof ring0_rows / sizeof *ring0_rows; i++)
		check_row(&ring0_rows[i]);
}

/* fsgs_reason() returns its default text only for the verdict unknown: in ring 0 always, in a
 * process only without the finding `unproven`. Each row has advice, except rows with the verdict
 * usable or unsupported, and rows of ring 0 with the verdict unknown. */
Test(decide, words)
{
	const char *nothing = fsgs_reason(NULL, 0);

	for (size_t i = 0; i < sizeof process_rows / sizeof *process_rows; i++) {
		struct fsgs_report r = evidence(&process_rows[i]);

		r.cpus_checked = 1; /* the trials were run here, and not read from a file */
		fsgs_decide(&r, sizeof r);
		cr_expect((fsgs_reason(&r, sizeof r) == nothing) ==
				  (r.verdict == UNKNOWN && !(r.findings & F(UNPROVEN))),
			  "%s", process_rows[i].name);
		cr_expect(fsgs_advice(&r, sizeof r, 0) || r.verdict == USABLE ||
				  r.verdict == UNSUPPORTED,
			  "%s: no advice", process_rows[i].name);
	}
	for (size_t i = 0; i < sizeof ring0_rows / sizeof *ring0_rows; i++) {
		struct fsgs_report r = evidence(&ring0_rows[i]);

		r.cpus_checked = 1;
		fsgs_decide(&r, sizeof r);
		cr_expect((fsgs_reason(&r, sizeof r) == nothing) == (r.verdict == UNKNOWN), "%s",
			  ring0_rows[i].name);
		cr_expect(fsgs_advice(&r, sizeof r, 0) || r.verdict == USABLE ||
				  r.verdict == UNSUPPORTED || r.verdict == UNKNOWN,
			  "%s: no advice", ring0_rows[i].name);
	}
}

static struct fsgs_report decided(const char *name)
{
	struct fsgs_report r = {0};

	for (size_t i = 0; i < sizeof process_rows / sizeof *process_rows; i++)
		if (strcmp(process_rows[i].name, name) == 0)
			r = evidence(&process_rows[i]);
	cr_assert(r.mode, "no row %s", name);
	fsgs_decide(&r, sizeof r);
	return r;
}

/* The first step of the advice must warn before an upgrade, or before nofsgsbase is removed. */
Test(decide, warns_before_the_upgrade)
{
	struct fsgs_report old = decided("D4 before the upgrade"),
			   rescued = decided("D3 rescued VM");

	cr_expect(strstr(fsgs_advice(&old, sizeof old, 0), "before you upgrade"));
	cr_expect(strstr(fsgs_advice(&rescued, sizeof rescued, 0), "keep nofsgsbase"));
}

/* After trials in ring 0, the first step says whether to upgrade, or to add or keep nofsgsbase. */
Test(decide, settles_the_upgrade)
{
	static const struct {
		const char *row, *says;
	} first_steps[] = {
		{"D1 proven", "upgrade freely"},
		{"D3 proven", "upgrade freely"},
		{"R2 behind D1", "add nofsgsbase to the kernel command line before you upgrade"},
		{"R2 behind D3", "keep nofsgsbase"},
		{"R3 behind D2", "keep nofsgsbase"},
		{"R4 behind D2", "keep nofsgsbase"},
	};

	for (size_t i = 0; i < sizeof first_steps / sizeof *first_steps; i++) {
		struct fsgs_report r = decided(first_steps[i].row);
		const char *step;

		cr_expect(strstr(fsgs_advice(&r, sizeof r, 0), first_steps[i].says), "%s: %s",
			  first_steps[i].row, fsgs_advice(&r, sizeof r, 0));
		/* Ring 0 has been tried on this host. So the advice may recommend the boot image
		 * only for another host, to which the VM could be moved. */
		for (uint32_t n = 0; (step = fsgs_advice(&r, sizeof r, n)); n++)
			cr_expect(!strstr(step, "boot image") || strstr(step, "move the VM"),
				  "%s: %s", first_steps[i].row, step);
	}
}

/* All steps of the advice for a row, one after the other. */
static const char *steps_for(const char *name)
{
	static char all[4096];
	struct fsgs_report r = decided(name);
	const char *step;
	size_t used = 0;

	for (uint32_t n = 0; (step = fsgs_advice(&r, sizeof r, n)); n++)
		used += (size_t)snprintf(all + used, sizeof all - used, "%s\n", step);
	cr_assert(used, "%s: no step", name);
	return all;
}

/* The boot image and the kernel module do not run in a paravirtual guest, so the advice must not
 * recommend them. The advice must have no step for a machine that is not a VM, either. */
Test(decide, advice_on_xen_pv)
{
	const char *const steps = steps_for("D2 Xen PV");

	cr_expect(strstr(steps, "Guest: look for nofsgsbase"));
	cr_expect(strstr(steps, "fsgsbase=0"));
	cr_expect(strstr(steps, "type=\"pvh\""));
	cr_expect_null(strstr(steps, "in this VM"));
	cr_expect_null(strstr(steps, "not a VM"));
}

/* If the hypervisor is known, the advice has no step for a machine that is not a VM. If it is not
 * known, the advice has one. */
Test(decide, advice_where_the_hypervisor_is_known)
{
	cr_expect_null(strstr(steps_for("D2 inside TCG"), "not a VM"));
	cr_expect(strstr(steps_for("D2 nofsgsbase"), "not a VM"));
}

Test(decide, advice_in_a_sandbox)
{
	const char *const steps = steps_for("C3 gVisor by name");

	cr_expect(strstr(steps, "never write GS"));
	cr_expect_null(strstr(steps, "force"));
}

/* If the instructions raise #UD in ring 0 of a guest of Hyper-V, the first step names nofsgsbase.
 * The second step says which other features Hyper-V's setting hides, and the third step is the
 * command for it. */
Test(decide, advice_on_hyperv)
{
	struct fsgs_report r = evidence(&ring0_rows[2]);

	strcpy(r.hypervisor, "Microsoft Hv");
	fsgs_decide(&r, sizeof r);
	cr_expect(strstr(fsgs_advice(&r, sizeof r, 0), "nofsgsbase"));
	r.cpus_checked = 1; /* the trials were run in the boot image, and not read from a log */
	cr_expect(strstr(fsgs_advice(&r, sizeof r, 1), "x86-64-v2"));
	cr_expect(strstr(fsgs_advice(&r, sizeof r, 2), "    Set-VMProcessor -VMName NAME"));
}

/* The advice is for the guest if the machine is a VM, and for the host if it is not. If that is not
 * known, the advice is for both. A truncated report has less evidence, and must not give advice for
 * the wrong machine. */
Test(decide, advice_from_a_cut_report)
{
	static const struct {
		uint32_t present;
		const char *hypervisor;
		int guest, host;
	} rows[] = {
		{Y, "KVMKVMKVM", 1, 0},    {Y, "", 1, 0}, {N, "", 0, 1}, {U, "", 1, 1},
		{U, "VMwareVMware", 1, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fsgs_report r = decided("D2 nofsgsbase");
		const size_t cut = offsetof(struct fsgs_report, family);
		int guest = 0, host = 0;
		const char *step;

		r.hypervisor_present = rows[i].present;
		memset(r.hypervisor, 0, sizeof r.hypervisor);
		strcpy(r.hypervisor, rows[i].hypervisor);
		fsgs_decide(&r, sizeof r);
		for (uint32_t n = 0; (step = fsgs_advice(&r, sizeof r, n)); n++) {
			guest |= strncmp(step, "Guest: ", 7) == 0;
			host |= strncmp(step, "Host: ", 6) == 0;
		}
		cr_expect_eq(guest, rows[i].guest, "row %zu", i);
		cr_expect_eq(host, rows[i].host, "row %zu", i);
		/* Without the members that show a VM, the first step must be the guest's check in
		 * ring 0, which does no harm on a physical machine. */
		step = fsgs_advice(&r, cut, 0);
		cr_expect(step && strstr(step, "Guest: ") == step && strstr(step, "ring 0"), "%s",
			  step);
	}
}

Test(decide, proof)
{
	struct fsgs_report r = decided("A1 healthy");

	cr_expect_eq(r.proof, FSGS_PROOF_TRIED);
	r.trials[FSGS_INSN_WRGSBASE].outcome = UNDONE;
	fsgs_decide(&r, sizeof r);
	cr_expect_eq(r.proof, FSGS_PROOF_ADVERTISED);
}

/* A report without evidence is `unknown`. So is a report whose vantage is unknown, and a report
 * that is too short to have evidence. */
Test(decide, nothing_known)
{
	struct fsgs_report r = {0};

	cr_expect_eq(fsgs_decide(&r, sizeof r), 0);
	cr_expect_eq(r.verdict, UNKNOWN);
	r.mode = FSGS_MODE_64BIT;
	r.hwcap2_fsgsbase = Y;
	r.cpuid_fsgsbase = Y;
	r.cr4_sticks = N;
	for (size_t i = 0; i < 4; i++)
		r.trials[i].outcome = r.cr4_set[i].outcome = UD;
	cr_expect_eq(fsgs_decide(&r, sizeof r), 0);
	cr_expect_eq(r.verdict, UNKNOWN, "if the vantage is unknown");
	cr_expect_eq(r.findings, 0);
	r.vantage = FSGS_VANTAGE_PROCESS;
	cr_expect_eq(fsgs_decide(&r, FSGS_REPORT_MIN), 0);
	cr_expect_eq(r.verdict, UNKNOWN);
}

/* Each cause of `inconsistent` has its own reason and first step, whatever else is found. */
Test(decide, inconsistent_names_its_cause)
{
	static const struct {
		struct fsgs_report report;
		const char *reason, *step;
	} rows[] = {
		{{.cpus_differ = Y, .cpuid_faulting = Y}, "The CPUs of this machine", "nofsgsbase"},
		{{.samples_differ = Y}, "Repeated tests", "the machine changed"},
		{{.vantage = FSGS_VANTAGE_RING0, .samples_differ = Y},
		 "Repeated tests",
		 "the machine changed"},
		{{.vantage = FSGS_VANTAGE_RING0, .cpus_differ = Y},
		 "The CPUs of this machine",
		 "nofsgsbase"},
		{{.samples_differ = Y, .cpuid_fsgsbase = N},
		 "Repeated tests",
		 "the machine changed"},
		{{.samples_differ = Y, .cpuid_faulting = Y},
		 "Repeated tests",
		 "the machine changed"},
		{{.cpuid_fsgsbase = Y, .cpuid_faulting = Y}, "a tool intercepts CPUID", "debugger"},
		{{.cpuid_fsgsbase = N, .cpuid_faulting = Y}, "a tool intercepts CPUID", "debugger"},
		{{.cpuid_fsgsbase = N}, "CPUID does not offer", "--all-cpus"},
		{{.cpuid_fsgsbase = N, .cr4_write = FSGS_OUTCOME_OK},
		 "CPUID does not offer",
		 "--all-cpus"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fsgs_report r = rows[i].report;

		r.vantage = r.vantage ? r.vantage : FSGS_VANTAGE_PROCESS;
		r.mode = FSGS_MODE_64BIT;
		r.hwcap2_fsgsbase = Y;
		fsgs_decide(&r, sizeof r);
		cr_expect_eq(r.verdict, INCONSISTENT, "row %zu", i);
		cr_expect(strstr(fsgs_reason(&r, sizeof r), rows[i].reason), "row %zu: %s", i,
			  fsgs_reason(&r, sizeof r));
		cr_assert(fsgs_advice(&r, sizeof r, 0), "row %zu", i);
		cr_expect(strstr(fsgs_advice(&r, sizeof r, 0), rows[i].step), "row %zu: %s", i,
			  fsgs_advice(&r, sizeof r, 0));
	}
}

/* A verdict that only a newer library knows has the default reason, and no advice. */
Test(decide, words_for_an_unknown_verdict)
{
	struct fsgs_report r = {.verdict = 8};

	cr_expect_str_eq(fsgs_reason(&r, sizeof r), fsgs_reason(NULL, 0));
	cr_expect_str_eq(fsgs_reason(&r, FSGS_REPORT_MIN - 1), fsgs_reason(NULL, 0));
	cr_expect_null(fsgs_advice(&r, sizeof r, 0));
	cr_expect_null(fsgs_advice(NULL, sizeof r, 0));
	cr_expect_null(fsgs_advice(&r, FSGS_REPORT_MIN - 1, 0));
}

Test(decide, refuses_bad_calls)
{
	struct fsgs_report r = {0};

	cr_expect_eq(fsgs_decide(NULL, sizeof r), -22);
	cr_expect_eq(fsgs_decide(&r, FSGS_REPORT_MIN - 1), -22);
}

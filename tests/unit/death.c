/* SPDX-License-Identifier: MIT */
/* Tests the reason that `fsgscheck run` gives for the death of a program. */
#include <criterion/criterion.h>

#include <run/death.h>
#include <string.h>

#define Y    FSGS_ANSWER_YES
#define N    FSGS_ANSWER_NO
#define OK   FSGS_OUTCOME_OK
#define UD   FSGS_OUTCOME_UNDEFINED

#define INSN FSGS_INSN_WRGSBASE

/* fsgscheck's own trial says something about the program only if it holds for each CPU. */
Test(death, blames_a_tool_only_if_each_cpu_runs_the_instruction)
{
	static const struct {
		struct fault fault;
		uint32_t outcome, cpus_differ;
		const char *reason;
	} rows[] = {
		{{.cause = FAULT_UNDEFINED, .insn = INSN}, OK, N, "a tool or an emulator between"},
		{{.cause = FAULT_UNDEFINED, .insn = INSN}, OK, Y, "The CPUs of this machine"},
		{{.cause = FAULT_UNDEFINED, .insn = INSN}, OK, 0, "all four ran"},
		{{.cause = FAULT_UNDEFINED, .insn = INSN},
		 UD,
		 N,
		 "at least one of them does not work"},
		{{.cause = FAULT_UNDEFINED, .insn = INSN, .mode = FSGS_MODE_COMPAT},
		 OK,
		 N,
		 "Only 64-bit"},
		{{.cause = FAULT_VALUE, .insn = INSN}, OK, Y, "not a canonical address"},
		{{.cause = FAULT_CPUID}, OK, N, "CPUID faults in this process"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct death d = {.fault = rows[i].fault};
		struct fsgs_report r = {.vantage = FSGS_VANTAGE_PROCESS,
					.mode = FSGS_MODE_64BIT,
					.cpuid_fsgsbase = Y,
					.hwcap2_fsgsbase = Y,
					.cpus_differ = rows[i].cpus_differ};

		for (int insn = 0; insn < FSGS_INSNS; insn++)
			r.trials[insn].outcome = OK;
		r.trials[INSN].outcome = rows[i].outcome;
		fsgs_decide(&r, sizeof r);
		death_verdict(&d, &r);
		cr_expect(strstr(death_reason(&d, &r), rows[i].reason), "row %zu: %s", i,
			  death_reason(&d, &r));
	}
}

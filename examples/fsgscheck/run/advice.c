/* SPDX-License-Identifier: MIT */
/* Finds the reason why the instruction failed in this program, and the changes to the program that
 * help. Adds the changes to the machine that fsgs_advice() returns. */
#include "death.h"

#include <string.h>

/* Programs with a known switch that avoids the instructions. They are recognised by the beginning
 * of a module's, a function's or the thread's name. */
static const struct {
	const char *names[6];
	const char *step;
} programs[] = {
	{{"iwasm", "libiwasm", "libvmlib", "wasm_runtime_", "os_writegsbase"},
	 "This is WAMR. Rebuild it without writes to the GS base: cmake "
	 "-DWAMR_DISABLE_WRITE_GS_BASE=1. Do not compile modules for it with wamrc "
	 "--enable-segue."},
	{{"w2c_", "wasm_rt_"},
	 "This is code from wasm2c. Build it without Segue: -DWASM_RT_ALLOW_SEGUE=0. Or keep "
	 "Segue, and let wasm_rt_init() set wasm_rt_fsgsbase_inst_supported. If this variable is "
	 "false, the code calls arch_prctl."},
	{{"dmtcp", "libdmtcp", "mtcp_"},
	 "This is DMTCP. Run its configure script on this machine, without "
	 "--enable-fsgsbase-override."},
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_about(const struct death *d, const char *name)
{
	return begins(d->here.symbol, name) || begins(d->caller.symbol, name) ||
	       begins(base_name(d->here.module), name) || begins(d->name, name);
}

static const char *known_step(const struct death *d)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		for (const char *const *name = programs[i].names; *name; name++)
			if (is_about(d, *name))
				return programs[i].step;
	return NULL;
}

static const char *source_step(const struct death *d)
{
	static const char *const access[FSGS_INSNS] = {
		"In the program, replace the instruction with fsgs_get_base(FSGS_SEGMENT_FS, "
		"&base) of libfsgscheck. This function calls arch_prctl if the instruction does "
		"not work.",
		"In the program, replace the instruction with fsgs_get_base(FSGS_SEGMENT_GS, "
		"&base) of libfsgscheck. This function calls arch_prctl if the instruction does "
		"not work.",
		"In the program, replace the instruction with fsgs_set_base(FSGS_SEGMENT_FS, base) "
		"of libfsgscheck. This function calls arch_prctl if the instruction does not work.",
		"In the program, replace the instruction with fsgs_set_base(FSGS_SEGMENT_GS, base) "
		"of libfsgscheck. This function calls arch_prctl if the instruction does not work.",
	};

	switch (d->fault.cause) {
	case FAULT_CPUID:
		return "Run the program without the tool that makes CPUID fault in it.";
	case FAULT_VALUE:
		return "Correct the value in the program's source: bits 63 to 47 of an address "
		       "must be equal.";
	case FAULT_UNDEFINED:
		return d->fault.mode == FSGS_MODE_COMPAT
			       ? "Build the program as 64-bit code, or call set_thread_area(2) "
				 "instead."
			       : access[d->fault.insn];
	case FAULT_NONE:
		break;
	}
	return NULL;
}

const char *death_step(const struct death *d, const struct fsgs_report *report, uint32_t n)
{
	const char *const known = d->fault.cause == FAULT_UNDEFINED ? known_step(d) : NULL;
	const char *const source = source_step(d);

	if (known && n-- == 0)
		return known;
	if (source && n-- == 0)
		return source;
	/* The machine causes neither a wrong value nor CPUID faulting, so the advice for the
	 * machine does not help. */
	return d->fault.cause == FAULT_UNDEFINED ? fsgs_advice(report, sizeof *report, n) : NULL;
}

void death_verdict(const struct death *d, struct fsgs_report *report)
{
	if (d->fault.mode != FSGS_MODE_COMPAT)
		return;
	report->mode = FSGS_MODE_COMPAT;
	fsgs_decide(report, sizeof *report);
}

const char *death_reason(const struct death *d, const struct fsgs_report *report)
{
	if (d->fault.cause == FAULT_CPUID)
		return "CPUID faults in this process: a tool has disabled this instruction "
		       "with arch_prctl(ARCH_SET_CPUID).";
	if (d->fault.cause == FAULT_VALUE)
		return "The value is not a canonical address, so the instruction raises #GP, as it "
		       "must. The instruction itself works.";
	/* The outcomes are those of one CPU. */
	if (d->fault.mode != FSGS_MODE_COMPAT && report->cpus_differ == FSGS_ANSWER_NO &&
	    report->trials[d->fault.insn].outcome == FSGS_OUTCOME_OK)
		return "The instruction runs in fsgscheck on every CPU here, but not in this "
		       "program: a tool or an emulator between the program and the processor "
		       "refuses it.";
	return fsgs_reason(report, sizeof *report);
}

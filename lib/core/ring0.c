/* SPDX-License-Identifier: MIT */
/*
 * The walk through ring 0: executes the instructions with CR4.FSGSBASE clear, set, and clear again.
 *
 * A guest kernel relies on CPUID, sets CR4.FSGSBASE and executes the instructions. On a defective
 * host each of these steps can fail. So the walk announces each step before it, because the machine
 * may die in the step.
 *
 * An instruction is first executed with the value that its base already has. With FSGS_RING0_KEEP,
 * the walk writes no other value. Otherwise, it writes markers after it has executed each of the
 * four instructions once. So at each fault that must be expected, both bases still have the
 * caller's values, and the caller's exception handler may use them.
 */
#include "core.h"

#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define MSR_FS_BASE    0xc0000100u
#define MSR_GS_BASE    0xc0000101u

/* Canonical, with bit 31 set: a 32-bit write must clear the upper half, not extend the sign. No two
 * markers have a half in common, so a value left over from another write is noticed. */
#define MARKER_BY_MSR  UINT64_C(0x00003c5a96e1d287)
#define MARKER_BY_INSN UINT64_C(0x000012f0b4a5c36d)
#define MARKER_KEPT    UINT64_C(0x00006b1ef00d9a42)
#define LOW_HALF       UINT64_C(0xffffffff)

#define UNDEFINED      6 /* the vector of #UD */

struct walk {
	struct fsgs_report *report;
	const struct fsgs_core_ops *caller;
	struct fsgs_core_ops ops; /* the walk's own hooks, for functions of the core */
	uint64_t base[FSGS_SEGMENTS];
	int keep; /* write only the value that the base already has */
};

static void announce(const struct walk *walk, const char *text)
{
	if (walk->caller->step)
		walk->caller->step(walk->caller->context, text);
}

static int run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	const struct walk *walk = context;

	return fsgs_core_run(walk->caller, stub, io);
}

static int cpuid_of_caller(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct walk *walk = context;

	return walk->caller->cpuid(walk->caller->context, leaf, subleaf, regs);
}

static uint64_t msr_of(uint32_t segment)
{
	return segment == FSGS_SEGMENT_FS ? MSR_FS_BASE : MSR_GS_BASE;
}

static int read_base_msr(void *context, uint32_t segment, uint64_t *base)
{
	struct fsgs_stub io = {.in = {msr_of(segment)}};

	if (run(context, fsgs_stub_rdmsr, &io))
		return -1;
	*base = io.out[0];
	return 0;
}

static int write_base_msr(void *context, uint32_t segment, uint64_t base)
{
	struct fsgs_stub io = {.in = {msr_of(segment), base}};

	return run(context, fsgs_stub_wrmsr, &io) ? -1 : 0;
}

static uint32_t outcome_of(int faulted, const struct fsgs_stub *io)
{
	if (!faulted)
		return FSGS_OUTCOME_OK;
	return io->fault == UNDEFINED ? FSGS_OUTCOME_UNDEFINED : FSGS_OUTCOME_FAULTED;
}

/* Executes one instruction and stores its outcome in `trial`. The stub must leave the base as it
 * was, and store it in out[0]. */
static void sample_one(struct walk *walk, struct fsgs_trial *trial, fsgs_stub_fn *stub,
		       uint64_t base)
{
	struct fsgs_stub io = {0};
	const int faulted = run(walk, stub, &io);

	*trial = (struct fsgs_trial){.outcome = outcome_of(faulted, &io)};
	if (faulted) {
		trial->signal = io.fault;
		trial->code = io.code;
	} else if (io.out[0] != base) {
		trial->outcome = FSGS_OUTCOME_WRONG_VALUE;
	}
	trial->width = trial->outcome == FSGS_OUTCOME_OK ? 0 : 64;
}

/* Executes each instruction once. The writing instructions store the value that the base already
 * has. */
static void sample(struct walk *walk, struct fsgs_trial trials[FSGS_INSNS])
{
	const uint64_t fs = walk->base[FSGS_SEGMENT_FS], gs = walk->base[FSGS_SEGMENT_GS];

	announce(walk, "execute RDFSBASE");
	sample_one(walk, &trials[FSGS_INSN_RDFSBASE], fsgs_stub_rdfs64, fs);
	announce(walk, "execute RDGSBASE");
	sample_one(walk, &trials[FSGS_INSN_RDGSBASE], fsgs_stub_rdgs64, gs);
	announce(walk, "execute WRFSBASE");
	sample_one(walk, &trials[FSGS_INSN_WRFSBASE], fsgs_stub_rewrite_fs, fs);
	announce(walk, "execute WRGSBASE");
	sample_one(walk, &trials[FSGS_INSN_WRGSBASE], fsgs_stub_rewrite_gs, gs);
}

static int has_raised(uint32_t outcome)
{
	return outcome == FSGS_OUTCOME_UNDEFINED || outcome == FSGS_OUTCOME_FAULTED;
}

/* Samples the instructions while the CR4 bit is clear: once before the bit is set, and once after
 * it is cleared again. They must not run. If an instruction ran in the first sample, the second
 * does not replace that result. */
static void sample_cleared(struct walk *walk)
{
	struct fsgs_trial *const cleared = walk->report->cr4_cleared;
	struct fsgs_trial trials[FSGS_INSNS];

	sample(walk, trials);
	for (int i = 0; i < FSGS_INSNS; i++)
		if (cleared[i].outcome == FSGS_OUTCOME_NOT_TRIED || has_raised(cleared[i].outcome))
			cleared[i] = trials[i];
}

/* True if the instruction ran in both trials or in neither of them. */
static int agrees(const struct fsgs_trial *a, const struct fsgs_trial *b)
{
	/* A trial also tries a 32-bit form, which can fail on its own. */
	return a->width == 32 || has_raised(a->outcome) == has_raised(b->outcome);
}

static void compare_samples(struct walk *walk, const struct fsgs_trial sampled[FSGS_INSNS])
{
	for (int i = 0; i < FSGS_INSNS; i++)
		if (walk->report->cr4_set[i].outcome != FSGS_OUTCOME_NOT_TRIED &&
		    !agrees(&walk->report->cr4_set[i], &sampled[i]))
			walk->report->samples_differ = FSGS_ANSWER_YES;
}

/* Restores a base by the instruction, unless the instruction is undefined, and then by the MSR,
 * because a defective instruction may store a wrong value. */
static void put_back(struct walk *walk, uint32_t segment, enum fsgs_insn writer, fsgs_stub_fn *stub)
{
	struct fsgs_stub io = {.in = {walk->base[segment]}};

	if (walk->report->cr4_set[writer].outcome != FSGS_OUTCOME_UNDEFINED)
		(void)run(walk, stub, &io);
	(void)write_base_msr(walk, segment, walk->base[segment]);
}

static void put_back_bases(struct walk *walk)
{
	put_back(walk, FSGS_SEGMENT_FS, FSGS_INSN_WRFSBASE, fsgs_stub_wrfs64);
	put_back(walk, FSGS_SEGMENT_GS, FSGS_INSN_WRGSBASE, fsgs_stub_wrgs64);
}

static void blame(struct walk *walk, enum fsgs_insn insn, uint32_t outcome, uint32_t width)
{
	struct fsgs_trial *trial = &walk->report->cr4_set[insn];

	if (trial->outcome != FSGS_OUTCOME_OK)
		return;
	trial->outcome = outcome;
	trial->width = width;
}

static int all_ran(const struct walk *walk)
{
	for (int i = 0; i < FSGS_INSNS; i++)
		if (walk->report->cr4_set[i].outcome != FSGS_OUTCOME_OK)
			return 0;
	return 1;
}

/* Compares the instructions of one segment with its MSR. A fault is ignored here, because the last
 * sample of try_set() would notice it. */
static void check_msr(struct walk *walk, fsgs_stub_fn *stub, enum fsgs_insn rd, enum fsgs_insn wr)
{
	struct fsgs_stub io = {.in = {MARKER_BY_MSR, MARKER_BY_INSN}};

	if (run(walk, stub, &io))
		return;
	if (io.out[0] != MARKER_BY_MSR)
		blame(walk, rd, FSGS_OUTCOME_WRONG_VALUE, 64);
	if (io.out[1] != MARKER_BY_INSN)
		blame(walk, wr, FSGS_OUTCOME_WRONG_VALUE, 64);
	else if (io.out[2] != (MARKER_BY_INSN & LOW_HALF))
		blame(walk, wr, FSGS_OUTCOME_WRONG_VALUE, 32);
}

static void note_event(struct walk *walk, enum fsgs_event event, enum fsgs_insn writer, int kept)
{
	walk->report->survival_tried |= FSGS_EVENT_BIT(event);
	if (kept)
		return;
	walk->report->survival_lost |= FSGS_EVENT_BIT(event);
	blame(walk, writer, FSGS_OUTCOME_VALUE_LOST, 64);
}

static void check_exits(struct walk *walk, fsgs_stub_fn *stub, enum fsgs_insn writer)
{
	struct fsgs_stub io = {.in = {MARKER_KEPT}};

	if (run(walk, stub, &io))
		return;
	note_event(walk, FSGS_EVENT_CPUID, writer, io.out[0] == MARKER_KEPT);
	/* If CPUID lost the base, out[1] does not show what the read of the port did. */
	if (io.out[0] == MARKER_KEPT)
		note_event(walk, FSGS_EVENT_PORT, writer, io.out[1] == MARKER_KEPT);
}

static void check_halt(struct walk *walk)
{
	struct fsgs_stub fs = {.in = {MARKER_KEPT}}, gs = {.in = {MARKER_KEPT}};
	int halted;

	announce(walk, "both bases over HLT");
	halted = !run(walk, fsgs_stub_wrfs64, &fs) && !run(walk, fsgs_stub_wrgs64, &gs) &&
		 walk->caller->halt(walk->caller->context) == 0;
	if (!run(walk, fsgs_stub_rdfs64, &fs) && halted)
		note_event(walk, FSGS_EVENT_HALT, FSGS_INSN_WRFSBASE, fs.out[0] == MARKER_KEPT);
	if (!run(walk, fsgs_stub_rdgs64, &gs) && halted)
		note_event(walk, FSGS_EVENT_HALT, FSGS_INSN_WRGSBASE, gs.out[0] == MARKER_KEPT);
	put_back_bases(walk);
}

/* Runs the tests that need the CR4 bit set; with `keep`, only two samples. */
static void try_set(struct walk *walk)
{
	struct fsgs_report *report = walk->report;
	struct fsgs_trial sampled[FSGS_INSNS];

	if (walk->keep) {
		sample(walk, report->cr4_set);
		sample(walk, sampled);
		compare_samples(walk, sampled);
		return;
	}
	sample(walk, sampled);
	announce(walk, "markers in both bases and both widths");
	fsgs_core_trial(report, &walk->ops);
	put_back_bases(walk);
	compare_samples(walk, sampled);
	if (!all_ran(walk))
		return;

	announce(walk, "the instructions against MSR_FS_BASE");
	check_msr(walk, fsgs_stub_msr_fs, FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE);
	put_back_bases(walk);
	announce(walk, "the instructions against MSR_GS_BASE");
	check_msr(walk, fsgs_stub_msr_gs, FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE);
	put_back_bases(walk);
	announce(walk, "WRGSBASE of a non-canonical address, which must raise #GP");
	fsgs_core_canonical(report, &walk->ops);
	put_back_bases(walk);
	announce(walk, "the FS base over CPUID and port I/O");
	check_exits(walk, fsgs_stub_exits_fs, FSGS_INSN_WRFSBASE);
	put_back_bases(walk);
	announce(walk, "the GS base over CPUID and port I/O");
	check_exits(walk, fsgs_stub_exits_gs, FSGS_INSN_WRGSBASE);
	put_back_bases(walk);
	if (walk->caller->halt)
		check_halt(walk);
	sample(walk, sampled);
	compare_samples(walk, sampled);
}

static int read_cr4(struct walk *walk, uint64_t *cr4)
{
	struct fsgs_stub io = {0};

	if (run(walk, fsgs_stub_rdcr4, &io))
		return -1;
	*cr4 = io.out[0];
	return 0;
}

static uint32_t write_cr4(struct walk *walk, uint64_t cr4)
{
	struct fsgs_stub io = {.in = {cr4}};

	return outcome_of(run(walk, fsgs_stub_wrcr4, &io), &io);
}

static void try_on_and_off(struct walk *walk, uint64_t cr4)
{
	struct fsgs_report *report = walk->report;
	uint64_t after;

	announce(walk, "set CR4.FSGSBASE");
	report->cr4_write = write_cr4(walk, cr4 | CR4_FSGSBASE);
	if (report->cr4_write != FSGS_OUTCOME_OK)
		return;
	announce(walk, "read CR4 back");
	if (read_cr4(walk, &after) == 0) {
		report->cr4_sticks = after & CR4_FSGSBASE ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
		try_set(walk);
	}
	announce(walk, "clear CR4.FSGSBASE again: the instructions must raise #UD");
	if (write_cr4(walk, cr4 & ~CR4_FSGSBASE) == FSGS_OUTCOME_OK)
		sample_cleared(walk);
}

static void walk_cr4(struct walk *walk, uint32_t flags)
{
	struct fsgs_report *report = walk->report;
	const int offered = report->cpuid_fsgsbase == FSGS_ANSWER_YES;
	uint64_t cr4;

	announce(walk, "read CR4 and the bases");
	if (read_cr4(walk, &cr4))
		return;
	/* The caller's kernel uses the instructions, so the bit must not be cleared even for a
	 * moment. */
	if (walk->keep && (cr4 & CR4_FSGSBASE))
		return;
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		if (read_base_msr(walk, segment, &walk->base[segment]))
			return;

	if ((cr4 & CR4_FSGSBASE) && !offered) {
		/* CPUID does not offer the feature, so a write that sets the bit again may
		 * fault. */
		report->cr4_sticks = FSGS_ANSWER_YES;
		try_set(walk);
		return;
	}
	announce(walk, "CR4.FSGSBASE clear: the instructions must raise #UD");
	if ((cr4 & CR4_FSGSBASE) && write_cr4(walk, cr4 & ~CR4_FSGSBASE) != FSGS_OUTCOME_OK)
		return;
	sample_cleared(walk);
	if (offered || (flags & FSGS_RING0_FORCE))
		try_on_and_off(walk, cr4);
	if (cr4 & CR4_FSGSBASE)
		(void)write_cr4(walk, cr4);
}

int fsgs_core_ring0(struct fsgs_report *report, size_t size, const struct fsgs_core_ops *ops,
		    size_t ops_size, uint32_t flags)
{
	struct fsgs_report full;
	struct fsgs_core_ops caller;
	struct walk walk = {
		.report = &full, .caller = &caller, .keep = !!(flags & FSGS_RING0_KEEP)};

	if (!report || size < FSGS_REPORT_MIN || !ops || ops_size < FSGS_CORE_OPS_MIN ||
	    (flags & ~(uint32_t)(FSGS_RING0_FORCE | FSGS_RING0_KEEP)))
		return -FSGS_EINVAL;
	fsgs_copy_out(&caller, sizeof caller, ops, ops_size);
	fsgs_report_clear(&full);
	full.vantage = FSGS_VANTAGE_RING0;
	full.mode = FSGS_MODE_64BIT;
	walk.ops.context = &walk;
	walk.ops.run = run;
	walk.ops.cpuid = caller.cpuid ? cpuid_of_caller : NULL;
	walk.ops.get_base = read_base_msr;
	walk.ops.set_base = write_base_msr;

	announce(&walk, "CPUID");
	fsgs_core_cpuid(&full, &walk.ops);
	fsgs_core_identify(&full, &walk.ops);
	walk_cr4(&walk, flags);
	fsgs_copy_out(report, size, &full, sizeof full);
	return 0;
}

static int same_result(const struct fsgs_report *a, const struct fsgs_report *b)
{
	for (int i = 0; i < FSGS_INSNS; i++)
		if (a->cr4_set[i].outcome != b->cr4_set[i].outcome ||
		    a->cr4_cleared[i].outcome != b->cr4_cleared[i].outcome)
			return 0;
	return a->cpuid_fsgsbase == b->cpuid_fsgsbase && a->cr4_write == b->cr4_write &&
	       a->cr4_sticks == b->cr4_sticks && a->samples_differ == b->samples_differ &&
	       a->canonical_check == b->canonical_check;
}

int fsgs_core_ring0_same(const struct fsgs_report *a, const struct fsgs_report *b, size_t size)
{
	struct fsgs_report full_a, full_b;

	fsgs_report_load(&full_a, a, size);
	fsgs_report_load(&full_b, b, size);
	return same_result(&full_a, &full_b);
}

/* SPDX-License-Identifier: MIT */
/*
 * The trial: executes the four instructions and reports what happens.
 *
 * Before this code runs, the caller's guard must be in place, so that a stub that faults returns 1.
 * No interrupt or signal handler that uses FS or GS may run during the trial. Reading is tried
 * before writing, because the old base must be restored after a write. If the reading instruction
 * cannot give the old base, the caller's other access may give it. A base is never written if its
 * old value is not known.
 */
#include "core.h"

/* lib/core/stubs.S uses these offsets. */
_Static_assert(offsetof(struct fsgs_stub, in) == 0, "IN0");
_Static_assert(offsetof(struct fsgs_stub, out) == 16, "OUT0");
_Static_assert(offsetof(struct fsgs_stub, old) == 48, "OLD");
_Static_assert(offsetof(struct fsgs_stub, step) == 56, "STEP");
_Static_assert(offsetof(struct fsgs_stub, fault) == 64, "FAULT");

/* An address of the user half, canonical with every paging width. Its six nonzero bytes differ, so
 * a truncated, sign-extended or shifted copy has another value. */
#define MARKER64 UINT64_C(0x000051e7c3a59b20)
/* For the 32-bit form. Bit 31 is set, so that a sign extension is noticed. The bits above bit 31
 * must not reach the base. */
#define MARKER32 UINT64_C(0xd00dfeed8badf00d)
#define LOW_HALF UINT64_C(0xffffffff)

static struct fsgs_trial *trial_of(struct fsgs_report *report, enum fsgs_insn insn)
{
	return (report->vantage == FSGS_VANTAGE_RING0 ? report->cr4_set : report->trials) + insn;
}

/* The outcome is `undefined` for #UD (6) in ring 0, and for SIGILL (4) in a process. */
static uint32_t classify(const struct fsgs_stub *io, uint32_t vantage)
{
	const int32_t undefined = vantage == FSGS_VANTAGE_RING0 ? 6 : 4;

	return io->fault == undefined ? FSGS_OUTCOME_UNDEFINED : FSGS_OUTCOME_FAULTED;
}

static enum fsgs_insn reader(uint32_t segment)
{
	return segment == FSGS_SEGMENT_FS ? FSGS_INSN_RDFSBASE : FSGS_INSN_RDGSBASE;
}

static enum fsgs_insn writer(uint32_t segment)
{
	return segment == FSGS_SEGMENT_FS ? FSGS_INSN_WRFSBASE : FSGS_INSN_WRGSBASE;
}

static fsgs_stub_fn *write_stub(uint32_t segment)
{
	return segment == FSGS_SEGMENT_FS ? fsgs_stub_wrfs64 : fsgs_stub_wrgs64;
}

static fsgs_stub_fn *mark_stub(uint32_t segment)
{
	return segment == FSGS_SEGMENT_FS ? fsgs_stub_mark_fs : fsgs_stub_mark_gs;
}

static void set_fault(struct fsgs_trial *trial, const struct fsgs_stub *io, uint32_t vantage,
		      uint32_t width)
{
	trial->outcome = classify(io, vantage);
	trial->width = width;
	trial->signal = io->fault;
	trial->code = io->code;
}

static void set_value(struct fsgs_trial *trial, int right, uint32_t width)
{
	trial->outcome = right ? FSGS_OUTCOME_OK : FSGS_OUTCOME_WRONG_VALUE;
	trial->width = right ? 0 : width;
}

static int get_base(const struct fsgs_core_ops *ops, uint32_t segment, uint64_t *base)
{
	return ops->get_base ? ops->get_base(ops->context, segment, base) : -1;
}

/* Restores a base if the stub faulted before it restored the base, or if its restore stored a wrong
 * value. */
static void restore_base(const struct fsgs_core_ops *ops, uint32_t segment, uint64_t base)
{
	struct fsgs_stub io = {.in = {base}};

	(void)fsgs_core_run(ops, write_stub(segment), &io);
	if (ops->set_base)
		(void)ops->set_base(ops->context, segment, base);
}

/* Tries a writing instruction without its reading instruction, which faulted or gave a wrong value.
 * Writes the base that the other access gave, and reads the base back by that access. */
static void try_write_blind(struct fsgs_report *report, const struct fsgs_core_ops *ops,
			    uint32_t segment, uint64_t base)
{
	struct fsgs_trial *wr = trial_of(report, writer(segment));
	struct fsgs_stub io = {.in = {base}};
	uint64_t after;

	if (fsgs_core_run(ops, write_stub(segment), &io)) {
		set_fault(wr, &io, report->vantage, 64);
		return;
	}
	wr->outcome = FSGS_OUTCOME_OK;
	if (get_base(ops, segment, &after) || after == base)
		return;
	set_value(wr, 0, 64);
	if (ops->set_base)
		(void)ops->set_base(ops->context, segment, base);
}

/* try_write_blind() for FS. If WRFSBASE stores a wrong value, the base must be repaired before code
 * that uses FS runs. So WRFSBASE is tried only if the other access has just shown that it can
 * write. */
static void try_wrfs_blind(struct fsgs_report *report, const struct fsgs_core_ops *ops,
			   uint64_t base)
{
	if (!ops->set_base || ops->set_base(ops->context, FSGS_SEGMENT_FS, base))
		return;
	try_write_blind(report, ops, FSGS_SEGMENT_FS, base);
	(void)ops->set_base(ops->context, FSGS_SEGMENT_FS, base);
}

/* Tries RDFSBASE, then WRFSBASE with the value that the base already has: the code of a process
 * addresses thread-local storage, errno and the stack protector's canary through FS. */
static void try_fs(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	struct fsgs_trial *rd = trial_of(report, FSGS_INSN_RDFSBASE);
	struct fsgs_trial *wr = trial_of(report, FSGS_INSN_WRFSBASE);
	struct fsgs_stub io = {0};
	uint64_t base = 0;
	int known = get_base(ops, FSGS_SEGMENT_FS, &base) == 0;

	if (fsgs_core_run(ops, fsgs_stub_rdfs64, &io)) {
		set_fault(rd, &io, report->vantage, 64);
	} else {
		set_value(rd, !known || io.out[0] == base, 64);
		if (!known)
			base = io.out[0];
		known = 1;
	}
	if (!known)
		return;

	io.in[0] = base;
	if (rd->outcome != FSGS_OUTCOME_OK) {
		try_wrfs_blind(report, ops, base);
		return;
	}
	/* One stub writes the base and reads it back. If the write stored a wrong value, no code
	 * that uses FS may run before the repair. */
	if (!fsgs_core_run(ops, fsgs_stub_keep_fs, &io)) {
		set_value(wr, io.out[0] == base, 64);
		if (io.out[0] != base && ops->set_base)
			(void)ops->set_base(ops->context, FSGS_SEGMENT_FS, base);
	} else if (io.step == FSGS_STEP_WRITE64) {
		set_fault(wr, &io, report->vantage, 64);
	} else {
		set_fault(rd, &io, report->vantage, 64);
		wr->outcome = FSGS_OUTCOME_OK;
	}
}

/* Called if the marker stub did not fault. The values that the stub read show whether the reading
 * and the writing instruction are right. */
static void judge(struct fsgs_report *report, const struct fsgs_core_ops *ops, uint32_t segment,
		  const struct fsgs_stub *io, const uint64_t *known)
{
	struct fsgs_trial *rd = trial_of(report, reader(segment));
	struct fsgs_trial *wr = trial_of(report, writer(segment));
	const int marked64 = io->out[0] == MARKER64;
	const int marked32 = io->out[2] == (MARKER32 & LOW_HALF);

	if (known && io->old != *known) {
		if (!marked64 || !marked32) {
			/* The reading instruction returned a wrong old base and a wrong marker. The
			 * stub has restored that wrong base. */
			set_value(rd, 0, 64);
			if (ops->set_base)
				(void)ops->set_base(ops->context, segment, *known);
			try_write_blind(report, ops, segment, *known);
			return;
		}
		/* A reading instruction that returns both markers is right, so the other access is
		 * wrong. */
		report->fallback[segment] = FSGS_FALLBACK_LIES;
	}
	set_value(rd, io->out[1] == (io->out[0] & LOW_HALF), 32);
	set_value(wr, marked64, 64);
	if (marked64)
		set_value(wr, marked32, 32);
	if (io->out[3] != io->old) {
		set_value(wr, 0, 64);
		restore_base(ops, segment, io->old);
	}
}

/* One stub tries both instructions of a segment in both widths and restores the base. So no code
 * that may enter a kernel runs while the base is a marker. If the stub faults, its step says which
 * instruction faulted, and in which width. */
static void try_marked(struct fsgs_report *report, const struct fsgs_core_ops *ops,
		       uint32_t segment)
{
	struct fsgs_trial *rd = trial_of(report, reader(segment));
	struct fsgs_trial *wr = trial_of(report, writer(segment));
	struct fsgs_stub io = {.in = {MARKER64, MARKER32}};
	uint64_t base = 0;
	int known = get_base(ops, segment, &base) == 0;

	if (!fsgs_core_run(ops, mark_stub(segment), &io)) {
		judge(report, ops, segment, &io, known ? &base : NULL);
		return;
	}
	switch (io.step) {
	case FSGS_STEP_SAVE:
		set_fault(rd, &io, report->vantage, 64);
		if (known)
			try_write_blind(report, ops, segment, base);
		return;
	case FSGS_STEP_WRITE64:
		set_fault(wr, &io, report->vantage, 64);
		set_value(rd, !known || io.old == base, 64);
		return;
	case FSGS_STEP_READ32:
		set_fault(rd, &io, report->vantage, 32);
		set_value(wr, io.out[0] == MARKER64, 64);
		break;
	case FSGS_STEP_WRITE32:
		set_fault(wr, &io, report->vantage, 32);
		set_value(rd, io.out[1] == (io.out[0] & LOW_HALF), 32);
		break;
	case FSGS_STEP_RESTORE:
		set_fault(wr, &io, report->vantage, 64);
		rd->outcome = FSGS_OUTCOME_OK;
		break;
	default: /* a 64-bit read faulted after an earlier one ran */
		set_fault(rd, &io, report->vantage, 64);
		wr->outcome = FSGS_OUTCOME_OK;
		break;
	}
	restore_base(ops, segment, known ? base : io.old);
}

void fsgs_core_trial(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	for (int i = 0; i < FSGS_INSNS; i++)
		*trial_of(report, (enum fsgs_insn)i) = (struct fsgs_trial){0};
	if (report->vantage == FSGS_VANTAGE_RING0)
		try_marked(report, ops, FSGS_SEGMENT_FS); /* in ring 0, the core does not use FS */
	else
		try_fs(report, ops);
	try_marked(report, ops, FSGS_SEGMENT_GS);
}

void fsgs_core_canonical(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	struct fsgs_stub io = {0};

	if (trial_of(report, FSGS_INSN_RDGSBASE)->outcome != FSGS_OUTCOME_OK ||
	    trial_of(report, FSGS_INSN_WRGSBASE)->outcome != FSGS_OUTCOME_OK ||
	    fsgs_core_run(ops, fsgs_stub_rdgs64, &io))
		return;
	io.in[0] = UINT64_C(1) << 63;
	io.in[1] = io.out[0];
	if (!fsgs_core_run(ops, fsgs_stub_flash_gs, &io))
		report->canonical_check = FSGS_ANSWER_NO;
	else if (io.step == FSGS_STEP_WRITE64)
		report->canonical_check = FSGS_ANSWER_YES;
	else
		restore_base(ops, FSGS_SEGMENT_GS, io.in[1]);
}

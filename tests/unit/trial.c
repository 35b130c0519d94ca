/* SPDX-License-Identifier: MIT */
/* Tests the trial on simulated machines. Each of the four instructions may fault, return a wrong
 * value, or store nothing or a wrong value, some of this only in its 32-bit form. */
#include <criterion/criterion.h>

#include <core/stubs.h>
#include <string.h>

#define OK      FSGS_OUTCOME_OK
#define UD      FSGS_OUTCOME_UNDEFINED
#define GP      FSGS_OUTCOME_FAULTED
#define WRONG   FSGS_OUTCOME_WRONG_VALUE
#define UNDONE  FSGS_OUTCOME_NOT_TRIED

#define FS_BASE UINT64_C(0x00007f0012345680)
#define GS_BASE UINT64_C(0x0000123456789abc)

enum behaviour { WORKS = 0, FAULTS, LIES, FAULTS_32, LIES_32, SPOILS };

#define BEHAVIOURS 6u

struct machine {
	uint32_t insn[FSGS_INSNS]; /* enum behaviour */
	int signal;                /* the signal of a fault; in ring 0, its vector */
	int mute;                  /* get_base(), the second access, fails for GS */
	int other_lies;            /* get_base() gives a wrong base for GS */
	int checks_canonical;
	uint32_t vantage;
	int no_get, no_set;   /* the caller has no get_base(), no set_base() */
	int cannot_set;       /* set_base() fails */
	unsigned faults_once; /* instruction number n faults once; 0: none */
	unsigned executed;
	uint64_t base[FSGS_SEGMENTS];
};

static int instruction(struct machine *m, struct fsgs_stub *io, uint32_t insn, int width,
		       uint64_t *value)
{
	const enum behaviour does = m->insn[insn];
	uint64_t *const base = &m->base[insn & 1];
	const uint64_t operand = width == 32 ? *value & 0xffffffff : *value;

	if (does == FAULTS || (does == FAULTS_32 && width == 32) ||
	    ++m->executed == m->faults_once) {
		io->fault = m->signal;
		io->code = 2;
		return 1;
	}
	const int lies = does == LIES || (does == LIES_32 && width == 32);

	if (insn == FSGS_INSN_RDFSBASE || insn == FSGS_INSN_RDGSBASE) {
		*value = width == 32 ? *base & 0xffffffff : *base;
		if (lies)
			*value = width == 32 ? *base | 0xffffffff00000000 : 0x1111;
	} else if (m->checks_canonical && operand >> 47 && operand >> 47 != 0x1ffff) {
		io->fault = 11;
		io->code = 128;
		return 1;
	} else if (!lies) {
		*base = does == SPOILS ? operand ^ 0x20 : operand;
	}
	return 0;
}

#define STEP(number, insn, width, value)                          \
	do {                                                      \
		io->step = (number);                              \
		if (instruction(m, io, (insn), (width), (value))) \
			return 1;                                 \
	} while (0)

static int mark(struct machine *m, struct fsgs_stub *io, uint32_t rd, uint32_t wr)
{
	STEP(FSGS_STEP_SAVE, rd, 64, &io->old);
	STEP(FSGS_STEP_WRITE64, wr, 64, &io->in[0]);
	STEP(FSGS_STEP_READ64, rd, 64, &io->out[0]);
	STEP(FSGS_STEP_READ32, rd, 32, &io->out[1]);
	STEP(FSGS_STEP_WRITE32, wr, 32, &io->in[1]);
	STEP(FSGS_STEP_REREAD64, rd, 64, &io->out[2]);
	STEP(FSGS_STEP_RESTORE, wr, 64, &io->old);
	STEP(FSGS_STEP_VERIFY, rd, 64, &io->out[3]);
	return 0;
}

static int run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	struct machine *const m = context;

	if (stub == fsgs_stub_mark_fs)
		return mark(m, io, FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE);
	if (stub == fsgs_stub_mark_gs)
		return mark(m, io, FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE);
	if (stub == fsgs_stub_keep_fs) {
		STEP(FSGS_STEP_WRITE64, FSGS_INSN_WRFSBASE, 64, &io->in[0]);
		STEP(FSGS_STEP_READ64, FSGS_INSN_RDFSBASE, 64, &io->out[0]);
		return 0;
	}
	if (stub == fsgs_stub_flash_gs) {
		STEP(FSGS_STEP_WRITE64, FSGS_INSN_WRGSBASE, 64, &io->in[0]);
		STEP(FSGS_STEP_RESTORE, FSGS_INSN_WRGSBASE, 64, &io->in[1]);
		return 0;
	}
	if (stub == fsgs_stub_rdfs64)
		return instruction(m, io, FSGS_INSN_RDFSBASE, 64, &io->out[0]);
	if (stub == fsgs_stub_rdgs64)
		return instruction(m, io, FSGS_INSN_RDGSBASE, 64, &io->out[0]);
	if (stub == fsgs_stub_wrfs64)
		return instruction(m, io, FSGS_INSN_WRFSBASE, 64, &io->in[0]);
	if (stub == fsgs_stub_wrgs64)
		return instruction(m, io, FSGS_INSN_WRGSBASE, 64, &io->in[0]);
	cr_assert_fail("the model does not know this stub");
	return 1;
}

static int get_base(void *context, uint32_t segment, uint64_t *base)
{
	const struct machine *m = context;

	if (segment == FSGS_SEGMENT_GS && m->mute)
		return -1;
	*base = m->base[segment] + (segment == FSGS_SEGMENT_GS && m->other_lies ? 8 : 0);
	return 0;
}

static int set_base(void *context, uint32_t segment, uint64_t base)
{
	struct machine *const m = context;

	if (m->cannot_set)
		return -1;
	m->base[segment] = base;
	return 0;
}

static const struct fsgs_trial *trials_of(const struct fsgs_report *r)
{
	return r->vantage == FSGS_VANTAGE_RING0 ? r->cr4_set : r->trials;
}

static struct fsgs_report try_machine(struct machine *m)
{
	const struct fsgs_core_ops ops = {.context = m,
					  .run = run,
					  .get_base = m->no_get ? NULL : get_base,
					  .set_base = m->no_set ? NULL : set_base};
	struct fsgs_report r = {.vantage = m->vantage};

	if (!m->signal)
		m->signal = m->vantage == FSGS_VANTAGE_RING0 ? 6 : 4;
	m->base[FSGS_SEGMENT_FS] = FS_BASE;
	m->base[FSGS_SEGMENT_GS] = GS_BASE;
	fsgs_core_trial(&r, &ops);
	fsgs_core_canonical(&r, &ops);
	return r;
}

struct row {
	const char *name;
	struct machine machine;
	uint32_t outcomes[FSGS_INSNS];
	uint32_t width; /* the operand width of the form that failed */
};

/* clang-format off */
static const struct row rows[] = {
	{"all work", {.insn = {0}}, {OK, OK, OK, OK}, 0},
	{"none runs", {.insn = {FAULTS, FAULTS, FAULTS, FAULTS}}, {UD, UD, UD, UD}, 64},
	{"none runs, no other way", {.insn = {FAULTS, FAULTS, FAULTS, FAULTS}, .mute = 1}, {UD,
		UD, UD,
	 UNDONE}, 64},
	{"all raise SIGSEGV", {.insn = {FAULTS, FAULTS, FAULTS, FAULTS}, .signal = 11}, {GP, GP, GP,
	 GP}, 64},
	{"rdfsbase", {.insn = {FAULTS, 0, 0, 0}}, {UD, OK, OK, OK}, 64},
	{"rdgsbase", {.insn = {0, FAULTS, 0, 0}}, {OK, UD, OK, OK}, 64},
	{"wrfsbase", {.insn = {0, 0, FAULTS, 0}}, {OK, OK, UD, OK}, 64},
	{"wrgsbase", {.insn = {0, 0, 0, FAULTS}}, {OK, OK, OK, UD}, 64},
	{"wrgsbase, no other way", {.insn = {0, 0, 0, FAULTS}, .mute = 1}, {OK, OK, OK, UD}, 64},
	{"rdgsbase r32", {.insn = {0, FAULTS_32, 0, 0}}, {OK, UD, OK, OK}, 32},
	{"wrgsbase r32", {.insn = {0, 0, 0, FAULTS_32}}, {OK, OK, OK, UD}, 32},
	{"rdfsbase lies", {.insn = {LIES, 0, 0, 0}}, {WRONG, OK, OK, OK}, 64},
	{"rdgsbase lies", {.insn = {0, LIES, 0, 0}}, {OK, WRONG, OK, OK}, 64},
	{"wrgsbase stores nothing", {.insn = {0, 0, 0, LIES}}, {OK, OK, OK, WRONG}, 64},
	{"wrgsbase stores nothing, no other way", {.insn = {0, 0, 0, LIES}, .mute = 1}, {OK, OK, OK,
	 WRONG}, 64},
	{"rdgsbase r32 keeps the upper half", {.insn = {0, LIES_32, 0, 0}}, {OK, WRONG, OK, OK},
		32},
	{"wrgsbase r32 stores nothing", {.insn = {0, 0, 0, LIES_32}}, {OK, OK, OK, WRONG}, 32},
	{"the other way lies", {.insn = {0}, .other_lies = 1}, {OK, OK, OK, OK}, 0},
	{"wrfsbase stores something else", {.insn = {0, 0, SPOILS, 0}}, {OK, OK, WRONG, OK}, 64},
	{"the same, and rdfsbase does not run", {.insn = {FAULTS, 0, SPOILS, 0}}, {UD, OK, WRONG,
		OK},
	 64},
	{"ring 0: rdfsbase", {.insn = {FAULTS, 0, 0, 0}, .vantage = FSGS_VANTAGE_RING0}, {UD, OK,
		OK,
	 OK}, 64},
	{"ring 0: #GP", {.insn = {0, FAULTS, 0, 0}, .signal = 13, .vantage = FSGS_VANTAGE_RING0},
		{OK,
	 GP, OK, OK}, 64},
	{"ring 0: wrfsbase r32", {.insn = {0, 0, FAULTS_32, 0}, .vantage = FSGS_VANTAGE_RING0},
		{OK, OK,
	 UD, OK}, 32},
	{"no other way: all work", {.insn = {0}, .no_get = 1, .no_set = 1}, {OK, OK, OK, OK}, 0},
	{"no other way: none reads", {.insn = {FAULTS, FAULTS, 0, 0}, .no_get = 1, .no_set = 1},
		{UD, UD,
	 UNDONE, UNDONE}, 64},
	{"no other way: wrgsbase r32", {.insn = {0, 0, 0, FAULTS_32}, .no_get = 1, .no_set = 1},
		{OK, OK,
	 OK, UD}, 32},
	{"the other way cannot write", {.insn = {FAULTS, 0, 0, 0}, .cannot_set = 1}, {UD, OK,
		UNDONE,
	 OK}, 64},
	{"GS only", {.insn = {FAULTS, 0, FAULTS, 0}}, {UD, OK, UD, OK}, 64},
};
/* clang-format on */

Test(trial, each_instruction_on_its_own)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct machine m = rows[i].machine;
		struct fsgs_report r = try_machine(&m);

		for (uint32_t insn = 0; insn < FSGS_INSNS; insn++) {
			cr_expect_str_eq(fsgs_name(FSGS_LIST_OUTCOME, trials_of(&r)[insn].outcome),
					 fsgs_name(FSGS_LIST_OUTCOME, rows[i].outcomes[insn]),
					 "%s: %s", rows[i].name, fsgs_name(FSGS_LIST_INSN, insn));
			if (rows[i].outcomes[insn] != OK && rows[i].outcomes[insn] != UNDONE)
				cr_expect_eq(trials_of(&r)[insn].width, rows[i].width, "%s",
					     rows[i].name);
		}
		cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE, "%s: FS was left changed",
			     rows[i].name);
		cr_expect_eq(m.base[FSGS_SEGMENT_GS], GS_BASE, "%s: GS was left changed",
			     rows[i].name);
	}
}

/* With every combination of behaviours, the bases must be restored, except after a wrong value that
 * the trial cannot detect. */
Test(trial, bases_survive_everything)
{
	const unsigned combinations = BEHAVIOURS * BEHAVIOURS * BEHAVIOURS * BEHAVIOURS;

	for (unsigned code = 0; code < combinations * 4; code++) {
		struct machine m = {.mute = code / combinations % 2,
				    .checks_canonical = code / combinations >= 2};

		for (unsigned i = 0, rest = code; i < FSGS_INSNS; i++, rest /= BEHAVIOURS)
			m.insn[i] = rest % BEHAVIOURS;
		/* Without a second access, a wrong value of RDGSBASE cannot be detected, so the
		 * trial restores that value. */
		const int blind = m.mute && m.insn[FSGS_INSN_RDGSBASE] == LIES;

		try_machine(&m);
		cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE, "combination %u", code);
		cr_expect(m.base[FSGS_SEGMENT_GS] == GS_BASE || blind, "combination %u", code);
	}
}

Test(trial, the_other_way_is_caught)
{
	struct machine m = {.other_lies = 1};

	cr_expect_eq(try_machine(&m).fallback[FSGS_SEGMENT_GS], FSGS_FALLBACK_LIES);
	m.other_lies = 0;
	cr_expect_eq(try_machine(&m).fallback[FSGS_SEGMENT_GS], FSGS_FALLBACK_UNKNOWN);
}

Test(trial, canonical)
{
	struct machine checks = {.checks_canonical = 1}, accepts = {.checks_canonical = 0},
		       broken = {.insn = {0, 0, 0, FAULTS}};

	cr_expect_eq(try_machine(&checks).canonical_check, FSGS_ANSWER_YES);
	cr_expect_eq(try_machine(&accepts).canonical_check, FSGS_ANSWER_NO);
	cr_expect_eq(try_machine(&broken).canonical_check, FSGS_ANSWER_UNKNOWN);
}

/* In each run, one executed instruction of the trial faults: the first, then the second, and so on.
 * Both bases must be restored, and at most one of the four instructions may be blamed. */
Test(trial, any_instruction_may_fault_once)
{
	static const struct machine machines[] = {
		{.checks_canonical = 1},
		{.checks_canonical = 0},
		{.mute = 1},
		{.no_get = 1, .no_set = 1},
		{.vantage = FSGS_VANTAGE_RING0},
		{.vantage = FSGS_VANTAGE_RING0, .no_get = 1, .no_set = 1},
	};

	for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
		struct machine healthy = machines[i];

		try_machine(&healthy);
		cr_assert_gt(healthy.executed, 12);
		for (unsigned n = 1; n <= healthy.executed; n++) {
			struct machine m = machines[i];

			m.faults_once = n;

			const struct fsgs_report r = try_machine(&m);
			int blamed = 0;

			for (int insn = 0; insn < FSGS_INSNS; insn++)
				blamed += trials_of(&r)[insn].outcome != OK &&
					  trials_of(&r)[insn].outcome != UNDONE;
			cr_expect_leq(blamed, 1, "machine %zu, instruction %u", i, n);
			cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE,
				     "machine %zu, instruction %u", i, n);
			cr_expect_eq(m.base[FSGS_SEGMENT_GS], GS_BASE,
				     "machine %zu, instruction %u", i, n);
		}
	}
}

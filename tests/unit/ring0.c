/* SPDX-License-Identifier: MIT */
/* Tests fsgs_core_ring0() on simulated machines: a model of CPUID, CR4, the MSRs and the four
 * instructions, with known and possible defects of hosts. */
#include <criterion/criterion.h>

#include <core/stubs.h>
#include <string.h>

#define BIT        (UINT64_C(1) << 16)
#define CR4_BEFORE UINT64_C(0x1506b0)
#define FS_BASE    UINT64_C(0x00007f0012345680)
#define GS_BASE    UINT64_C(0xffff888012340000)
#define MSR_FS     0xc0000100u
#define VECTOR_UD  6
#define VECTOR_GP  13

enum cr4_write { ACCEPTS = 0, REFUSES, DROPS };

struct machine {
	/* The machine's properties. */
	int offers;           /* CPUID offers FSGSBASE */
	uint32_t max_leaf;    /* the highest leaf; 7 unless set */
	uint32_t cr4_write;   /* the effect of setting CR4.FSGSBASE: enum cr4_write */
	int never_clears;     /* once CR4.FSGSBASE was set, it stays in force, whatever CR4 shows */
	int runs_cleared;     /* the instructions run even if the real bit is clear */
	uint32_t undefined;   /* the instructions that raise #UD: bits of enum fsgs_insn */
	uint32_t wrong_32;    /* the instructions whose 32-bit form does not zero-extend */
	uint32_t wrong_store; /* the writing instructions that store a wrong base */
	int drops_32_late;    /* 32-bit writes do nothing in the stubs that read MSRs */
	int accepts_any;      /* no canonical check */
	int no_msr;           /* RDMSR and WRMSR of the bases fault */
	uint32_t msr_apart;   /* 1: WRMSR sets no base; 2: WR*BASE sets no MSR; 3: both */
	uint32_t loses;       /* the events that lose a base: bits of enum fsgs_event */
	int starts_set;       /* CR4 has the bit when the walk begins */
	int no_timer;         /* HLT cannot be tried */
	unsigned fails_after; /* after this many instructions, all later ones fail; 0: never */
	unsigned works_after; /* after this many instructions, all later ones work; 0: never */
	unsigned faults_once; /* stub number n faults, and the next one runs; 0: none faults */
	int bare;             /* the caller provides only the hooks `run` and `cpuid` */

	/* The machine's state. */
	uint64_t cr4, base[FSGS_SEGMENTS], msr[FSGS_SEGMENTS];
	int real_bit;
	unsigned executed, stubs, set_without_offer, strayed, cr4_writes;
	int cr4_faulted;
	const char *step;
};

static int fault(struct fsgs_stub *io, int vector)
{
	io->fault = vector;
	io->code = 0;
	return 1;
}

static int runs(struct machine *m, uint32_t insn)
{
	m->executed++;
	if (m->fails_after && m->executed > m->fails_after)
		return 0;
	if (m->works_after && m->executed > m->works_after)
		return 1;
	return (m->real_bit || m->runs_cleared) && !(m->undefined >> insn & 1);
}

static int execute(struct machine *m, struct fsgs_stub *io, uint32_t insn, int width,
		   uint64_t *value)
{
	uint64_t *const base = &m->base[insn & 1];
	uint64_t operand = width == 32 ? *value & 0xffffffff : *value;

	if (!runs(m, insn))
		return fault(io, VECTOR_UD);
	if (insn == FSGS_INSN_RDFSBASE || insn == FSGS_INSN_RDGSBASE) {
		*value = width == 32 && !(m->wrong_32 >> insn & 1) ? *base & 0xffffffff : *base;
		return 0;
	}
	if (width == 32 && (m->wrong_32 >> insn & 1))
		operand = *value;
	if (!m->accepts_any && operand >> 47 && operand >> 47 != 0x1ffff)
		return fault(io, VECTOR_GP);
	if (m->wrong_store >> insn & 1)
		operand ^= 0x1000;
	if (*base != operand)
		m->strayed++;
	*base = operand;
	if (!(m->msr_apart & 2))
		m->msr[insn & 1] = operand;
	return 0;
}

static int read_msr(struct machine *m, struct fsgs_stub *io, uint32_t segment, uint64_t *value)
{
	if (m->no_msr)
		return fault(io, VECTOR_GP);
	*value = m->msr[segment];
	return 0;
}

static int write_msr(struct machine *m, struct fsgs_stub *io, uint32_t segment, uint64_t value)
{
	if (m->no_msr)
		return fault(io, VECTOR_GP);
	m->msr[segment] = value;
	if (!(m->msr_apart & 1))
		m->base[segment] = value;
	return 0;
}

static int write_cr4(struct machine *m, struct fsgs_stub *io, uint64_t value)
{
	const int sets = (value & BIT) && !(m->cr4 & BIT);

	m->cr4_writes++;
	if (sets && !m->offers)
		m->set_without_offer++;
	if (sets && m->cr4_write == REFUSES)
		return fault(io, VECTOR_GP);
	if (m->cr4_write == DROPS)
		value &= ~BIT;
	m->cr4 = value;
	m->real_bit = (value & BIT) || (m->never_clears && m->real_bit);
	return 0;
}

#define TRY(call)                 \
	do {                      \
		if (call)         \
			return 1; \
	} while (0)
#define STEP(number, insn, width, value)                     \
	do {                                                 \
		io->step = (number);                         \
		TRY(execute(m, io, (insn), (width), value)); \
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

static int rewrite(struct machine *m, struct fsgs_stub *io, uint32_t wr)
{
	const uint32_t segment = wr & 1;

	TRY(read_msr(m, io, segment, &io->old));
	STEP(4, wr, 64, &io->old);
	TRY(read_msr(m, io, segment, &io->out[0]));
	return io->out[0] == io->old ? 0 : write_msr(m, io, segment, io->old);
}

static int against_msr(struct machine *m, struct fsgs_stub *io, uint32_t rd, uint32_t wr)
{
	const uint32_t segment = rd & 1;

	TRY(read_msr(m, io, segment, &io->old));
	TRY(write_msr(m, io, segment, io->in[0]));
	STEP(3, rd, 64, &io->out[0]);
	STEP(4, wr, 64, &io->in[1]);
	TRY(read_msr(m, io, segment, &io->out[1]));
	if (!m->drops_32_late)
		STEP(5, wr, 32, &io->in[1]);
	TRY(read_msr(m, io, segment, &io->out[2]));
	return write_msr(m, io, segment, io->old);
}

static void event(struct machine *m, uint32_t which, uint32_t segment)
{
	if (m->loses & which)
		m->base[segment] = m->msr[segment] = 0;
}

static int exits(struct machine *m, struct fsgs_stub *io, uint32_t rd, uint32_t wr)
{
	STEP(FSGS_STEP_SAVE, rd, 64, &io->old);
	STEP(FSGS_STEP_WRITE64, wr, 64, &io->in[0]);
	event(m, FSGS_EVENT_BIT(FSGS_EVENT_CPUID), rd & 1);
	STEP(FSGS_STEP_READ64, rd, 64, &io->out[0]);
	event(m, FSGS_EVENT_BIT(FSGS_EVENT_PORT), rd & 1);
	STEP(FSGS_STEP_REREAD64, rd, 64, &io->out[1]);
	STEP(FSGS_STEP_RESTORE, wr, 64, &io->old);
	return 0;
}

/* The step that was announced last before a stub runs must name the stub. So if the machine dies in
 * the stub, its log shows where. */
static const struct {
	fsgs_stub_fn *stub;
	const char *step, *or_step;
} announced[] = {
	{fsgs_stub_rdfs64, "RDFSBASE", "HLT"},
	{fsgs_stub_rdgs64, "RDGSBASE", "HLT"},
	{fsgs_stub_rewrite_fs, "WRFSBASE", NULL},
	{fsgs_stub_rewrite_gs, "WRGSBASE", NULL},
	{fsgs_stub_mark_fs, "markers", NULL},
	{fsgs_stub_mark_gs, "markers", NULL},
	{fsgs_stub_msr_fs, "MSR_FS_BASE", NULL},
	{fsgs_stub_msr_gs, "MSR_GS_BASE", NULL},
	{fsgs_stub_flash_gs, "non-canonical", NULL},
	{fsgs_stub_exits_fs, "FS base over CPUID", NULL},
	{fsgs_stub_exits_gs, "GS base over CPUID", NULL},
};

static void check_announced(const struct machine *m, fsgs_stub_fn *stub)
{
	for (size_t i = 0; i < sizeof announced / sizeof *announced; i++)
		if (stub == announced[i].stub)
			cr_expect(strstr(m->step, announced[i].step) ||
					  (announced[i].or_step &&
					   strstr(m->step, announced[i].or_step)) ||
					  strstr(m->step, "non-canonical"),
				  "stub %zu was announced as '%s'", i, m->step);
}

static int run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	struct machine *const m = context;
	const uint32_t segment = io->in[0] == MSR_FS ? FSGS_SEGMENT_FS : FSGS_SEGMENT_GS;

	if (!m->bare)
		check_announced(m, stub);
	if (++m->stubs == m->faults_once) {
		m->cr4_faulted = stub == fsgs_stub_wrcr4;
		return fault(io, VECTOR_GP);
	}
	if (stub == fsgs_stub_rdcr4) {
		io->out[0] = m->cr4;
		return 0;
	}
	if (stub == fsgs_stub_wrcr4)
		return write_cr4(m, io, io->in[0]);
	if (stub == fsgs_stub_rdmsr)
		return read_msr(m, io, segment, &io->out[0]);
	if (stub == fsgs_stub_wrmsr)
		return write_msr(m, io, segment, io->in[1]);
	if (stub == fsgs_stub_mark_fs)
		return mark(m, io, FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE);
	if (stub == fsgs_stub_mark_gs)
		return mark(m, io, FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE);
	if (stub == fsgs_stub_rewrite_fs)
		return rewrite(m, io, FSGS_INSN_WRFSBASE);
	if (stub == fsgs_stub_rewrite_gs)
		return rewrite(m, io, FSGS_INSN_WRGSBASE);
	if (stub == fsgs_stub_msr_fs)
		return against_msr(m, io, FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE);
	if (stub == fsgs_stub_msr_gs)
		return against_msr(m, io, FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE);
	if (stub == fsgs_stub_exits_fs)
		return exits(m, io, FSGS_INSN_RDFSBASE, FSGS_INSN_WRFSBASE);
	if (stub == fsgs_stub_exits_gs)
		return exits(m, io, FSGS_INSN_RDGSBASE, FSGS_INSN_WRGSBASE);
	if (stub == fsgs_stub_flash_gs) {
		STEP(FSGS_STEP_WRITE64, FSGS_INSN_WRGSBASE, 64, &io->in[0]);
		STEP(FSGS_STEP_RESTORE, FSGS_INSN_WRGSBASE, 64, &io->in[1]);
		return 0;
	}
	if (stub == fsgs_stub_rdfs64)
		return execute(m, io, FSGS_INSN_RDFSBASE, 64, &io->out[0]);
	if (stub == fsgs_stub_rdgs64)
		return execute(m, io, FSGS_INSN_RDGSBASE, 64, &io->out[0]);
	if (stub == fsgs_stub_wrfs64)
		return execute(m, io, FSGS_INSN_WRFSBASE, 64, &io->in[0]);
	if (stub == fsgs_stub_wrgs64)
		return execute(m, io, FSGS_INSN_WRGSBASE, 64, &io->in[0]);
	cr_assert_fail("the model does not know this stub");
	return 1;
}

static int cpuid(void *context, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct machine *m = context;

	(void)subleaf;
	memset(regs, 0, 4 * sizeof *regs);
	if (leaf == 0)
		regs[0] = m->max_leaf;
	if (leaf == 7)
		regs[1] = m->offers ? 1 : 0;
	return 0;
}

static void step(void *context, const char *text)
{
	struct machine *const m = context;

	m->step = text;
	/* This hook may use the bases, for example when a kernel prints in it. So both bases must
	 * have their original values. */
	cr_expect_eq(m->base[FSGS_SEGMENT_FS], FS_BASE, "before '%s'", text);
	cr_expect_eq(m->base[FSGS_SEGMENT_GS], GS_BASE, "before '%s'", text);
}

static int halt(void *context)
{
	struct machine *const m = context;

	cr_expect(strstr(m->step, "HLT"));
	cr_expect_neq(m->base[FSGS_SEGMENT_FS], FS_BASE);
	cr_expect_neq(m->base[FSGS_SEGMENT_GS], GS_BASE);
	if (m->no_timer)
		return -1;
	event(m, FSGS_EVENT_BIT(FSGS_EVENT_HALT), FSGS_SEGMENT_FS);
	event(m, FSGS_EVENT_BIT(FSGS_EVENT_HALT), FSGS_SEGMENT_GS);
	return 0;
}

static struct fsgs_core_ops switched_on(struct machine *m)
{
	if (!m->max_leaf)
		m->max_leaf = 7;
	m->cr4 = CR4_BEFORE & ~BIT;
	if (m->starts_set) {
		m->cr4 |= BIT;
		m->real_bit = 1;
	}
	m->base[FSGS_SEGMENT_FS] = m->msr[FSGS_SEGMENT_FS] = FS_BASE;
	m->base[FSGS_SEGMENT_GS] = m->msr[FSGS_SEGMENT_GS] = GS_BASE;
	return (struct fsgs_core_ops){.context = m,
				      .run = run,
				      .cpuid = cpuid,
				      .step = m->bare ? NULL : step,
				      .halt = m->bare ? NULL : halt};
}

static struct fsgs_report walk(struct machine *m, uint32_t flags)
{
	const struct fsgs_core_ops ops = switched_on(m);
	struct fsgs_report r;

	memset(&r, 0xff, sizeof r);
	cr_assert_eq(fsgs_core_ring0(&r, sizeof r, &ops, sizeof ops, flags), 0);
	cr_assert_eq(fsgs_decide(&r, sizeof r), 0);
	return r;
}

#define ALL       0xfu
#define ONE(insn) (1u << FSGS_INSN_##insn)
#define F(name)   FSGS_FINDING_BIT(FSGS_FINDING_##name)
#define NONE      0

struct row {
	const char *name;
	struct machine machine;
	uint32_t flags;
	uint32_t verdict;
	uint64_t findings;
};

/* clang-format off */
static const struct row rows[] = {
	{"R1 healthy", {.offers = 1}, 0, FSGS_VERDICT_USABLE, NONE},
	{"R1 enabled by firmware", {.offers = 1, .starts_set = 1}, 0, FSGS_VERDICT_USABLE, NONE},
	{"R1 without a timer", {.offers = 1, .no_timer = 1}, 0, FSGS_VERDICT_USABLE, NONE},
	{"R1 no canonical check", {.offers = 1, .accepts_any = 1}, 0, FSGS_VERDICT_USABLE,
	 F(NO_CANONICAL_CHECK)},
	{"R2 the report", {.offers = 1, .undefined = ALL}, 0, FSGS_VERDICT_BROKEN, F(INSN_UD)},
	{"R3 refused", {.offers = 1, .cr4_write = REFUSES}, 0, FSGS_VERDICT_BROKEN, F(CR4_REFUSED)},
	{"R4 dropped", {.offers = 1, .cr4_write = DROPS}, 0, FSGS_VERDICT_BROKEN, F(CR4_DROPPED)},
	{"R5 not enforced", {.offers = 1, .runs_cleared = 1}, 0, FSGS_VERDICT_USABLE,
	 F(CR4_UNENFORCED)},
	{"R5 not enforced once set", {.offers = 1, .never_clears = 1}, 0, FSGS_VERDICT_USABLE,
	 F(CR4_UNENFORCED)},
	{"R6 not offered", {.offers = 0}, 0, FSGS_VERDICT_UNSUPPORTED, NONE},
	{"R6 below leaf 7", {.offers = 1, .max_leaf = 6}, 0, FSGS_VERDICT_UNSUPPORTED, NONE},
	{"R6 forced and refused", {.offers = 0, .cr4_write = REFUSES}, FSGS_RING0_FORCE,
	 FSGS_VERDICT_UNSUPPORTED, NONE},
	{"R7 hidden and live", {.runs_cleared = 1}, 0, FSGS_VERDICT_UNADVERTISED, NONE},
	{"R7 hidden and set", {.starts_set = 1}, 0, FSGS_VERDICT_UNADVERTISED, NONE},
	{"R7 hidden and settable", {.offers = 0}, FSGS_RING0_FORCE, FSGS_VERDICT_UNADVERTISED,
		NONE},
	{"R8 rdfsbase", {.offers = 1, .undefined = ONE(RDFSBASE)}, 0, FSGS_VERDICT_BROKEN,
		F(INSN_UD)},
	{"R8 rdgsbase", {.offers = 1, .undefined = ONE(RDGSBASE)}, 0, FSGS_VERDICT_BROKEN,
		F(INSN_UD)},
	{"R8 wrfsbase", {.offers = 1, .undefined = ONE(WRFSBASE)}, 0, FSGS_VERDICT_BROKEN,
		F(INSN_UD)},
	{"R8 wrgsbase", {.offers = 1, .undefined = ONE(WRGSBASE)}, 0, FSGS_VERDICT_BROKEN,
		F(INSN_UD)},
	{"R8 rdfsbase r32", {.offers = 1, .wrong_32 = ONE(RDFSBASE)}, 0, FSGS_VERDICT_BROKEN, NONE},
	{"R8 wrfsbase r32", {.offers = 1, .wrong_32 = ONE(WRFSBASE)}, 0, FSGS_VERDICT_BROKEN, NONE},
	{"R8 r32 stores nothing where the MSR looks", {.offers = 1, .drops_32_late = 1}, 0,
	 FSGS_VERDICT_BROKEN, NONE},
	{"R8 WRMSR is not seen", {.offers = 1, .msr_apart = 1}, 0, FSGS_VERDICT_BROKEN, NONE},
	{"R8 RDMSR does not see", {.offers = 1, .msr_apart = 2}, 0, FSGS_VERDICT_BROKEN, NONE},
	{"R8 the MSRs are others", {.offers = 1, .msr_apart = 3}, 0, FSGS_VERDICT_BROKEN, NONE},
	{"R8 lost by CPUID", {.offers = 1, .loses = FSGS_EVENT_BIT(FSGS_EVENT_CPUID)}, 0,
		FSGS_VERDICT_BROKEN,
	 F(VALUE_LOST)},
	{"R8 lost by a port", {.offers = 1, .loses = FSGS_EVENT_BIT(FSGS_EVENT_PORT)}, 0,
		FSGS_VERDICT_BROKEN,
	 F(VALUE_LOST)},
	{"R8 lost by HLT", {.offers = 1, .loses = FSGS_EVENT_BIT(FSGS_EVENT_HALT)}, 0,
		FSGS_VERDICT_BROKEN,
	 F(VALUE_LOST)},
	{"R8 lost by CPUID and by HLT", {.offers = 1, .loses = FSGS_EVENT_BIT(FSGS_EVENT_CPUID) |
		FSGS_EVENT_BIT(FSGS_EVENT_HALT)}, 0,
	 FSGS_VERDICT_BROKEN, F(VALUE_LOST)},
	/* The first sample is four instructions with the bit clear, the second sample four with the
	 * bit set. */
	{"R10 stops after a sample", {.offers = 1, .fails_after = 8}, 0, FSGS_VERDICT_INCONSISTENT,
	 F(INSN_UD)},
	{"R10 begins after a sample", {.offers = 1, .undefined = ALL, .works_after = 8}, 0,
	 FSGS_VERDICT_INCONSISTENT, F(CR4_UNENFORCED)},
	{"R8 wrfsbase stores another", {.offers = 1, .wrong_store = ONE(WRFSBASE)}, 0,
	 FSGS_VERDICT_BROKEN, NONE},
	{"kept R1 healthy", {.offers = 1}, FSGS_RING0_KEEP, FSGS_VERDICT_USABLE, NONE},
	{"kept R2 the report", {.offers = 1, .undefined = ALL}, FSGS_RING0_KEEP,
		FSGS_VERDICT_BROKEN,
	 F(INSN_UD)},
	{"kept R3 refused", {.offers = 1, .cr4_write = REFUSES}, FSGS_RING0_KEEP,
		FSGS_VERDICT_BROKEN,
	 F(CR4_REFUSED)},
	{"kept R4 dropped", {.offers = 1, .cr4_write = DROPS}, FSGS_RING0_KEEP, FSGS_VERDICT_BROKEN,
	 F(CR4_DROPPED)},
	{"kept R5 not enforced", {.offers = 1, .runs_cleared = 1}, FSGS_RING0_KEEP,
		FSGS_VERDICT_USABLE,
	 F(CR4_UNENFORCED)},
	{"kept R6 not offered", {.offers = 0}, FSGS_RING0_KEEP, FSGS_VERDICT_UNSUPPORTED, NONE},
	{"kept R8 wrgsbase", {.offers = 1, .undefined = ONE(WRGSBASE)}, FSGS_RING0_KEEP,
	 FSGS_VERDICT_BROKEN, F(INSN_UD)},
	{"kept R8 wrfsbase stores another", {.offers = 1, .wrong_store = ONE(WRFSBASE)},
	 FSGS_RING0_KEEP, FSGS_VERDICT_BROKEN, NONE},
	{"kept R8 wrgsbase stores another", {.offers = 1, .wrong_store = ONE(WRGSBASE)},
	 FSGS_RING0_KEEP, FSGS_VERDICT_BROKEN, NONE},
	{"kept R10 stops after a sample", {.offers = 1, .fails_after = 8}, FSGS_RING0_KEEP,
	 FSGS_VERDICT_INCONSISTENT, NONE},
	{"kept in use", {.offers = 1, .starts_set = 1}, FSGS_RING0_KEEP, FSGS_VERDICT_UNKNOWN,
		NONE},
	{"kept hidden and set", {.starts_set = 1}, FSGS_RING0_KEEP, FSGS_VERDICT_UNSUPPORTED, NONE},
	{"no hooks", {.offers = 1, .bare = 1}, 0, FSGS_VERDICT_USABLE, NONE},
	{"no MSRs", {.offers = 1, .no_msr = 1}, 0, FSGS_VERDICT_UNKNOWN, NONE},
};
/* clang-format on */

Test(ring0, rows)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct machine m = rows[i].machine;
		const struct fsgs_report r = walk(&m, rows[i].flags);
		const uint64_t before = CR4_BEFORE & ~BIT;

		cr_expect_str_eq(fsgs_name(FSGS_LIST_VERDICT, r.verdict),
				 fsgs_name(FSGS_LIST_VERDICT, rows[i].verdict), "%s", rows[i].name);
		cr_expect_eq(r.findings, rows[i].findings, "%s: findings %#lx", rows[i].name,
			     (unsigned long)r.findings);
		cr_expect_eq(m.cr4, m.starts_set ? before | BIT : before,
			     "%s: CR4 was left changed", rows[i].name);
		if ((rows[i].flags & FSGS_RING0_KEEP) && !m.wrong_store)
			cr_expect_eq(m.strayed, 0, "%s: a base changed", rows[i].name);
		if (!(rows[i].flags & FSGS_RING0_FORCE))
			cr_expect_eq(m.set_without_offer, 0, "%s", rows[i].name);
		cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE, "%s", rows[i].name);
		cr_expect_eq(m.base[FSGS_SEGMENT_GS], GS_BASE, "%s", rows[i].name);
	}
}

/* A kernel that has set the bit may use the instructions at any time, even in an NMI. So with
 * FSGS_RING0_KEEP, the walk must not change CR4. */
Test(ring0, takes_nothing_from_a_kernel_that_uses_it)
{
	for (int offers = 0; offers < 2; offers++) {
		struct machine m = {.offers = offers, .starts_set = 1};
		const struct fsgs_report r = walk(&m, FSGS_RING0_KEEP);

		cr_expect_eq(m.cr4_writes, 0);
		cr_expect_eq(m.executed, 0);
		cr_expect_eq(r.cr4_write, FSGS_OUTCOME_NOT_TRIED);
		cr_expect_eq(r.proof, FSGS_PROOF_ADVERTISED);
	}
}

/* If the machine begins to fail at any instruction, the bases and CR4 must be restored, and the
 * verdict must not be usable. */
Test(ring0, failing_at_any_instruction)
{
	struct machine healthy = {.offers = 1};

	walk(&healthy, 0);
	/* The walk tries the last four instructions with the bit clear, so they must fault. */
	for (unsigned n = 1; n < healthy.executed - 4; n++) {
		struct machine m = {.offers = 1, .fails_after = n};
		const struct fsgs_report r = walk(&m, 0);

		cr_expect_neq(r.verdict, FSGS_VERDICT_USABLE, "after %u of %u", n,
			      healthy.executed);
		cr_expect_eq(m.cr4, CR4_BEFORE & ~BIT, "after %u", n);
		cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE, "after %u", n);
		cr_expect_eq(m.base[FSGS_SEGMENT_GS], GS_BASE, "after %u", n);
	}
}

/* If any one stub faults once, the bases must be restored. CR4 must be restored, too, unless the
 * fault was in a stub that writes CR4. */
Test(ring0, any_stub_may_fault_once)
{
	static const struct {
		struct machine machine;
		uint32_t flags;
	} walks[] = {
		{{.offers = 1}, 0},
		{{.offers = 1, .starts_set = 1}, 0},
		{{.offers = 1}, FSGS_RING0_KEEP},
		{{.offers = 0}, FSGS_RING0_FORCE},
		{{.starts_set = 1}, 0},
	};

	for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
		struct machine healthy = walks[i].machine;

		walk(&healthy, walks[i].flags);
		for (unsigned n = 1; n <= healthy.stubs; n++) {
			struct machine m = walks[i].machine;

			m.faults_once = n;
			walk(&m, walks[i].flags);
			cr_expect_eq(m.base[FSGS_SEGMENT_FS], FS_BASE, "walk %zu, stub %u", i, n);
			cr_expect_eq(m.base[FSGS_SEGMENT_GS], GS_BASE, "walk %zu, stub %u", i, n);
			cr_expect(m.cr4_faulted || !(m.cr4 & BIT) == !m.starts_set,
				  "walk %zu, stub %u: CR4 was left changed", i, n);
		}
	}
}

Test(ring0, tries_the_events_that_it_can)
{
	struct machine with = {.offers = 1}, without = {.offers = 1, .no_timer = 1};

	cr_expect_eq(walk(&with, 0).survival_tried, FSGS_EVENT_BIT(FSGS_EVENT_CPUID) |
							    FSGS_EVENT_BIT(FSGS_EVENT_PORT) |
							    FSGS_EVENT_BIT(FSGS_EVENT_HALT));
	cr_expect_eq(walk(&without, 0).survival_tried,
		     FSGS_EVENT_BIT(FSGS_EVENT_CPUID) | FSGS_EVENT_BIT(FSGS_EVENT_PORT));
}

Test(ring0, refuses_unknown_flags)
{
	const struct fsgs_core_ops ops = {.run = run};
	struct fsgs_report r = {.verdict = 1234};

	cr_expect_eq(fsgs_core_ring0(&r, sizeof r, &ops, sizeof ops,
				     ~(uint32_t)(FSGS_RING0_FORCE | FSGS_RING0_KEEP)),
		     -22);
	cr_expect_eq(r.verdict, 1234);
}

/* An older kernel gets the members that it knows. A newer kernel gets zeroes in the members that
 * the library does not know. */
Test(ring0, every_size_of_report)
{
	struct machine m = {.offers = 1};
	const struct fsgs_core_ops ops = switched_on(&m);
	struct fsgs_report whole;
	unsigned char room[sizeof whole + 64];

	cr_expect_eq(fsgs_core_ring0(&whole, FSGS_REPORT_MIN - 1, &ops, sizeof ops, 0), -22);
	cr_assert_eq(fsgs_core_ring0(&whole, sizeof whole, &ops, sizeof ops, 0), 0);
	for (size_t size = FSGS_REPORT_MIN; size <= sizeof room; size++) {
		memset(room, 0x5a, sizeof room);
		cr_assert_eq(fsgs_core_ring0((void *)room, size, &ops, sizeof ops, 0), 0);
		cr_expect_eq(memcmp(room, &whole, size < sizeof whole ? size : sizeof whole), 0,
			     "size %zu", size);
		for (size_t i = sizeof whole; i < size; i++)
			cr_assert_eq(room[i], 0);
		for (size_t i = size; i < sizeof room; i++)
			cr_assert_eq(room[i], 0x5a, "size %zu: byte %zu was written", size, i);
		cr_expect(fsgs_core_ring0_same((void *)room, &whole, size));
	}
}

/* The library must not call hooks that an older caller does not know, whatever the memory behind
 * the caller's structure contains. */
Test(ring0, every_size_of_hooks)
{
	const size_t known = offsetof(struct fsgs_core_ops, get_base);

	for (size_t size = known; size <= sizeof(struct fsgs_core_ops) + 64;
	     size += sizeof(void *)) {
		struct machine m = {.offers = 1};
		const struct fsgs_core_ops all = switched_on(&m);
		unsigned char room[sizeof all + 64];
		struct fsgs_report r;

		m.bare = size <= offsetof(struct fsgs_core_ops, step);
		memset(room, 0x5a, sizeof room);
		memcpy(room, &all, size < sizeof all ? size : sizeof all);
		cr_assert_eq(fsgs_core_ring0(&r, sizeof r, (void *)room, size, 0), 0);
		cr_expect_eq(m.step != NULL, size > offsetof(struct fsgs_core_ops, step), "%zu",
			     size);
		cr_expect_eq((r.survival_tried & FSGS_EVENT_BIT(FSGS_EVENT_HALT)) != 0,
			     size > offsetof(struct fsgs_core_ops, halt), "%zu", size);
	}
}

Test(ring0, tells_cpus_apart)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct machine a = rows[i].machine, again = rows[i].machine, good = {.offers = 1};
		const struct fsgs_report r = walk(&a, rows[i].flags);
		const struct fsgs_report s = walk(&again, rows[i].flags);
		const struct fsgs_report healthy = walk(&good, rows[i].flags & FSGS_RING0_KEEP);

		cr_expect(fsgs_core_ring0_same(&r, &s, sizeof(struct fsgs_report)), "%s",
			  rows[i].name);
		cr_expect_eq(fsgs_core_ring0_same(&r, &healthy, sizeof(struct fsgs_report)),
			     r.verdict == FSGS_VERDICT_USABLE && !r.findings, "%s", rows[i].name);
	}
}

/* The rows R2 and R4 differ only in the CR4 value that is read back. */
Test(ring0, tells_a_dropped_bit_from_a_lie)
{
	struct machine drops = {.offers = 1, .cr4_write = DROPS};
	struct machine lies = {.offers = 1, .undefined = ALL};
	const struct fsgs_report a = walk(&drops, 0), b = walk(&lies, 0);

	cr_expect(!fsgs_core_ring0_same(&a, &b, sizeof(struct fsgs_report)));
}

/* In a process, the kernel's advertisement can replace a trial. In ring 0, nothing can. */
Test(ring0, usable_needs_every_trial)
{
	struct machine m = {.offers = 1};
	struct fsgs_report r = walk(&m, 0);

	r.cr4_set[FSGS_INSN_WRFSBASE].outcome = FSGS_OUTCOME_NOT_TRIED;
	cr_assert_eq(fsgs_decide(&r, sizeof r), 0);
	cr_expect_eq(r.verdicts[FSGS_SEGMENT_FS], FSGS_VERDICT_UNKNOWN);
	cr_expect_eq(r.verdicts[FSGS_SEGMENT_GS], FSGS_VERDICT_USABLE);
	cr_expect_eq(r.verdict, FSGS_VERDICT_UNKNOWN);
}

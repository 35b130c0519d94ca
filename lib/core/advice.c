/* SPDX-License-Identifier: MIT */
/*
 * Chooses the reason and the advice for a report, from the sentences in advice.def, each of which
 * has a condition. Here they become an array of conditions, and a structure with one member for
 * each text, in the same order. Unlike an array of pointers, such a structure needs no relocation.
 * One string with all texts would be longer than C11 5.2.4.1 requires compilers to accept.
 */
#include "core.h"

#define BIT(finding)     ((uint32_t)FSGS_FINDING_BIT(FSGS_FINDING_##finding))
#define VERDICT(verdict) (1u << FSGS_VERDICT_##verdict)
#define ANY_VERDICT      UINT8_MAX
#define ANY_PRODUCT      UINT8_MAX

#define MEMBER_(line)    text_##line
#define MEMBER(line)     MEMBER_(line)

_Static_assert(FSGS_FINDINGS <= 32, "a finding does not fit into a condition");

enum {
	ANYWHERE = 0, /* no requirement */
	PROCESS = 1,
	RING0 = 2,
	TRIED = 4,         /* all four instructions were tried */
	OFFERED = 8,       /* CPUID offers the instructions */
	MAYBE_VM = 16,     /* may be a guest with its own ring 0 */
	ASKED = 32,        /* the report has evidence from ring 0 */
	UNASKED = 64,      /* the report of a process, without evidence from ring 0 */
	PARAVIRTUAL = 128, /* a guest without its own ring 0 */
	MAYBE_BARE = 256,  /* may run without a hypervisor */
	RECORDED = 512,    /* read from a file: the library did not run on that machine */
	OWN = 1024,        /* the library ran on the machine of the report */
	VIRTUAL = 2048,    /* under a hypervisor, in a guest with its own ring 0 */
	CHANGED = 4096,    /* repeated tests differ, or this is ring 0: see applies() */
	STEADY = 8192,     /* not CHANGED */
};

struct condition {
	uint32_t with;    /* findings that must all be present */
	uint32_t without; /* findings that must all be absent */
	uint16_t where;   /* bits of the enumeration above that must all apply */
	uint8_t verdicts; /* one bit for each verdict that is accepted */
	uint8_t product;  /* enum fsgs_product, or ANY_PRODUCT */
};

#define REASON(verdicts, with, without, where, text) {with, without, where, verdicts, ANY_PRODUCT},
static const struct condition reasons[] = {
#include "advice.def"
};

#define REASON(verdicts, with, without, where, text) char MEMBER(__LINE__)[sizeof text];
static const struct {
#include "advice.def"
} reason_texts = {
#define REASON(verdicts, with, without, where, text) text,
#include "advice.def"
};

#define ADVICE(verdicts, with, without, where, product, text) \
	{with, without, where, verdicts, product},
static const struct condition advice_steps[] = {
#include "advice.def"
};

#define ADVICE(verdicts, with, without, where, product, text) char MEMBER(__LINE__)[sizeof text];
static const struct {
#include "advice.def"
} advice_texts = {
#define ADVICE(verdicts, with, without, where, product, text) text,
#include "advice.def"
};

/* Only rows for `inconsistent` use CHANGED and STEADY. In ring 0, CPUs that differ have a reason of
 * their own, and the only other cause is a test that changed. The report need not show this cause:
 * the boot image's last line does not have it, and a report may be cut off before it. */
static int applies(const struct condition *when, const struct fsgs_report *r)
{
	const int paravirtual = !!(r->signs & FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV));
	const uint32_t vantage = r->vantage == FSGS_VANTAGE_RING0     ? RING0 | ASKED
				 : r->vantage != FSGS_VANTAGE_PROCESS ? 0
				 : r->cr4_write                       ? PROCESS | ASKED
								      : PROCESS | UNASKED;
	const uint32_t virtual = r->hypervisor[0] ? FSGS_ANSWER_YES : r->hypervisor_present;
	const uint32_t is =
		vantage | (r->proof == FSGS_PROOF_TRIED ? TRIED : 0u) |
		(r->cpuid_fsgsbase == FSGS_ANSWER_YES ? OFFERED : 0u) |
		(paravirtual                  ? PARAVIRTUAL
		 : virtual == FSGS_ANSWER_NO  ? MAYBE_BARE
		 : virtual == FSGS_ANSWER_YES ? MAYBE_VM | VIRTUAL
					      : MAYBE_VM | MAYBE_BARE) |
		(r->cpuid_max_leaf || r->cpus_checked ? OWN : RECORDED) |
		(r->samples_differ == FSGS_ANSWER_YES || r->vantage == FSGS_VANTAGE_RING0 ? CHANGED
											  : STEADY);

	return r->verdict < 8 && (when->verdicts >> r->verdict & 1) &&
	       (r->findings & when->with) == when->with && !(r->findings & when->without) &&
	       (is & when->where) == when->where &&
	       (when->product == ANY_PRODUCT || when->product == fsgs_product(r->hypervisor));
}

/* The text of the n-th condition that applies, counted from 0. */
static const char *choose(const struct condition *conditions, size_t count, const char *text,
			  const struct fsgs_report *r, uint32_t n)
{
	for (size_t i = 0; i < count; i++, text = fsgs_next_string(text))
		if (applies(&conditions[i], r) && n-- == 0)
			return text;
	return NULL;
}

const char *fsgs_reason(const struct fsgs_report *report, size_t size)
{
	struct fsgs_report r;

	fsgs_report_load(&r, report, report && size >= FSGS_REPORT_MIN ? size : 0);
	/* The last reason applies to every verdict below 8, so a reason is always found. */
	if (r.verdict >= 8)
		r.verdict = FSGS_VERDICT_UNKNOWN;
	return choose(reasons, sizeof reasons / sizeof *reasons, (const char *)&reason_texts, &r,
		      0);
}

const char *fsgs_advice(const struct fsgs_report *report, size_t size, uint32_t step)
{
	struct fsgs_report r;

	if (!report || size < FSGS_REPORT_MIN)
		return NULL;
	fsgs_report_load(&r, report, size);
	return choose(advice_steps, sizeof advice_steps / sizeof *advice_steps,
		      (const char *)&advice_texts, &r, step);
}

/* SPDX-License-Identifier: MIT */
/* The death of a program, as a debugger shows it: a signal, and the instruction at the program
 * counter. */
#include "explain.h"

#include <string.h>

#define LINUX_FSGSBASE ((5u << 16) | (9u << 8))

void explain_program_end(struct explain *e)
{
	struct explain_program *p = &e->program;
	struct explain_source *s = &p->source;
	struct fsgs_report *r = &s->report;
	const char *release = explain_machine_release(e);
	const uint32_t version = explain_version(release);

	if (p->died && s->has_insn) {
		s->kind = EXPLAIN_PROGRAM;
		s->cpu = -1;
		r->vantage = FSGS_VANTAGE_PROCESS;
		r->mode = FSGS_MODE_64BIT;
		r->kernel_version = version;
		text_clean(release, r->kernel, sizeof r->kernel);
		s->mark[EXPLAIN_MARK_KERNEL] = e->machine.kernel_line;
		r->trials[s->insn] =
			(struct fsgs_trial){.outcome = FSGS_OUTCOME_UNDEFINED, .signal = 4};
		fsgs_decide(r, sizeof *r);
		if (e->machine.other_system || (version && version < LINUX_FSGSBASE)) {
			/* Such a kernel leaves CR4.FSGSBASE clear, whatever the processor
			 * offers. */
			for (uint32_t i = 0; i < FSGS_SEGMENTS; i++)
				r->verdicts[i] = FSGS_VERDICT_DISABLED;
			r->verdict = FSGS_VERDICT_DISABLED;
			r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
			r->findings = FSGS_FINDING_BIT(FSGS_FINDING_UNPROVEN);
			if (!e->machine.other_system)
				r->findings |= FSGS_FINDING_BIT(FSGS_FINDING_KERNEL_TOO_OLD);
		}
		if (!version)
			s->notes |= EXPLAIN_NOTE(NO_KERNEL);
		explain_give(e, s);
	}
	memset(p, 0, sizeof *p);
}

void explain_program_read(struct explain *e, const struct explain_message *m, uint32_t code,
			  struct text t)
{
	struct explain_program *p = &e->program;
	struct explain_source *s = &p->source;
	struct text name = t;
	int insn;

	if (!s->line)
		s->line = m->line;
	if (code == PROGRAM_SIGNAL && text_find(&name, "SIGILL")) {
		p->died = 1;
		s->mark[EXPLAIN_MARK_HEADER] = m->line;
		return;
	}
	insn = code == PROGRAM_AT ? explain_insn_named(t) : -1;
	if (insn < 0 || s->has_insn)
		return;
	s->has_insn = 1;
	s->insn = (uint32_t)insn;
	s->mark[EXPLAIN_MARK_RIP] = m->line;
	if (text_find(&name, "<"))
		text_copy(&name, ">", s->symbol, sizeof s->symbol);
}

/* SPDX-License-Identifier: MIT */
/*
 * Joins the evidence about one machine in one file: the description of its processors (cpuinfo,
 * lscpu or cpuid), and its kernel, which people paste above or below this description. The kernel's
 * version matters, because a kernel of Linux 5.9 or later that lists the flag executes the
 * instructions itself at each context switch.
 */
#include "explain.h"

#include <string.h>

#define LINUX_FSGSBASE ((5u << 16) | (9u << 8))

const char *explain_machine_release(const struct explain *e)
{
	return e->machine.has_kernel ? e->machine.kernel : "";
}

void explain_decide_offer(struct explain_source *s)
{
	struct fsgs_report *r = &s->report;

	fsgs_decide(r, sizeof *r);
	/* If only the kernel's flag is known, fsgs_decide() makes the findings below. If only
	 * CPUID's offer is known, make them here, because the offer proves no more than the
	 * flag. */
	if (r->verdict == FSGS_VERDICT_UNKNOWN && r->cpuid_fsgsbase == FSGS_ANSWER_YES) {
		r->findings |= FSGS_FINDING_BIT(FSGS_FINDING_UNPROVEN);
		if (strcmp(r->hypervisor, "Microsoft Hv") == 0 &&
		    strcmp(r->vendor, "AuthenticAMD") == 0)
			r->findings |= FSGS_FINDING_BIT(FSGS_FINDING_UPGRADE_RISK);
	}
}

static void give(struct explain *e, bool has_kernel)
{
	struct explain_machine *m = &e->machine;
	struct explain_source *s = &m->source;
	struct fsgs_report *r = &s->report;

	if (!m->waiting)
		return;
	m->waiting = 0;
	if (has_kernel) {
		memcpy(r->kernel, m->kernel, sizeof r->kernel);
		r->kernel_version = m->kernel_version;
		s->mark[EXPLAIN_MARK_KERNEL] = m->kernel_line;
	}
	if (has_kernel && !r->hypervisor[0])
		memcpy(r->hypervisor, e->machine.hypervisor, sizeof r->hypervisor);
	if (has_kernel && !m->other_system && r->cpuinfo_flag == FSGS_ANSWER_YES &&
	    r->cpus_differ != FSGS_ANSWER_YES && !(s->notes & EXPLAIN_NOTE(NOT_COMPARABLE)) &&
	    !(r->signs & FSGS_SIGN_BIT(FSGS_SIGN_UML))) {
		const bool runs = r->kernel_version >= LINUX_FSGSBASE;

		r->cpuid_fsgsbase = FSGS_ANSWER_YES; /* a kernel lists only what CPUID offers */
		r->hwcap2_present = FSGS_ANSWER_YES;
		r->hwcap2_fsgsbase = runs ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
		s->notes &= ~EXPLAIN_NOTE(FLAG_ONLY);
		s->notes |= runs ? EXPLAIN_NOTE(RUNNING) : 0;
	}
	explain_decide_offer(s);
	explain_give(e, s);
}

void explain_machine_give(struct explain *e, const struct explain_source *source)
{
	struct explain_machine *m = &e->machine;

	/* A kernel that the file names belongs to the machine below it. A kernel below the last
	 * machine of a file belongs to that machine if the file names no other kernel for it. */
	if (m->waiting) {
		give(e, m->has_kernel && !m->fresh);
		m->has_kernel &= m->fresh;
	}
	m->source = *source;
	m->waiting = 1;
	m->fresh = 0;
}

void explain_machine_kernel(struct explain *e, const char *release, uint64_t line)
{
	struct explain_machine *m = &e->machine;
	const uint32_t version = explain_version(release);

	if (!version)
		return;
	explain_cpuinfo_end(e);
	explain_lscpu_end(e);
	explain_cpuid_end(e);
	if (m->waiting && m->has_kernel)
		give(e, !m->fresh);
	m->has_kernel = 1;
	m->fresh = 1;
	m->other_system = 0;
	m->kernel_line = line;
	m->kernel_version = version;
	m->hypervisor[0] = '\0';
	text_clean(release, m->kernel, sizeof m->kernel);
}

/* After a line that ends with the command "uname -r", the first line that is not empty is its
 * output. This line is ignored if it has more than the release. */
void explain_machine_answer(struct explain *e, const struct explain_message *m)
{
	static const char question[] = "uname -r";
	struct text t = m->text;
	char release[72];

	if (e->machine.ask_release && t.at < t.end) {
		e->machine.ask_release = 0;
		text_copy(&t, " ", release, sizeof release);
		if (text_ends(t))
			explain_machine_kernel(e, release, m->line);
		return;
	}
	t = m->text;
	if (text_find(&t, question) && text_ends(t))
		e->machine.ask_release = 1;
}

/* Parses "Linux vm7 6.1.0-18-amd64 #1 SMP ...", as uname -a prints it. */
static void take_uname(struct explain *e, const struct explain_message *m, struct text t)
{
	char name[72], release[72];

	text_copy(&t, " ", name, sizeof name);
	text_blank(&t);
	text_copy(&t, " ", release, sizeof release);
	/* hostnamectl prints no name before the release: "Kernel: Linux 6.1.0-18-amd64" */
	explain_machine_kernel(e, explain_version(release) ? release : name, m->line);
}

void explain_machine_read(struct explain *e, const struct explain_message *m, uint32_t code,
			  struct text t)
{
	struct text rest = t;
	char release[72];

	if (code == MACHINE_UNAME) {
		take_uname(e, m, t);
		return;
	}
	if (code == MACHINE_RELEASE) {
		text_blank(&t);
		text_skip(&t, "Linux ");
		text_copy(&t, " ", release, sizeof release);
		explain_machine_kernel(e, release, m->line);
		explain_boot_kernel(e, release);
		return;
	}
	text_copy(&rest, " ", release, sizeof release);
	text_blank(&rest);
	text_copy(&rest, " ", release, sizeof release);
	explain_machine_kernel(e, release, m->line);
	e->machine.other_system = 1;
}

void explain_machine_end(struct explain *e)
{
	give(e, e->machine.has_kernel);
	memset(&e->machine, 0, sizeof e->machine);
}

/* SPDX-License-Identifier: MIT */
/* Reads messages of a hypervisor or its management software about a guest: QEMU's KVM internal
 * error, VirtualBox's log, and messages about features that a host cannot provide. */
#include "explain.h"

#include <string.h>

static void begin(struct explain_source *s, const struct explain_message *m, const char *hypervisor)
{
	memset(s, 0, sizeof *s);
	s->kind = EXPLAIN_HOST;
	s->cpu = -1;
	s->line = m->line;
	s->report.mode = FSGS_MODE_64BIT;
	strcpy(s->report.hypervisor, hypervisor);
}

/* -- QEMU's message about a KVM internal error. Suberror 1 is KVM_INTERNAL_ERROR_EMULATION: KVM's
 * emulator could not run an instruction (Documentation/virt/kvm/api.rst). QEMU then prints the
 * registers and the bytes around RIP. */

static void end_error(struct explain *e)
{
	struct explain_host *h = &e->host;
	struct explain_source *s = &h->source;
	struct fsgs_report *r = &s->report;
	const int insn = explain_decode_insn(s->code, s->code_length);

	if (!h->qemu)
		return;
	h->qemu = 0;
	if (!h->emulation || insn < 0)
		return;
	s->has_insn = 1;
	s->insn = (uint32_t)insn;
	s->notes |= EXPLAIN_NOTE(INTERPRETED);
	if (!s->has_cr4)
		s->notes |= EXPLAIN_NOTE(NO_CR4);
	else if (h->kernel_mode && (s->cr4 >> EXPLAIN_CR4_FSGSBASE & 1)) {
		r->cpuid_fsgsbase = FSGS_ANSWER_YES;
		r->cr4_write = FSGS_OUTCOME_OK;
		r->cr4_sticks = FSGS_ANSWER_YES;
		r->cr4_set[insn] = (struct fsgs_trial){.outcome = FSGS_OUTCOME_UNDEFINED};
	}
	r->vantage = FSGS_VANTAGE_RING0;
	fsgs_decide(r, sizeof *r);
	explain_give(e, s);
}

/* Parses the bytes around RIP, with the byte at RIP in angle brackets: "e8 <f3> 48 0f ae c0". */
static void take_code(struct explain_source *s, const struct explain_message *m, struct text t)
{
	struct explain_dump d = {0};

	explain_dump_code(&d, t);
	memcpy(s->code, d.code, sizeof s->code);
	s->code_length = d.code_length;
	s->mark[EXPLAIN_MARK_CODE] = m->line;
}

static void take_error(struct explain *e, const struct explain_message *m, uint32_t code,
		       struct text t)
{
	struct explain_host *h = &e->host;
	struct explain_source *s = &h->source;
	struct text rest = t;

	if (code == HOST_ERROR) {
		end_error(e);
		begin(s, m, "KVMKVMKVM");
		h->qemu = 1;
		h->kernel_mode = 0;
		h->emulation = text_skip(&t, "1") && text_ends(t);
		s->mark[EXPLAIN_MARK_HEADER] = m->line;
		return;
	}
	if (!h->qemu)
		return;
	switch (code) {
	case HOST_RIP:
		h->kernel_mode = text_find(&t, "CPL=0");
		s->mark[EXPLAIN_MARK_RIP] = m->line;
		break;
	case HOST_CR:
		if (text_find(&rest, "CR4=") && text_hex(&rest, &s->cr4)) {
			s->has_cr4 = 1;
			s->mark[EXPLAIN_MARK_CR4] = m->line;
		}
		break;
	case HOST_CODE:
		take_code(s, m, t);
		end_error(e);
		break;
	}
}

/* -- VirtualBox's log. In "RDFSBASE/RDGSBASE/WRFSBASE/WRGSBASE instr.   = 1 (1)", the first number
 * is the guest's value, and the second one is the host's. */

static void take_offer(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_source *s = &e->host.offer;
	struct fsgs_report *r = &s->report;
	uint32_t guest;

	if (!text_find(&t, "= ") || !text_number(&t, &guest) || guest > 1)
		return;
	begin(s, m, "VBoxVBoxVBox");
	s->mark[EXPLAIN_MARK_FLAGS] = m->line;
	s->notes |= EXPLAIN_NOTE(CPUID_ONLY);
	r->vantage = FSGS_VANTAGE_PROCESS;
	r->cpuid_fsgsbase = guest ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
	if (!guest)
		r->hwcap2_fsgsbase = FSGS_ANSWER_NO; /* kernels enable only what CPUID offers */
	explain_decide_offer(s);
	explain_give(e, s);
}

void explain_host_read(struct explain *e, const struct explain_message *m, uint32_t code,
		       struct text t)
{
	if (code == HOST_VBOX)
		take_offer(e, m, t);
	else if (code != HOST_VBOX_OFFER)
		take_error(e, m, code, t);
}

/* -- Messages of libvirt, QEMU and VMware if the host lacks a feature that the guest requires */

/* Whether the message is from a program that runs or manages virtual machines. */
static bool is_management(struct text t)
{
	static const char *const names[] = {"virt", "qemu", "nova", "kvm", "hostd", "vpx"};

	t.end = explain_token_end(t);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_find(&(struct text){t.at, t.end}, names[i]))
			return true;
	return false;
}

void explain_host_feature(struct explain *e, const struct explain_message *m)
{
	static const char *const phrases[] = {
		"missing features: ",
		"does not provide required features: ",
		"doesn't support requested feature: ",
		"features not supported by the host: ",
		"com.vmware.vim.vmfeature.cpuid.",
	};
	struct explain_source s;
	struct fsgs_report *r = &s.report;

	/* Any user can put such a phrase into the kernel's log, as a program's name, or into a
	 * system log, as a program's message. */
	if (m->uptime || (m->foreign && !is_management(m->text)))
		return;
	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
		struct text t = m->text, word;

		if (!text_find(&t, phrases[i]))
			continue;
		word = t;
		if (!text_has_word(t, "fsgsbase") && !text_skip(&word, "fsgsbase") &&
		    !(text_skip(&word, "CPUID.07H:EBX.fsgsbase")))
			continue;
		begin(&s, m, "");
		s.notes |= EXPLAIN_NOTE(MISSING_MODEL);
		s.mark[EXPLAIN_MARK_FLAGS] = m->line;
		r->vantage = FSGS_VANTAGE_PROCESS;
		r->cpuid_fsgsbase = FSGS_ANSWER_NO;
		r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
		fsgs_decide(r, sizeof *r);
		explain_give(e, &s);
		return;
	}
}

void explain_host_end(struct explain *e)
{
	end_error(e);
	memset(&e->host, 0, sizeof e->host);
}

/* SPDX-License-Identifier: MIT */
/* Reads the lines that the boot image prints on the serial port: two that describe the machine, and
 * the last one, with the verdict. */
#include "explain.h"

#include <string.h>

/* Parses "AMD EPYC 7281 16-Core Processor (family 23, model 1, stepping 2)". */
static void take_processor(struct explain *e, struct text t)
{
	struct fsgs_report *r = &e->image.report;
	struct text version = t;

	if (!text_find(&version, " (family "))
		return;
	strcpy(r->vendor, explain_vendor(t));
	t.end = version.at - strlen(" (family ");
	text_copy(&t, "", r->brand, sizeof r->brand);
	text_number(&version, &r->family);
	if (text_skip(&version, ", model "))
		text_number(&version, &r->model);
	if (text_skip(&version, ", stepping "))
		text_number(&version, &r->stepping);
}

/* Parses "Microsoft Hv, version 10.0, build 20348" or "none named". */
static void take_hypervisor(struct explain *e, struct text t)
{
	struct fsgs_report *r = &e->image.report;
	uint32_t major = 0, minor = 0;

	if (text_skip(&t, "none named"))
		return;
	text_copy(&t, ",", r->hypervisor, sizeof r->hypervisor);
	if (text_skip(&t, ", version ") && text_number(&t, &major) && text_skip(&t, ".") &&
	    text_number(&t, &minor))
		r->hypervisor_version = major << 16 | (minor & 0xffff);
	if (text_skip(&t, ", build "))
		text_number(&t, &r->hypervisor_build);
}

/* Parses "usable findings=a,b cpus=4". */
static void take_verdict(struct explain *e, const struct explain_message *m, struct text t)
{
	struct explain_source s = e->image;
	struct fsgs_report *r = &s.report;
	char word[32];

	memset(&e->image, 0, sizeof e->image);
	text_copy(&t, " ", word, sizeof word);
	r->verdict = explain_number_of(FSGS_LIST_VERDICT, word, UINT32_MAX);
	if (r->verdict == UINT32_MAX || !text_skip(&t, " findings="))
		return;
	do {
		text_copy(&t, ", ", word, sizeof word);
		explain_report_finding(e, r, word);
	} while (text_skip(&t, ","));
	if (!text_skip(&t, " cpus=") || !text_number(&t, &r->cpus_checked))
		return; /* truncated: the last finding may be incomplete */
	s.kind = EXPLAIN_IMAGE;
	s.line = m->line;
	s.cpu = -1;
	r->vantage = FSGS_VANTAGE_RING0;
	r->mode = FSGS_MODE_64BIT;
	/* The line does not contain the proof. These results come only after the image has tried
	 * all four instructions. */
	if (r->verdict == FSGS_VERDICT_USABLE ||
	    (r->findings &
	     (FSGS_FINDING_BIT(FSGS_FINDING_INSN_UD) | FSGS_FINDING_BIT(FSGS_FINDING_VALUE_LOST))))
		r->proof = FSGS_PROOF_TRIED;
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++) {
		r->verdicts[segment] = r->verdict;
		r->access[segment] = r->verdict == FSGS_VERDICT_USABLE ? FSGS_ACCESS_INSTRUCTION
								       : FSGS_ACCESS_ARCH_PRCTL;
	}
	explain_give(e, &s);
}

void explain_image_read(struct explain *e, const struct explain_message *m, uint32_t code,
			struct text t)
{
	if (code == IMAGE_PROCESSOR)
		take_processor(e, t);
	else if (code == IMAGE_HYPERVISOR)
		take_hypervisor(e, t);
	else
		take_verdict(e, m, t);
}

/* SPDX-License-Identifier: MIT */
/* Reads what a kernel log shows about a boot: the kernel's release, the processor, the hypervisor,
 * the command line, disabled features and out-of-tree modules. */
#include "explain.h"

#include <string.h>

uint32_t explain_version(const char *release)
{
	struct text t = {release, release + strlen(release)};
	uint32_t part[3] = {0};

	if (!text_number(&t, &part[0]) || !text_skip(&t, ".") || !text_number(&t, &part[1]))
		return 0;
	if (text_skip(&t, "."))
		text_number(&t, &part[2]);
	for (int i = 0; i < 3; i++)
		if (part[i] > 255)
			part[i] = 255;
	return part[0] << 16 | part[1] << 8 | part[2];
}

void explain_boot_kernel(struct explain *e, const char *release)
{
	struct explain_boot *b = &e->boot;
	const uint32_t version = explain_version(release);

	if (!version || b->kernel[0])
		return;
	text_clean(release, b->kernel, sizeof b->kernel);
	b->kernel_version = version;
	b->kernel_line = e->lines;
}

void explain_put_boot(struct explain_source *s, const struct explain_boot *b)
{
	struct fsgs_report *r = &s->report;

	r->mode = FSGS_MODE_64BIT;
	r->kernel_version = b->kernel_version;
	r->hypervisor_build = b->hypervisor_build;
	r->hypervisor_version = b->hypervisor_version;
	r->family = b->family;
	r->model = b->model;
	r->stepping = b->stepping;
	if (b->is_xen_pv)
		r->signs |= FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV);
	memcpy(r->kernel, b->kernel, sizeof r->kernel);
	memcpy(r->hypervisor, b->hypervisor, sizeof b->hypervisor);
	memcpy(r->brand, b->brand, sizeof b->brand);
	memcpy(r->vendor, b->vendor, sizeof b->vendor);
	s->mark[EXPLAIN_MARK_KERNEL] = b->kernel_line;
	s->mark[EXPLAIN_MARK_HYPERVISOR] = b->hypervisor_line;
	if (b->misspelt[0]) {
		s->notes |= EXPLAIN_NOTE(MISSPELT);
		memcpy(s->misspelt, b->misspelt, sizeof s->misspelt);
	}
}

void explain_boot_end(struct explain *e)
{
	struct explain_boot *b = &e->boot;
	struct explain_source s = {.kind = EXPLAIN_BOOT, .line = b->line, .cpu = -1};
	struct fsgs_report *r = &s.report;

	explain_crash_end(e);
	if ((b->disabled || b->cleared || b->misspelt[0]) && !b->judged) {
		explain_put_boot(&s, b);
		r->vantage = FSGS_VANTAGE_PROCESS;
		/* Fill in the evidence that a process under this kernel would get. With nofsgsbase,
		 * the kernel prints its message only if CPUID offers the feature. With clearcpuid,
		 * it prints its message in any case. */
		if (b->disabled || b->cleared) {
			r->cpuid_fsgsbase = b->disabled ? FSGS_ANSWER_YES : FSGS_ANSWER_UNKNOWN;
			r->hwcap2_present = FSGS_ANSWER_YES;
			r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
			r->cpuinfo_flag = FSGS_ANSWER_NO;
			if (!b->disabled)
				s.notes |= EXPLAIN_NOTE(CLEARED);
		}
		fsgs_decide(r, sizeof *r);
		explain_give(e, &s);
	}
	memset(b, 0, sizeof *b);
}

/* Translates a hypervisor's name, as Linux (arch/x86/kernel/cpu) or lscpu prints it, to its CPUID
 * signature. */
const char *explain_signature(struct text name)
{
	static const struct {
		const char *name, *signature;
	} known[] = {
		{"Microsoft", "Microsoft Hv"}, {"KVM", "KVMKVMKVM"},
		{"VMware", "VMwareVMware"},    {"Xen", "XenVMMXenVMM"},
		{"ACRN", "ACRNACRNACRN"},      {"Jailhouse", "Jailhouse"},
		{"Oracle", "VBoxVBoxVBox"},    {"innotek", "VBoxVBoxVBox"},
		{"bhyve", "bhyve bhyve "},     {"Parallels", " lrpepyh vr"},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		struct text t = name;

		if (text_skip(&t, known[i].name))
			return known[i].signature;
	}
	return "";
}

/* Parses the version of a Hyper-V host after "Host Build": " 10.0.20348.0-0-0" since Linux 5.17,
 * ":20348-10.0-0-0.0" before. */
static void take_host_build(struct explain_boot *b, struct text t)
{
	uint32_t build, major, minor;

	if (text_skip(&t, ":")) {
		if (!text_number(&t, &build) || !text_skip(&t, "-") || !text_number(&t, &major) ||
		    !text_skip(&t, ".") || !text_number(&t, &minor))
			return;
	} else if (!text_skip(&t, " ") || !text_number(&t, &major) || !text_skip(&t, ".") ||
		   !text_number(&t, &minor) || !text_skip(&t, ".") || !text_number(&t, &build)) {
		return;
	}
	b->hypervisor_build = build;
	b->hypervisor_version = major << 16 | (minor & 0xffff);
}

const char *explain_vendor(struct text brand)
{
	static const struct {
		const char *brand, *vendor;
	} known[] = {{"AMD ", "AuthenticAMD"},
		     {"Intel", "GenuineIntel"},
		     {"Hygon", "HygonGenuine"},
		     {"ZHAOXIN", "  Shanghai  "}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_skip(&brand, known[i].brand))
			return known[i].vendor;
	return "";
}

/* Parses "AMD EPYC 7281 16-Core Processor (family: 0x17, model: 0x1, stepping: 0x2)". */
static void take_boot_cpu(struct explain_boot *b, struct text t)
{
	struct text version = t;
	uint64_t number;

	if (!text_find(&version, " (family: ") || !text_hex(&version, &number))
		return;
	b->family = (uint32_t)number;
	if (text_skip(&version, ", model: ") && text_hex(&version, &number))
		b->model = (uint32_t)number;
	if (text_skip(&version, ", stepping: ") && text_hex(&version, &number))
		b->stepping = (uint32_t)number;
	strcpy(b->vendor, explain_vendor(t));

	struct text brand = t;

	text_find(&t, " (family: ");
	brand.end = t.at - strlen(" (family: ");
	text_copy(&brand, "", b->brand, sizeof b->brand);
}

/* The Levenshtein distance: the minimum number of letters to change, insert or delete to turn `a`
 * into `b`. */
static uint32_t distance(struct text a, const char *b)
{
	const size_t length = strlen(b);
	uint32_t row[16];

	for (size_t j = 0; j <= length; j++)
		row[j] = (uint32_t)j;
	for (uint32_t i = 1; a.at < a.end; a.at++, i++) {
		uint32_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			const uint32_t change = diagonal + (*a.at != b[j - 1]);
			const uint32_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[length];
}

/* Whether a word is a misspelling of nofsgsbase, or has a value: fsgsbase=0, nofsgsbase=1. The
 * kernel does not know such an option and passes it to init. */
static bool is_misspelt(struct text word)
{
	static const char right[] = "nofsgsbase", without[] = "fsgsbase";
	struct text name = word, rest = word;

	while (name.at < word.end && *name.at != '=')
		name.at++;
	name = (struct text){word.at, name.at};
	if (name.end - name.at < 6 || name.end - name.at > 14)
		return false;
	if (text_skip(&rest, right) && text_ends(rest))
		return false;
	rest = word;
	return distance(name, right) <= 2 ||
	       (text_skip(&rest, without) && rest.at < rest.end && *rest.at == '=');
}

static void take_command_line(struct explain *e, struct text t)
{
	struct explain_boot *b = &e->boot;

	while (t.at < t.end) {
		struct text word = t;

		while (word.at < t.end && *word.at != ' ')
			word.at++;
		word = (struct text){t.at, word.at};
		t.at = word.end;
		text_blank(&t);
		if (!is_misspelt(word) || b->misspelt[0])
			continue;
		text_copy(&word, "", b->misspelt, sizeof b->misspelt);
		if (!b->line)
			b->line = e->lines;
	}
}

/* Records whether the list has out-of-tree modules: their taint flags contain O, as in
 * "gsgx(OE)". */
static void take_modules(struct explain *e, struct text t)
{
	while (text_find(&t, "("))
		for (; t.at < t.end && *t.at != ')'; t.at++)
			e->boot.own_modules |= *t.at == 'O';
}

static void take_version(struct explain *e, const struct explain_message *m, struct text t)
{
	char release[72];

	text_copy(&t, " ", release, sizeof release);
	if (!explain_version(release))
		return;
	/* In a log with the newest line first, "Linux version" is the last line about a boot. */
	if (explain_crash_is_reversed(e)) {
		explain_boot_kernel(e, release);
		explain_boot_end(e);
		return;
	}
	/* A pstore record with the newest part first is about one boot, so "Linux version" does not
	 * begin another boot here. */
	if (!e->crash.parts)
		explain_boot_end(e);
	explain_boot_kernel(e, release);
	e->boot.kernel_line = m->line;
	if (!e->boot.line)
		e->boot.line = m->line;
	explain_machine_kernel(e, release, m->line);
}

static bool is_word(struct text t, const char *word)
{
	return text_has_word(t, word);
}

void explain_boot_read(struct explain *e, const struct explain_message *m, uint32_t code,
		       struct text t)
{
	struct explain_boot *b = &e->boot;

	switch (code) {
	case BOOT_VERSION:
		take_version(e, m, t);
		return;
	case BOOT_COMMAND_LINE:
		take_command_line(e, t);
		return;
	case BOOT_HYPERVISOR:
		b->is_xen_pv = is_word(t, "Xen PV");
		strcpy(b->hypervisor, explain_signature(t));
		strcpy(e->machine.hypervisor, b->hypervisor);
		b->hypervisor_line = m->line;
		return;
	case BOOT_HOST_BUILD:
		take_host_build(b, t);
		return;
	case BOOT_CPU0:
		take_boot_cpu(b, t);
		return;
	case BOOT_MODULES:
		take_modules(e, t);
		return;
	/* The kernel's message ends after "command line". If more text follows, the line quotes the
	 * kernel's source code. */
	case BOOT_DISABLED:
		b->disabled |= text_ends(t);
		break;
	case BOOT_CLEARED:
		b->cleared |= is_word(t, "fsgsbase");
		break;
	}
	if (!b->line && (b->disabled || b->cleared))
		b->line = m->line;
}

/* SPDX-License-Identifier: MIT */
/*
 * Kernel logs: which line says what.
 *
 * A console mixes many writers, adds prefixes and loses pieces, so no line is taken to begin anywhere:
 * what matters is looked for inside of it. A log of gigabytes is mostly other lines; they cost one look
 * at each two neighbouring bytes.
 */
#include "explain.h"

#include <string.h>

enum needle {
	INVALID,
	EARLY,
	PROTECTION,
	PIN,
	BUG,
	DIE,
	PANIC,
	RIP,
	EIP,
	CODE,
	CR4,
	REGS,
	CPU,
	VERSION,
	HYPERVISOR,
	HOST_BUILD,
	DISABLED,
	CLEARED,
	BOOT_CPU,
	IMAGE_PROCESSOR,
	IMAGE_HYPERVISOR,
	IMAGE_VERDICT,
	ESCAPED,
	NEEDLES
};

/* `anchor` is where two bytes stand that are rare in logs: the scan looks for those. */
static const struct {
	const char *text;
	uint8_t needle;
	uint8_t anchor;
} needles[] = {
	{"invalid opcode: ", INVALID, 1},
	{"PANIC: early exception ", EARLY, 0},
	{"general protection fault", PROTECTION, 22},
	{"pinned CR4 bits changed: ", PIN, 7},
	{"BUG: ", BUG, 0},
	{" [#", DIE, 1},
	{"Kernel panic - not syncing", PANIC, 20},
	{"RIP: ", RIP, 0},
	{"EIP: ", EIP, 0},
	{"Code: ", CODE, 0},
	{"CR4: ", CR4, 0},
	{"RAX: ", REGS, 1},
	{"RDX: ", REGS, 0},
	{"RBP: ", REGS, 0},
	{"R10: ", REGS, 0},
	{"R13: ", REGS, 0},
	{"RSP: ", REGS, 1},
	{"CPU: ", CPU, 2},
	{"Linux version ", VERSION, 0},
	{"Hypervisor detected: ", HYPERVISOR, 0},
	{"Host Build", HOST_BUILD, 0},
	{"FSGSBASE disabled via kernel command line", DISABLED, 0},
	{"Clearing CPUID bits:", CLEARED, 0},
	{"CPU0: ", BOOT_CPU, 2},
	{"# processor: ", IMAGE_PROCESSOR, 0},
	{"# hypervisor: ", IMAGE_HYPERVISOR, 0},
	{"fsgscheck: verdict=", IMAGE_VERDICT, 17},
	{"\033", ESCAPED, 0},
};

static void add_pair(struct explain *e, unsigned first, unsigned second)
{
	const unsigned pair = first | second << 8;

	e->pairs[pair >> 3] |= (uint8_t)(1 << (pair & 7));
}

void explain_kernel_begin(struct explain *e)
{
	for (size_t i = 0; i < sizeof needles / sizeof *needles; i++) {
		const char *at = needles[i].text + needles[i].anchor;

		if (at[1])
			add_pair(e, (unsigned char)at[0], (unsigned char)at[1]);
		else
			for (unsigned second = 0; second < 256; second++)
				add_pair(e, (unsigned char)at[0], second);
	}
}

struct line {
	uint32_t found; /* bits of enum needle */
	struct text all;
	struct text after[NEEDLES]; /* what follows the first of each that was found */
};

_Static_assert(NEEDLES <= 32, "more needles than bits");

static bool has(const struct line *line, enum needle needle)
{
	return line->found >> needle & 1;
}

static void find_needle(struct line *line, const char *at)
{
	for (size_t i = 0; i < sizeof needles / sizeof *needles; i++) {
		const uint8_t anchor = needles[i].anchor, needle = needles[i].needle;

		if (needles[i].text[anchor] != *at || at - line->all.at < anchor ||
		    has(line, needle))
			continue;

		struct text t = {at - anchor, line->all.end};

		if (text_skip(&t, needles[i].text)) {
			line->after[needle] = t;
			line->found |= 1u << needle;
		}
	}
}

static void scan(const struct explain *e, struct line *line, const char *text, size_t length)
{
	line->found = 0;
	line->all = (struct text){text, text + length};
	for (size_t i = 0; i + 1 < length; i++) {
		const unsigned pair = (unsigned)(unsigned char)text[i] |
				      (unsigned)(unsigned char)text[i + 1] << 8;

		if (e->pairs[pair >> 3] >> (pair & 7) & 1)
			find_needle(line, text + i);
	}
}

/* Colours, which dmesg and journalctl put between the words (ECMA-48: CSI, parameters, final byte). */
static size_t strip_escapes(char *to, const char *text, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\033') {
			to[kept++] = text[i];
			continue;
		}
		if (i + 1 < length && text[i + 1] == '[')
			for (i += 2; i < length && (unsigned char)(text[i] - 0x40) > 0x3e;)
				i++;
		else
			i++;
	}
	return kept;
}

/* "[    1.234567][    T1] " or "[  C0]": CONFIG_PRINTK_CALLER, which also `dmesg` of such kernels gives.
 * The second bracket follows the first at once, with a timestamp, so that no module list matches. */
static uint32_t find_tag(struct text t)
{
	while (text_find(&t, "][")) {
		uint32_t number;

		text_blank(&t);
		if (t.at == t.end || (*t.at != 'T' && *t.at != 'C'))
			continue;

		const uint32_t kind = *t.at == 'T' ? 1 : 2;

		t.at++;
		if (text_number(&t, &number) && t.at < t.end && *t.at == ']')
			return number << 2 | kind;
	}
	return 0;
}

/* "0000 [#1]": the error code and the count of crashes, which a line about a program lacks. */
static bool is_kernel_crash(struct text t)
{
	uint64_t error;

	return text_hex(&t, &error) && text_skip(&t, " [#");
}

static enum explain_cause early_cause(struct text t)
{
	uint64_t vector = 0;

	text_hex(&t, &vector);
	return vector == 6    ? EXPLAIN_INVALID_OPCODE
	       : vector == 13 ? EXPLAIN_PROTECTION_FAULT
			      : EXPLAIN_OTHER;
}

static struct explain_crash *take_header(struct explain *e, const struct line *l, uint32_t tag)
{
	bool is_new;
	const struct explain_crash *c = explain_find_crash(e, tag, &is_new);
	struct text t;
	uint64_t bits;

	if (has(l, INVALID) && is_kernel_crash(l->after[INVALID]))
		return explain_open_crash(e, tag, EXPLAIN_INVALID_OPCODE);
	if (has(l, EARLY))
		return explain_open_crash(e, tag, early_cause(l->after[EARLY]));
	/* "general protection fault: 0000 [#1]", "..., probably for non-canonical address ...: 0000 [#1]";
	 * of a program: "general protection fault ip:... " */
	if (has(l, PROTECTION)) {
		t = l->after[PROTECTION];
		if ((text_skip(&t, ": ") && is_kernel_crash(t)) || text_skip(&t, ", "))
			return explain_open_crash(e, tag, EXPLAIN_PROTECTION_FAULT);
	}
	if (has(l, PIN)) {
		t = l->after[PIN];
		if (text_hex(&t, &bits) && (bits >> EXPLAIN_CR4_BIT & 1))
			return explain_open_crash(e, tag, EXPLAIN_PINNED_CR4);
	}
	/* "Oops: 0002 [#1]" follows "BUG: unable to handle ..." and is the same crash; and a complaint that
	 * is no crash may come into the middle of one. */
	if ((has(l, DIE) || has(l, BUG)) && (is_new || c->cause == EXPLAIN_HEADERLESS ||
					     (has(l, DIE) && c->cause != EXPLAIN_OTHER)))
		return explain_open_crash(e, tag, EXPLAIN_OTHER);
	return NULL;
}

static uint32_t version_of(const char *release)
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

static void set_kernel(struct explain_boot *b, const char *release)
{
	const uint32_t version = version_of(release);

	if (!version || b->kernel[0])
		return;
	text_clean(release, b->kernel, sizeof b->kernel);
	b->kernel_version = version;
}

/* "0 PID: 0 Comm: swapper/0 Not tainted 6.1.0-56-amd64 #1 ..." */
static void take_cpu(struct explain *e, struct explain_crash *c, struct text t)
{
	uint32_t cpu;
	char release[72];

	if (c->cpu >= 0 || !text_number(&t, &cpu))
		return;
	c->cpu = cpu <= INT32_MAX ? (int32_t)cpu : -1;

	struct text pid = t;

	if (text_find(&pid, "PID: ") && text_number(&pid, &c->pid))
		c->pid_known = 1;

	const char *start = t.at;

	if (!text_find(&t, " #"))
		return;

	const char *end = t.at - 2, *word = end;

	while (word > start && word[-1] != ' ')
		word--;

	struct text name = {word, end};

	text_copy(&name, "", release, sizeof release);
	set_kernel(&e->boot, release);
}

static bool is_word(struct text t, const char *word)
{
	return text_find(&t, word) && (t.at == t.end || *t.at == ' ');
}

static void end_boot(struct explain *e)
{
	struct explain_source s = {.kind = EXPLAIN_BOOT, .line = e->boot.line, .cpu = -1};
	struct fsgs_report *r = &s.report;

	for (int i = 0; i < EXPLAIN_CRASHES; i++)
		explain_end_crash(e, &e->crash[i]);
	if ((e->boot.disabled || e->boot.cleared) && !e->boot.ours) {
		explain_put_boot(r, &e->boot);
		r->vantage = FSGS_VANTAGE_PROCESS;
		/* What a process under this kernel would have been told. The kernel prints the line
		 * about nofsgsbase only when CPUID offers the feature, the other one always. */
		r->cpuid_fsgsbase = e->boot.disabled ? FSGS_ANSWER_YES : FSGS_ANSWER_UNKNOWN;
		r->hwcap2_present = FSGS_ANSWER_YES;
		r->hwcap2_fsgsbase = FSGS_ANSWER_NO;
		r->cpuinfo_flag = FSGS_ANSWER_NO;
		s.notes = e->boot.disabled ? 0 : EXPLAIN_CLEARED;
		fsgs_decide(r, sizeof *r);
		explain_give(e, &s);
	}
	memset(&e->boot, 0, sizeof e->boot);
}

/* What Linux calls them (arch/x86/kernel/cpu), and what CPUID says (the same, from the other side). */
static void take_hypervisor(struct explain_boot *b, struct text t)
{
	static const struct {
		const char *name, *signature;
	} known[] = {
		{"Microsoft Hyper-V", "Microsoft Hv"},
		{"KVM", "KVMKVMKVM"},
		{"VMware", "VMwareVMware"},
		{"Xen", "XenVMMXenVMM"},
		{"ACRN", "ACRNACRNACRN"},
		{"Jailhouse", "Jailhouse"},
	};

	b->is_xen_pv = is_word(t, "Xen PV");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_skip(&t, known[i].name)) {
			strcpy(b->hypervisor, known[i].signature);
			return;
		}
}

/* " 10.0.20348.0-0-0" since Linux 5.17, ":20348-10.0-0-0.0" before. */
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
	} known[] = {
		{"AMD ", "AuthenticAMD"}, {"Intel", "GenuineIntel"}, {"Hygon", "HygonGenuine"}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_skip(&brand, known[i].brand))
			return known[i].vendor;
	return "";
}

/* "AMD EPYC 7281 16-Core Processor (family: 0x17, model: 0x1, stepping: 0x2)" */
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

static void take_boot_line(struct explain *e, const struct line *l)
{
	struct explain_boot *b = &e->boot;
	struct text t;
	char release[72];

	if (has(l, VERSION)) {
		t = l->after[VERSION];
		text_copy(&t, " ", release, sizeof release);
		if (version_of(release)) {
			end_boot(e);
			set_kernel(b, release);
			b->line = e->lines;
		}
	}
	if (has(l, HYPERVISOR))
		take_hypervisor(b, l->after[HYPERVISOR]);
	if (has(l, HOST_BUILD))
		take_host_build(b, l->after[HOST_BUILD]);
	if (has(l, BOOT_CPU))
		take_boot_cpu(b, l->after[BOOT_CPU]);
	/* The kernel's own line ends here; where its source is quoted something follows. */
	if (has(l, DISABLED)) {
		t = l->after[DISABLED];
		text_blank(&t);
		b->disabled |= t.at == t.end;
	}
	if (has(l, CLEARED) && is_word(l->after[CLEARED], " fsgsbase"))
		b->cleared = 1;
	if (!b->line && (b->disabled || b->cleared))
		b->line = e->lines;
	if (has(l, IMAGE_PROCESSOR))
		explain_image_processor(e, l->after[IMAGE_PROCESSOR]);
	if (has(l, IMAGE_HYPERVISOR))
		explain_image_hypervisor(e, l->after[IMAGE_HYPERVISOR]);
	if (has(l, IMAGE_VERDICT))
		explain_image_verdict(e, l->after[IMAGE_VERDICT]);
}

static void take_crash_line(struct explain *e, const struct line *l)
{
	const bool rip = has(l, RIP) || has(l, EIP);
	const uint32_t tag = find_tag(l->all);
	struct explain_crash *c = take_header(e, l, tag);
	bool is_new = false;

	if (!c)
		c = explain_find_crash(e, tag, &is_new);
	if (is_new) {
		struct text t = l->all;

		if (!rip && (!has(l, PANIC) || text_find(&t, "---[ end ")))
			return;
		c = explain_open_crash(e, tag, rip ? EXPLAIN_HEADERLESS : EXPLAIN_OTHER);
	}
	c->last_line = e->lines;
	if (rip)
		explain_crash_rip(c, has(l, RIP) ? l->after[RIP] : l->after[EIP], !has(l, RIP));
	if (has(l, CPU))
		take_cpu(e, c, l->after[CPU]);
	if (has(l, CODE))
		explain_crash_code(&c->now, l->after[CODE]);
	if (has(l, REGS))
		explain_crash_registers(&c->now, l->all);
	if (has(l, CR4))
		explain_crash_cr4(&c->now, l->after[CR4]);
	if (has(l, PANIC))
		explain_end_crash(e, c);
}

void explain_kernel_line(struct explain *e, const char *text, size_t length)
{
	struct line line;

	scan(e, &line, text, length);
	if (has(&line, ESCAPED))
		scan(e, &line, e->clean, strip_escapes(e->clean, text, length));
	if (!line.found)
		return;
	take_boot_line(e, &line);
	take_crash_line(e, &line);
}

void explain_kernel_end(struct explain *e)
{
	end_boot(e);
}

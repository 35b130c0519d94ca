/* SPDX-License-Identifier: MIT */
#include "found.h"

#include <stdlib.h>
#include <string.h>

/* Verdicts from best to worst, in the order that fsgs_decide() uses for FS and GS. weight() uses 0,
 * too. */
static const uint8_t severity[] = {
	[FSGS_VERDICT_USABLE] = 1,       [FSGS_VERDICT_UNSUPPORTED] = 2,
	[FSGS_VERDICT_DISABLED] = 3,     [FSGS_VERDICT_UNKNOWN] = 4,
	[FSGS_VERDICT_UNADVERTISED] = 5, [FSGS_VERDICT_INCONSISTENT] = 6,
	[FSGS_VERDICT_BROKEN] = 7,
};

static uint32_t weight(const struct explain_source *s)
{
	/* An unknown verdict from cpuinfo, lscpu, cpuid, a host or a program must not hide another
	 * verdict. Neither must the unknown verdict of a crash in which the kernel had not enabled
	 * the instructions. */
	if (s->report.verdict == FSGS_VERDICT_UNKNOWN &&
	    ((s->kind != EXPLAIN_CRASH && s->kind != EXPLAIN_BOOT && s->kind != EXPLAIN_REPORT &&
	      s->kind != EXPLAIN_IMAGE) ||
	     (s->notes & EXPLAIN_NOTE(NOT_ENABLED))))
		return 0;
	return severity[s->report.verdict];
}

static bool is_machine(const struct explain_source *s)
{
	return s->kind == EXPLAIN_CPUINFO || s->kind == EXPLAIN_LSCPU || s->kind == EXPLAIN_CPUID ||
	       s->kind == EXPLAIN_REPORT || s->kind == EXPLAIN_IMAGE;
}

static void set_item(struct found_item *item, const struct explain_source *s, const char *name)
{
	item->source = *s;
	item->count = 1;
	text_clean(name, item->name, sizeof item->name);
}

void found_begin_file(struct found *found, const char *name)
{
	found->file = name;
	found->files++;
	found->from_this_file = 0;
	found->file_has_evidence = false;
}

static void add_name(struct found *found, struct names *names, const char *name)
{
	char clean[MAX_NAME];

	if (names->count == names->room) {
		const size_t room = names->room ? 2 * names->room : 16;
		char **more = realloc(names->list, room * sizeof *more);

		if (!more) {
			found->out_of_memory = true;
			return;
		}
		names->list = more;
		names->room = room;
	}
	text_clean(name, clean, sizeof clean);
	names->list[names->count] = strdup(clean);
	if (names->list[names->count])
		names->count++;
	else
		found->out_of_memory = true;
}

void found_end_file(struct found *found, struct explain *e, bool all_read)
{
	found->lines += explain_end_file(e);

	const struct explain_packed *packed = explain_packed(e);

	if (packed && found->packed_count < MAX_PAGES) {
		struct found_packed *p = &found->packed[found->packed_count++];

		p->packed = packed;
		text_clean(found->file, p->name, sizeof p->name);
	} else if (!found->file_has_evidence && all_read) {
		add_name(found, &found->without, found->file);
	}
}

void found_end(struct found *found, const struct explain *e)
{
	found->crashes = e->crashes;
	found->foreign = e->foreign;
	found->unread = e->unread;
	found->unread_line = e->unread_line;
	found->hint = e->hint;
}

void found_free(struct found *found)
{
	for (size_t i = 0; i < found->machine_count; i++)
		free(found->machines[i].name);
	free(found->machines);
	for (size_t i = 0; i < found->without.count; i++)
		free(found->without.list[i]);
	free(found->without.list);
}

/* Names a machine after its host. If the host is unknown, uses the file's name without folders and
 * ".json", and adds the line number unless this is the file's first machine. */
static void name_machine(const struct found *found, const struct explain_source *s,
			 char name[MAX_NAME])
{
	const char *slash = strrchr(found->file, '/');
	const char *base = slash ? slash + 1 : found->file;
	const size_t length = strlen(base);
	const int kept = length > 5 && strcmp(base + length - 5, ".json") == 0 ? (int)length - 5
									       : (int)length;

	if (s->host[0])
		snprintf(name, MAX_NAME, "%s", s->host);
	else if (found->from_this_file)
		snprintf(name, MAX_NAME, "%.*s:%llu", kept, base, (unsigned long long)s->line);
	else
		snprintf(name, MAX_NAME, "%.*s", kept, base);
}

static uint32_t find_group(struct found *found, const struct explain_source *s, const char *name)
{
	for (uint32_t i = 0; i < found->group_count; i++) {
		const struct fsgs_report *r = &found->groups[i].source.report;

		if ((r->verdict == s->report.verdict && r->findings == s->report.findings) ||
		    i == MAX_GROUPS_OF_MACHINES - 1) {
			found->groups[i].count++;
			return i;
		}
	}
	set_item(&found->groups[found->group_count], s, name);
	return found->group_count++;
}

static void add_machine(struct found *found, const struct explain_source *s)
{
	char name[MAX_NAME];

	name_machine(found, s, name);
	found->from_this_file++;
	if (found->machine_count == found->machine_room) {
		const size_t room = found->machine_room ? 2 * found->machine_room : 64;
		struct machine *more = realloc(found->machines, room * sizeof *more);

		if (!more) {
			found->out_of_memory = true;
			return;
		}
		found->machines = more;
		found->machine_room = room;
	}
	if (found->machine_count < MAX_COLUMNS)
		set_item(&found->columns[found->machine_count], s, name);

	struct machine *machine = &found->machines[found->machine_count++];

	machine->group = find_group(found, s, name);
	text_clean(name, name, sizeof name);
	machine->name = strdup(name);
	if (!machine->name)
		found->out_of_memory = true;
}

static bool is_same(const struct explain_source *a, const struct explain_source *b)
{
	return a->kind == b->kind && a->notes == b->notes && a->cr4 == b->cr4 && a->cpu == b->cpu &&
	       strcmp(a->symbol, b->symbol) == 0 &&
	       memcmp(&a->report, &b->report, sizeof a->report) == 0;
}

static void add_page(struct found *found, const struct explain_source *s)
{
	for (uint32_t i = 0; i < found->page_count; i++)
		if (is_same(&found->pages[i].source, s)) {
			found->pages[i].count++;
			return;
		}
	if (found->page_count < MAX_PAGES)
		set_item(&found->pages[found->page_count++], s, found->file);
	else
		found->more++;
}

void found_add(struct found *found, const struct explain_source *s)
{
	found->file_has_evidence = true;
	/* Among equally bad results, the first one with findings is preferred. */
	if (!found->worst.count || weight(s) > weight(&found->worst.source) ||
	    (weight(s) == weight(&found->worst.source) && s->report.findings &&
	     !found->worst.source.report.findings))
		set_item(&found->worst, s, found->file);
	if (is_machine(s))
		add_machine(found, s);
	else
		add_page(found, s);
}

uint32_t found_usual(const struct found *found)
{
	uint32_t usual = 0;

	for (uint32_t i = 1; i < found->group_count; i++) {
		const struct found_item *a = &found->groups[i], *b = &found->groups[usual];

		if (a->count > b->count ||
		    (a->count == b->count && weight(&a->source) < weight(&b->source)))
			usual = i;
	}
	return usual;
}

static const char *answer(uint32_t value)
{
	return value ? fsgs_name(FSGS_LIST_ANSWER, value) : "";
}

bool found_row(uint32_t row, const struct explain_source *s, const char **title, char *text,
	       size_t size)
{
	static const char *const titles[] = {
		"verdict",    "vendor",    "processor", "family/model/stepping",
		"cpuinfo",    "CPUID",     "AT_HWCAP2", "hypervisor flag",
		"hypervisor", "microcode", "kernel",    "processors",
	};
	const struct fsgs_report *r = &s->report;

	if (row >= sizeof titles / sizeof *titles)
		return false;
	*title = titles[row];
	text[0] = '\0';
	if (row == 3) {
		if (r->family)
			snprintf(text, size, "%u/%u/%u", r->family, r->model, r->stepping);
	} else if (row == 11) {
		if (s->processors)
			snprintf(text, size, "%u", s->processors);
	} else {
		const char *const texts[] = {
			fsgs_name(FSGS_LIST_VERDICT, r->verdict),
			r->vendor,
			r->brand,
			"",
			answer(r->cpuinfo_flag),
			answer(r->cpuid_fsgsbase),
			answer(r->hwcap2_fsgsbase),
			answer(s->hypervisor_flag),
			r->hypervisor,
			s->microcode,
			r->kernel,
		};

		snprintf(text, size, "%s%s", texts[row],
			 row == 8 && (s->notes & EXPLAIN_NOTE(HYPERV_TRAIT)) ? " (inferred)" : "");
	}
	return true;
}

/* How the machines in the columns compare. */
struct likeness {
	bool same_processor;
	bool same_flag;
	bool all_offer;
	bool tried; /* at least one of the machines has executed the instructions */
};

static struct likeness compare(const struct found *found)
{
	const struct fsgs_report *first = &found->columns[0].source.report;
	struct likeness like = {true, true, true, false};

	for (size_t i = 0; i < found->machine_count && i < MAX_COLUMNS; i++) {
		const struct fsgs_report *r = &found->columns[i].source.report;

		like.same_processor &= strcmp(r->vendor, first->vendor) == 0 &&
				       r->family == first->family && r->model == first->model;
		like.same_flag &= r->cpuinfo_flag == first->cpuinfo_flag;
		like.all_offer &= r->cpuinfo_flag == FSGS_ANSWER_YES;
		like.tried |= r->proof == FSGS_PROOF_TRIED;
	}
	return like;
}

const char *found_lesson(const struct found *found, uint32_t n)
{
	const struct likeness like = compare(found);
	const char *const lessons[] = {
		like.same_processor
			? "The processors are of the same model, so any difference comes from the "
			  "hypervisor, its settings, the microcode or the kernel."
			: "The processors differ, so a result on one of these machines does not "
			  "show what another machine does.",
		like.all_offer
			? "All files list fsgsbase, so CPUID offered the instructions to each "
			  "kernel. The flag does not show that the instructions run."
		: like.same_flag
			? "No file lists fsgsbase."
			: "Some files do not list fsgsbase. On those machines, the hypervisor "
			  "hides the feature, the kernel was configured not to use it, or the "
			  "processor lacks it. The files do not show which.",
		like.tried ? "A test that executed the instructions is stronger evidence than the "
			     "flag."
			   : "None of these files contains a test of the instructions. To see on "
			     "which machines FSGSBASE works, run the fsgscheck boot image "
			     "(share/fsgscheck/fsgscheck-boot.iso) on each.",
	};

	return n < sizeof lessons / sizeof *lessons ? lessons[n] : NULL;
}

const char *found_code(const struct explain_source *s, char text[FOUND_TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->code_length; i++)
		used += (size_t)snprintf(text + used, FOUND_TEXT - used, i ? " %02x" : "%02x",
					 s->code[i]);
	return text;
}

uint64_t found_count_verdict(const struct found *found, uint32_t verdict)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < found->group_count; i++)
		if (found->groups[i].source.report.verdict == verdict)
			count += found->groups[i].count;
	return count;
}

/* `name` is a short name for programs and must never change; `text` is for people. */
static const struct {
	const char *name, *text;
} kinds[EXPLAIN_KINDS] = {
	[EXPLAIN_CRASH] = {"crash", "a crash in a kernel log"},
	[EXPLAIN_BOOT] = {"log", "a kernel log"},
	[EXPLAIN_CPUINFO] = {"cpuinfo", "a dump of /proc/cpuinfo"},
	[EXPLAIN_REPORT] = {"report", "a report of fsgscheck"},
	[EXPLAIN_IMAGE] = {"image", "the boot image's output"},
	[EXPLAIN_LSCPU] = {"lscpu", "the output of lscpu"},
	[EXPLAIN_CPUID] = {"cpuid", "the output of cpuid"},
	[EXPLAIN_HOST] = {"host", "a hypervisor's message about a guest"},
	[EXPLAIN_PROGRAM] = {"program", "the death of a program"},
};

const char *found_kind_name(uint32_t kind)
{
	return kinds[kind].name;
}

const char *found_kind_text(uint32_t kind)
{
	return kinds[kind].text;
}

/* Quotes a file name, which may contain any character, so that the shell reads it as one word, and
 * the command that gets it does not read it as an option. */
static void quote(const char *name, char *to)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./:@%+,=-";
	const bool bare = name[0] && strspn(name, plain) == strlen(name);

	to += sprintf(to, "%s%s", name[0] == '-' ? "./" : "", bare ? name : "'");
	if (bare)
		return;
	for (; *name; name++)
		to += sprintf(to, *name == '\'' ? "'\\''" : "%c", *name);
	strcpy(to, "'");
}

const char *found_packed_command(const struct found_packed *packed, char text[2 * FOUND_TEXT])
{
	char word[4 * MAX_NAME + 8];

	if (!packed->packed->command)
		return NULL;
	quote(strcmp(packed->name, FOUND_STANDARD_INPUT) == 0 ? "FILE" : packed->name, word);
	snprintf(text, (size_t)2 * FOUND_TEXT, packed->packed->command, word);
	return text;
}

const char found_unread_text[] =
	"This crash lacks the registers, or the bytes of the Code: line from the byte in angle "
	"brackets on. A serial console, netconsole, pstore or kdump records them. If you cannot "
	"get them, boot once with nofsgsbase. If the kernel boots, FSGSBASE was the cause.";

const struct side *found_side(const struct explain_source *s)
{
	static const struct {
		uint32_t note;
		struct side side;
	} rows[] = {
		{EXPLAIN_NOTE(STARTING), {"guest", "the fault of the guest's kernel"}},
		{EXPLAIN_NOTE(NOT_ENABLED),
		 {"guest", "the fault of the code that executed the instruction"}},
		{EXPLAIN_NOTE(PINNED), {"unknown", "something other than the host changed CR4"}},
		{EXPLAIN_NOTE(MISSING_MODEL), {"host", "this host cannot provide it"}},
		{EXPLAIN_NOTE(RUNNING), {"none", "used by the running kernel; not tried"}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (s->notes & rows[i].note)
			return &rows[i].side;
	return report_side(&s->report);
}

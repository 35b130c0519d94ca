/* SPDX-License-Identifier: MIT */
/*
 * From lines to messages: undoes colours, entities, quoted-printable and quoting, removes the
 * transport's prefix, and joins wrapped messages.
 *
 * The prefix shows whether a message is from the kernel. The text after the prefix does not,
 * because a log also quotes names of programs, files, devices and services, which users choose. So
 * a message begins only where its transport's prefix ends, and nowhere else in the line.
 */
#include "explain.h"

#include <string.h>

/* Reasons why the next line may continue this line. */
enum {
	NO_SOFT,
	SOFT_BREAK, /* a soft line break of quoted-printable */
	PARTIAL,    /* a partial record of a container's log */
	MARKED      /* a mark at the end of the line shows that it continues */
};

/* The kernel's records are shorter (LOG_LINE_MAX and the prefix of kernel/printk). A longer line
 * cannot be a single record, so escaped line ends in it are not part of a name. */
#define LONGEST_RECORD 2048

static bool contains(const char *bytes, size_t size, const char *what)
{
	return memmem(bytes, size, what, strlen(what)) != NULL;
}

/* Whether `first` occurs directly before a character of `second`, or as the last byte. */
static bool followed_by(const char *bytes, size_t size, char first, const char *second)
{
	const char *const end = bytes + size;

	while ((bytes = memchr(bytes, first, (size_t)(end - bytes))) && ++bytes < end)
		if (*bytes && strchr(second, *bytes))
			return true;
	return bytes == end;
}

/* -- Messages of several lines */

/* Whether the held message may end in an incomplete value: a colon, digits directly after a colon,
 * or fewer than 16 digits, unless they follow a parenthesis. */
static bool is_cut_value(const struct explain_unwrap *u)
{
	uint32_t digits = 0;

	for (uint32_t i = u->held_length; i > 0; i--) {
		const char c = u->held_text[i - 1];

		if (c == ' ' && digits == 0)
			continue;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return c == ':' || (digits && digits < 16 && c != '(');
		digits++;
	}
	return false;
}

static bool goes_on(const struct explain *e, const struct explain_message *m)
{
	static const char hex[] = "0123456789abcdefABCDEF", code[] = "0123456789abcdefABCDEF<> ",
			  words[] = "abcdefghijklmnopqrstuvwxyz0123456789_, ";
	const struct explain_unwrap *u = &e->unwrap;

	/* A line of flags may begin like a key of /proc/cpuinfo, but it has no colon. */
	const bool words_only = u->held_kind == WRAP_WORDS &&
				!memchr(m->text.at, ':', (size_t)(m->text.end - m->text.at));

	if (text_ends(m->text) || m->stamped || (!words_only && m->start))
		return false;

	struct text first = {m->text.at, explain_token_end(m->text)};

	if (u->held.stamped && u->held_kind != WRAP_CODE && u->held_kind != WRAP_REGS)
		return true;

	switch (u->held_kind) {
	case WRAP_CODE:
		return explain_is_list_of(m->text, code);
	case WRAP_REGS:
		return (explain_is_list_of(first, hex) && is_cut_value(u)) ||
		       (u->held.stamped && first.end > first.at && first.end[-1] == ':');
	case WRAP_NAME:
		return text_find(&first, "0x") && !memchr(u->held_text, '/', u->held_length);
	case WRAP_WORDS:
		return explain_is_list_of(m->text, words);
	default:
		return false;
	}
}

static void end_held(struct explain *e)
{
	struct explain_unwrap *u = &e->unwrap;

	if (!u->held_kind)
		return;
	u->held_kind = WRAP_NEVER;
	u->held.text = (struct text){u->held_text, u->held_text + u->held_length};
	if (u->held.joined)
		u->held.start = explain_find_start(e, u->held.text);
	explain_readers_line(e, &u->held);
}

static void hold(struct explain *e, const struct explain_message *m, uint32_t kind)
{
	struct explain_unwrap *u = &e->unwrap;

	u->held = *m;
	u->held_kind = kind;
	u->held_length = (uint32_t)(m->text.end - m->text.at);
	memcpy(u->held_text, m->text.at, u->held_length);
}

static void append(struct explain *e, const struct explain_message *m)
{
	struct explain_unwrap *u = &e->unwrap;
	const size_t length = (size_t)(m->text.end - m->text.at);

	if (u->held_length + 1 + length > EXPLAIN_LINE) {
		end_held(e);
		return;
	}
	u->held_text[u->held_length++] = TEXT_JOINT;
	memcpy(u->held_text + u->held_length, m->text.at, length);
	u->held_length += (uint32_t)length;
	u->held.last = m->line;
	u->held.joined = 1;
}

/* Maximum lengths of a name that a message quotes: the file of a program, and a parameter. The name
 * may contain line ends, and the character that ends the quote. The console then prints the prefix
 * of the message's first line before each line of the name. */
#define LONGEST_FILE      300
#define LONGEST_PARAMETER 4096

/* Whether the message may begin with a program's name: "NAME[123]: segfault at", "traps: NAME[123]
 * trap invalid opcode". The name may contain a line end, so the text may lack the name's
 * beginning. */
static bool may_name_program(struct text t)
{
	const size_t length = (size_t)(t.end - t.at);

	return length && (*t.at == ':' || memchr(t.at, ']', length < 32 ? length : 32));
}

/* The maximum length of a name that the kernel may quote in this message; 0 if it quotes none. */
static uint32_t quoted_length(struct text t)
{
	/* Words before a quoted name, which is a mount option or a program's path
	 * (include/linux/fs_context.h, fs/exec.c) */
	static const char *const words[] = {"parameter ", "value for ", "process ", "option ",
					    "option: ",   "resolve ",   "lookup ",  "name "};
	const char *quote = t.end;

	/* Find the first quotation mark, because the name may contain others. */
	for (const char *mark = "'\"`"; *mark; mark++) {
		const char *at = memchr(t.at, *mark, (size_t)(quote - t.at));

		quote = at ? at : quote;
	}
	for (size_t i = 0; quote < t.end && i < sizeof words / sizeof *words; i++)
		if ((size_t)(quote - t.at) >= strlen(words[i]) &&
		    memcmp(quote - strlen(words[i]), words[i], strlen(words[i])) == 0)
			return LONGEST_PARAMETER;
	return may_name_program(t) && text_find(&t, " error") && text_find(&t, " in ")
		       ? LONGEST_FILE
		       : 0;
}

static void note_quote(struct explain *e, const struct explain_message *m)
{
	struct explain_unwrap *u = &e->unwrap;
	const size_t length = (size_t)(m->prefix.end - m->prefix.at);
	const uint32_t quoting = quoted_length(m->text);

	if (!quoting)
		return;
	u->quoting = quoting;
	u->quoting_exact = m->uptime != 0;
	u->quoting_open = quoting == LONGEST_FILE && m->text.end[-1] != ']';
	u->quoting_prefix_length =
		(uint32_t)(length < sizeof u->quoting_prefix ? length : sizeof u->quoting_prefix);
	memcpy(u->quoting_prefix, m->prefix.at, u->quoting_prefix_length);
	if (contains(m->text.at, (size_t)(m->text.end - m->text.at), "segfault at ")) {
		u->faults++;
		u->faults_message = e->messages;
	}
}

static bool in_name(struct explain_unwrap *u, struct text line)
{
	size_t length = (size_t)(line.end - line.at);

	if (length < u->quoting_prefix_length ||
	    memcmp(line.at, u->quoting_prefix, u->quoting_prefix_length) != 0) {
		u->quoting = 0;
		return false;
	}
	length -= u->quoting_prefix_length;
	u->quoting -= length < u->quoting ? (uint32_t)length + 1 : u->quoting;
	return true;
}

/* After the fault of a program, the kernel prints the program's bytes in a "Code:" line like that
 * of a kernel crash. The line follows within this many messages. */
#define FAULT_LINES 16

static bool is_fault_code(struct explain *e, const struct explain_message *m,
			  const struct explain_start *start)
{
	struct explain_unwrap *u = &e->unwrap;
	struct explain_dump d = {0};
	struct text t = m->text;

	if (!u->faults || start->read != explain_crash_read)
		return false;
	if (e->messages - u->faults_message > FAULT_LINES || start->code == CRASH_OPCODE ||
	    start->code == CRASH_EARLY || start->code == CRASH_PROTECTION)
		u->faults = 0;
	/* A RIP: line that is certainly the kernel's begins a dump of the kernel, so the next Code:
	 * line is not a program's. */
	if (start->code == CRASH_RIP && text_skip(&t, start->text)) {
		explain_dump_rip(&d, t, false);
		u->faults = d.vague ? u->faults : 0;
	}
	if (!u->faults || start->code != CRASH_CODE)
		return false;
	u->faults--;
	return true;
}

/* Whether the first word of the message's prefix counts as the host's name. It does if the three
 * messages before have the same first word. It does not if the common prefix of the file's lines is
 * known, or if none is searched for any more, for example because the kernel's own lines have
 * none. */
static bool is_origin(const struct explain *e, const struct explain_message *m)
{
	const struct explain_unwrap *u = &e->unwrap;

	return !e->common.barred && !e->common.learnt && m->origin && m->origin == u->origins[0] &&
	       m->origin == u->origins[1] && m->origin == u->origins[2];
}

static void note_origin(struct explain_unwrap *u, const struct explain_message *m)
{
	u->origins[2] = u->origins[1];
	u->origins[1] = u->origins[0];
	u->origins[0] = m->origin;
}

static uint32_t blanks(struct text t)
{
	const char *start = t.at;

	while (t.at < t.end && *t.at == ' ')
		t.at++;
	return (uint32_t)(t.at - start);
}

/* Reads the fields _TRANSPORT and MESSAGE of `journalctl -o export` or `-o verbose`. Returns true
 * if the line is _TRANSPORT, which contains no message. */
static bool take_field(struct explain_unwrap *u, struct text *line, struct explain_message *m)
{
	struct text t = *line;

	text_blank(&t);
	if (t.at == t.end || (*t.at != '_' && *t.at != 'M')) {
		u->entry &= t.at < t.end;
		return false;
	}
	if (text_skip(&t, "_TRANSPORT=")) {
		u->entry = text_skip(&t, "kernel") && text_ends(t);
		return true;
	}
	if (!text_skip(&t, "MESSAGE="))
		return false;
	m->foreign |= !u->entry;
	m->stamped = 1;
	*line = t;
	return false;
}

/* Every text in the table of readers is shorter. */
#define LONGEST_START 64

/* Whether the text may be the first part of a text in the table of readers, with the rest on the
 * next line. */
static bool may_continue(const struct explain *e, struct text t)
{
	return t.end - t.at < LONGEST_START && explain_starts_with(e, t);
}

/* Handles a message that matches no entry of the table of readers. */
static void take_other(struct explain *e, const struct explain_message *m)
{
	const size_t length = (size_t)(m->text.end - m->text.at);

	if (m->stamped && may_continue(e, m->text))
		hold(e, m, WRAP_TEXT);
	else if (explain_crash_is_open(e) || e->machine.ask_release || e->program.tool ||
		 e->program.translated ||
		 (!m->uptime && length > 7 &&
		  (m->text.end[-1] == 'r' || contains(m->text.at, length, "fsgsbase"))))
		explain_readers_line(e, m);
}

/* The column of a program's message, after the program's name. */
static uint32_t message_column(struct text line, struct text t)
{
	return text_find(&t, ": ") ? (uint32_t)(t.at - line.at) : 0;
}

/* Reads a message, after its prefix has been removed. */
static void read_message(struct explain *e, const struct explain_message *m)
{
	struct explain_unwrap *u = &e->unwrap;
	const struct explain_start *start;

	if (m->foreign) {
		end_held(e);
		explain_host_feature(e, m);
		return;
	}
	if (u->held_kind && goes_on(e, m)) {
		append(e, m);
		return;
	}
	end_held(e);
	start = m->start;
	if (m->weak && start && start->kernel && !is_origin(e, m))
		start = NULL;
	/* The kernel logs neither /proc/cpuinfo nor the output of tools, but it logs programs'
	 * names, which may look like them. */
	if (start && !start->kernel && m->uptime && start->read != explain_boot_read)
		start = NULL;
	/* In a message about a program's fault, the program's name may look like a kernel
	 * message. */
	if (start && start->kernel && start->wrap != WRAP_REGS &&
	    contains(m->text.at, (size_t)(m->text.end - m->text.at), "]: segfault at "))
		start = NULL;
	if (start && is_fault_code(e, m, start))
		return;
	if (m->quoted && !(start && start->kernel && start->read == explain_crash_read)) {
		note_quote(e, m);
		return;
	}
	note_origin(u, m);
	if (start && start->wrap)
		hold(e, m, start->wrap);
	else if (start)
		explain_readers_line(e, m);
	if (!start || start->read == explain_program_read)
		note_quote(e, m);
	if (!start && !u->quoting)
		take_other(e, m);
}

/* Removes the common prefix of the file's lines. When the prefix becomes known, the stored first
 * lines are read, too. */
static void remove_common(struct explain *e, struct text line, struct explain_message *m)
{
	struct explain_common *c = &e->common;
	const struct explain_start *start = m->start;

	/* The timestamp of dmesg -T, "[Wed Jul 23 10:11:12 2025]", marks a line of the kernel,
	 * too. */
	if (m->own || (start && start->kernel && !m->weak && !m->foreign &&
		       (m->text.at == line.at || (m->stamped && *line.at == '[')))) {
		explain_common_bar(c);
		return;
	}
	if (m->foreign)
		return;
	/* The entry "#" of the table of readers matches comments as well as stack frames, so it
	 * does not count. */
	const bool was_read = start && !m->weak && start->text[1];

	if (explain_common_learn(c, line, e->lines, was_read))
		for (size_t i = 0; i < EXPLAIN_COMMON_KEPT; i++) {
			struct explain_message kept = {.line = c->kept[i].line,
						       .last = c->kept[i].line};
			struct text t = {c->kept[i].text, c->kept[i].text + c->kept[i].length};

			if (t.at == t.end || !explain_common_skip(c, &t))
				continue;
			explain_find_message(e, t, &kept);
			kept.prefix = (struct text){t.at, kept.text.at};
			read_message(e, &kept);
		}
	if (was_read || !explain_common_skip(c, &line))
		return;
	*m = (struct explain_message){.line = m->line, .last = m->last, .quoted = m->quoted};
	explain_find_message(e, line, m);
	m->prefix = (struct text){line.at, m->text.at};
}

/* Kata Containers log each line of the guest's console output as vmconsole="...". */
static bool find_console(const struct explain_message *m, struct text *line)
{
	struct text t = m->text;

	if (!m->foreign || (!text_skip(&t, "kata") && !text_skip(&t, "containerd")) ||
	    !text_find(&t, " vmconsole=\""))
		return false;
	while (t.end > t.at && *--t.end != '"')
		;
	*line = t;
	return true;
}

static void take_message(struct explain *e, struct text line)
{
	struct explain_unwrap *u = &e->unwrap;
	struct explain_message m = {.line = e->lines, .last = e->lines};

	e->messages++;

	if (u->quoting && in_name(u, line)) {
		const bool open = u->quoting_open;

		u->quoting_open &= line.at == line.end || line.end[-1] != ']';
		if (u->quoting_exact || open)
			return;
		m.quoted = 1;
	}
	if (take_field(u, &line, &m))
		return;
	explain_find_message(e, line, &m);
	m.prefix = (struct text){line.at, m.text.at};
	/* The journal indents the further lines of a program's message. */
	if (u->indent && !m.stamped && blanks(line) == u->indent)
		return;
	u->indent = m.foreign ? message_column(line, m.text) : 0;
	u->foreign = m.foreign;
	if (find_console(&m, &line)) {
		m = (struct explain_message){.line = e->lines, .last = e->lines};
		explain_find_message(e, line, &m);
	}
	if (!e->common.barred)
		remove_common(e, line, &m);
	read_message(e, &m);
}

/* -- Lines */

/* Whether a message of the kernel is no evidence, which is the usual case. read_message() would
 * only pass such a message to an open crash. */
static bool is_ordinary(const struct explain *e, const struct explain_message *m)
{
	return !m->start && !e->unwrap.held_kind && !e->machine.ask_release && !e->program.tool &&
	       !e->program.translated && !may_continue(e, m->text) && !may_name_program(m->text);
}

bool explain_unwrap_own(struct explain *e, const char *line, size_t length)
{
	struct explain_unwrap *u = &e->unwrap;
	struct explain_message m = {.line = e->lines, .last = e->lines};

	if (!e->common.barred || u->quoting || u->soft_kind || length > LONGEST_RECORD ||
	    !explain_find_own((struct text){line, line + length}, &m) ||
	    explain_characters_in(line, length))
		return false;
	e->messages++;
	u->foreign = u->indent = 0;
	m.prefix = (struct text){line, m.text.at};
	m.start = explain_find_start(e, m.text);
	if (is_ordinary(e, &m)) {
		note_origin(u, &m);
		explain_crash_trace(e, &m);
	} else {
		read_message(e, &m);
	}
	return true;
}

/* Parses the prefix of Kubernetes, "2025-07-23T10:11:12.123Z stdout P text". P marks a part of a
 * line, F the last part. */
static bool partial(struct text *t, bool *more)
{
	struct text rest = *t;

	if (rest.at == rest.end || *rest.at < '1' || *rest.at > '9')
		return false;
	rest.at = explain_token_end(rest);
	if (!text_skip(&rest, " stdout ") && !text_skip(&rest, " stderr "))
		return false;
	*more = text_skip(&rest, "P ");
	if (!*more && !text_skip(&rest, "F "))
		return false;
	*t = rest;
	return true;
}

/* Appends a part of a message to its earlier parts. If `more` is false, the message is complete and
 * is read. */
static void add_part(struct explain *e, struct text t, uint32_t kind, bool more)
{
	struct explain_unwrap *u = &e->unwrap;

	/* In a quoted mail each line begins with a quote mark, which is not part of the text. */
	if (u->soft_length && u->soft_text[0] == '>')
		while (t.at < t.end && (*t.at == '>' || *t.at == ' '))
			t.at++;

	const size_t length = (size_t)(t.end - t.at), room = EXPLAIN_LINE - u->soft_length;
	const size_t kept = length < room ? length : room;

	memcpy(u->soft_text + u->soft_length, t.at, kept);
	u->soft_length += (uint32_t)kept;
	u->soft_kind = more ? kind : NO_SOFT;
	if (!more) {
		t = (struct text){u->soft_text, u->soft_text + u->soft_length};
		u->soft_length = 0;
		take_message(e, t);
	}
}

static void end_soft(struct explain *e)
{
	if (e->unwrap.soft_kind)
		add_part(e, (struct text){"", ""}, NO_SOFT, false);
}

/* Whether a text has signs of quoted-printable: "=3C", "=3D" or "=3E" for <, = and >, "=5B" and
 * "=5D" for brackets, "=3A" for a colon after a word, "=20" for each blank. */
static bool has_quoted(struct text t)
{
	const char *at = t.at;

	if (!memchr(at, ' ', (size_t)(t.end - at)) && text_find(&(struct text){at, t.end}, "=20"))
		return true;
	while ((at = memchr(at, '=', (size_t)(t.end - at)))) {
		if (t.end - at > 2 && ((at[1] == '3' && at[2] >= 'C' && at[2] <= 'E') ||
				       (at[1] == '5' && (at[2] == 'B' || at[2] == 'D'))))
			return true;
		if (t.end - at > 4 && at > t.at && memcmp(at, "=3A ", 4) == 0 && at[-1] >= '0')
			return true;
		/* In lower case, these digits occur in many numbers. So they count only as "=3c"
		 * and "=3e" around a byte. */
		if (t.end - at > 7 && memcmp(at, "=3c", 3) == 0 && memcmp(at + 5, "=3e", 3) == 0)
			return true;
		at++;
	}
	return false;
}

/* Whether a line is encoded as in a URL: it has no blanks, and at least three characters are
 * written as "%" and digits. */
static bool is_url(struct text t)
{
	if (memchr(t.at, ' ', (size_t)(t.end - t.at)))
		return false;
	for (int i = 0; i < 3; i++)
		if (!text_find(&t, "%") || t.end - t.at < 2 || *t.at < '0' || *t.at > '7')
			return false;
	return true;
}

/* Removes the mark that a tool puts where it wraps a line. */
static bool skip_mark(struct text *t)
{
	static const char *const marks[] = {"\\", "\xe2\x86\xb5", "\xe2\x8f\x8e", "\xe2\x86\xa9",
					    "\xe2\x80\xa6"};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		const size_t length = strlen(marks[i]);

		if ((size_t)(t->end - t->at) > length &&
		    memcmp(t->end - length, marks[i], length) == 0 &&
		    !strchr("\\\033", t->end[-1 - (ptrdiff_t)length])) {
			t->end -= length;
			return true;
		}
	}
	return false;
}

/* Whether the line begins a new message, even if the line before ends with a mark. */
static bool begins_anew(const struct explain *e, struct text t)
{
	struct explain_message m = {0};

	explain_find_message(e, t, &m);
	return m.own || m.foreign || (m.text.at == t.at && m.start);
}

static void take_plain(struct explain *e, struct text t)
{
	struct explain_unwrap *u = &e->unwrap;
	bool more = false;

	if (partial(&t, &more)) {
		if (more || u->soft_kind == PARTIAL) {
			add_part(e, t, PARTIAL, more);
			return;
		}
	}
	if (u->soft_kind == PARTIAL)
		end_soft(e);
	/* A row of a table has a "|" at both ends. */
	if (t.at < t.end && *t.at == '|') {
		while (t.end > t.at + 1 && t.end[-1] == ' ')
			t.end--;
		t.end -= t.end > t.at + 1 && t.end[-1] == '|';
	}
	take_message(e, t);
}

/* Whether a line may contain a tag. "<f3>", the marked byte of a dump, is no tag. */
static bool may_have_tag(struct text t)
{
	while ((t.at = memchr(t.at, '<', (size_t)(t.end - t.at)))) {
		struct text byte = {t.at + 1, t.end - t.at > 3 ? t.at + 3 : t.end};
		uint64_t value;

		if (text_hex(&byte, &value) != 2 || byte.at == t.end || *byte.at != '>')
			return true;
		t.at = byte.at;
	}
	return false;
}

/* The encodings to undo in a line with these classes of characters. */
static uint32_t how_written(struct text t, uint32_t seen, uint32_t how, bool soft)
{
	const bool is_long = (how & LINE_LONG) || t.end - t.at > LONGEST_RECORD;
	uint32_t undo = seen & ~(uint32_t)CHARACTERS_EQUALS;

	if ((seen & CHARACTERS_TAGS) && !may_have_tag(t))
		undo &= ~(uint32_t)CHARACTERS_TAGS;
	if (soft || ((seen & CHARACTERS_EQUALS) && has_quoted(t)))
		undo |= CHARACTERS_QUOTED;
	if ((seen & CHARACTERS_BACKSLASHES) &&
	    ((how & LINE_LITERAL) || is_long || explain_is_literal(t)))
		undo |= CHARACTERS_LITERAL;
	if ((seen & CHARACTERS_PERCENTS) && is_url(t))
		undo |= CHARACTERS_URL;
	/* If a line begins with a tag, a web page added the tag, so block tags become line ends. In
	 * other lines, a tag may be part of a name. */
	text_blank(&t);
	return undo | (is_long ? CHARACTERS_LINES : 0) |
	       (is_long || (t.at < t.end && *t.at == '<') ? CHARACTERS_BLOCKS : 0);
}

/* Whether a line begins with a colour sequence in which ESC is missing or is written as a word. */
static bool is_coloured(struct text t)
{
	size_t length;

	return t.end - t.at > 3 && ((*t.at == '[' && t.at[1] >= '0' && t.at[1] <= '9' &&
				     explain_is_bare_colour(t, &length)) ||
				    (*t.at == 'E' && text_skip(&t, "ESC[")));
}

/* The classes of characters in a line that may have to be decoded. */
static uint32_t encoded(const char *line, size_t length, uint32_t how)
{
	uint32_t seen = explain_characters_in(line, length) & ~(uint32_t)CHARACTERS_QUOTES;

	if (how & LINE_PACKED)
		return seen;
	/* "<", "=" and "#" are frequent in the kernel's own lines, so check the next character,
	 * too. */
	if ((seen & CHARACTERS_TAGS) &&
	    !followed_by(line, length, '<', "/abcdefhiklmopstuABCDEFHIKLMOPSTU"))
		seen &= ~(uint32_t)CHARACTERS_TAGS;
	if ((seen & CHARACTERS_EQUALS) && !followed_by(line, length, '=', "\r\n235"))
		seen &= ~(uint32_t)CHARACTERS_EQUALS;
	if ((seen & CHARACTERS_HASHES) && !followed_by(line, length, '#', "0"))
		seen &= ~(uint32_t)CHARACTERS_HASHES;
	return seen;
}

void explain_unwrap_line(struct explain *e, const char *line, size_t length, uint32_t how)
{
	struct explain_unwrap *u = &e->unwrap;
	const uint32_t seen = encoded(line, length, how);
	struct text t = {line, line + length};
	const bool coloured = is_coloured(t);

	if (!(how & LINE_REST))
		u->foreign = 0;
	else if (u->foreign)
		return;
	if (!seen && !u->soft_kind && !coloured) {
		take_plain(e, t);
		return;
	}

	const bool soft = (seen & CHARACTERS_EQUALS) && length > 1 && line[length - 1] == '=' &&
			  line[length - 2] != '=' && length < 100;
	bool marked = false;
	uint32_t undo;

	if (u->soft_kind == MARKED && begins_anew(e, t))
		end_soft(e);
	if (seen & (CHARACTERS_BACKSLASHES | CHARACTERS_WIDE))
		marked = skip_mark(&t);
	if (soft)
		t.end--;
	undo = how_written(t, seen, how, soft || u->soft_kind == SOFT_BREAK) |
	       (coloured ? CHARACTERS_BARE : 0u);
	if (undo & ~(uint32_t)(CHARACTERS_LINES | CHARACTERS_BLOCKS)) {
		length = explain_characters(e, t.at, (size_t)(t.end - t.at), undo);
		t = (struct text){u->clean, u->clean + length};
	}
	if (soft || marked || u->soft_kind == SOFT_BREAK || u->soft_kind == MARKED) {
		add_part(e, t, soft ? SOFT_BREAK : MARKED, soft || marked);
		return;
	}
	for (;;) {
		const char *lf = memchr(t.at, '\n', (size_t)(t.end - t.at));

		take_plain(e, (struct text){t.at, lf ? lf : t.end});
		if (!lf || u->foreign)
			break;
		t.at = lf + 1;
	}
}

void explain_unwrap_end(struct explain *e)
{
	end_soft(e);
	end_held(e);
	memset(e->unwrap.origins, 0, sizeof e->unwrap.origins);
	memset(&e->common, 0, sizeof e->common);
	e->unwrap.quoting = e->unwrap.indent = 0;
	e->unwrap.faults = 0;
}

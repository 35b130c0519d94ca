/* SPDX-License-Identifier: MIT */
/*
 * From lines to messages: colours, entities, quoted-printable and quoting are undone, what a
 * transport puts in front of a message is removed, and a message that was wrapped becomes one
 * again.
 *
 * What stands in front decides whether a message is the kernel's. A log quotes names that users
 * choose: of programs, files and devices, and of services that write to the same log. So a message
 * begins where the prefix of its transport ends, and nowhere else in the line.
 */
#include "explain.h"

#include <string.h>

/* Characters in a piece of the file that need a closer look at its lines. */
enum {
	ESCAPES = 1 << 0,
	ENTITIES = 1 << 1,
	TAGS = 1 << 2,
	SOFT = 1 << 3,
	BACKSLASHES = 1 << 4,
	ALL = (1 << 5) - 1
};

enum { NO_SOFT, SOFT_BREAK, PARTIAL };

static bool contains(const char *bytes, size_t size, const char *what)
{
	return memmem(bytes, size, what, strlen(what)) != NULL;
}

/* Whether one of these characters stands behind the first one somewhere, or at the end of the
 * piece. */
static bool followed_by(const char *bytes, size_t size, char first, const char *second)
{
	const char *const end = bytes + size;

	while ((bytes = memchr(bytes, first, (size_t)(end - bytes))) && ++bytes < end)
		if (*bytes && strchr(second, *bytes))
			return true;
	return bytes == end;
}

void explain_unwrap_piece(struct explain *e, const char *bytes, size_t size)
{
	uint32_t seen = 0;

	seen |= memchr(bytes, '\033', size) ? ESCAPES : 0;
	seen |= memchr(bytes, '&', size) ? ENTITIES : 0;
	seen |= memchr(bytes, '\\', size) ? BACKSLASHES : 0;
	seen |= followed_by(bytes, size, '<', "/bpdsl") ? TAGS : 0;
	seen |= followed_by(bytes, size, '=', "\r\n3") ? SOFT : 0;
	/* A line may have begun in pieces before. */
	e->unwrap.special = e->stream[0].length ? e->unwrap.special | seen : seen;
}

/* -- Messages of several lines */

/* The end of the last word that is held. */
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

	/* A flag may begin like a key of /proc/cpuinfo, but has no colon. */
	const bool words_only = u->held_kind == WRAP_WORDS &&
				!memchr(m->text.at, ':', (size_t)(m->text.end - m->text.at));

	if (text_ends(m->text) || m->stamped || (!words_only && explain_find_start(e, m->text)))
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

/* A program's fault: "NAME[pid]: segfault at ... in FILE[start+size]". A name may have line ends in
 * it. */
#define LONGEST_NAME 300

static bool quotes_name(struct explain_unwrap *u, struct text t)
{

	const size_t length = (size_t)(t.end - t.at);
	const char *pid = memchr(t.at, ']', length < 32 ? length : 32);

	/* "NAME[123]: segfault at", "traps: NAME[123] trap invalid opcode" */
	if (!pid || !text_find(&t, " error") || !text_find(&t, " in "))
		return false;
	u->quoting = t.end[-1] == ']' ? 0 : LONGEST_NAME;
	return true;
}

static bool in_name(struct explain_unwrap *u, struct text line)
{
	const size_t length = (size_t)(line.end - line.at);

	if (!u->quoting)
		return false;
	u->quoting = length < u->quoting && (length == 0 || line.end[-1] != ']')
			     ? u->quoting - (uint32_t)length - (length == 0)
			     : 0;
	return true;
}

/* The same first word in front of each line is a host's name; else it may be anything. */
static bool is_origin(struct explain_unwrap *u, const struct explain_message *m)
{
	const bool same = m->origin && m->origin == u->origins[0] && m->origin == u->origins[1] &&
			  m->origin == u->origins[2];

	return same;
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

/* The fields of `journalctl -o export` and `-o verbose`. Gives whether the line was only that. */
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

/* No start of the table is longer. */
#define LONGEST_START 64

/* What no start of the table fits. */
static void take_other(struct explain *e, const struct explain_message *m)
{
	const size_t length = (size_t)(m->text.end - m->text.at);

	if (m->stamped && length < LONGEST_START && explain_starts_with(e, m->text))
		hold(e, m, WRAP_TEXT);
	else if (explain_crash_is_open(e) || e->machine.ask_release || e->program.tool ||
		 e->program.translated ||
		 (!m->uptime && length > 7 &&
		  (m->text.end[-1] == 'r' || contains(m->text.at, length, "fsgsbase"))))
		explain_readers_line(e, m);
}

/* Where a program's message begins, behind its name. */
static uint32_t message_column(struct text line, struct text t)
{
	return text_find(&t, ": ") ? (uint32_t)(t.at - line.at) : 0;
}

static void take_message(struct explain *e, struct text line)
{
	struct explain_unwrap *u = &e->unwrap;
	struct explain_message m = {.line = e->lines, .last = e->lines};
	const struct explain_start *start;

	e->messages++;

	if (u->quoting && in_name(u, line))
		return;
	if (take_field(u, &line, &m))
		return;
	explain_find_message(e, line, &m);
	/* The further lines of a program's message are indented as the journal indents them. */
	if (u->indent && !m.stamped && blanks(line) == u->indent)
		return;
	u->indent = m.foreign ? message_column(line, m.text) : 0;
	if (m.foreign) {
		end_held(e);
		explain_host_feature(e, &m);
		return;
	}
	if (u->held_kind && goes_on(e, &m)) {
		append(e, &m);
		return;
	}
	end_held(e);
	start = explain_find_start(e, m.text);
	if (m.weak && start && start->kernel && !is_origin(u, &m))
		start = NULL;
	note_origin(u, &m);
	if (start && start->wrap)
		hold(e, &m, start->wrap);
	else if (start)
		explain_readers_line(e, &m);
	/* A name in a program's trap may go on in the next lines. */
	if ((!start || start->read == explain_program_read) && !quotes_name(u, m.text) && !start)
		take_other(e, &m);
}

/* -- Lines */

/* Kubernetes: "2025-07-23T10:11:12.123Z stdout P text" for a part, F for the last one. */
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

/* Puts a part to those before it; they are whole when `more` is false. */
static void add_part(struct explain *e, struct text t, uint32_t kind, bool more)
{
	struct explain_unwrap *u = &e->unwrap;
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

/* "=3C", "=3D" or "=3E": what quoted-printable makes of <, = and >. */
static bool has_quoted(const char *line, size_t length)
{
	const char *const end = line + length;

	while ((line = memchr(line, '=', (size_t)(end - line)))) {
		if (end - line > 2 && line[1] == '3' && line[2] >= 'C' && line[2] <= 'E')
			return true;
		line++;
	}
	return false;
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
	take_message(e, t);
}

void explain_unwrap_line(struct explain *e, const char *line, size_t length, bool packed,
			 bool literal)
{
	struct explain_unwrap *u = &e->unwrap;
	const uint32_t special = packed ? ALL : u->special;
	struct text t = {line, line + length};

	if (!special && !u->soft_kind) {
		take_plain(e, t);
		return;
	}

	const bool soft = (special & SOFT) && length > 1 && line[length - 1] == '=' &&
			  line[length - 2] != '=' && length < 100;
	const bool qp = soft || u->soft_kind == SOFT_BREAK ||
			((special & SOFT) && has_quoted(line, length));

	if ((special & BACKSLASHES) && !literal && length &&
	    strchr("\"'bcdefghijklmnopqrstuvwxyz", line[0]))
		literal = explain_is_literal((struct text){line, line + length});
	if (((special & ESCAPES) && memchr(line, '\033', length)) ||
	    ((special & ENTITIES) && memchr(line, '&', length)) ||
	    ((special & TAGS) && memchr(line, '<', length)) ||
	    ((special & BACKSLASHES) && memchr(line, '\\', length)) || qp) {
		t.at = u->clean;
		t.end = u->clean + explain_characters(e, line, length - soft,
						      (special & TAGS ? CHARACTERS_TAGS : 0u) |
							      (qp ? CHARACTERS_QUOTED : 0u) |
							      (literal ? CHARACTERS_LITERAL : 0u));
	}
	if (soft || u->soft_kind == SOFT_BREAK) {
		add_part(e, t, SOFT_BREAK, soft);
		return;
	}
	for (;;) {
		const char *lf = memchr(t.at, '\n', (size_t)(t.end - t.at));

		take_plain(e, (struct text){t.at, lf ? lf : t.end});
		if (!lf)
			break;
		t.at = lf + 1;
	}
}

void explain_unwrap_end(struct explain *e)
{
	end_soft(e);
	end_held(e);
	memset(e->unwrap.origins, 0, sizeof e->unwrap.origins);
	e->unwrap.special = e->unwrap.quoting = e->unwrap.indent = 0;
}

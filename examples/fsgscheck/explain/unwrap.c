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

/* -- Characters */

struct source {
	const char *at, *end;
	char *to;
};

static bool entity(struct source *s)
{
	static const struct {
		const char *name;
		char is;
	} names[] = {{"lt;", '<'},   {"gt;", '>'},    {"amp;", '&'},
		     {"quot;", '"'}, {"apos;", '\''}, {"nbsp;", ' '}};
	struct text t = {s->at + 1, s->end};
	uint64_t code;
	uint32_t number;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_skip(&t, names[i].name)) {
			s->at = t.at;
			/* Twice encoded: the ampersand begins another one. */
			if (names[i].is == '&' && entity(&(struct source){t.at - 1, s->end, s->to}))
				return s->at = t.at - 1, entity(s);
			*s->to++ = names[i].is;
			return true;
		}
	if (!text_skip(&t, "#"))
		return false;
	if (text_skip(&t, "x") ? !text_hex(&t, &code) : (!text_number(&t, &number)))
		return false;
	if (s->at[2] != 'x')
		code = number;
	if (!text_skip(&t, ";") || code < 0x20 || code > 0x7e)
		return false;
	*s->to++ = (char)code;
	s->at = t.at;
	return true;
}

/* Tags that web pages put into logs. The kernel's own words in such brackets are others. */
static bool tag(struct source *s)
{
	static const char *const names[] = {"br", "pre", "code", "span", "div", "p",
					    "tr", "td",  "li",   "tt",   "font"};
	struct text t = {s->at + 1, s->end};

	text_skip(&t, "/");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct text rest = t;

		if (!text_skip(&rest, names[i]) || rest.at == rest.end || !strchr(" />", *rest.at))
			continue;

		const char *close = memchr(rest.at, '>', (size_t)(rest.end - rest.at));

		if (!close)
			continue;
		if (i == 0)
			*s->to++ = '\n';
		s->at = close + 1;
		return true;
	}
	return false;
}

/* ECMA-48: CSI, parameters, final byte; OSC up to BEL or ST; else one character. */
static void escape(struct source *s)
{
	s->at++;
	if (s->at == s->end)
		return;
	if (*s->at == '[') {
		for (s->at++; s->at < s->end && (unsigned char)(*s->at - 0x40) > 0x3e;)
			s->at++;
	} else if (*s->at == ']') {
		while (s->at < s->end && *s->at != '\a' && *s->at != '\033')
			s->at++;
		if (s->at < s->end && *s->at == '\033')
			s->at++;
	}
	if (s->at < s->end)
		s->at++;
}

/* What markdown and JSON without its quotes put in front of punctuation. */
static bool backslash(struct source *s)
{
	static const struct {
		const char *name;
		char is;
	} names[] = {{"\\u003c", '<'}, {"\\u003e", '>'}, {"\\u0026", '&'}, {"\\u003C", '<'},
		     {"\\u003E", '>'}, {"\\<", '<'},     {"\\>", '>'},     {"\\[", '['},
		     {"\\]", ']'},     {"\\_", '_'},     {"\\#", '#'},     {"\\*", '*'},
		     {"\\-", '-'},     {"\\+", '+'}};
	struct text t = {s->at, s->end};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_skip(&t, names[i].name)) {
			*s->to++ = names[i].is;
			s->at = t.at;
			return true;
		}
	return false;
}

/* In a string of JSON, YAML or Python that stands alone. */
static bool line_end(struct source *s)
{
	struct text t = {s->at, s->end};

	if (text_skip(&t, "\\r\\n") || text_skip(&t, "\\n"))
		*s->to++ = '\n';
	else if (text_skip(&t, "\\t"))
		*s->to++ = '\t';
	else
		return false;
	s->at = t.at;
	return true;
}

/* "log", 'log', b'log' or key: "log", and several lines of it. A table's row is none: its last column
 * may be a name that was chosen. */
bool explain_is_literal(struct text t)
{
	struct text rest;

	text_blank(&t);
	rest = t;
	while (rest.at < rest.end && rest.at - t.at < 20 &&
	       ((*rest.at >= 'a' && *rest.at <= 'z') || *rest.at == '_'))
		rest.at++;
	text_skip(&rest, ":");
	text_skip(&rest, " ");
	if (rest.at == rest.end || (*rest.at != '"' && *rest.at != '\''))
		return false;
	if (text_find(&t, "\",\"") || !text_find(&rest, "\\n") || !text_find(&rest, "\\n"))
		return false;
	return text_find(&rest, "\\n");
}

static int upper_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 2045 6.7. */
static bool quoted_printable(struct source *s)
{
	if (s->end - s->at < 3 || upper_digit(s->at[1]) < 0 || upper_digit(s->at[2]) < 0)
		return false;
	*s->to++ = (char)(upper_digit(s->at[1]) << 4 | upper_digit(s->at[2]));
	s->at += 3;
	return true;
}

/* Never longer than the line. Gives the length of what stands in e->unwrap.clean. */
static size_t decode(struct explain *e, const char *line, size_t length, uint32_t special, bool qp,
		     bool literal)
{
	struct source s = {line, line + length, e->unwrap.clean};

	while (s.at < s.end) {
		const char c = *s.at;

		if (c == '\033') {
			escape(&s);
			continue;
		}
		if ((c == '&' && entity(&s)) || (c == '<' && (special & TAGS) && tag(&s)) ||
		    (c == '\\' && ((literal && line_end(&s)) || backslash(&s))) ||
		    (c == '=' && qp && quoted_printable(&s)))
			continue;
		*s.to++ = c;
		s.at++;
	}
	return (size_t)(s.to - e->unwrap.clean);
}

/* -- Prefixes */

static const char *token_end(struct text t)
{
	while (t.at < t.end && !strchr(" \t,;\"|", *t.at))
		t.at++;
	return t.at;
}

static bool is_token(struct text t, const char *end, const char *word)
{
	const size_t length = strlen(word);

	return (size_t)(end - t.at) == length && memcmp(t.at, word, length) == 0;
}

static bool is_token_of(struct text t, const char *end, const char *const *words)
{
	for (; *words; words++)
		if (is_token(t, end, *words))
			return true;
	return false;
}

static bool is_list_of(struct text t, const char *characters)
{
	bool any = false;

	for (; t.at < t.end; t.at++) {
		if (!strchr(characters, *t.at))
			return false;
		any |= *t.at != ' ';
	}
	return any;
}

/* "[    0.486493]", "[   T0]", "[C3]", "[Wed Jul 23 10:11:12 2025]" */
static bool bracket(struct text *t, struct explain_message *m, bool *strict)
{
	struct text in = {t->at + 1, t->end};
	const char *close = memchr(in.at, ']', (size_t)(in.end - in.at));
	uint32_t seconds, fraction, number;

	if (!close || close - in.at > 40)
		return false;
	in.end = close;
	text_blank(&in);

	struct text rest = in;

	if (is_list_of(rest, "0123456789. OoQDlI") &&
	    memchr(rest.at, '.', (size_t)(rest.end - rest.at)) &&
	    (memchr(rest.at, 'O', (size_t)(rest.end - rest.at)))) {
		*strict = true; /* a clock, read from a picture */
	} else if (text_number(&rest, &seconds) && text_skip(&rest, ".")) {
		const char *digits = rest.at;

		if (!text_number(&rest, &fraction) || rest.at != rest.end)
			return false;
		for (ptrdiff_t n = rest.at - digits; n > 3; n--)
			fraction /= 10;
		m->uptime = seconds + 1;
		m->clock = seconds * 1000 + fraction;
		*strict = true;
	} else if (in.at < in.end && (*in.at == 'T' || *in.at == 'C')) {
		const uint32_t kind = *in.at == 'T' ? 1 : 2;

		rest = (struct text){in.at + 1, in.end};
		if (text_number(&rest, &number) && rest.at == rest.end) {
			m->tag = number << 2 | kind;
		} else {
			rest = in;
			if (!text_find(&rest, ":"))
				return false;
			*strict = true;
		}
	} else {
		/* A date has a time in it. */
		rest = in;
		if (!text_find(&rest, ":") || rest.at == rest.end || *rest.at < '0' ||
		    *rest.at > '9')
			return false;
		*strict = true;
	}
	m->stamped = 1;
	t->at = close + 1;
	return true;
}

/* "<4>": a facility that is not 0 is a program that wrote to /dev/kmsg. */
static bool level(struct text *t, struct explain_message *m)
{
	struct text rest = {t->at + 1, t->end};
	uint32_t number;

	if (!text_number(&rest, &number) || !text_skip(&rest, ">"))
		return false;
	m->foreign |= number >> 3 != 0;
	m->stamped = 1;
	*t = rest;
	return true;
}

/* "4,1234,5678,-;" of /dev/kmsg and netconsole. */
static bool record(struct text *t, struct explain_message *m)
{
	struct text rest = *t;
	uint32_t priority, number;

	if (!text_number(&rest, &priority) || !text_skip(&rest, ",") ||
	    !text_number(&rest, &number) || !text_skip(&rest, ",") ||
	    !text_number(&rest, &number) || !text_skip(&rest, ","))
		return false;

	const char *end = memchr(rest.at, ';', (size_t)(rest.end - rest.at));

	if (!end || end - rest.at > 80)
		return false;
	m->foreign |= priority >> 3 != 0;
	m->uptime = number / 1000000 + 1;
	m->clock = number / 1000;
	m->stamped = 1;
	t->at = end + 1;
	return true;
}

/* A date, a time or another number. */
static bool number(struct text *t, struct explain_message *m, bool *dated, bool *strict)
{
	const char *end;
	uint32_t digits = 0, marks = 0;
	bool words = false;

	if (record(t, m)) {
		*strict = true;
		return true;
	}
	end = token_end(*t);
	if (end - t->at > 40)
		return false;
	for (const char *at = t->at; at < end; at++) {
		if (*at >= '0' && *at <= '9')
			digits++;
		else if (*at == ':' || *at == '-' || *at == '/')
			marks++;
		else if (*at == '*' || *at == '<' || *at == '=')
			return false; /* a disassembly: "2a:*" */
		else if (!strchr(".T+Z", *at))
			words = true;
	}
	if (marks >= 2 && digits >= 6 && !words) {
		*dated = true;
		m->stamped = 1;
	} else if (t->at[0] == '0' && end - t->at > 12) {
		return false; /* an address */
	}
	t->at = end;
	return true;
}

static uint64_t hash(const char *at, const char *end)
{
	uint64_t h = 14695981039346656037u;

	for (; at < end; at++)
		h = (h ^ (unsigned char)*at) * 1099511628211u;
	return h;
}

static bool has_digit(const char *at, const char *end)
{
	for (; at < end; at++)
		if (*at >= '0' && *at <= '9')
			return true;
	return false;
}

/* How a word of a prefix goes on. */
enum word { MESSAGE, GOES_ON, KERNEL };

struct prefix {
	bool dated;    /* a date or time of the transport's */
	uint32_t host; /* the word after it */
	bool columns;  /* the kernel's name was among columns, and some may follow it */
};

static enum word word(struct text *t, struct explain_message *m, struct prefix *p)
{
	static const char *const dates[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
					    "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue",
					    "Wed", "Thu", "Fri", "Sat", "Sun", NULL};
	/* VMware logs what its guest prints. */
	static const char *const kernels[] = {"kernel:", "kernel", "kernel[0]:", "Guest:", NULL};
	static const char *const severities[] = {"emerg", "alert", "crit",    "err",
						 "error", "warn",  "warning", "notice",
						 "info",  "debug", NULL};
	static const char *const facilities[] = {"kern",     "user", "mail", "daemon", "auth",
						 "syslog",   "lpr",  "news", "uucp",   "cron",
						 "authpriv", "ftp",  NULL};
	/* What Linux itself begins a message with that quotes a name. */
	static const char *const subsystems[] = {
		"traps:", "audit:", "input:", "systemd:", "usb:", "process", "warning:", NULL};
	const char *end = token_end(*t);
	struct text next = {end, t->end};

	if (end - t->at > 64 || end == t->at || is_token_of(*t, end, subsystems))
		return MESSAGE;
	text_blank(&next);
	if (is_token_of(*t, end, kernels)) {
		text_skip(&next, ": ");
		t->at = next.at;
		m->stamped = 1;
		/* Columns may follow: "kernel - - - " of RFC 5424, or a severity. */
		p->columns = end[-1] != ':';
		return p->columns ? GOES_ON : KERNEL;
	}
	if (p->columns && is_token_of(*t, end, severities)) {
		t->at = end;
		return GOES_ON;
	}
	if (p->columns)
		return MESSAGE;
	/* dmesg -x: "kern  :warn  : " */
	if (next.at < next.end && *next.at == ':' && next.at > end &&
	    (is_token_of(*t, end, facilities) || memcmp(t->at, "local", 5) == 0)) {
		m->foreign |= !is_token(*t, end, "kern");
		next.at++;
		next.at = token_end(next);
		text_blank(&next);
		if (!text_skip(&next, ":"))
			return MESSAGE;
		t->at = next.at;
		m->stamped = 1;
		return GOES_ON;
	}
	/* "kern.warn", as syslogd names facility and severity */
	if (p->dated && end - t->at > 5 && memcmp(t->at, "kern.", 5) == 0) {
		t->at = end;
		return GOES_ON;
	}
	/* vmware.log: "I125:" */
	if (p->dated && end[-1] == ':' && *t->at == 'I' && has_digit(t->at, end)) {
		t->at = end;
		return GOES_ON;
	}
	if (is_token_of(*t, end, dates)) {
		t->at = end;
		return GOES_ON;
	}
	if (end[-1] == ':') {
		/* The program that wrote to the same log, after date and host; or the host
		 * alone. */
		if (end[-2] == ']' || (p->dated && p->host)) {
			m->foreign |= p->dated;
			return MESSAGE;
		}
	} else if (p->dated && !p->host) {
		p->host = 1;
		t->at = end;
		return GOES_ON;
	} else if (!has_digit(t->at, end) && end - t->at > 1 && !is_token(*t, end, "stdout") &&
		   !is_token(*t, end, "stderr")) {
		return MESSAGE;
	}
	if (!m->weak)
		m->origin = hash(t->at, end);
	m->weak = 1;
	t->at = end;
	return GOES_ON;
}

/* "(d1)": which guest's console, behind the hypervisor's own clock. */
static bool skip_domain(struct text *t)
{
	struct text rest = *t;
	uint32_t domain;

	if (!text_skip(&rest, "(d") || !text_number(&rest, &domain) || !text_skip(&rest, ")"))
		return false;
	*t = rest;
	return true;
}

#define PREFIX_WORDS 20

static void find_message(const struct explain *e, struct text t, struct explain_message *m)
{
	const struct text all = t;
	struct prefix p = {false, 0, false};
	bool strict = false;

	for (int words = 0; words < PREFIX_WORDS; words++) {
		while (t.at < t.end && (strchr(" \t>|`\"'*,;", *t.at) || (*t.at & 0x80)))
			t.at++;
		if (t.at == t.end)
			break;
		if (*t.at == '\1' && t.end - t.at > 1) { /* KERN_SOH and a level */
			t.at += 2;
			continue;
		}
		if (*t.at == '[') {
			if (!explain_find_start(e, t) && bracket(&t, m, &strict)) {
				p.dated |= strict && !m->uptime;
				continue;
			}
			if (strict)
				break;
		}
		if (strict && *t.at == '(' && skip_domain(&t))
			continue;
		if (strict || explain_find_start(e, t))
			break;
		if (*t.at == '<') {
			if (!level(&t, m))
				break;
		} else if (*t.at == '(') {
			const char *close = memchr(t.at, ')', (size_t)(t.end - t.at));

			if (!close || close - t.at > 8)
				break;
			t.at = close + 1;
		} else if (*t.at == '[') {
			const char *close = memchr(t.at, ']', (size_t)(t.end - t.at));

			/* "[node7] ", or structured data of RFC 5424 */
			if (!close || close - t.at > 80 || (m->weak && !p.columns))
				break;
			if (!p.columns) {
				m->origin = hash(t.at, close);
				m->weak = 1;
			}
			t.at = close + 1;
		} else if (*t.at >= '0' && *t.at <= '9') {
			if (!number(&t, m, &p.dated, &strict))
				break;
		} else if (*t.at == '-' || *t.at == ':' || *t.at == '=') {
			const char *end = token_end(t);

			if (end - t.at > 2)
				break;
			t.at = end;
		} else {
			const enum word w = word(&t, m, &p);

			if (w == MESSAGE)
				break;
			strict |= w == KERNEL;
		}
	}
	/* Whatever stood in front of the kernel's own mark is its transport's. */
	if (strict || p.columns)
		m->weak = 0;
	m->text = t;
	if (m->stamped || explain_find_start(e, t))
		return;
	/* No prefix at all, but words that look like one. */
	m->weak = 0;
	m->origin = 0;
	for (m->text = all; m->text.at < all.end && strchr("> \t", *m->text.at);)
		m->text.at++;
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

	struct text first = {m->text.at, token_end(m->text)};

	if (u->held.stamped && u->held_kind != WRAP_CODE && u->held_kind != WRAP_REGS)
		return true;

	switch (u->held_kind) {
	case WRAP_CODE:
		return is_list_of(m->text, code);
	case WRAP_REGS:
		return (is_list_of(first, hex) && is_cut_value(u)) ||
		       (u->held.stamped && first.end > first.at && first.end[-1] == ':');
	case WRAP_NAME:
		return text_find(&first, "0x") && !memchr(u->held_text, '/', u->held_length);
	case WRAP_WORDS:
		return is_list_of(m->text, words);
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

/* What no start of the table fits. */
static void take_other(struct explain *e, const struct explain_message *m)
{
	const size_t length = (size_t)(m->text.end - m->text.at);

	if (m->stamped && explain_starts_with(e, m->text))
		hold(e, m, WRAP_TEXT);
	else if (explain_crash_is_open(e) || e->machine.ask_release ||
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
	find_message(e, line, &m);
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
	else if (!quotes_name(u, m.text))
		take_other(e, &m);
}

/* -- Lines */

/* Kubernetes: "2025-07-23T10:11:12.123Z stdout P text" for a part, F for the last one. */
static bool partial(struct text *t, bool *more)
{
	struct text rest = *t;

	if (rest.at == rest.end || *rest.at < '1' || *rest.at > '9')
		return false;
	rest.at = token_end(rest);
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
	if (memchr(line, '\033', length) || memchr(line, '&', length) || (special & TAGS) ||
	    memchr(line, '\\', length) || qp) {
		t.at = u->clean;
		t.end = u->clean + decode(e, line, length - soft, special, qp, literal);
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

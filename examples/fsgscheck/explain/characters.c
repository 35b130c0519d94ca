/* SPDX-License-Identifier: MIT */
/* Removes or decodes what transports add to text: colours, entities, tags, escapes,
 * quoted-printable. */
#include "explain.h"

#include <string.h>

struct source {
	const char *at, *end;
	char *to;
	const char *start; /* start of the output buffer */
};

/* Vector types of GCC and Clang, which compile them for any target. */
typedef unsigned char vector __attribute__((vector_size(16)));
typedef signed char signed_vector __attribute__((vector_size(16)));

static bool any(vector v)
{
	static const vector zero;

	return memcmp(&v, &zero, sizeof v) != 0;
}

/* Groups of characters that may need decoding. If a group's vector stays zero, the text has no
 * character of the group. One or two comparisons find each group, and also match a few other
 * characters. */
struct groups {
	vector low, quotes, angles, slashes;
};

static inline void look(struct groups *g, vector v)
{
	g->low |= (vector)((signed_vector)v < ' ');                         /* < ' ' and >= 0x80 */
	g->quotes |= (vector)((vector)(v - '"') <= 5) | (vector)(v == '`'); /* " # $ % & ' ` */
	g->angles |= (vector)((v & 0xfe) == '<');                           /* < = */
	g->slashes |= (vector)((v & 0xfd) == '\\');                         /* \ ^ */
}

static bool has(const char *bytes, size_t size, char c)
{
	return memchr(bytes, c, size) != NULL;
}

static bool has_wide(const char *bytes, size_t size)
{
	for (; size; bytes++, size--)
		if (*bytes & 0x80)
			return true;
	return false;
}

uint32_t explain_characters_in(const char *bytes, size_t size)
{
	struct groups g = {0};
	const char *at = bytes;
	uint32_t seen = 0;
	vector v;

	for (size_t left = size; left >= sizeof v; at += sizeof v, left -= sizeof v) {
		memcpy(&v, at, sizeof v);
		look(&g, v);
	}
	/* The last vector ends at the last byte, so it may overlap the vector before it. */
	if (size >= sizeof v) {
		memcpy(&v, bytes + size - sizeof v, sizeof v);
	} else {
		memset(&v, ' ', sizeof v);
		memcpy(&v, bytes, size);
	}
	look(&g, v);
	if (!any(g.low | g.quotes | g.angles | g.slashes))
		return 0;
	if (any(g.low))
		seen |= (has(bytes, size, '\033') || has(bytes, size, '\b') ||
					 has(bytes, size, '\v')
				 ? CHARACTERS_ESCAPES
				 : 0u) |
			(has_wide(bytes, size) ? CHARACTERS_WIDE : 0u);
	if (any(g.quotes))
		seen |= CHARACTERS_QUOTES | (has(bytes, size, '&') ? CHARACTERS_ENTITIES : 0u) |
			(has(bytes, size, '%') ? CHARACTERS_PERCENTS : 0u) |
			(has(bytes, size, '#') ? CHARACTERS_HASHES : 0u);
	if (any(g.angles))
		seen |= (has(bytes, size, '<') ? CHARACTERS_TAGS : 0u) |
			(has(bytes, size, '=') ? CHARACTERS_EQUALS : 0u);
	if (any(g.slashes))
		seen |= (has(bytes, size, '\\') ? CHARACTERS_BACKSLASHES : 0u) |
			(has(bytes, size, '^') ? CHARACTERS_CARETS : 0u);
	return seen;
}

static bool entity(struct source *s)
{
	static const struct {
		const char *name;
		char is;
	} names[] = {{"lt;", '<'},   {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''},
		     {"nbsp;", ' '}, {"LT;", '<'}, {"GT;", '>'},  {"AMP;", '&'},  {"QUOT;", '"'}};
	struct text t = {s->at + 1, s->end};
	uint64_t code;
	uint32_t number;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_skip(&t, names[i].name)) {
			s->at = t.at;
			/* If the text was encoded twice, the ampersand begins another entity. */
			if (names[i].is == '&' &&
			    entity(&(struct source){t.at - 1, s->end, s->to, s->start}))
				return s->at = t.at - 1, entity(s);
			*s->to++ = names[i].is;
			return true;
		}
	if (!text_skip(&t, "#"))
		return false;
	if (text_skip(&t, "x") || text_skip(&t, "X")) {
		if (!text_hex(&t, &code))
			return false;
	} else {
		if (!text_number(&t, &number))
			return false;
		code = number;
	}
	code = code <= UINT16_MAX ? explain_plain((uint32_t)code) : code;
	if (!text_skip(&t, ";") || (code && code < 0x20) || code > 0x7e)
		return false;
	if (!code) {
		s->at = t.at;
		return true;
	}
	*s->to++ = (char)code;
	s->at = t.at;
	return true;
}

/* Skips a tag's name, in upper or lower case, if a blank, "/" or ">" follows. */
static bool skip_name(struct text *t, const char *name)
{
	struct text rest = *t;

	for (; *name; name++, rest.at++)
		if (rest.at == rest.end || (*rest.at | 0x20) != *name)
			return false;
	if (rest.at == rest.end || !strchr(" />", *rest.at))
		return false;
	*t = rest;
	return true;
}

/* Replaces an HTML tag, which a web page added to a log, by a line end, a blank or nothing. The
 * table does not contain text that the kernel prints in angle brackets. */
static bool tag(struct source *s, uint32_t how)
{
	/* `before` replaces an opening tag, `behind` a closing tag. 0: the tag is only removed. */
	static const struct {
		const char *name;
		char before, behind;
	} names[] = {
		{"br", '\n', '\n'}, {"div", 0, '\n'}, {"p", 0, '\n'},   {"tr", 0, '\n'},
		{"li", 0, '\n'},    {"td", ' ', ' '}, {"th", ' ', ' '}, {"pre", 0, 0},
		{"code", 0, 0},     {"span", 0, 0},   {"tt", 0, 0},     {"font", 0, 0},
		{"a", 0, 0},        {"b", 0, 0},      {"i", 0, 0},      {"u", 0, 0},
		{"em", 0, 0},       {"strong", 0, 0}, {"mark", 0, 0},   {"samp", 0, 0},
		{"kbd", 0, 0},      {"ol", 0, 0},     {"ul", 0, 0},     {"table", 0, 0},
		{"tbody", 0, 0},    {"body", 0, 0},   {"html", 0, 0},   {"blockquote", 0, 0},
	};
	struct text t = {s->at + 1, s->end};
	const bool closes = text_skip(&t, "/");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct text rest = t;

		if (!skip_name(&rest, names[i].name))
			continue;

		const char *close = memchr(rest.at, '>', (size_t)(rest.end - rest.at));
		const char is = closes ? names[i].behind : names[i].before;

		if (!close)
			return false;
		s->at = close + 1;
		if (is == '\n' && !(how & CHARACTERS_BLOCKS))
			*s->to++ = s->at < s->end ? ' ' : '\n';
		else if (is)
			*s->to++ = is;
		return true;
	}
	return false;
}

/* Skips an ECMA-48 sequence after its ESC. CSI has parameters and a final byte, and OSC ends with
 * BEL or ST. Other sequences have intermediate bytes and a final byte. A program that redraws a
 * console moves the cursor to the first column of each line, so this sequence is replaced by a line
 * end, or by a blank without CHARACTERS_LINES. */
static void escape(struct source *s, uint32_t how)
{
	const char *const start = s->at;

	if (s->at == s->end)
		return;
	if (*s->at == '[') {
		for (s->at++; s->at < s->end && (unsigned char)(*s->at - 0x40) > 0x3e;)
			s->at++;
		if (s->at < s->end && *s->at == 'H' && s->at - start > 3 &&
		    memcmp(s->at - 2, ";1", 2) == 0)
			*s->to++ = how & CHARACTERS_LINES ? '\n' : ' ';
	} else if (*s->at == ']') {
		while (s->at < s->end && *s->at != '\a' && *s->at != '\033')
			s->at++;
		if (s->at < s->end && *s->at == '\033')
			s->at++;
	} else {
		while (s->at < s->end && *s->at >= ' ' && *s->at <= '/')
			s->at++;
	}
	if (s->at < s->end)
		s->at++;
}

/* Skips a sequence whose ESC is written as text, such as "^[" or "\e", as programs write
 * unprintable characters. */
static bool spelt_escape(struct source *s, uint32_t how)
{
	static const char *const names[] = {"^[",      "\\e",     "\\033", "\\x1b", "\\x1B",
					    "\\u001b", "\\u001B", "#033",  "ESC",   NULL};

	for (const char *const *name = names; *name; name++) {
		struct text t = {s->at, s->end};

		if (!text_skip(&t, *name) || t.at == t.end || !strchr("[(", *t.at))
			continue;
		s->at = t.at;
		escape(s, how);
		return true;
	}
	return false;
}

/* Whether the text begins with a colour sequence without its ESC: "[32m" or "[0;1m". Consoles on
 * web pages drop the ESC. */
bool explain_is_bare_colour(struct text t, size_t *length)
{
	const char *const start = t.at;

	if (!text_skip(&t, "[") || t.at == t.end || *t.at < '0' || *t.at > '9')
		return false;
	while (t.at < t.end && t.at - start < 12 &&
	       ((*t.at >= '0' && *t.at <= '9') || *t.at == ';'))
		t.at++;
	if (!text_skip(&t, "m"))
		return false;
	*length = (size_t)(t.at - start);
	return true;
}

/* Decodes overstriking, an old notation of bold text: a character, backspace, and the same
 * character again. */
static bool overstrike(struct source *s)
{
	if (s->to == s->start || s->end - s->at < 2 || s->at[1] != s->to[-1])
		return false;
	s->at += 2;
	return true;
}

static bool wide(struct source *s, uint32_t how)
{
	uint32_t code = 0, plain;
	const size_t bytes = text_code(s->at, (size_t)(s->end - s->at), &code);
	const size_t length = bytes ? bytes : 1;

	plain = bytes ? explain_plain(code) : explain_plain_byte((unsigned char)*s->at);
	if (code == 0x2014) { /* the dash that a typesetter makes of three hyphens */
		memcpy(s->to, "---", 3);
		s->to += 3;
	} else if (plain == '\033') {
		s->at += length;
		escape(s, how);
		return true;
	} else if (plain >= 0x80) {
		return false;
	} else if (plain) {
		*s->to++ = plain == '\n' && !(how & CHARACTERS_LINES) ? ' ' : (char)plain;
	}
	s->at += length;
	return true;
}

/* Decodes escaped punctuation: "\[" as in Markdown, or "\u003c" as in JSON. */
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

/* Decodes "\n", "\r\n" or "\t" in a line that is one string of JSON, YAML or Python, or that
 * contains a whole log. */
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

/* Whether the text is a string with at least three escaped line ends: "log", 'log', b'log' or key:
 * "log". A row of a table, with `","`, does not count, because its last column may be a user-chosen
 * name. */
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

/* The character that "=3C" (RFC 2045, 6.7) or "%3C" (RFC 3986, 2.1) stands for; -1 without two
 * digits, or if the character does not occur in text. */
static int coded(const struct source *s)
{
	const int high = s->end - s->at > 2 ? text_hex_digit(s->at[1]) : -1;
	const int low = high < 0 ? -1 : text_hex_digit(s->at[2]);
	const int code = low < 0 ? -1 : high << 4 | low;

	return code == '\t' || code == '\n' || code == '\r' || code >= ' ' ? code : -1;
}

static bool quoted_printable(struct source *s)
{
	const int code = coded(s);

	if (code < 0)
		return false;
	*s->to++ = (char)code;
	s->at += 3;
	return true;
}

/* Decodes "%3C" and the like. In a line that is not encoded as a whole, only angle brackets are
 * decoded, because browsers encode them. */
static bool percent(struct source *s, uint32_t how)
{
	const int code = coded(s);

	if (code < 0 || (!(how & CHARACTERS_URL) && code != '<' && code != '>'))
		return false;
	if (code == '\n' && !(how & CHARACTERS_LINES))
		*s->to++ = ' ';
	else if (code != '\r')
		*s->to++ = (char)code;
	s->at += 3;
	return true;
}

/* Decodes tab, LF and CR as rsyslog writes them: "#011", "#012" and "#015". CR is dropped. */
static bool hash_code(struct source *s, uint32_t how)
{
	struct text t = {s->at, s->end};

	if (text_skip(&t, "#012")) {
		if (t.at < t.end)
			*s->to++ = how & CHARACTERS_LINES ? '\n' : ' ';
	} else if (text_skip(&t, "#011")) {
		*s->to++ = '\t';
	} else if (!text_skip(&t, "#015")) {
		return false;
	}
	s->at = t.at;
	return true;
}

static bool one(struct source *s, uint32_t how)
{
	size_t length;

	switch (*s->at) {
	case '\033':
		s->at++;
		escape(s, how);
		return true;
	case '\b':
		return overstrike(s);
	case '\v':
		*s->to++ = how & CHARACTERS_LINES ? '\n' : ' ';
		s->at++;
		return true;
	case '&':
		if (!(how & CHARACTERS_URL))
			return entity(s);
		*s->to++ = how & CHARACTERS_LINES ? '\n'
						  : ' '; /* "&" separates the fields of a form */
		s->at++;
		return true;
	case '<':
		return (how & CHARACTERS_TAGS) && tag(s, how);
	case '\\':
		return ((how & CHARACTERS_LITERAL) && line_end(s)) || spelt_escape(s, how) ||
		       backslash(s);
	case '=':
		return (how & CHARACTERS_QUOTED) && quoted_printable(s);
	case '^':
	case 'E':
		return spelt_escape(s, how);
	case '%':
		return percent(s, how);
	case '+':
		if (!(how & CHARACTERS_URL))
			return false;
		*s->to++ = ' ';
		s->at++;
		return true;
	case '#':
		return spelt_escape(s, how) || hash_code(s, how);
	case '[':
		if (!(how & CHARACTERS_BARE) ||
		    !explain_is_bare_colour((struct text){s->at, s->end}, &length))
			return false;
		s->at += length;
		return true;
	default:
		return (*s->at & 0x80) && wide(s, how);
	}
}

size_t explain_characters(struct explain *e, const char *line, size_t length, uint32_t how)
{
	struct source s = {line, line + length, e->unwrap.clean, e->unwrap.clean};

	while (s.at < s.end)
		if (!one(&s, how))
			*s.to++ = *s.at++;
	return (size_t)(s.to - e->unwrap.clean);
}

/* SPDX-License-Identifier: MIT */
/* Characters that a transport wrote in another way: colours, entities, tags, escapes,
 * quoted-printable. */
#include "explain.h"

#include <string.h>

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
	static const char *const blocks[] = {"/div", "/p", "/tr", "/li", NULL};
	struct text t = {s->at + 1, s->end};
	bool block = false;

	for (size_t i = 0; blocks[i]; i++) {
		struct text rest = t;

		block |= text_skip(&rest, blocks[i]) && text_skip(&rest, ">");
	}
	text_skip(&t, "/");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct text rest = t;

		if (!text_skip(&rest, names[i]) || rest.at == rest.end || !strchr(" />", *rest.at))
			continue;

		const char *close = memchr(rest.at, '>', (size_t)(rest.end - rest.at));

		if (!close)
			continue;
		if (i == 0 || block)
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

/* "log", 'log', b'log' or key: "log", and several lines of it. A table's row is none: its last
 * column may be a name that was chosen. */
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

size_t explain_characters(struct explain *e, const char *line, size_t length, uint32_t how)
{
	struct source s = {line, line + length, e->unwrap.clean};

	while (s.at < s.end) {
		const char c = *s.at;

		if (c == '\033') {
			escape(&s);
			continue;
		}
		if ((c == '&' && entity(&s)) || (c == '<' && (how & CHARACTERS_TAGS) && tag(&s)) ||
		    (c == '\\' &&
		     (((how & CHARACTERS_LITERAL) && line_end(&s)) || backslash(&s))) ||
		    (c == '=' && (how & CHARACTERS_QUOTED) && quoted_printable(&s)))
			continue;
		*s.to++ = c;
		s.at++;
	}
	return (size_t)(s.to - e->unwrap.clean);
}

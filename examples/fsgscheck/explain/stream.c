/* SPDX-License-Identifier: MIT */
/*
 * Splits bytes into lines. Text that is packed in a line, as a JSON string or as base64, becomes a
 * stream of its own, one level deeper.
 *
 * A line that is whole in the caller's buffer is read in place, unless it is too long. Other lines
 * are copied, and at most EXPLAIN_LINE bytes of a line are stored at a time. A JSON document may
 * have several lines of any length, so its bytes go to the JSON reader as they arrive. Text that
 * turns out not to be JSON is read as a log line.
 */
#include "explain.h"

#include <string.h>

enum { OUTSIDE, INSIDE, BETWEEN }; /* BETWEEN: after a JSON object, on the same line */

void explain_streams_begin(struct explain *e)
{
	for (uint32_t i = 0; i < EXPLAIN_DEPTH; i++) {
		e->stream[i].e = e;
		e->stream[i].depth = i;
	}
}

struct explain_stream *explain_stream_deeper(struct explain_stream *s)
{
	return s->depth + 1 < EXPLAIN_DEPTH ? s + 1 : NULL;
}

/* The key of the current string or number; for an element of an array, the array's key. */
static const char *key_of(const struct json_reader *reader)
{
	const uint32_t level = reader->depth - 1;

	if (level >= JSON_PATH)
		return "";
	if (reader->bracket[level] != '[')
		return reader->key[level];
	return level ? reader->key[level - 1] : "";
}

static bool is_one_of(const char *key, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(key, *list) == 0)
			return true;
	return false;
}

/* Keys under which logging systems store the message. A string under another key may be the name or
 * arguments of a program, which users choose. So a string under another key is read as a log only
 * if it has several lines, and never if is_private() lists its key. */
static bool is_message(const char *key)
{
	static const char *const keys[] = {
		"MESSAGE", "message", "Message",  "@message", "msg",          "log",
		"Log",     "output",  "Output",   "data",     "text",         "line",
		"body",    "field",   "content",  "contents", "textPayload",  "raw",
		"_raw",    "event",   "stdout",   "value",    "stdout_lines", "stderr_lines",
		"lines",   "logs",    "messages", "values",   "entries",      "short_message",
		"",        NULL};

	return is_one_of(key, keys);
}

static bool is_private(const char *key)
{
	static const char *const keys[] = {"comm", "exe", "cmdline", "name", "unit", "args", NULL};

	return (key[0] == '_' && strcmp(key, "_raw") != 0) || is_one_of(key, keys);
}

static void drop(struct explain_stream *s)
{
	s->length = s->overlong = s->not_json = 0;
}

/* Ends a journal's message that was held until its origin was known. Drops the message if a program
 * wrote it, else passes it on. */
static void give_held(struct explain_stream *s)
{
	struct explain_stream *to = explain_stream_deeper(s);

	if (s->object.held && s->object.foreign)
		drop(to);
	else if (to->length && !s->pending)
		explain_stream_end(to);
	s->object.held = s->object.foreign = 0;
}

/* Ends an entry of a journal or another log. One document may have many entries. */
static void end_entry(void *context)
{
	struct explain_stream *s = context;

	if (s->object.held)
		give_held(s);
	s->object.foreign = 0;
}

static void put_text(void *context, const struct json_reader *reader, char c)
{
	struct explain_stream *s = context;

	if (!s->object.in_text) {
		const char *key = key_of(reader);

		s->object.in_text = 1;
		s->object.has_lines = 0;
		/* If a container's text continues in this object, only the text under "log"
		 * counts. */
		s->object.skip = is_private(key) || (s->pending && strcmp(key, "log") != 0);
		if (strcmp(key, "MESSAGE") == 0) {
			if (s->object.held)
				give_held(s);
			s->object.held = 1;
		}
	}
	if (s->object.skip)
		return;
	if (!s->object.held) {
		s->object.has_lines |= c == '\n';
		explain_stream_put(s + 1, c);
	} else if (explain_stream_deeper(s)->length < EXPLAIN_LINE) {
		/* Hold the message until its origin is known. A program's message may contain lines
		 * that look like the kernel's, so either all its lines are read or none. */
		explain_stream_deeper(s)->line[explain_stream_deeper(s)->length++] = c;
	}
}

/* Notes whether the object's message is from a program and not from the kernel. */
static void note_origin(struct explain_stream *s, const char *key, const char *text)
{
	if (strcmp(key, "_TRANSPORT") == 0)
		s->object.foreign |= strcmp(text, "kernel") != 0;
	else if (strcmp(key, "SYSLOG_FACILITY") == 0)
		s->object.foreign |= strcmp(text, "0") != 0;
	else if (strcmp(key, "pri") == 0) /* dmesg -J: facility and level */
		s->object.foreign =
			text[0] >= '0' && text[0] <= '9' && !(text[1] == '\0' && text[0] < '8');
	else if (strcmp(key, "fac") == 0)
		s->object.foreign = strcmp(text, "kern") != 0;
}

static void end_string(struct explain_stream *s, const char *key)
{
	struct explain_stream *to = explain_stream_deeper(s);

	if (!s->object.in_text)
		return;
	s->object.in_text = 0;
	if (s->object.held || s->object.skip)
		return;
	if (strcmp(key, "field") == 0) /* lscpu -J: "data" is on the same line */
		explain_stream_put(to, ' ');
	else if (strcmp(key, "log") == 0)
		s->pending = to->length > 0; /* the text does not end with a line end */
	else if ((is_message(key) || s->object.has_lines) && !s->object.foreign)
		explain_stream_end(to);
	else
		drop(to);
}

static void take_scalar(void *context, const struct json_reader *reader, enum json_type type)
{
	struct explain_stream *s = context;
	const char *key = key_of(reader);
	uint32_t byte = 0;

	if (type == JSON_STRING || type == JSON_NUMBER)
		note_origin(s, key, reader->text);
	if (type == JSON_STRING) {
		s->object.container |= strcmp(key, "stream") == 0;
		end_string(s, key);
	} else if (type == JSON_NUMBER && strcmp(key, "MESSAGE") == 0) {
		/* The journal writes a message that is not valid UTF-8 as an array of bytes. */
		for (const char *at = reader->text; *at >= '0' && *at <= '9'; at++)
			byte = byte * 10 + (uint32_t)(*at - '0');
		s->object.held = 1;
		if (explain_stream_deeper(s)->length < EXPLAIN_LINE)
			explain_stream_deeper(s)->line[explain_stream_deeper(s)->length++] =
				(char)byte;
	}
	explain_report_scalar(s->e, reader, type);
}

static void begin_object(struct explain_stream *s)
{
	const struct explain_json nothing = {0};

	s->object = nothing;
	explain_report_begin(s->e);
	json_reader_begin(&s->json, take_scalar, s);
	s->json.put = explain_stream_deeper(s) ? put_text : NULL;
	s->json.end = explain_stream_deeper(s) ? end_entry : NULL;
}

static void end_object(struct explain_stream *s, bool complete)
{
	/* A container's "log" without a line end continues in the next object. */
	s->pending &= s->object.container;
	if (explain_stream_deeper(s)) {
		if (s->object.in_text && !s->object.held)
			explain_stream_end(explain_stream_deeper(s));
		give_held(s);
	}
	s->object.in_text = 0;
	if (complete)
		explain_report_end(s->e);
}

/* Passes a part of a line to the JSON reader. Returns false if the text is not JSON. */
static bool take_json(struct explain_stream *s, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (s->in_json == INSIDE) {
			const enum json_progress progress = json_reader_push(&s->json, text[i]);

			if (progress == JSON_MORE)
				continue;
			s->in_json = progress == JSON_DONE ? BETWEEN : OUTSIDE;
			end_object(s, progress == JSON_DONE);
			if (progress == JSON_BAD)
				return false;
		} else if (text[i] == '{' || (text[i] == '[' && s->in_json == OUTSIDE)) {
			s->in_json = INSIDE;
			begin_object(s);
			json_reader_push(&s->json, text[i]);
		} else if (!strchr(" \t,]\n", text[i])) {
			s->in_json = OUTSIDE; /* ignore the rest of this line */
			return true;
		} else if (text[i] == '\n') {
			s->in_json = OUTSIDE;
		}
	}
	return true;
}

/* Skips text before a document: the separator of RFC 7464, the "data: " of an event, and quote
 * marks. Also skips the bracket of an array of objects, so that the objects are read one by one. */
static const char *json_begins(struct text t)
{
	while (t.at < t.end && (*t.at == ' ' || *t.at == '\t' || *t.at == '>' || *t.at == '\036'))
		t.at++;
	if (t.at < t.end && *t.at == 'd')
		text_skip(&t, "data: ");

	struct text in = t;

	if (!text_skip(&in, "["))
		return t.at;
	text_blank(&in);
	if (in.at == in.end || (*in.at != '{' && *in.at != '"'))
		return t.end;
	return *in.at == '{' ? in.at : t.at;
}

/* Finds a document after the columns of a log, or after an arrow: "ok: [vm7] => {". Text in the
 * message of the kernel, or of a program in a system log, is no document. */
static const char *json_follows(const struct explain_stream *s, struct text t)
{
	struct explain_message m = {0};
	struct text in = t;
	const char *at;

	for (at = t.at; (at = memchr(at, '{', (size_t)(t.end - at))); at++) {
		const bool named = t.end - at > 1 && at[1] == '"';

		if (at > t.at && at[-1] == ' ' &&
		    (named || text_ends((struct text){at + 1, t.end})))
			break;
	}
	if (!at)
		return t.end;
	explain_find_message(s->e, t, &m);
	if (m.own || m.foreign)
		return t.end;
	in.end = at;
	return m.text.at == at || (text_find(&in, "=> ") && in.at == at) ? at : t.end;
}

/* Finds an object, or an array of strings. A bracket alone does not count, because nearly every
 * line of a log begins with a bracket. */
static const char *find_json(const struct explain_stream *s, const char *line, size_t length)
{
	const struct text t = {line, line + length};
	const char *at;

	if (s->depth + 1 == EXPLAIN_DEPTH)
		return NULL;
	at = json_begins(t);
	if (at < t.end && *at != '{' && *at != '[')
		at = json_follows(s, t);
	return at < t.end ? at : NULL;
}

/* As take_json(), for the beginning of a line. */
static bool begin_json(struct explain_stream *s, const char *text, size_t size, size_t kept)
{
	struct text t = {text, text + size};

	if (s->in_json == OUTSIDE) {
		t.at = find_json(s, text, kept);
		if (!t.at)
			return false;
		s->quoted = t.at > text && memchr(text, '>', 3 < size ? 3 : size);
	} else if (s->quoted) {
		while (t.at < t.end && (*t.at == '>' || *t.at == ' '))
			t.at++;
	}
	return take_json(s, t.at, (size_t)(t.end - t.at));
}

/* Passes a line, or a part of a line, to unwrap.c, with its bits LINE_... */
static void unwrap(struct explain_stream *s, const char *line, size_t length)
{
	explain_unwrap_line(s->e, line, length, s->how | (s->depth ? LINE_PACKED : 0u));
}

/* Counts a line of the file once, before its content is read. */
static void count_line(struct explain_stream *s)
{
	s->e->lines += s->depth == 0 && !s->counted;
	s->counted = 1;
}

static void take_line(struct explain_stream *s, const char *line, size_t length)
{
	const size_t kept = length < EXPLAIN_LINE ? length : EXPLAIN_LINE;

	count_line(s);
	s->counted = 0;
	if (s->depth == 0 && s->in_json == OUTSIDE && !s->base64.active && !s->how &&
	    explain_unwrap_own(s->e, line, length))
		return;
	if (begin_json(s, line, length, kept) && take_json(s, "\n", 1))
		return;
	if (!explain_base64_take(s, line, length))
		unwrap(s, line, kept);
	s->how = 0;
}

static bool separates(const char *at, size_t length)
{
	static const char *const ends[] = {"<br",      "<BR",          "\\n", "</div>", "</li>",
					   "</tr>",    "</p>",         "%0A", "%0a",    "#012",
					   "\xc2\x85", "\xe2\x80\xa8", "\v",  NULL};
	struct text t = {at, at + length};
	uint32_t row;

	for (const char *const *end = ends; *end; end++)
		if (text_skip(&t, *end))
			return true;
	return text_skip(&t, "\033[") && text_number(&t, &row) && text_skip(&t, ";1H");
}

/* Splits a line that contains a whole log, with tags or escapes as line ends: passes on the
 * complete lines in it and keeps the rest. Returns false if there is no such line end. */
static bool split(struct explain_stream *s)
{
	uint32_t at = s->length - 3;

	while (at && !separates(s->line + at, s->length - at))
		at--;
	if (!at)
		return false;
	if (explain_is_literal((struct text){s->line, s->line + s->length}))
		s->how |= LINE_LITERAL;
	s->how |= LINE_LONG;
	unwrap(s, s->line, at);
	s->how |= LINE_REST;
	s->length -= at;
	memmove(s->line, s->line + at, s->length);
	return true;
}

/* Appends a part of a line to s->line. The line is too long, or the caller's buffer does not hold
 * the whole line. If s->line is full, the rest goes to the reader of JSON or base64, or is
 * dropped. */
static void keep(struct explain_stream *s, const char *text, size_t size)
{
	const size_t room = EXPLAIN_LINE - s->length;
	const size_t kept = size < room ? size : room;

	memcpy(s->line + s->length, text, kept);
	s->length += (uint32_t)kept;
	if (kept == size)
		return;
	count_line(s);
	if (!s->overlong) {
		if (s->in_json == OUTSIDE && !find_json(s, s->line, s->length) && split(s)) {
			keep(s, text + kept, size - kept); /* recurses once per separator at most */
			return;
		}
		s->overlong = 1;
		s->not_json = !begin_json(s, s->line, s->length, s->length);
		if (s->not_json && explain_base64_take(s, s->line, s->length))
			s->not_json = 2;
	}
	if (!s->not_json)
		s->not_json = !take_json(s, text + kept, size - kept);
	else if (s->not_json == 2)
		explain_base64_take(s, text + kept, size - kept);
}

static void end_kept(struct explain_stream *s)
{
	const uint32_t length = s->length;

	s->length = 0;
	if (!s->overlong) {
		take_line(s, s->line, length);
		return;
	}
	s->overlong = 0;
	count_line(s);
	s->counted = 0;
	if (s->not_json == 2 || (!s->not_json && take_json(s, "\n", 1)))
		return;
	unwrap(s, s->line, length);
	s->how = 0;
}

/* Whether this character is the second half of a line end: CR LF or LF CR is one line end. */
static bool is_second_half(struct explain_stream *s, char c, bool empty)
{
	const bool second =
		empty && ((s->ended == '\r' && c == '\n') || (s->ended == '\n' && c == '\r'));

	s->ended = second ? '\0' : c;
	return second;
}

/* The next `c` at or after `at`; `end` if there is none. `found`, the result of the last search, is
 * used again if possible. */
static const char *find(const char *found, const char *at, const char *end, char c)
{
	if (found && found >= at)
		return found;
	found = memchr(at, c, (size_t)(end - at));
	return found ? found : end;
}

void explain_stream_feed(struct explain_stream *s, const char *bytes, size_t size)
{
	const char *at = bytes, *const end = bytes + size;
	const char *lf = NULL, *cr = NULL;

	while (at < end) {
		lf = find(lf, at, end, '\n');
		cr = find(cr, at, end, '\r');

		const char *line_end = lf < cr ? lf : cr;
		const size_t length = (size_t)(line_end - at);

		if (line_end == end) {
			keep(s, at, length);
			return;
		}
		if (!is_second_half(s, *line_end, length == 0 && s->length == 0)) {
			if (s->length || length > EXPLAIN_LINE) {
				keep(s, at, length);
				end_kept(s);
			} else {
				take_line(s, at, length);
			}
		}
		at = line_end + 1;
	}
}

void explain_stream_put(struct explain_stream *s, char c)
{
	if ((unsigned char)c >= ' ' && s->length < EXPLAIN_LINE) {
		s->line[s->length++] = c;
		return;
	}
	if (c == '\0')
		return;
	if (c == '\n' || c == '\r') {
		if (!is_second_half(s, c, s->length == 0))
			end_kept(s);
	} else {
		keep(s, &c, 1);
	}
}

void explain_stream_end(struct explain_stream *s)
{
	struct explain_stream *to = explain_stream_deeper(s);

	/* A held message may have several lines. Pass on each of its lines. */
	if (s->length) {
		const uint32_t length = s->length;
		const char *lf = memchr(s->line, '\n', length);

		if (lf) {
			char *at = s->line;

			s->length = 0;
			for (; lf; lf = memchr(at, '\n', (size_t)(s->line + length - at))) {
				take_line(s, at, (size_t)(lf - at));
				at = s->line + (lf - s->line) + 1;
			}
			take_line(s, at, (size_t)(s->line + length - at));
		} else {
			end_kept(s);
		}
	}
	s->ended = '\0';
	s->pending = 0;
	if (s->in_json == INSIDE)
		end_object(s, false);
	s->in_json = OUTSIDE;
	if (to && (s->base64.active || to->length))
		explain_stream_end(to);
	s->base64.active = 0;
}

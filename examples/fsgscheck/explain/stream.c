/* SPDX-License-Identifier: MIT */
/*
 * From bytes to lines. What is packed in a line, as a string of JSON or as base64, becomes a stream
 * of its own, one level deeper.
 *
 * A line that lies whole in the caller's buffer is read there, if it is not too long; what crosses
 * two buffers is copied, and no more of it than EXPLAIN_LINE. JSON may span lines, and one line of
 * it may be of any length, so an object's bytes go on to its reader as they come. What turns out
 * not to be JSON is looked at as a line of a log after all.
 */
#include "explain.h"

#include <string.h>

enum { OUTSIDE, INSIDE, BETWEEN }; /* of JSON objects: between two on the same line */

void explain_streams_begin(struct explain *e)
{
	for (uint32_t i = 0; i < EXPLAIN_DEPTH; i++) {
		e->stream[i].e = e;
		e->stream[i].depth = i;
	}
}

static struct explain_stream *deeper(struct explain_stream *s)
{
	return s->depth + 1 < EXPLAIN_DEPTH ? s + 1 : NULL;
}

/* The key of the string, number or array that is being read. */
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

/* Where logging systems put the message. Elsewhere only a string of several lines is a log: names
 * of programs and their arguments are chosen by their users. */
static bool is_message(const char *key)
{
	static const char *const keys[] = {
		"MESSAGE", "message", "Message",  "@message", "msg",          "log",
		"Log",     "output",  "Output",   "data",     "text",         "line",
		"body",    "field",   "content",  "contents", "textPayload",  "raw",
		"_raw",    "event",   "stdout",   "value",    "stdout_lines", "stderr_lines",
		"lines",   "logs",    "messages", "values",   "entries",      "",
		NULL};

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

/* Gives the journal's message that was held until its origin is known. */
static void give_held(struct explain_stream *s)
{
	struct explain_stream *to = deeper(s);

	if (s->object.held && s->object.foreign)
		drop(to);
	else if (to->length && !s->object.partial)
		explain_stream_end(to);
	s->object.held = s->object.foreign = 0;
}

/* One entry of a journal, or of another log in one document. */
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
		s->object.skip = is_private(key);
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
	} else if (deeper(s)->length < EXPLAIN_LINE) {
		/* A program's message may have lines that look like the kernel's: all or
		 * nothing. */
		deeper(s)->line[deeper(s)->length++] = c;
	}
}

/* Whether the object is of the kernel's own log. */
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
	struct explain_stream *to = deeper(s);

	if (!s->object.in_text)
		return;
	s->object.in_text = 0;
	if (s->object.held || s->object.skip)
		return;
	if (strcmp(key, "field") == 0) /* of lscpu -J, with its "data" after it */
		explain_stream_put(to, ' ');
	else if (strcmp(key, "log") == 0)
		s->object.partial = 1; /* unless a line's end came or it is no container's */
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
		if (strcmp(key, "stream") == 0)
			s->object.partial |= 2;
		end_string(s, key);
	} else if (type == JSON_NUMBER && strcmp(key, "MESSAGE") == 0) {
		/* Bytes, because not all of them are UTF-8. */
		for (const char *at = reader->text; *at >= '0' && *at <= '9'; at++)
			byte = byte * 10 + (uint32_t)(*at - '0');
		s->object.held = 1;
		if (deeper(s)->length < EXPLAIN_LINE)
			deeper(s)->line[deeper(s)->length++] = (char)byte;
	}
	explain_report_scalar(s->e, reader, type);
}

static void begin_object(struct explain_stream *s)
{
	const struct explain_json nothing = {0};

	s->object = nothing;
	explain_report_begin(s->e);
	json_reader_begin(&s->json, take_scalar, s);
	s->json.put = deeper(s) ? put_text : NULL;
	s->json.end = deeper(s) ? end_entry : NULL;
}

static void end_object(struct explain_stream *s, bool complete)
{
	/* A container's "log" without a line's end goes on in the next object. */
	s->object.partial = s->object.partial == 3;
	if (deeper(s)) {
		if (s->object.in_text && !s->object.held)
			explain_stream_end(deeper(s));
		give_held(s);
	}
	s->object.in_text = 0;
	if (complete)
		explain_report_end(s->e);
}

/* A part of a line to the JSON reader. False when it is not JSON. */
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
			s->in_json = OUTSIDE; /* no more of this line matters */
			return true;
		} else if (text[i] == '\n') {
			s->in_json = OUTSIDE;
		}
	}
	return true;
}

/* Past what stands in front of a document: RFC 7464's separator, an event's "data: ", the bracket
 * of an array of objects, which are read one by one. */
static const char *json_begins(struct text t)
{
	text_blank(&t);
	if (t.at < t.end && *t.at == 0x1e)
		t.at++;
	text_skip(&t, "data: ");

	struct text in = t;

	if (!text_skip(&in, "["))
		return t.at;
	text_blank(&in);
	if (in.at == in.end || (*in.at != '{' && *in.at != '"'))
		return t.end;
	return *in.at == '{' ? in.at : t.at;
}

/* An object, or an array of strings; a bracket alone begins nearly every line of a log. */
static bool is_json(const struct explain_stream *s, const char *line, size_t length)
{
	struct text t = {line, line + length};

	if (s->in_json != OUTSIDE)
		return true;
	if (s->depth + 1 == EXPLAIN_DEPTH)
		return false;
	t.at = json_begins(t);
	return t.at < t.end && (*t.at == '{' || *t.at == '[');
}

/* As take_json(), for the part that a line begins with. */
static bool begin_json(struct explain_stream *s, const char *text, size_t size, size_t kept)
{
	struct text t = {text, text + size};

	if (!is_json(s, text, kept))
		return false;
	if (s->in_json == OUTSIDE)
		t.at = json_begins((struct text){text, text + kept});
	return take_json(s, t.at, (size_t)(t.end - t.at));
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

#define BASE64_LEAST 60 /* of a whole line: mail has 76, PEM 64 */
#define BASE64_SHORT 16 /* of a line whose digits are those of a text */

/* A word of a text is not base64 of one: half of all bytes are none of a text's. */
static bool is_base64_of_text(const char *text, size_t size)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < size && i < 64; i++) {
		const int digit = base64_digit(text[i]);
		const uint32_t byte = (bits << 6 | (uint32_t)digit) >> (6 - 2 * (i & 3)) & 0xff;

		if (digit < 0)
			return i >= BASE64_SHORT;
		if ((i & 3) && !(byte >= ' ' && byte < 0x7f) && !strchr("\t\n\r\033", (int)byte))
			return false;
		bits = (uint32_t)digit;
	}
	return true;
}

/* Nothing but its digits, and at the end its filling. A hexadecimal number is none. */
static bool is_base64(const struct explain_stream *s, const char *text, size_t size)
{
	bool other = false;
	size_t i;

	if (size < (s->base64.active ? 1 : BASE64_SHORT) ||
	    (size < BASE64_LEAST && !s->base64.active && !is_base64_of_text(text, size)))
		return false;
	for (i = 0; i < size && base64_digit(text[i]) >= 0; i++)
		other |= text[i] > 'f';
	return size - i <= 2 && (i == size || text[i] == '=') && text[size - 1] != ' ' &&
	       (other || s->base64.active);
}

static bool take_base64(struct explain_stream *s, const char *text, size_t size)
{
	struct explain_stream *to = deeper(s);

	if (!to || !is_base64(s, text, size)) {
		if (s->base64.active) {
			s->base64.active = 0;
			explain_stream_end(to);
		}
		return false;
	}
	if (!s->base64.active)
		s->base64.bits = s->base64.count = 0;
	s->base64.active = 1;
	for (size_t i = 0; i < size; i++) {
		const int digit = base64_digit(text[i]);

		if (digit < 0)
			continue;
		s->base64.bits = s->base64.bits << 6 | (uint32_t)digit;
		s->base64.count += 6;
		if (s->base64.count >= 8) {
			s->base64.count -= 8;
			explain_stream_put(to, (char)(s->base64.bits >> s->base64.count));
		}
	}
	return true;
}

static void take_line(struct explain_stream *s, const char *line, size_t length)
{
	const size_t kept = length < EXPLAIN_LINE ? length : EXPLAIN_LINE;

	s->e->lines += s->depth == 0;
	if (begin_json(s, line, length, kept) && take_json(s, "\n", 1))
		return;
	if (!take_base64(s, line, length))
		explain_unwrap_line(s->e, line, kept, s->depth > 0, s->literal);
	s->literal = 0;
}

static bool separates(const char *at, size_t length)
{
	static const char *const ends[] = {"<br", "\\n", "</div>", "</li>", "</tr>", "</p>", NULL};
	struct text t = {at, at + length};

	for (const char *const *end = ends; *end; end++)
		if (text_skip(&t, *end))
			return true;
	return false;
}

/* A line that is a whole log, with its line ends as tags or written out: hands over what is
 * complete of it, and keeps the rest. */
static bool split(struct explain_stream *s)
{
	uint32_t at = s->length - 3;

	while (at && !separates(s->line + at, s->length - at))
		at--;
	if (!at)
		return false;
	s->literal |= explain_is_literal((struct text){s->line, s->line + s->length});
	explain_unwrap_line(s->e, s->line, at, s->depth > 0, s->literal);
	s->length -= at;
	memmove(s->line, s->line + at, s->length);
	return true;
}

/* A part of a line that is not whole in the caller's buffer. */
static void keep(struct explain_stream *s, const char *text, size_t size)
{
	const size_t room = EXPLAIN_LINE - s->length;
	const size_t kept = size < room ? size : room;

	memcpy(s->line + s->length, text, kept);
	s->length += (uint32_t)kept;
	if (kept == size)
		return;
	if (!s->overlong) {
		if (!is_json(s, s->line, s->length) && split(s)) {
			keep(s, text + kept, size - kept); /* at most once for each separator */
			return;
		}
		s->overlong = 1;
		s->not_json = !begin_json(s, s->line, s->length, s->length);
		if (s->not_json && take_base64(s, s->line, s->length))
			s->not_json = 2;
	}
	if (!s->not_json)
		s->not_json = !take_json(s, text + kept, size - kept);
	else if (s->not_json == 2)
		take_base64(s, text + kept, size - kept);
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
	s->e->lines += s->depth == 0;
	if (s->not_json == 2 || (!s->not_json && take_json(s, "\n", 1)))
		return;
	explain_unwrap_line(s->e, s->line, length, s->depth > 0, s->literal);
	s->literal = 0;
}

/* CR LF and LF CR are one end, not two. */
static bool is_second_half(struct explain_stream *s, char c, bool empty)
{
	const bool second =
		empty && ((s->ended == '\r' && c == '\n') || (s->ended == '\n' && c == '\r'));

	s->ended = second ? '\0' : c;
	return second;
}

/* The next one at or after `at`, found before if it was; `end` when there is none. */
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
	struct explain_stream *to = deeper(s);

	/* A held message of several lines. */
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
	if (s->in_json == INSIDE)
		end_object(s, false);
	s->in_json = OUTSIDE;
	if (to && (s->base64.active || to->length))
		explain_stream_end(to);
	s->base64.active = 0;
}

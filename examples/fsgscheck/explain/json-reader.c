/* SPDX-License-Identifier: MIT */
#include "json-reader.h"

#include <string.h>

enum state {
	VALUE,        /* a value must follow */
	VALUE_OR_END, /* a value or the end of an empty array must follow */
	KEY,
	KEY_OR_END,
	COLON,
	COMMA_OR_END,
	IN_STRING,
	IN_KEY,
	ESCAPE,
	KEY_ESCAPE,
	HEX,
	KEY_HEX,
	WORD,
	/* The parts of a number (RFC 8259, section 6). No other state may follow these, because
	 * json_reader_push() recognises a number by >= MINUS. */
	MINUS,
	ZERO,
	INTEGER,
	POINT,
	FRACTION,
	EXPONENT,
	EXPONENT_SIGN,
	EXPONENT_DIGITS
};

#define LONE_SURROGATE 0xfffdu

void json_reader_begin(struct json_reader *reader,
		       void (*take)(void *context, const struct json_reader *reader,
				    enum json_type type),
		       void *context)
{
	memset(reader, 0, sizeof *reader);
	reader->take = take;
	reader->context = context;
	reader->state = VALUE;
}

static void put(struct json_reader *r, char c)
{
	if (r->length < sizeof r->text - 1)
		r->text[r->length++] = c;
	r->text[r->length] = '\0';
	if (r->put && (r->state == IN_STRING || r->state == ESCAPE || r->state == HEX))
		r->put(r->context, r, c);
}

static void put_code(struct json_reader *r, uint32_t code)
{
	if (code < 0x80) {
		put(r, (char)code);
	} else if (code < 0x800) {
		put(r, (char)(0xc0 | code >> 6));
		put(r, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		put(r, (char)(0xe0 | code >> 12));
		put(r, (char)(0x80 | (code >> 6 & 0x3f)));
		put(r, (char)(0x80 | (code & 0x3f)));
	} else {
		put(r, (char)(0xf0 | code >> 18));
		put(r, (char)(0x80 | (code >> 12 & 0x3f)));
		put(r, (char)(0x80 | (code >> 6 & 0x3f)));
		put(r, (char)(0x80 | (code & 0x3f)));
	}
}

/* Replaces a high surrogate that no low surrogate follows. */
static void end_surrogate(struct json_reader *r)
{
	if (r->high)
		put_code(r, LONE_SURROGATE);
	r->high = 0;
}

/* Ends a \u escape. Replaces lone surrogates, and U+0000, which would end the text. */
static void end_code(struct json_reader *r)
{
	const uint32_t code = r->code;

	if (code >= 0xdc00 && code <= 0xdfff && r->high) {
		put_code(r, 0x10000 + ((r->high - 0xd800) << 10) + (code - 0xdc00));
		r->high = 0;
		return;
	}
	end_surrogate(r);
	if (code >= 0xd800 && code <= 0xdbff)
		r->high = code;
	else
		put_code(r,
			 code == 0 || (code >= 0xdc00 && code <= 0xdfff) ? LONE_SURROGATE : code);
}

static void start_text(struct json_reader *r, uint32_t state)
{
	r->length = 0;
	r->text[0] = '\0';
	r->high = 0;
	r->state = state;
}

static void set_key(struct json_reader *r, const char *text)
{
	const uint32_t level = r->depth - 1;

	if (level >= JSON_PATH)
		return;
	/* A truncated key must not match a key that is searched for. */
	if (strlen(text) < JSON_KEY)
		strcpy(r->key[level], text);
	else
		strcpy(r->key[level], "?");
}

static enum json_progress open_container(struct json_reader *r, char bracket)
{
	if (r->depth == JSON_DEPTH)
		return JSON_BAD;
	r->bracket[r->depth++] = bracket;
	set_key(r, "");
	r->state = bracket == '{' ? KEY_OR_END : VALUE_OR_END;
	return JSON_MORE;
}

static enum json_progress close_container(struct json_reader *r, char bracket)
{
	if (r->bracket[r->depth - 1] != (bracket == '}' ? '{' : '['))
		return JSON_BAD;
	r->state = COMMA_OR_END;
	if (r->end && bracket == '}')
		r->end(r->context);
	return --r->depth ? JSON_MORE : JSON_DONE;
}

static void end_scalar(struct json_reader *r, enum json_type type)
{
	r->state = COMMA_OR_END;
	r->take(r->context, r, type);
}

static enum json_progress push_value(struct json_reader *r, char c)
{
	if (c == '{' || c == '[')
		return open_container(r, c);
	if (r->depth == 0)
		return JSON_BAD;
	if (c == '"') {
		start_text(r, IN_STRING);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		start_text(r, c == '-' ? MINUS : c == '0' ? ZERO : INTEGER);
		put(r, c);
	} else if (c == 't' || c == 'f' || c == 'n') {
		start_text(r, WORD);
		r->word = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
		put(r, c);
	} else {
		return JSON_BAD;
	}
	return JSON_MORE;
}

static enum json_progress push_text(struct json_reader *r, char c)
{
	const bool is_key = r->state == IN_KEY;

	if (c == '\\') {
		r->state = is_key ? KEY_ESCAPE : ESCAPE;
	} else if (c == '"') {
		end_surrogate(r);
		if (is_key) {
			set_key(r, r->text);
			r->state = COLON;
		} else {
			end_scalar(r, JSON_STRING);
		}
	} else if ((unsigned char)c < 0x20) {
		return JSON_BAD;
	} else {
		end_surrogate(r);
		put(r, c);
	}
	return JSON_MORE;
}

static enum json_progress push_escape(struct json_reader *r, char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const bool is_key = r->state == KEY_ESCAPE;
	const char *at = c ? strchr(from, c) : NULL;

	if (c == 'u') {
		r->code = 0;
		r->digits = 4;
		r->state = is_key ? KEY_HEX : HEX;
		return JSON_MORE;
	}
	if (!at)
		return JSON_BAD;
	end_surrogate(r);
	put(r, to[at - from]);
	r->state = is_key ? IN_KEY : IN_STRING;
	return JSON_MORE;
}

static enum json_progress push_hex(struct json_reader *r, char c)
{
	uint32_t digit;

	if (c >= '0' && c <= '9')
		digit = (uint32_t)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		digit = (uint32_t)((c | 0x20) - 'a') + 10;
	else
		return JSON_BAD;
	r->code = r->code << 4 | digit;
	if (--r->digits == 0) {
		end_code(r);
		r->state = r->state == KEY_HEX ? IN_KEY : IN_STRING;
	}
	return JSON_MORE;
}

static enum json_progress push_word(struct json_reader *r, char c)
{
	if (c != *r->word)
		return JSON_BAD;
	if (*++r->word == '\0')
		end_scalar(r, r->text[0] == 't'   ? JSON_TRUE
			      : r->text[0] == 'f' ? JSON_FALSE
						  : JSON_NULL);
	return JSON_MORE;
}

static enum json_progress push_delimiter(struct json_reader *r, char c)
{
	switch (r->state) {
	case VALUE_OR_END:
		return c == ']' ? close_container(r, c) : push_value(r, c);
	case VALUE:
		return push_value(r, c);
	case KEY_OR_END:
		if (c == '}')
			return close_container(r, c);
		break;
	case COLON:
		if (c != ':')
			return JSON_BAD;
		r->state = VALUE;
		return JSON_MORE;
	case COMMA_OR_END:
		if (c == ',') {
			r->state = r->bracket[r->depth - 1] == '{' ? KEY : VALUE;
			return JSON_MORE;
		}
		return c == '}' || c == ']' ? close_container(r, c) : JSON_BAD;
	default:
		break;
	}
	if (c != '"')
		return JSON_BAD;
	start_text(r, IN_KEY);
	return JSON_MORE;
}

/* The state after one more character of a number. COMMA_OR_END: the number ended before this
 * character. VALUE: the character is invalid here. */
static uint32_t number_state(uint32_t state, char c)
{
	const bool digit = c >= '0' && c <= '9';

	switch (state) {
	case MINUS:
		return !digit ? VALUE : c == '0' ? ZERO : INTEGER;
	case INTEGER:
		if (digit)
			return INTEGER;
		/* fall through */
	case ZERO:
		if (c == '.')
			return POINT;
		return (c | 0x20) == 'e' ? EXPONENT : COMMA_OR_END; /* a digit after 0 is refused */
	case POINT:
		return digit ? FRACTION : VALUE;
	case FRACTION:
		return digit ? FRACTION : (c | 0x20) == 'e' ? EXPONENT : COMMA_OR_END;
	case EXPONENT:
		if (c == '+' || c == '-')
			return EXPONENT_SIGN;
		/* fall through */
	case EXPONENT_SIGN:
		return digit ? EXPONENT_DIGITS : VALUE;
	default:
		return digit ? EXPONENT_DIGITS : COMMA_OR_END;
	}
}

enum json_progress json_reader_push(struct json_reader *r, char c)
{
	if (r->state >= MINUS) {
		const uint32_t next = number_state(r->state, c);

		if (next == VALUE)
			return JSON_BAD;
		if (next != COMMA_OR_END) {
			put(r, c);
			r->state = next;
			return JSON_MORE;
		}
		end_scalar(r, JSON_NUMBER);
	}
	switch (r->state) {
	case IN_STRING:
	case IN_KEY:
		return push_text(r, c);
	case ESCAPE:
	case KEY_ESCAPE:
		return push_escape(r, c);
	case HEX:
	case KEY_HEX:
		return push_hex(r, c);
	case WORD:
		return push_word(r, c);
	default:
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			return JSON_MORE;
		return push_delimiter(r, c);
	}
}

bool json_reader_at(const struct json_reader *r, const char *const *path)
{
	uint32_t level = 0;

	for (; path[level]; level++)
		if (level == JSON_PATH || level >= r->depth ||
		    strcmp(path[level], r->key[level]) != 0)
			return false;
	return level == r->depth;
}

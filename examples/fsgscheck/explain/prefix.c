/* SPDX-License-Identifier: MIT */
/* Parses the prefixes that transports put before a message: timestamps, hosts, levels, quotes. */
#include "explain.h"

#include <string.h>

const char *explain_token_end(struct text t)
{
	static const bool ends[256] = {[0] = true,   [' '] = true, ['\t'] = true, [','] = true,
				       [';'] = true, ['"'] = true, ['|'] = true};

	while (t.at < t.end && !ends[(unsigned char)*t.at])
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

bool explain_is_list_of(struct text t, const char *characters)
{
	bool any = false;

	for (; t.at < t.end; t.at++) {
		if (!strchr(characters, *t.at))
			return false;
		any |= *t.at != ' ';
	}
	return any;
}

/* Parses text in brackets: "[    0.486493]", "[   T0]", "[C3]", "[Wed Jul 23 10:11:12 2025]". */
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

	if (explain_is_list_of(rest, "0123456789. OoQDlI") &&
	    memchr(rest.at, '.', (size_t)(rest.end - rest.at)) &&
	    (memchr(rest.at, 'O', (size_t)(rest.end - rest.at)))) {
		*strict = true; /* a timestamp read by OCR */
	} else if (text_number(&rest, &seconds) && text_skip(&rest, ".")) {
		if (!text_number(&rest, &fraction) || rest.at != rest.end)
			return false;
		m->uptime = seconds + 1;
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
		/* Text in brackets is a date only if it contains a time. */
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

/* Parses the priority of a message, "<4>". If its facility is not 0, a program wrote the message to
 * /dev/kmsg. */
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

/* Skips the line number that `grep -n` prints, "12:", if neither a blank nor a digit follows. */
static bool line_number(struct text *t)
{
	struct text rest = *t;
	uint32_t n;

	if (!text_number(&rest, &n) || !text_skip(&rest, ":") || rest.at == rest.end ||
	    (*rest.at >= '0' && *rest.at <= '9') || *rest.at == ' ')
		return false;
	*t = rest;
	return true;
}

/* Skips "vm7 kernel: " after the timestamp, as journalctl -o short-monotonic writes it, or "kernel:
 * " (with --no-hostname). */
static void skip_host(struct text *t)
{
	const char *end = explain_token_end(*t);
	struct text rest = {end, t->end};

	if (text_skip(t, "kernel: "))
		return;
	/* A word that ends in a colon is a program's name, not a host's. */
	if (t->end - end > 8 && (end[1] == 'k' || end[1] < ' ') && end > t->at &&
	    end - t->at <= 64 && end[-1] != ':' && text_skip(&rest, " kernel: "))
		*t = rest;
}

/* Skips "W/kernel  (    0): " or "W/        (    0): ", as Android's logcat writes before the
 * kernel's lines. */
static bool android(struct text *t)
{
	struct text rest = *t;
	uint32_t process;

	if (t->end - t->at < 12 || !strchr("VDIWEF", *t->at) || t->at[1] != '/')
		return false;
	rest.at += 2;
	text_skip(&rest, "kernel");
	text_blank(&rest);
	if (!text_skip(&rest, "("))
		return false;
	text_blank(&rest);
	if (!text_number(&rest, &process) || process || !text_skip(&rest, "): "))
		return false;
	*t = rest;
	return true;
}

/* Parses the header of a record of /dev/kmsg or netconsole: "4,1234,5678,-;". */
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
	m->stamped = 1;
	t->at = end + 1;
	return true;
}

/* Skips a date, a time or another number in the prefix. Returns false if the number is a part of
 * the message. */
static bool number(struct text *t, struct explain_message *m, bool *dated, bool *strict)
{
	const char *end;
	uint32_t digits = 0, marks = 0;
	bool words = false;

	if (record(t, m)) {
		*strict = true;
		return true;
	}
	if (line_number(t))
		return true;
	end = explain_token_end(*t);
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

/* Whether a word ends in a process ID, like a program's name in a system log: "bash[12]:". The name
 * of a container's stream has letters in the brackets instead: "app[web.1]:". */
static bool has_pid(const char *at, const char *end)
{
	at = memchr(at, '[', (size_t)(end - at));
	return at && explain_is_list_of((struct text){at + 1, end - 2}, "0123456789");
}

/* What a word of a line may be: a part of the message, a part of the prefix, or the kernel's name
 * directly before the message. */
enum word { MESSAGE, GOES_ON, KERNEL };

struct prefix {
	bool dated;    /* the transport's date or time has been found */
	uint32_t host; /* the host's name, which follows the date, has been found */
	bool kernel;   /* a word that names the kernel as the writer has been found */
	bool columns;  /* the kernel's name was in a column, and more columns may follow */
};

static enum word word(struct text *t, struct explain_message *m, struct prefix *p)
{
	static const char *const dates[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
					    "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue",
					    "Wed", "Thu", "Fri", "Sat", "Sun", NULL};
	/* "Guest:" is from VMware, which logs the console output of its guest. */
	static const char *const kernels[] = {"kernel:", "kernel", "kernel[0]:", "Guest:", NULL};
	static const char *const severities[] = {"emerg", "alert", "crit",    "err",
						 "error", "warn",  "warning", "notice",
						 "info",  "debug", NULL};
	static const char *const facilities[] = {"kern",     "user", "mail", "daemon", "auth",
						 "syslog",   "lpr",  "news", "uucp",   "cron",
						 "authpriv", "ftp",  NULL};
	/* Levels that the loggers of applications write after the date. Such a line has no host's
	 * name. */
	static const char *const levels[] = {"TRACE",   "DEBUG", "INFO", "WARN",
					     "WARNING", "ERROR", NULL};
	/* Words with which Linux begins a message that quotes a name. */
	static const char *const subsystems[] = {
		"traps:", "audit:", "input:", "systemd:", "usb:", "process", "warning:", NULL};
	const char *end = explain_token_end(*t);
	struct text next = {end, t->end};

	if (end - t->at > 64 || end == t->at || is_token_of(*t, end, subsystems))
		return MESSAGE;
	text_blank(&next);
	if (is_token_of(*t, end, kernels)) {
		text_skip(&next, ": ");
		t->at = next.at;
		m->stamped = 1;
		/* Columns may follow: "kernel - - - " of RFC 5424, or a severity. */
		p->kernel = true;
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
		next.at = explain_token_end(next);
		text_blank(&next);
		if (!text_skip(&next, ":"))
			return MESSAGE;
		t->at = next.at;
		m->stamped = 1;
		return GOES_ON;
	}
	/* syslogd names facility and severity: "kern.warn" */
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
		/* A word that ends in a colon names the program that wrote the line if a host's
		 * name comes before it, or if it contains a process ID. Otherwise it may be the
		 * host's name. */
		if ((end[-2] == ']' && (!p->dated || p->host || has_pid(t->at, end))) ||
		    (p->dated && p->host)) {
			m->foreign |= p->dated;
			return MESSAGE;
		}
	} else if (p->dated && !p->host && !is_token_of(*t, end, levels)) {
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

/* Skips "(d1)", which Xen writes after its timestamp if guest 1 printed the line. */
static bool skip_domain(struct text *t)
{
	struct text rest = *t;
	uint32_t domain;

	if (!text_skip(&rest, "(d") || !text_number(&rest, &domain) || !text_skip(&rest, ")"))
		return false;
	*t = rest;
	return true;
}

/* Characters between the columns of a log and before quoted text. */
static bool is_filling(char c)
{
	static const bool fills[256] = {[0] = true,   [' '] = true, ['\t'] = true, ['>'] = true,
					['|'] = true, ['`'] = true, ['"'] = true,  ['\''] = true,
					['*'] = true, [','] = true, [';'] = true};

	return fills[(unsigned char)c];
}

#define PREFIX_WORDS 20

/* Parses the timestamp that most lines have, "[    0.486493] ", without the checks that other
 * prefixes need. */
static bool plain_clock(struct text *t, struct explain_message *m)
{
	const char *at = t->at;
	uint32_t seconds = 0;

	/* The line must have room for the longest timestamp, so the code below does not check for
	 * the end of the line. */
	if (t->end - at < 24 || *at++ != '[')
		return false;
	for (int i = 0; i < 4 && *at == ' '; i++)
		at++;
	if (!text_is_digit(*at))
		return false;
	for (int i = 0; i < 9 && text_is_digit(*at); i++)
		seconds = seconds * 10 + (uint32_t)(*at++ - '0');
	if (at[0] != '.' || at[7] != ']' || at[8] != ' ' || !text_is_digit(at[1]) ||
	    !text_is_digit(at[2]) || !text_is_digit(at[3]) || !text_is_digit(at[4]) ||
	    !text_is_digit(at[5]) || !text_is_digit(at[6]))
		return false;
	m->uptime = seconds + 1;
	m->stamped = 1;
	t->at = at + 9;
	return true;
}

bool explain_find_own(struct text t, struct explain_message *m)
{
	if (!plain_clock(&t, m) || t.at == t.end || *t.at == '[' || *t.at == '(')
		return false;
	if (*t.at == ' ') {
		while (t.at < t.end && *t.at == ' ')
			t.at++;
		if (t.at == t.end || is_filling(*t.at) || strchr("[(\1", *t.at) || (*t.at & 0x80))
			return false;
	} else {
		skip_host(&t);
	}
	m->text = t;
	m->own = 1;
	return true;
}

static void find_message(const struct explain *e, struct text t, struct explain_message *m)
{
	const struct text all = t;
	struct prefix p = {false, 0, false, false};
	bool strict = false;

	if (explain_find_own(t, m))
		return;
	m->uptime = m->stamped = 0;

	for (int words = 0; words < PREFIX_WORDS; words++) {
		while (t.at < t.end && (is_filling(*t.at) || (*t.at & 0x80)))
			t.at++;
		if (t.at == t.end)
			break;
		if (*t.at == '\1' && t.end - t.at > 1) { /* KERN_SOH and a level */
			t.at += 2;
			continue;
		}
		/* In a macOS crash report, brackets mark a byte of the code. */
		if (*t.at == '[' && e->program.translated)
			break;
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
		if (android(&t)) {
			m->stamped = 1;
			strict = true;
			continue;
		}
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
			const char *end = explain_token_end(t);

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
	/* If the kernel's timestamp or name was found, the text before it is from the transport and
	 * not from a user. */
	if (strict || p.columns) {
		m->own = !m->weak &&
			 (m->uptime || (p.kernel && p.dated) || explain_find_start(e, t));
		m->weak = 0;
	}
	m->text = t;
	if (m->stamped || explain_find_start(e, t))
		return;
	/* The skipped words only look like a prefix, so the message begins before them. */
	m->weak = 0;
	m->origin = 0;
	for (m->text = all; m->text.at < all.end && strchr(">| \t", *m->text.at);)
		m->text.at++;
}

void explain_find_message(const struct explain *e, struct text t, struct explain_message *m)
{
	find_message(e, t, m);
	m->start = explain_find_start(e, m->text);
}

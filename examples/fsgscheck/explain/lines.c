/* SPDX-License-Identifier: MIT */
/*
 * From bytes to lines, and each line to whoever understands it.
 *
 * A line that lies whole in the caller's buffer is read there; only what crosses two buffers is copied,
 * and no more of it than EXPLAIN_LINE. JSON may span lines, and one line of it may be of any length, so
 * an object's bytes go on to its reader as they come. What turns out not to be JSON is looked at
 * as a line of a log after all.
 */
#include "explain.h"

#include <string.h>

enum { OUTSIDE, INSIDE, BETWEEN }; /* of JSON objects: between two on the same line */

void explain_begin(struct explain *e, explain_take *take, void *context)
{
	memset(e, 0, sizeof *e);
	e->take = take;
	e->context = context;
	explain_kernel_begin(e);
}

void explain_give(struct explain *e, const struct explain_source *source)
{
	e->sources++;
	e->take(e->context, source);
}

static char first_character(const char *line, size_t length)
{
	struct text t = {line, line + length};

	text_blank(&t);
	return t.at < t.end ? *t.at : '\0';
}

/* A part of a line to the JSON reader. False when it is not JSON. */
static bool take_json(struct explain *e, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (e->in_json == INSIDE) {
			const enum json_progress progress = json_reader_push(&e->json, text[i]);

			if (progress == JSON_BAD) {
				e->in_json = OUTSIDE;
				return false;
			}
			if (progress == JSON_DONE) {
				e->in_json = BETWEEN;
				explain_report_end(e);
			}
		} else if (text[i] == '{') {
			e->in_json = INSIDE;
			explain_report_begin(e);
			json_reader_push(&e->json, '{');
		} else if (!strchr(" \t,]\n", text[i])) {
			e->in_json = OUTSIDE; /* no more of this line matters */
			return true;
		} else if (text[i] == '\n') {
			e->in_json = OUTSIDE;
		}
	}
	return true;
}

/* As above, for the part that a line begins with. */
static bool begin_json(struct explain *e, const char *text, size_t size, size_t kept)
{
	if (e->in_json == OUTSIDE && first_character(text, kept) != '{')
		return false;
	return take_json(e, text, size);
}

static void take_log(struct explain *e, const char *line, size_t length)
{
	if (!explain_cpuinfo_line(e, line, length))
		explain_kernel_line(e, line, length);
}

static void take_line(struct explain *e, const char *line, size_t length)
{
	const size_t kept = length < EXPLAIN_LINE ? length : EXPLAIN_LINE;

	e->lines++;
	if (!begin_json(e, line, length, kept) || !take_json(e, "\n", 1))
		take_log(e, line, kept);
}

/* A part of a line that is not whole in the caller's buffer. */
static void keep(struct explain *e, const char *text, size_t size)
{
	const size_t room = EXPLAIN_LINE - e->length;
	const size_t kept = size < room ? size : room;

	memcpy(e->line + e->length, text, kept);
	e->length += (uint32_t)kept;
	if (kept == size)
		return;
	if (!e->overlong) {
		e->overlong = 1;
		e->not_json = !begin_json(e, e->line, e->length, e->length);
	}
	if (!e->not_json)
		e->not_json = !take_json(e, text + kept, size - kept);
}

static void end_kept(struct explain *e)
{
	const uint32_t length = e->length;

	e->length = 0;
	if (!e->overlong) {
		take_line(e, e->line, length);
		return;
	}
	e->overlong = 0;
	e->lines++;
	if (e->not_json || !take_json(e, "\n", 1))
		take_log(e, e->line, length);
}

/* CR LF and LF CR are one end, not two. */
static bool is_second_half(struct explain *e, char c, bool empty)
{
	const bool second =
		empty && ((e->ended == '\r' && c == '\n') || (e->ended == '\n' && c == '\r'));

	e->ended = second ? '\0' : c;
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

void explain_feed(struct explain *e, const char *bytes, size_t size)
{
	const char *at = bytes, *const end = bytes + size;
	const char *lf = NULL, *cr = NULL;

	while (at < end) {
		lf = find(lf, at, end, '\n');
		cr = find(cr, at, end, '\r');

		const char *line_end = lf < cr ? lf : cr;
		const size_t length = (size_t)(line_end - at);

		if (line_end == end) {
			keep(e, at, length);
			return;
		}
		if (!is_second_half(e, *line_end, length == 0 && e->length == 0)) {
			if (e->length) {
				keep(e, at, length);
				end_kept(e);
			} else {
				take_line(e, at, length);
			}
		}
		at = line_end + 1;
	}
}

uint64_t explain_end_file(struct explain *e)
{
	if (e->length)
		end_kept(e);

	const uint64_t lines = e->lines;

	e->in_json = OUTSIDE;
	e->ended = '\0';
	memset(&e->image, 0, sizeof e->image);
	explain_cpuinfo_end(e);
	explain_kernel_end(e);
	e->lines = 0;
	return lines;
}

const char *explain_note_text(uint32_t bit)
{
	static const char *const texts[EXPLAIN_NOTES] = {
		"The registers show the CPU at one of the instructions, but the line that says why "
		"it stopped there is missing.",
		"The kernel met an invalid opcode where it uses these instructions, but the bytes "
		"of the Code: line are missing or cut off, so the instruction is not known.",
		"CR4 is missing, so an instruction that fails and a CR4 bit that was dropped "
		"cannot be told apart.",
		"The kernel had not enabled the instructions, so invalid opcode is the right "
		"answer "
		"to them, and the fault is with the code that used them.",
		"The instruction stands in a module, not in the kernel itself.",
		"A write to CR4 was refused that sets FSGSBASE and other bits, and which of them "
		"is refused is not shown.",
		"A write to CR4 was refused, but what it would have written is not shown.",
		"The kernel had to put CR4.FSGSBASE back to what it was at boot: a module, or a "
		"CPU that differs from the first, changed it.",
		"The command line cleared the feature; whether the processor has it is not shown.",
		"That this is Hyper-V is an inference, from the hypervisor flag and a microcode "
		"revision of 0xffffffff; the file does not name the hypervisor.",
		"The flag shows that the kernel knows of the instructions, not that they run. Had "
		"this kernel been Linux 5.9 or later it would have run them before this file was "
		"written; the file does not say which kernel it was.",
		"CR4 does not show the bit, and where the instruction stands is missing or cut off. "
		"The kernel's own code would have enabled it; a module's need not.",
	};

	return bit < EXPLAIN_NOTES ? texts[bit] : NULL;
}

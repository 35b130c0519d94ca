/* SPDX-License-Identifier: MIT */
/*
 * Reads core files of 64-bit x86 programs (core(5), elf(5)) in one pass: the segment table, the
 * notes with the registers of the thread that faulted, and the bytes at its program counter. By
 * default, Linux leaves out code that is mapped from a file. The caller can then read these bytes
 * from the file that explain_core_module() names.
 */
#include "explain.h"

#include <string.h>

/* Values of elf(5), defined here because not every system on which this code runs has elf.h. */
enum { CLASS_64 = 2, LITTLE_ENDIAN_DATA = 1, TYPE_CORE = 4, MACHINE_X86_64 = 62 };
enum { HEADER_SIZE = 64, SEGMENT_SIZE = 56 };
enum { SEGMENT_LOAD = 1, SEGMENT_NOTE = 4 };
enum { NOTE_PRSTATUS = 1, NOTE_PRPSINFO = 3, NOTE_FILE = 0x46494c45 };

#define SIGILL_NUMBER 4
#define USER_CS       0x33 /* Linux's selector of 64-bit user code */

/* Offsets in the descriptor of NT_PRSTATUS (struct elf_prstatus of x86-64). */
enum { PRSTATUS_SIGNAL = 12, PRSTATUS_RIP = 240, PRSTATUS_CS = 248, PRSTATUS_SIZE = 256 };
/* Offsets in the descriptor of NT_PRPSINFO. */
enum { PRPSINFO_NAME = 40, PRPSINFO_SIZE = 56 };

enum {
	CORE_HEADER,
	CORE_SEGMENT,
	CORE_NOTE,
	CORE_PRSTATUS,
	CORE_PRPSINFO,
	CORE_FILES,
	CORE_FILE,
	CORE_NAME,
	CORE_PAGE,
	CORE_CODE,
	CORE_DONE
};

static uint64_t number(const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

/* Sets the next part to read. Reading ends if the part begins before the current position, or is
 * longer than the buffer. */
static void want(struct explain_core *c, uint32_t state, uint64_t at, uint32_t size)
{
	c->state = at >= c->at && size <= sizeof c->bytes ? state : CORE_DONE;
	c->from = at;
	c->size = size;
	c->length = 0;
}

static const struct explain_segment *segment_of(const struct explain_core *c, uint64_t address)
{
	for (uint32_t i = 0; i < c->segments; i++)
		if (address >= c->segment[i].address &&
		    address - c->segment[i].address < c->segment[i].size)
			return &c->segment[i];
	return NULL;
}

static void want_code(struct explain_core *c)
{
	const struct explain_segment *segment = segment_of(c, c->rip);
	uint64_t left;

	if (!segment) {
		c->state = CORE_DONE;
		return;
	}
	left = segment->size - (c->rip - segment->address);
	want(c, CORE_CODE, segment->offset + (c->rip - segment->address),
	     left < EXPLAIN_CODE ? (uint32_t)left : EXPLAIN_CODE);
}

/* Continues after the last note: reads the first page of the module at RIP, by which the module's
 * file is recognised, and then the bytes at RIP. Reading ends if the signal is not SIGILL in 64-bit
 * code. */
static void end_notes(struct explain_core *c)
{
	const struct explain_segment *segment;

	if (c->signal != SIGILL_NUMBER || c->cs != USER_CS) {
		c->state = CORE_DONE;
		return;
	}
	segment = c->has_module ? segment_of(c, c->first) : NULL;
	if (segment && segment->size >= EXPLAIN_PAGE)
		want(c, CORE_PAGE, segment->offset + (c->first - segment->address), EXPLAIN_PAGE);
	else
		want_code(c);
}

static void next_note(struct explain_core *c)
{
	if (c->note + 12 <= c->notes_end)
		want(c, CORE_NOTE, c->note, 12);
	else
		end_notes(c);
}

static void take_header(struct explain_core *c)
{
	const unsigned char *b = c->bytes;

	if (b[4] != CLASS_64 || b[5] != LITTLE_ENDIAN_DATA || number(b + 16, 2) != TYPE_CORE ||
	    number(b + 18, 2) != MACHINE_X86_64 || number(b + 54, 2) != SEGMENT_SIZE) {
		c->state = CORE_DONE;
		return;
	}
	c->is_core = 1;
	c->left = (uint32_t)number(b + 56, 2);
	want(c, CORE_SEGMENT, number(b + 32, 8), SEGMENT_SIZE);
}

static void take_segment(struct explain_core *c)
{
	const unsigned char *b = c->bytes;
	const uint64_t type = number(b, 4), offset = number(b + 8, 8), address = number(b + 16, 8),
		       size = number(b + 32, 8);

	if (type == SEGMENT_NOTE && !c->notes_end) {
		c->note = offset;
		c->notes_end = offset + size;
	} else if (type == SEGMENT_LOAD && size && c->segments < EXPLAIN_SEGMENTS) {
		c->segment[c->segments++] = (struct explain_segment){address, offset, size};
	}
	if (--c->left)
		want(c, CORE_SEGMENT, c->from + SEGMENT_SIZE, SEGMENT_SIZE);
	else
		next_note(c);
}

static void take_note(struct explain_core *c)
{
	const uint64_t name = number(c->bytes, 4), size = number(c->bytes + 4, 4),
		       type = number(c->bytes + 8, 4);
	const uint64_t body = c->note + 12 + ((name + 3) & ~UINT64_C(3));

	c->note = body + ((size + 3) & ~UINT64_C(3));
	/* The first NT_PRSTATUS belongs to the thread that got the fatal signal. */
	if (type == NOTE_PRSTATUS && !c->has_registers && size >= PRSTATUS_SIZE)
		want(c, CORE_PRSTATUS, body, PRSTATUS_SIZE);
	else if (type == NOTE_PRPSINFO && size >= PRPSINFO_SIZE)
		want(c, CORE_PRPSINFO, body, PRPSINFO_SIZE);
	else if (type == NOTE_FILE && c->has_registers && size >= 16)
		want(c, CORE_FILES, body, 16);
	else
		next_note(c);
}

/* Reads one mapping from the note NT_FILE. This note contains, in this order: the number of
 * mappings; the page size; the start, end and file offset in pages of each mapping; the names of
 * the files. */
static void take_file(struct explain_core *c)
{
	const uint64_t begin = number(c->bytes, 8), end = number(c->bytes + 8, 8),
		       page = number(c->bytes + 16, 8);

	/* The first mapping of a module is that of its file's first page. The module's other
	 * mappings follow. */
	if (page == 0)
		c->base = begin;
	if (c->rip >= begin && c->rip < end && !c->has_module) {
		c->has_module = 1;
		c->first = c->base;
		c->module.offset = c->rip - begin + page * c->page_size;
		c->name_index = c->index;
	}
	if (++c->index < c->files)
		want(c, CORE_FILE, c->from + 24, 24);
	else if (c->has_module)
		want(c, CORE_NAME, c->from + 24, 1);
	else
		next_note(c);
}

static void take_name(struct explain_core *c)
{
	const char character = (char)c->bytes[0];

	if (c->name_index == 0 && character) {
		if (c->name_length < sizeof c->module.path - 1)
			c->module.path[c->name_length++] = character;
		else
			c->module.path[0] = '\0'; /* too long: the module gets no path */
	}
	if (!character && c->name_index-- == 0)
		next_note(c);
	else if (c->from + 1 < c->notes_end)
		want(c, CORE_NAME, c->from + 1, 1);
	else
		next_note(c);
}

uint64_t explain_page_hash(const unsigned char *page)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < EXPLAIN_PAGE; i++)
		hash = (hash ^ page[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void step(struct explain_core *c)
{
	switch (c->state) {
	case CORE_HEADER:
		take_header(c);
		break;
	case CORE_SEGMENT:
		take_segment(c);
		break;
	case CORE_NOTE:
		take_note(c);
		break;
	case CORE_PRSTATUS:
		c->has_registers = 1;
		c->signal = (uint32_t)number(c->bytes + PRSTATUS_SIGNAL, 2);
		c->rip = number(c->bytes + PRSTATUS_RIP, 8);
		c->cs = (uint32_t)number(c->bytes + PRSTATUS_CS, 8);
		next_note(c);
		break;
	case CORE_PRPSINFO:
		memcpy(c->name, c->bytes + PRPSINFO_NAME, sizeof c->name - 1);
		next_note(c);
		break;
	case CORE_FILES:
		c->files = number(c->bytes, 8);
		c->page_size = number(c->bytes + 8, 8);
		if (c->files)
			want(c, CORE_FILE, c->from + 16, 24);
		else
			next_note(c);
		break;
	case CORE_FILE:
		take_file(c);
		break;
	case CORE_NAME:
		take_name(c);
		break;
	case CORE_PAGE:
		c->module.page_hash = explain_page_hash(c->bytes);
		c->module.has_page = 1;
		want_code(c);
		break;
	case CORE_CODE:
		c->code_length = c->size;
		memcpy(c->code, c->bytes, c->size);
		c->state = CORE_DONE;
		break;
	}
}

void explain_core_begin(struct explain_core *c)
{
	memset(c, 0, sizeof *c);
	want(c, CORE_HEADER, 0, HEADER_SIZE);
}

void explain_core_feed(struct explain_core *c, const char *bytes, size_t size)
{
	while (size && c->state != CORE_DONE) {
		const uint64_t skip = c->from + c->length - c->at;
		size_t length = skip < size ? (size_t)skip : size;

		if (length == 0) {
			length = c->size - c->length < size ? c->size - c->length : size;
			memcpy(c->bytes + c->length, bytes, length);
			c->length += (uint32_t)length;
		}
		bytes += length;
		size -= length;
		c->at += length;
		if (c->length == c->size)
			step(c);
	}
}

const struct explain_module *explain_core_module(const struct explain *e)
{
	const struct explain_core *c = &e->core;

	return c->is_core && c->has_module && c->module.has_page && !c->code_length &&
			       c->module.path[0]
		       ? &c->module
		       : NULL;
}

void explain_core_code(struct explain *e, const unsigned char *code, size_t length)
{
	struct explain_core *c = &e->core;

	c->code_length = length < EXPLAIN_CODE ? (uint32_t)length : EXPLAIN_CODE;
	memcpy(c->code, code, c->code_length);
}

/* If the core file shows SIGILL in 64-bit code, passes the results to program.c, which reports the
 * death of a program. */
void explain_core_end(struct explain *e)
{
	struct explain_core *c = &e->core;
	struct explain_program *p = &e->program;

	if (c->is_core && c->has_registers && c->signal == SIGILL_NUMBER && c->cs == USER_CS) {
		p->died = 1;
		p->source.line = 1;
		p->source.code_length = c->code_length;
		memcpy(p->source.code, c->code, sizeof p->source.code);
		text_clean(c->module.path[0] ? c->module.path : c->name, p->source.symbol,
			   sizeof p->source.symbol);
		text_clean(c->name, p->executable, sizeof p->executable);
	}
	memset(c, 0, sizeof *c);
}

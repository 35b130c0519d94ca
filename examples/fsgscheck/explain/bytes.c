/* SPDX-License-Identifier: MIT */
/*
 * Finds out a file's encoding by its first bytes, and passes on its text in UTF-8. UTF-16 of either
 * byte order is converted. core.c reads core files. A file in a format of `magics`, such as a
 * compressed file, is not read: explain_packed() then returns its format.
 *
 * Zero bytes are dropped, because serial consoles and journals pad with them. So if a tool appended
 * ASCII text in UTF-16 to a file of another encoding, this text is read, too.
 */
#include "explain.h"

#include <string.h>

enum { START, BYTES, LITTLE, BIG, PACKED, CORE };

static const struct {
	uint8_t length;
	char magic[9];
	struct explain_packed packed;
} magics[] = {
	{2, "\x1f\x8b", {"compressed with gzip", "zcat %s | fsgscheck explain -"}},
	{6, "\xfd\x37zXZ", {"compressed with xz", "xzcat %s | fsgscheck explain -"}},
	{4, "\x28\xb5\x2f\xfd", {"compressed with zstd", "zstdcat %s | fsgscheck explain -"}},
	{3, "BZh", {"compressed with bzip2", "bzcat %s | fsgscheck explain -"}},
	{4, "\x04\x22\x4d\x18", {"compressed with lz4", "lz4cat %s | fsgscheck explain -"}},
	{4, "PK\x03\x04", {"a ZIP archive", "unzip -p %s | fsgscheck explain -"}},
	{8, "LPKSHHRH", {"a binary journal", "journalctl -k --file %s | fsgscheck explain -"}},
	{8,
	 "KDUMP   ",
	 {"a kernel dump", "makedumpfile --dump-dmesg %s /dev/stdout | fsgscheck explain -"}},
	{8,
	 "\x89PNG\r\n\x1a\n",
	 {"a picture; type its lines RIP:, Code: and CR4: into a file", NULL}},
	{3, "\xff\xd8\xff", {"a picture; type its lines RIP:, Code: and CR4: into a file", NULL}},
	{5, "%PDF-", {"a PDF document", "pdftotext -layout %s - | fsgscheck explain -"}},
};

enum explain_encoding explain_encoding(const struct explain *e)
{
	return e->bytes.state == LITTLE ? EXPLAIN_UTF16LE
	       : e->bytes.state == BIG  ? EXPLAIN_UTF16BE
					: EXPLAIN_UTF8;
}

const struct explain_packed *explain_packed(const struct explain *e)
{
	return e->bytes.packed;
}

/* Passes on all bytes except zero bytes, in as few calls as possible. */
static void put_bytes(struct explain *e, const char *bytes, size_t size)
{
	while (size) {
		const char *zero = memchr(bytes, 0, size);
		const size_t length = zero ? (size_t)(zero - bytes) : size;

		if (length)
			explain_stream_feed(&e->stream[0], bytes, length);
		bytes += length + (zero != NULL);
		size -= length + (zero != NULL);
	}
}

static size_t put_code(uint32_t code, char *to)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}

	const size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};

	to[0] = (char)(lead[more] | code >> (6 * more));
	for (size_t i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
	return more + 1;
}

static void put_units(struct explain *e, const char *bytes, size_t size)
{
	struct explain_bytes *b = &e->bytes;
	char text[1024];
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		const uint32_t byte = (unsigned char)bytes[i];

		if (!b->half) {
			b->half = byte | 0x100;
			continue;
		}

		uint32_t unit = b->state == LITTLE ? (b->half & 0xff) | byte << 8
						   : (b->half & 0xff) << 8 | byte;

		b->half = 0;
		if (unit >= 0xd800 && unit <= 0xdbff) {
			b->surrogate = unit;
			continue;
		}
		if (unit >= 0xdc00 && unit <= 0xdfff)
			unit = b->surrogate
				       ? 0x10000 + ((b->surrogate - 0xd800) << 10) + (unit - 0xdc00)
				       : 0xfffd;
		b->surrogate = 0;
		if (unit == 0 || unit == 0xfeff)
			continue;
		length += put_code(unit, text + length);
		if (length > sizeof text - 4) {
			explain_stream_feed(&e->stream[0], text, length);
			length = 0;
		}
	}
	if (length)
		explain_stream_feed(&e->stream[0], text, length);
}

static void feed(struct explain *e, const char *bytes, size_t size)
{
	if (e->bytes.state == BYTES)
		put_bytes(e, bytes, size);
	else if (e->bytes.state == CORE)
		explain_core_feed(&e->core, bytes, size);
	else if (e->bytes.state != PACKED)
		put_units(e, bytes, size);
}

/* Whether the file begins like ASCII text in UTF-16 without a byte order mark: exactly the bytes at
 * even (`zero` is 0) or at odd (`zero` is 1) indices are zero. */
static bool alternates(const unsigned char *first, uint32_t length, uint32_t zero)
{
	for (uint32_t i = 0; i < length; i++)
		if ((first[i] == 0) != (i % 2 == zero))
			return false;
	return length >= 4;
}

/* Chooses the file's encoding by its first bytes, and reads these bytes. */
static void start(struct explain *e)
{
	struct explain_bytes *b = &e->bytes;
	uint32_t skip = 0;

	b->state = BYTES;
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		if (b->length >= magics[i].length &&
		    memcmp(b->first, magics[i].magic, magics[i].length) == 0) {
			b->state = PACKED;
			b->packed = &magics[i].packed;
			return;
		}
	if (b->length >= 4 && memcmp(b->first,
				     "\x7f"
				     "ELF",
				     4) == 0) {
		b->state = CORE;
		explain_core_begin(&e->core);
	} else if (b->length >= 2 && memcmp(b->first, "\xff\xfe", 2) == 0)
		b->state = LITTLE;
	else if (b->length >= 2 && memcmp(b->first, "\xfe\xff", 2) == 0)
		b->state = BIG;
	else if (alternates(b->first, b->length, 1))
		b->state = LITTLE;
	else if (alternates(b->first, b->length, 0))
		b->state = BIG;
	else if (b->length >= 3 && memcmp(b->first, "\xef\xbb\xbf", 3) == 0)
		skip = 3;
	feed(e, (const char *)b->first + skip, b->length - skip);
}

void explain_feed(struct explain *e, const char *bytes, size_t size)
{
	struct explain_bytes *b = &e->bytes;

	if (b->state == START) {
		b->packed = NULL;
		while (size && b->length < sizeof b->first) {
			b->first[b->length++] = (unsigned char)*bytes++;
			size--;
		}
		if (b->length < sizeof b->first)
			return;
		start(e);
	}
	feed(e, bytes, size);
}

uint64_t explain_end_file(struct explain *e)
{
	const struct explain_packed *packed;

	if (e->bytes.state == START) {
		e->bytes.packed = NULL;
		start(e);
	}
	explain_stream_end(&e->stream[0]);
	explain_readers_end(e);

	const uint64_t lines = e->lines;

	packed = e->bytes.packed;
	memset(&e->bytes, 0, sizeof e->bytes);
	e->bytes.packed = packed;
	e->lines = 0;
	return lines;
}

void explain_begin(struct explain *e, explain_take *take, void *context)
{
	memset(e, 0, sizeof *e);
	e->take = take;
	e->context = context;
	explain_streams_begin(e);
	explain_readers_begin(e);
}

void explain_give(struct explain *e, const struct explain_source *source)
{
	e->sources++;
	if (source->kind == EXPLAIN_REPORT)
		e->program_report = source->report;
	e->take(e->context, source);
}

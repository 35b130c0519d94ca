/* SPDX-License-Identifier: MIT */
/*
 * `fsgscheck explain` for a caller that has bytes instead of files: the WebAssembly module of the
 * page.
 *
 * The caller puts bytes into the buffer and says how many. The order of calls: page_file(),
 * page_feed() until the file ends, page_end_file(), for each file; then page_json(). An instance
 * answers once.
 *
 * The module imports nothing, so it cannot reach anything but its own memory, whatever it reads.
 */
#include <fsgscheck.h>
#include <wasi/api.h>

#include "explain/found.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

/* A multiple of the unit of every encoding. */
enum { BUFFER = 1 << 20 };

static struct explain explain;
static struct found found;
static char buffer[BUFFER], file[256];

static void take(void *context, const struct explain_source *source)
{
	found_add(context, source);
}

char *EXPORT(page_buffer)(void)
{
	return buffer;
}

uint32_t EXPORT(page_buffer_size)(void)
{
	return sizeof buffer;
}

/* A file begins; its name is in the buffer. */
void EXPORT(page_file)(uint32_t length)
{
	if (!found.file)
		explain_begin(&explain, take, &found);
	snprintf(file, sizeof file, "%.*s", (int)length, buffer);
	found_begin_file(&found, file);
}

/* Gives how many lines of this file have ended. */
double EXPORT(page_feed)(uint32_t size)
{
	explain_feed(&explain, buffer, size);
	return (double)explain.lines;
}

/* The CR or LF that the bytes so far end with, unless it is the second half of CR LF or LF CR; else
 * 0. */
uint32_t EXPORT(page_ended)(void)
{
	return explain.stream[0].length ? 0 : (unsigned char)explain.stream[0].ended;
}

/* How this file is encoded: enum explain_encoding. */
uint32_t EXPORT(page_encoding)(void)
{
	return explain_encoding(&explain);
}

/* Whether the whole file could be read. */
void EXPORT(page_end_file)(uint32_t read)
{
	found_end_file(&found, &explain, read);
}

/* The output of `fsgscheck explain --json`. NULL if there is not enough memory. */
const char *EXPORT(page_json)(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out || found.out_of_memory)
		return NULL;
	found_end(&found, &explain);
	found_json(out, &found);
	return fclose(out) == 0 ? text : NULL;
}

/* printf() would report a long double, which it does not support, on standard error. Nothing here
 * prints one, and there is no standard error. These take the place of the imports. */
#define IMPORT(name) __imported_wasi_snapshot_preview1_##name

int32_t IMPORT(fd_write)(int32_t fd, int32_t parts, int32_t count, int32_t written)
{
	(void)fd, (void)parts, (void)count, (void)written;
	return __WASI_ERRNO_BADF;
}

int32_t IMPORT(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t at)
{
	(void)fd, (void)offset, (void)whence, (void)at;
	return __WASI_ERRNO_BADF;
}

int32_t IMPORT(fd_close)(int32_t fd)
{
	(void)fd;
	return __WASI_ERRNO_BADF;
}

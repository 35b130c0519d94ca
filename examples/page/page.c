/* SPDX-License-Identifier: MIT */
/*
 * `fsgscheck explain` for a caller that has bytes instead of files: the WebAssembly module of the
 * page.
 *
 * The caller puts a name or bytes into the buffer and passes the length. For each file, the caller
 * calls page_file(), then page_feed() until the file ends, then page_end_file(). After the last
 * file, it calls page_json() once.
 *
 * The module imports nothing. So it can access only its own memory, whatever it reads.
 */
#include <fsgscheck.h>
#include <wasi/api.h>

#include "explain/found.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

/* The size of the buffer: a multiple of the size of a code unit in every encoding. */
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

/* Begins a file. The name of the file is in the buffer. */
void EXPORT(page_file)(uint32_t length)
{
	if (!found.file)
		explain_begin(&explain, take, &found);
	snprintf(file, sizeof file, "%.*s", (int)length, buffer);
	found_begin_file(&found, file);
}

/* Reads bytes from the buffer. Returns how many lines of this file the reader has counted: all that
 * have ended, and an overlong line that has begun. */
double EXPORT(page_feed)(uint32_t size)
{
	explain_feed(&explain, buffer, size);
	return (double)explain.lines;
}

/* The CR or LF at the end of the bytes so far. 0 if they end otherwise, or with the second half of
 * CR LF or LF CR. */
uint32_t EXPORT(page_ended)(void)
{
	return explain.stream[0].length ? 0 : (unsigned char)explain.stream[0].ended;
}

/* How this file is encoded: enum explain_encoding. */
uint32_t EXPORT(page_encoding)(void)
{
	return explain_encoding(&explain);
}

/* Ends a file. `read` says whether the whole file could be read. */
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

/* The C library imports these functions: its printf() does not support long double, and reports
 * this on standard error. This module prints no long double. So the functions below replace the
 * imports and only fail. */
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

/* SPDX-License-Identifier: MIT */
/* What the JSON writer uses of the C library, in the kernel's words: a FILE is a seq_file. */
#ifndef FSGSCHECK_KMOD_STDIO_H
#define FSGSCHECK_KMOD_STDIO_H

#include <linux/kernel.h>
#include <linux/seq_file.h>

#define FILE                            struct seq_file

#define fputc(c, out)                   seq_putc(out, c)
#define fputs(text, out)                seq_puts(out, text)
#define fwrite(bytes, size, count, out) seq_write(out, bytes, (size) * (count))
#define fprintf(out, ...)               seq_printf(out, __VA_ARGS__)

#endif

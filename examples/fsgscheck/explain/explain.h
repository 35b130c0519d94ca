/* SPDX-License-Identifier: MIT */
/*
 * What files of another machine say about its FSGSBASE: kernel logs, /proc/cpuinfo, our own
 * reports.
 *
 * The reader gets bytes in pieces of any size, keeps a fixed state, allocates nothing and calls no
 * operating system. It works in layers, each in a file of its own:
 *
 *   bytes.c     from the file's encoding to bytes of UTF-8
 *   stream.c    from bytes to lines; what is packed in JSON or base64 becomes a stream of its own
 *   unwrap.c    from lines to messages: what transports added is removed (characters.c, prefix.c),
 *               wrapped lines are joined
 *   readers.c   each message goes to the reader of its form: the table of readers
 *
 * Whatever a reader recognises becomes a report, filled in as far as the text shows and decided by
 * fsgs_decide(), so that its words are those of every other output.
 */
#ifndef FSGSCHECK_EXPLAIN_H
#define FSGSCHECK_EXPLAIN_H

#include <fsgscheck/report.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json-reader.h"
#include "text.h"

/* The kind of file or line that the evidence comes from. */
enum explain_kind {
	EXPLAIN_CRASH,   /* a crash in a kernel log */
	EXPLAIN_BOOT,    /* a kernel log without a crash */
	EXPLAIN_CPUINFO, /* a dump of /proc/cpuinfo */
	EXPLAIN_REPORT,  /* our own JSON */
	EXPLAIN_IMAGE,   /* the last line of the boot image */
	EXPLAIN_LSCPU,   /* lscpu */
	EXPLAIN_CPUID,   /* cpuid -1 */
	EXPLAIN_HOST,    /* what a hypervisor or its management logs about a guest */
	EXPLAIN_PROGRAM  /* the death of a program */
};

#define EXPLAIN_KINDS 9

/* Reasons why the result is limited: bit numbers of explain_source.notes. */
enum explain_note {
	EXPLAIN_NO_HEADER,      /* a dump without the line that gives the reason */
	EXPLAIN_NO_CODE,        /* invalid opcode without the code bytes */
	EXPLAIN_NO_CR4,         /* one of the four instructions, but CR4 is unknown */
	EXPLAIN_NOT_ENABLED,    /* #UD where the kernel had not enabled the instructions */
	EXPLAIN_MODULE,         /* the instruction is in a module */
	EXPLAIN_OTHER_BITS,     /* a refused CR4 write that sets other bits, too */
	EXPLAIN_NO_VALUE,       /* a refused CR4 write with an unknown value */
	EXPLAIN_PINNED,         /* code other than CPU bring-up changed CR4.FSGSBASE */
	EXPLAIN_CLEARED,        /* clearcpuid: it is unknown whether CPUID had the feature */
	EXPLAIN_HYPERV_TRAIT,   /* Hyper-V is inferred from a side effect */
	EXPLAIN_FLAG_ONLY,      /* only the flag is known */
	EXPLAIN_NO_SYMBOL,      /* CR4 and the faulting code's owner are unknown */
	EXPLAIN_STARTING,       /* a CPU that is just being started: a kernel bug */
	EXPLAIN_RAN_BEFORE,     /* the same kernel had executed the instructions for a long time */
	EXPLAIN_MISSPELT,       /* an unknown option on the kernel's command line */
	EXPLAIN_REVERSED,       /* the newest line is first */
	EXPLAIN_CUT_FLAGS,      /* a list of flags that may be truncated */
	EXPLAIN_NOT_COMPARABLE, /* CPUs that may belong to different machines */
	EXPLAIN_RUNNING,        /* the flag, and a kernel that uses the instructions */
	EXPLAIN_INTERPRETED,    /* the host's instruction emulator lacks the instruction */
	EXPLAIN_MISSING_MODEL,  /* this host cannot provide the feature to the guest */
	EXPLAIN_BY_NAME,        /* a disassembler's name without the bytes */
	EXPLAIN_NO_KERNEL,      /* the kernel under the program is unknown */
	EXPLAIN_CPUID_ONLY,     /* CPUID from a tool or a hypervisor, without a kernel */
	EXPLAIN_ASK,            /* the capabilities of the program's machine are unknown */
	EXPLAIN_PICTURE,        /* the text was read by OCR */
	EXPLAIN_TOOL,           /* an emulator or an instrumentation tool lacks the instruction */
	EXPLAIN_QUOTED,         /* the lines may be part of a name that a user chose */
	EXPLAIN_NOTES
};

#define EXPLAIN_NOTE(name)   (1u << EXPLAIN_##name)

#define EXPLAIN_CR4_FSGSBASE 16

/* The bytes from the marked byte on: no x86 instruction is longer. */
#define EXPLAIN_CODE         15

/* The lines that a source is based on. */
enum explain_mark {
	EXPLAIN_MARK_HEADER,
	EXPLAIN_MARK_RIP,
	EXPLAIN_MARK_CODE,
	EXPLAIN_MARK_CR4,
	EXPLAIN_MARK_END,
	EXPLAIN_MARK_KERNEL,
	EXPLAIN_MARK_HYPERVISOR,
	EXPLAIN_MARK_FLAGS,
	EXPLAIN_MARKS
};

struct explain_source {
	uint32_t kind;                /* enum explain_kind */
	uint32_t notes;               /* bits of enum explain_note */
	uint64_t line;                /* first line, from 1 */
	uint64_t mark[EXPLAIN_MARKS]; /* number of lines; 0 if unknown */
	struct fsgs_report report;

	/* A crash of a kernel, a program or a host. */
	char symbol[160];     /* RIP, as the kernel wrote it; empty when unknown */
	uint32_t has_insn;    /* insn is known */
	uint32_t insn;        /* enum fsgs_insn */
	uint32_t code_length; /* how many of the bytes are known */
	uint8_t code[EXPLAIN_CODE];
	uint8_t has_cr4;
	uint64_t cr4;
	int32_t cpu;       /* -1 when unknown */
	uint32_t uptime;   /* seconds, 0 when unknown */
	char misspelt[32]; /* the option on the command line */

	/* Lists of processors. */
	uint32_t processors;
	uint32_t hypervisor_flag; /* enum fsgs_answer */
	char microcode[16];

	/* A report that names its host. */
	char host[64];
};

typedef void explain_take(void *context, const struct explain_source *source);

/* A file that must be unpacked first: its name, and the command that unpacks it. */
struct explain_packed {
	const char *name;
	const char *command; /* %s is the file; NULL where there is none */
};

#define EXPLAIN_LINE  8192
/* The depth: a file, a JSON string in it, base64 or JSON in that string. */
#define EXPLAIN_DEPTH 3

#include "readers.h"

/* take() is called from feed() and from end_file(), which returns the number of lines in the
 * file. */
void explain_begin(struct explain *e, explain_take *take, void *context);
void explain_feed(struct explain *e, const char *bytes, size_t size);
uint64_t explain_end_file(struct explain *e);
/* How the file is encoded. Call before its end. */
enum explain_encoding { EXPLAIN_UTF8, EXPLAIN_UTF16LE, EXPLAIN_UTF16BE };
enum explain_encoding explain_encoding(const struct explain *e);
/* Call before the end of a core file without the bytes at RIP: returns the module that has them, or
 * NULL. A file is the same one if explain_page_hash() of its first EXPLAIN_PAGE bytes matches the
 * module's. */
const struct explain_module *explain_core_module(const struct explain *e);
uint64_t explain_page_hash(const unsigned char *page);
void explain_core_code(struct explain *e, const unsigned char *code, size_t length);
/* How to unpack the file that ended last, if it is packed; else NULL. */
const struct explain_packed *explain_packed(const struct explain *e);

/* notes.c: the sentence of a note, by bit number; the name of the evidence that a note says is
 * missing, or NULL, and how to get it; the name of a mark. */
const char *explain_note_text(uint32_t bit);
const char *explain_note_missing(uint32_t bit);
const char *explain_mark_name(uint32_t mark);

/* decode.c */
/* The instruction that the bytes begin with: enum fsgs_insn, -1 for another one, -2 if there are
 * too few bytes. */
int explain_decode_insn(const uint8_t *code, size_t length);
/* If they are a MOV to CR4, the number of its source register, else -1. */
int explain_decode_cr4_write(const uint8_t *code, size_t length);
/* The name of a CR4 bit; NULL if it has none. */
const char *explain_cr4_bit(uint32_t bit);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Reads what files from another machine show about FSGSBASE there: kernel logs, /proc/cpuinfo,
 * reports of fsgscheck, and other text.
 *
 * The reader takes bytes in pieces of any size. Its state has a fixed size, it allocates nothing,
 * and it makes no system call. It works in layers, each in a file of its own:
 *
 *   bytes.c     from the file's encoding to bytes of UTF-8
 *   stream.c    from bytes to lines; text that is packed in JSON or base64 becomes another stream
 *   unwrap.c    from lines to messages: removes what transports added (characters.c, prefix.c) and
 *               joins wrapped lines
 *   readers.c   passes each message to its reader; has the table of readers
 *
 * Transports are the consoles, logging systems, mails and web pages that a log has passed through.
 *
 * A reader fills a report with the evidence that it recognises in the text. fsgs_decide() then
 * decides the verdict, as it does for a report about this machine. Only the output of the boot
 * image and reports of fsgscheck contain a verdict, which is used as it is.
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
	EXPLAIN_BOOT,    /* a kernel's messages about its boot */
	EXPLAIN_CPUINFO, /* a copy of /proc/cpuinfo */
	EXPLAIN_REPORT,  /* our own JSON */
	EXPLAIN_IMAGE,   /* the output of the boot image */
	EXPLAIN_LSCPU,   /* the output of lscpu */
	EXPLAIN_CPUID,   /* the output of cpuid(1) */
	EXPLAIN_HOST,    /* a message of a hypervisor, or of its management, about a guest */
	EXPLAIN_PROGRAM  /* the death of a program */
};

#define EXPLAIN_KINDS 9

/* Remarks about a source, mostly about what it does not show: bit numbers of
 * explain_source.notes. */
enum explain_note {
	EXPLAIN_NO_HEADER,      /* a dump without the line that names the cause */
	EXPLAIN_NO_CODE,        /* a fault without the code bytes */
	EXPLAIN_NO_CR4,         /* the instruction is one of the four, but CR4 is unknown */
	EXPLAIN_NOT_ENABLED,    /* #UD where the kernel had not enabled the instructions */
	EXPLAIN_MODULE,         /* the instruction is in a module */
	EXPLAIN_OTHER_BITS,     /* a refused CR4 write that would set other bits, too */
	EXPLAIN_NO_VALUE,       /* a refused CR4 write with an unknown value */
	EXPLAIN_PINNED,         /* CR4.FSGSBASE changed, by a module or because a CPU differs */
	EXPLAIN_CLEARED,        /* clearcpuid hides whether CPUID offers the feature */
	EXPLAIN_HYPERV_TRAIT,   /* Hyper-V is inferred from the hypervisor flag and the microcode */
	EXPLAIN_FLAG_ONLY,      /* only the processor's flag fsgsbase is known, not the kernel */
	EXPLAIN_NO_SYMBOL,      /* CR4 does not show FSGSBASE, and the code may be a module's */
	EXPLAIN_STARTING,       /* a known kernel bug: the CPU was still being started */
	EXPLAIN_RAN_BEFORE,     /* the same kernel had executed the instructions for a long time */
	EXPLAIN_MISSPELT,       /* a misspelt nofsgsbase on the kernel's command line */
	EXPLAIN_REVERSED,       /* the newest lines of the log come first */
	EXPLAIN_CUT_FLAGS,      /* a list of flags that may be truncated */
	EXPLAIN_NOT_COMPARABLE, /* some CPUs lack the flag, but may belong to another machine */
	EXPLAIN_RUNNING,        /* the kernel lists the flag and executes the instructions */
	EXPLAIN_INTERPRETED,    /* the host's instruction emulator lacks the instruction */
	EXPLAIN_MISSING_MODEL,  /* this host cannot provide the feature to the guest */
	EXPLAIN_BY_NAME,        /* a disassembler named the instruction; its bytes are unknown */
	EXPLAIN_NO_KERNEL,      /* the kernel that ran the program is unknown */
	EXPLAIN_CPUID_ONLY,     /* only CPUID is known, not the kernel */
	EXPLAIN_ASK,            /* whether the machine executes the instructions is unknown */
	EXPLAIN_PICTURE,        /* the text seems to have been read by OCR */
	EXPLAIN_TOOL,           /* an emulator or an instrumentation tool lacks the instruction */
	EXPLAIN_QUOTED,         /* the lines may be part of a name that a user chose */
	EXPLAIN_NOTES
};

#define EXPLAIN_NOTE(name)   (1u << EXPLAIN_##name)

#define EXPLAIN_CR4_FSGSBASE 16

/* The maximum number of code bytes, from the marked byte on: no x86 instruction is longer. */
#define EXPLAIN_CODE         15

/* The lines that a source is based on: indices of explain_source.mark. */
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
	uint64_t line;                /* number of the source's first line, from 1 */
	uint64_t mark[EXPLAIN_MARKS]; /* line numbers; 0 if unknown */
	struct fsgs_report report;

	/* Set for a crash of a kernel or a program, or a KVM internal error. A boot has only
	 * `misspelt`. */
	char symbol[160];     /* the function at RIP (core file: the module); "" if unknown */
	uint32_t has_insn;    /* insn is known */
	uint32_t insn;        /* enum fsgs_insn */
	uint32_t code_length; /* number of known bytes in code */
	uint8_t code[EXPLAIN_CODE];
	uint8_t has_cr4;
	uint64_t cr4;
	int32_t cpu;       /* -1 when unknown */
	uint32_t uptime;   /* seconds since boot, if EXPLAIN_RAN_BEFORE is noted; else 0 */
	char misspelt[32]; /* the misspelt option, if EXPLAIN_MISSPELT is noted */

	/* Set for lists of processors. */
	uint32_t processors;
	uint32_t hypervisor_flag; /* enum fsgs_answer */
	char microcode[16];

	/* Set for a report that names its host. */
	char host[64];
};

typedef void explain_take(void *context, const struct explain_source *source);

/* A file format that the reader recognises but does not read, and the command that makes text from
 * such a file. */
struct explain_packed {
	const char *name;
	const char *command; /* %s stands for the file; NULL if there is no command */
};

#define EXPLAIN_LINE  8192
/* The maximum number of nested streams: a file, a JSON string in the file, base64 or JSON in that
 * string. */
#define EXPLAIN_DEPTH 3

#include "readers.h"

/* explain_feed() and explain_end_file() call `take` with each source as soon as it is complete.
 * explain_end_file() returns the number of lines in the file. */
void explain_begin(struct explain *e, explain_take *take, void *context);
void explain_feed(struct explain *e, const char *bytes, size_t size);
uint64_t explain_end_file(struct explain *e);
/* The encoding of the current file. Call before explain_end_file(). */
enum explain_encoding { EXPLAIN_UTF8, EXPLAIN_UTF16LE, EXPLAIN_UTF16BE };
enum explain_encoding explain_encoding(const struct explain *e);
/* The module at RIP, if the current file is a core file that lacks the bytes at RIP, but has the
 * module's path and first page; else NULL. Call before explain_end_file(). A file on disk is this
 * module if explain_page_hash() of its first EXPLAIN_PAGE bytes equals the module's page_hash.
 * explain_core_code() adds the bytes at RIP. */
const struct explain_module *explain_core_module(const struct explain *e);
uint64_t explain_page_hash(const unsigned char *page);
void explain_core_code(struct explain *e, const unsigned char *code, size_t length);
/* The format of the file that ended last, if the reader does not read this format; else NULL. */
const struct explain_packed *explain_packed(const struct explain *e);

/* notes.c. `bit`: enum explain_note. `mark`: enum explain_mark. */
const char *explain_note_text(uint32_t bit);
/* The name of the evidence that is missing according to the note; NULL if none is missing. */
const char *explain_note_missing(uint32_t bit);
const char *explain_mark_name(uint32_t mark);

/* decode.c */
/* The instruction that the bytes begin with: enum fsgs_insn, -1 for another instruction, -2 if
 * there are too few bytes. */
int explain_decode_insn(const uint8_t *code, size_t length);
/* If the bytes begin with a MOV to CR4, the number of its source register, else -1. */
int explain_decode_cr4_write(const uint8_t *code, size_t length);
/* The name of a CR4 bit; NULL if it has none. */
const char *explain_cr4_bit(uint32_t bit);

#endif

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

/* What a piece of evidence was read from. */
enum explain_kind {
	EXPLAIN_CRASH,   /* a crash in a kernel log */
	EXPLAIN_BOOT,    /* what a kernel log says without a crash */
	EXPLAIN_CPUINFO, /* a dump of /proc/cpuinfo */
	EXPLAIN_REPORT,  /* our own JSON */
	EXPLAIN_IMAGE,   /* the last line of the boot image */
	EXPLAIN_LSCPU,   /* lscpu */
	EXPLAIN_CPUID,   /* cpuid -1 */
	EXPLAIN_HOST,    /* what a hypervisor or its management logs about a guest */
	EXPLAIN_PROGRAM  /* the death of a program */
};

#define EXPLAIN_KINDS 9

/* Why there is no more to say, or how far it goes: bit numbers of explain_source.notes. */
enum explain_note {
	EXPLAIN_NO_HEADER,      /* a dump without the line that says why */
	EXPLAIN_NO_CODE,        /* invalid opcode without the bytes */
	EXPLAIN_NO_CR4,         /* one of ours, but no CR4 */
	EXPLAIN_NOT_ENABLED,    /* #UD where the kernel had not enabled them */
	EXPLAIN_MODULE,         /* the instruction stands in a module */
	EXPLAIN_OTHER_BITS,     /* a CR4 write refused that sets other bits, too */
	EXPLAIN_NO_VALUE,       /* a CR4 write refused, and the value is not known */
	EXPLAIN_PINNED,         /* something else than bring-up changed CR4.FSGSBASE */
	EXPLAIN_CLEARED,        /* clearcpuid: whether CPUID had it is not said */
	EXPLAIN_HYPERV_TRAIT,   /* Hyper-V is inferred from a trait */
	EXPLAIN_FLAG_ONLY,      /* nothing but the flag */
	EXPLAIN_NO_SYMBOL,      /* no CR4 bit, and whose code it was is missing */
	EXPLAIN_STARTING,       /* a CPU that is just being started: the kernel's own fault */
	EXPLAIN_RAN_BEFORE,     /* the same kernel had executed them for long */
	EXPLAIN_MISSPELT,       /* an option on the command line that the kernel does not know */
	EXPLAIN_REVERSED,       /* the newest line stands first */
	EXPLAIN_CUT_FLAGS,      /* a list of flags that may be cut */
	EXPLAIN_NOT_COMPARABLE, /* CPUs that cannot be shown to be those of one machine */
	EXPLAIN_RUNNING,        /* the flag, under a kernel that executes them at each switch */
	EXPLAIN_INTERPRETED,    /* the host's instruction emulator lacks the instruction */
	EXPLAIN_MISSING_MODEL,  /* this host cannot give the guest the feature */
	EXPLAIN_BY_NAME,        /* a disassembler names the instruction, the bytes are not there */
	EXPLAIN_NO_KERNEL,      /* which kernel a program ran under is missing */
	EXPLAIN_CPUID_ONLY,     /* CPUID as a tool or a hypervisor shows it, and no kernel */
	EXPLAIN_ASK,            /* nothing shows what the machine of a program can do */
	EXPLAIN_PICTURE,        /* a program has read the text from a picture */
	EXPLAIN_TOOL,           /* an emulator or an instrumentation tool lacks the instruction */
	EXPLAIN_NOTES
};

#define EXPLAIN_NOTE(name)   (1u << EXPLAIN_##name)

#define EXPLAIN_CR4_FSGSBASE 16

/* The bytes from the marked one on: no instruction of x86 is longer. */
#define EXPLAIN_CODE         15

/* The lines that a source rests on. */
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
	uint64_t line;                /* where it begins, from 1 */
	uint64_t mark[EXPLAIN_MARKS]; /* lines of the file, 0 for none */
	struct fsgs_report report;

	/* A crash; of a program or a host: what it names. */
	char symbol[160];     /* RIP, as the kernel wrote it; empty when unknown */
	uint32_t has_insn;    /* insn is known */
	uint32_t insn;        /* enum fsgs_insn */
	uint32_t code_length; /* how many of the bytes are known */
	uint8_t code[EXPLAIN_CODE];
	uint8_t has_cr4;
	uint64_t cr4;
	int32_t cpu;       /* -1 when unknown */
	uint32_t uptime;   /* seconds, 0 when unknown */
	char misspelt[32]; /* the word on the command line */

	/* Lists of processors. */
	uint32_t processors;
	uint32_t hypervisor_flag; /* enum fsgs_answer */
	char microcode[16];

	/* A report that names its host. */
	char host[64];
};

typedef void explain_take(void *context, const struct explain_source *source);

/* A file that has to be unpacked first: its name, and the command whose output can be read. */
struct explain_packed {
	const char *name;
	const char *command; /* %s is the file; NULL where there is none */
};

#define EXPLAIN_LINE  8192
/* A file, a string of JSON in it, base64 or JSON in that. */
#define EXPLAIN_DEPTH 3

#include "readers.h"

/* take() is called from feed() and from end_file(), which gives how many lines the file had. */
void explain_begin(struct explain *e, explain_take *take, void *context);
void explain_feed(struct explain *e, const char *bytes, size_t size);
uint64_t explain_end_file(struct explain *e);
/* Before the end of a core file that does not have the bytes at RIP: where else they are; else
 * NULL. The file is the same one if explain_page_hash() of its first EXPLAIN_PAGE bytes is the
 * module's. */
const struct explain_module *explain_core_module(const struct explain *e);
uint64_t explain_page_hash(const unsigned char *page);
void explain_core_code(struct explain *e, const unsigned char *code, size_t length);
/* What the file that ended last is, when it has to be unpacked; else NULL. */
const struct explain_packed *explain_packed(const struct explain *e);

/* notes.c: the sentence of a note, by bit number; the name of what a note says is missing, else
 * NULL, and the way to get it; a mark's name. */
const char *explain_note_text(uint32_t bit);
const char *explain_note_missing(uint32_t bit);
const char *explain_mark_name(uint32_t mark);

/* decode.c */
/* Which of the four instructions the bytes begin with: enum fsgs_insn, -1 for none, -2 when there
 * are too few bytes to tell. */
int explain_decode_insn(const uint8_t *code, size_t length);
/* Whether they are a MOV to CR4: the number of its register, else -1. */
int explain_decode_cr4_write(const uint8_t *code, size_t length);
/* A bit's name in CR4, NULL for one without. */
const char *explain_cr4_bit(uint32_t bit);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What files of another machine say about its FSGSBASE: kernel logs, /proc/cpuinfo, our own reports.
 *
 * The reader takes bytes in pieces of any size, keeps a few KiB of state whatever comes, allocates
 * nothing and reads no file itself. Whatever it recognises becomes a report, filled in as far as the
 * text shows and decided by fsgs_decide(), so that its words are those of every other output.
 */
#ifndef FSGSCHECK_EXPLAIN_H
#define FSGSCHECK_EXPLAIN_H

#include <fsgscheck/report.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json-reader.h"

/* What a piece of evidence was read from. */
enum explain_kind {
	EXPLAIN_CRASH,   /* a crash in a kernel log */
	EXPLAIN_BOOT,    /* what a kernel log says without a crash */
	EXPLAIN_CPUINFO, /* a dump of /proc/cpuinfo */
	EXPLAIN_REPORT,  /* our own JSON */
	EXPLAIN_IMAGE    /* the last line of the boot image */
};

/* Why there is no more to say, or how far it goes: bits of explain_source.notes. */
enum explain_note {
	EXPLAIN_NO_HEADER = 1 << 0,    /* a dump without the line that says why */
	EXPLAIN_NO_CODE = 1 << 1,      /* invalid opcode without the bytes */
	EXPLAIN_NO_CR4 = 1 << 2,       /* one of ours, but no CR4 */
	EXPLAIN_NOT_ENABLED = 1 << 3,  /* #UD where the kernel had not enabled them */
	EXPLAIN_MODULE = 1 << 4,       /* the instruction stands in a module */
	EXPLAIN_OTHER_BITS = 1 << 5,   /* a CR4 write refused that sets other bits, too */
	EXPLAIN_NO_VALUE = 1 << 6,     /* a CR4 write refused, and the value is not known */
	EXPLAIN_PINNED = 1 << 7,       /* something else than bring-up changed CR4.FSGSBASE */
	EXPLAIN_CLEARED = 1 << 8,      /* clearcpuid: whether CPUID had it is not said */
	EXPLAIN_HYPERV_TRAIT = 1 << 9, /* Hyper-V is inferred from a trait */
	EXPLAIN_FLAG_ONLY = 1 << 10,   /* nothing but the flag */
	EXPLAIN_NO_SYMBOL = 1 << 11    /* no CR4 bit, and whose code it was is missing */
};

#define EXPLAIN_NOTES   12

#define EXPLAIN_CR4_BIT 16

/* The bytes from the marked one on: no instruction of x86 is longer. */
#define EXPLAIN_CODE    15

struct explain_source {
	uint32_t kind;  /* enum explain_kind */
	uint32_t notes; /* bits of enum explain_note */
	uint64_t line;  /* where it begins, from 1 */
	struct fsgs_report report;

	/* A crash. */
	char symbol[160];     /* RIP, as the kernel wrote it; empty when unknown */
	uint32_t has_insn;    /* insn is known */
	uint32_t insn;        /* enum fsgs_insn */
	uint32_t code_length; /* how many of the bytes are known */
	uint8_t code[EXPLAIN_CODE];
	uint8_t has_cr4;
	uint64_t cr4;
	int32_t cpu; /* -1 when unknown */

	/* A cpuinfo dump. */
	uint32_t processors;
	uint32_t hypervisor_flag; /* enum fsgs_answer */
	char microcode[16];

	/* A report that names its host. */
	char host[64];
};

typedef void explain_take(void *context, const struct explain_source *source);

/* What is known of the boot that a log is about, up to this line. */
struct explain_boot {
	uint64_t line;
	uint32_t kernel_version;
	uint32_t hypervisor_build;
	uint32_t hypervisor_version;
	uint32_t family, model, stepping;
	uint32_t is_xen_pv;
	uint32_t disabled; /* by nofsgsbase, with the feature there */
	uint32_t cleared;  /* by clearcpuid */
	uint32_t ours;     /* a crash of this boot has been reported */
	char kernel[72];
	char hypervisor[16];
	char brand[56];
	char vendor[16];
};

/* One dump of registers. */
struct explain_dump {
	char symbol[160];
	uint8_t seen; /* there is a RIP */
	uint8_t user; /* of user space, or of a 32-bit kernel: not what crashed */
	uint8_t has_cr4;
	uint8_t code_length;
	uint8_t code[EXPLAIN_CODE];
	uint64_t cr4;
	uint64_t regs[16]; /* by their number in an encoding */
	uint32_t regs_known;
};

/* Why the kernel stopped. */
enum explain_cause {
	EXPLAIN_HEADERLESS, /* a dump whose beginning is missing, or one that is no crash */
	EXPLAIN_INVALID_OPCODE,
	EXPLAIN_PROTECTION_FAULT,
	EXPLAIN_PINNED_CR4, /* a warning, not a crash */
	EXPLAIN_OTHER
};

/* A crash that is being read. A kernel may print several dumps for one, and others in between. */
struct explain_crash {
	uint32_t open;
	uint32_t cause; /* enum explain_cause */
	uint32_t tag;   /* the printk caller, 0 without */
	int32_t cpu;
	uint32_t pid_known, pid;
	uint64_t line;
	uint64_t last_line;
	struct explain_dump now;  /* the one that is being read */
	struct explain_dump best; /* the one that tells most so far */
};

/* CPUs whose dumps interleave are told apart by the caller that CONFIG_PRINTK_CALLER prints. */
#define EXPLAIN_CRASHES 4

struct explain_cpuinfo {
	uint32_t open;
	uint32_t processor;
	uint32_t flags; /* how many processors had a line of flags */
	uint32_t offers;
	uint64_t line;
	struct explain_source source;
};

#define EXPLAIN_LINE 8192

struct explain {
	explain_take *take;
	void *context;

	uint64_t lines;   /* that have begun */
	uint64_t crashes; /* that have been seen */
	uint64_t foreign; /* of those, not about FSGSBASE */
	uint64_t sources; /* that have been given to take() */

	uint32_t length;   /* of the line that has begun, as far as it is kept */
	uint32_t overlong; /* there was more than is kept */
	uint32_t not_json; /* and it is not JSON */
	char ended;        /* the character that ended the last line, if nothing came since */
	uint32_t in_json;  /* enum in lines.c */
	struct explain_boot boot;
	struct explain_crash crash[EXPLAIN_CRASHES];
	struct explain_cpuinfo cpuinfo;
	struct explain_source image;  /* what the boot image has said before its last line */
	struct explain_source report; /* that is being read as JSON */
	uint32_t report_seen;         /* what makes it one of ours */
	struct json_reader json;
	uint8_t pairs[8192]; /* a bit for each two bytes that begin something of interest */
	char line[EXPLAIN_LINE];
	char clean[EXPLAIN_LINE];
};

/* text.c: a part of a line, which is not terminated. */
struct text {
	const char *at;
	const char *end;
};
bool text_skip(struct text *t, const char *what); /* past it, if it is next */
void text_blank(struct text *t);                  /* past blanks */
bool text_hex(struct text *t, uint64_t *value);   /* at least one digit, with or without 0x */
bool text_number(struct text *t, uint32_t *value);
/* Copies up to a stop character or the end; cuts what does not fit. What would steer a terminal becomes
 * a question mark. */
void text_copy(struct text *t, const char *stops, char *to, size_t size);
void text_clean(const char *from, char *to, size_t size); /* the same for a string */
bool text_find(struct text *t, const char *what);         /* past the first one */

/* lines.c. take() is called from feed() and from end_file(), which gives how many lines the file had. */
void explain_begin(struct explain *e, explain_take *take, void *context);
void explain_feed(struct explain *e, const char *bytes, size_t size);
uint64_t explain_end_file(struct explain *e);

/* The sentence of a note, by bit number. */
const char *explain_note_text(uint32_t bit);

/* kernel.c */
void explain_kernel_begin(struct explain *e);
void explain_kernel_line(struct explain *e, const char *line, size_t length);
void explain_kernel_end(struct explain *e);

/* crash.c */
/* The crash of this printk caller, or where to put a new one. */
struct explain_crash *explain_find_crash(struct explain *e, uint32_t tag, bool *is_new);
struct explain_crash *explain_open_crash(struct explain *e, uint32_t tag, enum explain_cause cause);
void explain_end_crash(struct explain *e, struct explain_crash *c);
/* What follows `RIP: `, `Code: ` and `CR4: `; a line with registers. */
void explain_crash_rip(struct explain_crash *c, struct text t, bool eip);
void explain_crash_code(struct explain_dump *d, struct text t);
void explain_crash_registers(struct explain_dump *d, struct text t);
void explain_crash_cr4(struct explain_dump *d, struct text t);
/* The vendor that makes processors of this name, "" when it does not begin with one. */
const char *explain_vendor(struct text brand);
/* What the log has said so far of kernel, processor and hypervisor. */
void explain_put_boot(struct fsgs_report *r, const struct explain_boot *b);

/* decode.c */
/* Which of the four instructions the bytes begin with: enum fsgs_insn, -1 for none, -2 when there are
 * too few bytes to tell. */
int explain_decode_insn(const uint8_t *code, size_t length);
/* Whether they are a MOV to CR4: the number of its register, else -1. */
int explain_decode_cr4_write(const uint8_t *code, size_t length);
/* A bit's name in CR4, NULL for one without. */
const char *explain_cr4_bit(uint32_t bit);

/* cpuinfo.c. Takes a line if it is one of a dump. */
bool explain_cpuinfo_line(struct explain *e, const char *line, size_t length);
void explain_cpuinfo_end(struct explain *e);

/* report.c: what we ourselves have said elsewhere. */
void explain_report_begin(struct explain *e);
void explain_report_end(struct explain *e);
/* Takes a scalar of such JSON, if it is evidence. */
void explain_report_field(struct fsgs_report *r, const struct json_reader *reader,
			  enum json_type type);
/* The boot image's lines, from `# processor: `, `# hypervisor: ` and its last one's `verdict=` on. */
void explain_image_processor(struct explain *e, struct text t);
void explain_image_hypervisor(struct explain *e, struct text t);
void explain_image_verdict(struct explain *e, struct text t);

/* Hands over what has been decided already. */
void explain_give(struct explain *e, const struct explain_source *source);

#endif

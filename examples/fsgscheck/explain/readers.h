/* SPDX-License-Identifier: MIT */
/* The state of each layer and of each reader: one structure for one file of code, which alone
 * writes it. */
#ifndef FSGSCHECK_READERS_H
#define FSGSCHECK_READERS_H

struct explain;
struct explain_start;

/* -- bytes.c */
struct explain_bytes {
	uint32_t state; /* enum in bytes.c */
	uint32_t length;
	unsigned char first[8];
	uint32_t half;      /* the first byte of a UTF-16 unit, and that there is one */
	uint32_t surrogate; /* the first unit of a pair */
	const struct explain_packed *packed;
};

/* -- stream.c: bytes that become lines, at one depth of packing */
struct explain_stream {
	struct explain *e;
	uint32_t depth;
	uint32_t length;   /* of the line that has begun, as far as it is kept */
	uint32_t overlong; /* there was more than is kept */
	uint32_t how;      /* the line is read: bits of enum explain_line */
	uint32_t counted;  /* its number is known */
	uint32_t not_json; /* and it is not JSON */
	char ended;        /* the character that ended the last line, if nothing came since */
	uint32_t pending;  /* a container's text goes on in the next object */
	uint32_t in_json;  /* enum in stream.c */
	uint32_t quoted;   /* and its lines have marks of quoting */
	struct json_reader json;
	struct explain_json {
		uint32_t in_text;   /* characters of the string go to the next stream */
		uint32_t held;      /* a journal's MESSAGE is in the next stream's line */
		uint32_t foreign;   /* this object is not the kernel's */
		uint32_t container; /* it is a line of a container's log */
		uint32_t has_lines; /* this string had a line end */
		uint32_t ended;     /* this object is over */
		uint32_t skip;      /* this string is a name that a user chose */
	} object;
	struct {
		uint32_t active, bits, count;
	} base64;
	char line[EXPLAIN_LINE];
};

/* -- common.c: what the lines of a file begin with */
#define EXPLAIN_COMMON      320
#define EXPLAIN_COMMON_KEPT 3
struct explain_common {
	uint32_t barred; /* the kernel's own lines stand without one */
	uint32_t learnt; /* shape is one */
	uint32_t tries;
	uint32_t lines;  /* that began with shape */
	uint32_t misses; /* lines since that did not */
	uint32_t length; /* of shape */
	char shape[EXPLAIN_COMMON];
	/* The first lines that began with it. */
	struct explain_kept {
		uint64_t line;
		uint32_t length; /* 0 when it has been read */
		char text[1024];
	} kept[EXPLAIN_COMMON_KEPT];
};

/* -- unwrap.c: a message, without what its transport put in front */
struct explain_message {
	struct text text;
	const struct explain_start *start; /* its reader, NULL for none */
	uint64_t line;                     /* where it begins */
	uint64_t last;                     /* where it ends */
	uint32_t tag;                      /* the printk caller, 0 without */
	uint32_t uptime;                   /* seconds since boot, from 1; 0 when unknown */
	uint32_t clock;  /* uptime in milliseconds, to see its order; 0 when unknown */
	uint8_t stamped; /* a log's prefix was there */
	uint8_t foreign; /* a program wrote it */
	uint8_t weak;    /* words in front that may be anything */
	uint8_t own;     /* the kernel's own mark is the first thing in the line */
	uint8_t partial; /* the rest follows in another record */
	uint8_t joined;  /* of several lines: no quick look at it */
	uint64_t origin; /* a hash of the first word, for a host's name in front of each line */
};

struct explain_unwrap {
	uint32_t special;    /* characters in this piece that need the slow way: bits in unwrap.c */
	uint64_t origins[3]; /* of the lines before */
	uint32_t quoting;    /* how many characters of a quoted name may still follow */
	uint32_t entry;      /* this entry of a journal is the kernel's */
	uint32_t foreign;    /* the last line was a program's */
	uint32_t indent;     /* of a program's message, whose further lines are not the kernel's */
	uint32_t held_kind;  /* how the message that is held may go on; enum explain_wrap */
	uint32_t held_length;
	struct explain_message held;
	uint32_t soft_length; /* of quoted-printable or of a partial record */
	uint32_t soft_kind;
	char held_text[EXPLAIN_LINE];
	char soft_text[EXPLAIN_LINE];
	char clean[EXPLAIN_LINE];
};

/* How a message of several lines goes on where no prefix tells. */
enum explain_wrap {
	WRAP_NEVER,
	WRAP_CODE,  /* bytes */
	WRAP_REGS,  /* a value */
	WRAP_NAME,  /* a symbol */
	WRAP_WORDS, /* flags, features */
	WRAP_TEXT   /* only by the prefix */
};

/* -- boot.c: what is known of the boot that a log is about, up to this line */
struct explain_boot {
	uint64_t line;
	uint64_t kernel_line, hypervisor_line;
	uint32_t kernel_version;
	uint32_t hypervisor_build;
	uint32_t hypervisor_version;
	uint32_t family, model, stepping;
	uint32_t is_xen_pv;
	uint32_t disabled;    /* by nofsgsbase, with the feature there */
	uint32_t cleared;     /* by clearcpuid */
	uint32_t ours;        /* a crash of this boot has been reported */
	uint32_t own_modules; /* a module from outside the kernel's tree is loaded */
	char misspelt[32];
	char kernel[72];
	char hypervisor[16];
	char brand[56];
	char vendor[16];
};

/* -- crash.c */

/* One dump of registers. */
struct explain_dump {
	char symbol[160];
	uint8_t seen; /* there is a RIP */
	uint8_t user; /* of user space, or of a 32-bit kernel: not what crashed */
	uint8_t has_cr4;
	uint8_t code_length;
	uint8_t code[EXPLAIN_CODE];
	uint8_t named;      /* 1 + enum fsgs_insn, by a disassembler */
	uint8_t interrupts; /* enum fsgs_answer: EFLAGS.IF */
	uint64_t cr4;
	uint64_t regs[16]; /* by their number in an encoding */
	uint32_t regs_known;
	uint64_t rip_line, code_line, cr4_line;
};

/* Why the kernel stopped. */
enum explain_cause {
	EXPLAIN_HEADERLESS, /* a dump whose beginning is missing */
	EXPLAIN_INVALID_OPCODE,
	EXPLAIN_PROTECTION_FAULT,
	EXPLAIN_PINNED_CR4, /* a warning, not a crash */
	EXPLAIN_SAMPLE,     /* a look at a CPU that goes on */
	EXPLAIN_PANIC,      /* nothing but the last words */
	EXPLAIN_OTHER       /* another one, which was recognised */
};

/* What the call trace and the lines around it tell: bits of explain_crash.trace. */
enum explain_trace {
	TRACE_MODULE = 1 << 0,   /* code of a module */
	TRACE_CALL = 1 << 1,     /* an interrupt from another CPU, which asks for a function call */
	TRACE_RUNNING = 1 << 2,  /* the CPU had left its bring-up */
	TRACE_SAMPLED = 1 << 3,  /* an interrupt looked at it */
	TRACE_TAINTED = 1 << 4,  /* a module from outside the kernel's tree was loaded */
	TRACE_CLEAN = 1 << 5,    /* none was */
	TRACE_ENDED = 1 << 6,    /* "end trace": the kernel gave up this task */
	TRACE_PANICKED = 1 << 7, /* and stopped because of it */
	TRACE_OPCODE = 1 << 8,   /* the handler of invalid opcode is on the stack */
	TRACE_STOPPED = 1 << 9,  /* a watchdog or a driver stopped the machine */
	TRACE_USER = 1 << 11,    /* a dump that is not of a 64-bit kernel */
	TRACE_BUG = 1 << 10,     /* the kernel's own BUG(), as the line before says */
	TRACE_PICTURE = 1 << 12  /* letters in place of digits: a program has read a picture */
};

/* A crash that is being read. A kernel may print several dumps for one, and others in between. */
struct explain_crash {
	uint32_t open;
	uint32_t cause; /* enum explain_cause */
	uint32_t tag;   /* the printk caller, 0 without */
	int32_t cpu;
	uint32_t pid_known, pid;
	uint32_t trace; /* bits of enum explain_trace */
	uint32_t uptime;
	uint32_t reversed; /* its lines stand in reverse order */
	uint32_t parts;    /* its parts do */
	uint32_t rank;     /* of the last register line, to see the order */
	uint32_t falling;  /* how often the rank fell by one */
	uint64_t rank_message;
	uint64_t line;
	uint64_t header_line, end_line;
	uint64_t last_message;
	struct explain_dump now;   /* is being read */
	struct explain_dump best;  /* shows most so far */
	struct explain_dump loose; /* registers without a RIP */
};

/* CPUs whose dumps interleave are told apart by the caller that CONFIG_PRINTK_CALLER prints. */
#define EXPLAIN_CRASHES 4

struct explain_crashes {
	uint32_t parts; /* the parts of a pstore record stand newest first */
	uint32_t part;  /* the number of the last one */
	uint64_t bug_message;
	char symbol[160]; /* where crash(8) disassembled one of the instructions */
	uint32_t named;   /* 1 + enum fsgs_insn */
	uint64_t named_line;
	struct explain_crash slot[EXPLAIN_CRASHES];
};

/* -- trace.c: the functions that tell something, as bits by first and by second character */
struct explain_trace_names {
	uint16_t first[256], second[256];
};

/* -- cpuinfo.c */
struct explain_cpuinfo {
	uint32_t open;
	/* The processor that is being read. */
	struct explain_processor {
		uint32_t open;
		uint32_t number, has_number;
		uint32_t
			lists; /* enum fsgs_answer: fsgsbase is among the flags; unknown when cut */
		uint32_t has_flags;
		uint32_t after; /* keys that followed the flags */
		uint32_t shape; /* a hash of its keys */
		uint32_t hypervisor_flag;
		uint32_t family, model, stepping;
		uint64_t line, flags_line, last_line;
		char vendor[16], brand[56], microcode[16];
		uint32_t flags_length;
		char flags[4096]; /* more than Linux has words for */
	} now;
	/* Those before it in the same list. */
	uint32_t with, without, cut;
	uint32_t comparable;
	uint32_t number, shape;
	uint64_t last_line;
	struct explain_source source;
};

/* -- machine.c: what describes a machine, until all that belongs to it has been read */
struct explain_machine {
	uint32_t waiting;      /* source is complete but for its kernel */
	uint32_t has_kernel;   /* of source, or of the machine that comes */
	uint32_t ask_release;  /* the next line answers uname -r */
	uint32_t fresh;        /* a kernel was named behind the last description */
	uint32_t other_system; /* not Linux */
	char hypervisor[16];   /* as that kernel's log names it */
	uint64_t kernel_line;
	uint32_t kernel_version;
	char kernel[72];
	struct explain_source source;
};

/* -- lscpu.c, cpuid.c: a description that has begun */
struct explain_description {
	uint32_t open;
	uint64_t last_line;
	struct explain_source source;
};

/* -- host.c */
struct explain_host {
	uint32_t qemu; /* the lines of a KVM internal error are being read */
	uint32_t emulation;
	uint32_t kernel_mode;
	struct explain_source source; /* QEMU's */
	struct explain_source offer;  /* VirtualBox's */
};

/* -- program.c */
struct explain_program {
	uint32_t died;       /* of SIGILL */
	uint32_t tool;       /* an emulator that lacks the instruction ran it */
	uint32_t core;       /* systemd has its core file */
	uint32_t named;      /* the instruction is shown, and may be another one */
	uint32_t translated; /* by Rosetta */
	uint32_t has_pc;
	uint64_t pc;
	char executable[96];
	struct explain_source source;
};

/* -- core.c */
#define EXPLAIN_SEGMENTS 2048
#define EXPLAIN_PAGE     4096
struct explain_core {
	uint32_t state; /* enum in core.c */
	uint32_t is_core;
	uint64_t at;   /* of the file, where the next byte stands */
	uint64_t from; /* what is wanted next */
	uint32_t size, length;
	uint32_t left;     /* segments */
	uint32_t segments; /* that are kept */
	uint64_t note, notes_end;
	uint64_t files, index, page_size;
	uint64_t base;  /* of the file that is being read */
	uint64_t first; /* of the module at RIP */
	uint64_t name_index;
	uint32_t name_length;
	uint32_t has_registers, has_module;
	uint32_t signal, cs;
	uint64_t rip;
	uint32_t code_length;
	uint8_t code[EXPLAIN_CODE];
	char name[17];
	struct explain_module {
		char path[512];
		uint64_t offset;    /* of RIP, in the file */
		uint64_t page_hash; /* of the file's first page */
		uint32_t has_page;
	} module;
	unsigned char bytes[EXPLAIN_PAGE];
	struct explain_segment {
		uint64_t address, offset, size;
	} segment[EXPLAIN_SEGMENTS];
};

/* -- hint.c: by how much can be said */
enum explain_hint_kind { EXPLAIN_HINT_NONE, EXPLAIN_HINT_PROGRAM, EXPLAIN_HINT_CORE };
struct explain_hint {
	enum explain_hint_kind kind;
	uint64_t line;
	char name[96];
};

struct explain {
	explain_take *take;
	void *context;

	uint64_t lines;    /* that have begun */
	uint64_t messages; /* that have been read, wherever in a line */
	uint64_t crashes;  /* that have been seen */
	uint64_t foreign;  /* of those, with another cause */
	uint64_t unread;   /* of those, which could not be read */
	uint64_t unread_line;
	uint64_t sources; /* that have been given to take() */

	const char *findings[FSGS_FINDINGS]; /* their names */
	uint8_t starts[256];   /* by first character: where the table of starts has it */
	uint64_t seconds[256]; /* and which characters stand second, as bits */
	struct explain_bytes bytes;
	struct explain_stream stream[EXPLAIN_DEPTH];
	struct explain_unwrap unwrap;
	struct explain_common common;
	struct explain_boot boot;
	struct explain_crashes crash;
	struct explain_trace_names trace_names;
	struct explain_cpuinfo cpuinfo;
	struct explain_machine machine;
	struct explain_description lscpu, cpuid;
	struct explain_host host;
	struct explain_core core;
	struct explain_program program;
	struct explain_hint hint;
	struct fsgs_report program_report; /* the last one of this file, for a death in it */
	struct explain_source image;       /* what the boot image has said before its last line */
	struct explain_source report;      /* that is being read as JSON */
	uint32_t report_seen;              /* what makes it one of ours */
};

/* -- stream.c */
void explain_streams_begin(struct explain *e);
void explain_stream_feed(struct explain_stream *s, const char *bytes, size_t size);
void explain_stream_put(struct explain_stream *s, char c);
void explain_stream_end(struct explain_stream *s); /* of the line, too */
/* The stream for text that is packed in this stream; NULL if that would be nested too deeply. */
struct explain_stream *explain_stream_deeper(struct explain_stream *s);
/* Hands over what has been decided already. */
void explain_give(struct explain *e, const struct explain_source *source);

/* -- base64.c: takes a line, or the next part of a long one, if it is base64. */
bool explain_base64_take(struct explain_stream *s, const char *line, size_t size);

/* -- unicode.c: the ASCII character that stands for this code, 0 for nothing, else the code. */
uint32_t explain_plain(uint32_t code);
uint32_t explain_plain_byte(unsigned char byte);

/* -- characters.c */
/* Characters that need a closer look. */
enum {
	CHARACTERS_ESCAPES = 1 << 0, /* \033, and backspace */
	CHARACTERS_ENTITIES = 1 << 1,
	CHARACTERS_TAGS = 1 << 2,
	CHARACTERS_EQUALS = 1 << 3,
	CHARACTERS_BACKSLASHES = 1 << 4,
	CHARACTERS_CARETS = 1 << 5,
	CHARACTERS_PERCENTS = 1 << 6,
	CHARACTERS_HASHES = 1 << 7,
	CHARACTERS_WIDE = 1 << 8,   /* not ASCII */
	CHARACTERS_BRACES = 1 << 9, /* of JSON */
	CHARACTERS_ALL = (1 << 10) - 1
};
/* Which of them these bytes have. */
uint32_t explain_characters_in(const char *bytes, size_t size);
/* The same for some of them alone: `which` are their bits. */
uint32_t explain_characters_of(const char *bytes, size_t size, uint32_t which);
/* What else than escapes, entities and Unicode is undone. */
enum {
	CHARACTERS_QUOTED = 1 << 10,  /* quoted-printable */
	CHARACTERS_LITERAL = 1 << 11, /* \n and \t */
	CHARACTERS_LINES = 1 << 12,   /* other line ends that are written out */
	CHARACTERS_URL = 1 << 13,     /* all of it is encoded as in a URL */
	CHARACTERS_BARE = 1 << 14,    /* sequences of colours have lost their ESC */
	CHARACTERS_BLOCKS = 1 << 15,  /* tags that begin a line do */
};
/* Writes the line as it was meant to e->unwrap.clean, and gives its length, which is not more than
 * the line's. `how`: bits of both. */
size_t explain_characters(struct explain *e, const char *line, size_t length, uint32_t how);
bool explain_is_bare_colour(struct text t, size_t *length);
/* Whether a line is a string literal of several lines, written out. */
bool explain_is_literal(struct text t);

/* -- prefix.c: where the message of a line begins, and what stands in front of it. */
void explain_find_message(const struct explain *e, struct text t, struct explain_message *m);
const char *explain_token_end(struct text t);
/* Nothing but these characters, and not all of them blanks. */
bool explain_is_list_of(struct text t, const char *characters);

/* -- common.c */
/* Past the prefix that all lines of the file have, if one is known and this line has it. */
bool explain_common_skip(const struct explain_common *c, struct text *t);
/* Learns from a line. Returns whether a prefix is known now, so that stored lines can be read
 * with it. `was_read`: the line was understood without a prefix. */
bool explain_common_learn(struct explain_common *c, struct text t, uint64_t line, bool was_read);
/* No prefix in this file. */
void explain_common_bar(struct explain_common *c);

/* -- unwrap.c */
void explain_unwrap_piece(struct explain *e, const char *bytes, size_t size);
enum {
	LINE_PACKED = 1,  /* it comes from JSON or base64: the piece of the file does not show its
			    characters */
	LINE_LITERAL = 2, /* it is a string with its line ends written out */
	LINE_LONG = 4,    /* it is a part of a line that is too long to be kept */
	LINE_REST = 8     /* and not the first one */
};
/* `how`: bits of these. */
void explain_unwrap_line(struct explain *e, const char *line, size_t length, uint32_t how);
void explain_unwrap_end(struct explain *e);

/* -- readers.c. A message's reader and what it begins with; NULL for none. */
struct explain_start {
	const char *text;
	void (*read)(struct explain *e, const struct explain_message *m, uint32_t code,
		     struct text after);
	uint16_t code;
	uint8_t wrap;   /* enum explain_wrap */
	uint8_t kernel; /* only the kernel says so: nothing that others chose may stand in front */
};
void explain_readers_begin(struct explain *e);
const struct explain_start *explain_find_start(const struct explain *e, struct text t);
/* Whether a message of the table begins with all of this text, which was cut. */
bool explain_starts_with(const struct explain *e, struct text t);
void explain_readers_line(struct explain *e, const struct explain_message *m);
void explain_readers_end(struct explain *e);

typedef void explain_read(struct explain *e, const struct explain_message *m, uint32_t code,
			  struct text after);

/* -- boot.c */
enum {
	BOOT_VERSION,
	BOOT_COMMAND_LINE,
	BOOT_HYPERVISOR,
	BOOT_HOST_BUILD,
	BOOT_DISABLED,
	BOOT_CLEARED,
	BOOT_CPU0,
	BOOT_MODULES
};
explain_read explain_boot_read;
void explain_boot_end(struct explain *e);
void explain_boot_kernel(struct explain *e, const char *release);
/* What the log has said so far of kernel, processor and hypervisor. */
void explain_put_boot(struct explain_source *s, const struct explain_boot *b);
/* major<<16 | minor<<8 | patch of a release, 0 when it is none. */
uint32_t explain_version(const char *release);
/* The vendor that makes processors of this name, "" when it does not begin with one. */
const char *explain_vendor(struct text brand);
/* CPUID's signature of a hypervisor that a log names, "" when it is not known. */
const char *explain_signature(struct text name);

/* -- crash.c */
enum {
	CRASH_OPCODE,
	CRASH_EARLY,
	CRASH_PROTECTION,
	CRASH_PINNED,
	CRASH_OTHER,
	CRASH_OTHER_DIE, /* with a count of crashes in the line */
	CRASH_BUG,
	CRASH_SAMPLE,
	CRASH_PANIC,
	CRASH_END,
	CRASH_RIP,
	CRASH_EIP,
	CRASH_CODE,
	CRASH_REGS,
	CRASH_CPU,
	CRASH_WARNING,
	CRASH_PART,
	CRASH_TOOL_RIP,
	CRASH_TOOL_TASK,
	CRASH_TOOL_FRAME,
	CRASH_TOOL_CODE
};
explain_read explain_crash_read;
bool explain_crash_is_open(const struct explain *e);
bool explain_crash_is_reversed(const struct explain *e);
void explain_crash_end(struct explain *e);
/* The one of this caller, or a free place, or that of the oldest. */
struct explain_crash *explain_crash_find(struct explain *e, uint32_t tag, bool *is_new);
struct explain_crash *explain_crash_open(struct explain *e, const struct explain_message *m,
					 enum explain_cause cause);
void explain_dump_end(struct explain_crash *c); /* takes over what the last lines showed */

/* -- cause.c. False when the message is no cause. */
bool explain_crash_cause(struct explain *e, const struct explain_message *m, uint32_t code,
			 struct text t);
void explain_crash_sample(struct explain *e, const struct explain_message *m);

/* -- trace.c */
void explain_trace_begin(struct explain_trace_names *n);
void explain_crash_trace(struct explain *e, const struct explain_message *m);

/* -- tool.c */
void explain_tool_task(struct explain *e, const struct explain_message *m, struct text t);
void explain_tool_frame(struct explain_crash *c, const struct explain_message *m, struct text t);
void explain_tool_rip(const struct explain *e, struct explain_crash *c,
		      const struct explain_message *m, struct text t);
void explain_tool_disassembly(struct explain *e, struct explain_crash *c,
			      const struct explain_message *m, struct text t);

/* -- judge.c: what a crash that is over amounts to */
void explain_judge(struct explain *e, struct explain_crash *c);

/* -- dump.c */
void explain_dump_rip(struct explain_dump *d, struct text t, bool eip);
void explain_dump_code(struct explain_dump *d, struct text t);
void explain_dump_registers(struct explain_dump *d, struct text t);
/* Their order in a dump, from 1; 0 for another line. */
uint32_t explain_dump_rank(struct text t);
/* The instruction whose name stands there: enum fsgs_insn, -1 for none. */
int explain_insn_named(struct text t);
bool explain_is_module(const char *symbol);
bool explain_is_kernel(const char *symbol); /* for certain */
bool explain_is_ours(const char *symbol);   /* the kernel uses the instructions there */

/* -- cpuinfo.c */
enum {
	CPU_PROCESSOR,
	CPU_VENDOR,
	CPU_FAMILY,
	CPU_MODEL,
	CPU_BRAND,
	CPU_STEPPING,
	CPU_MICROCODE,
	CPU_FLAGS,
	CPU_HYPERVISOR,
	CPU_LAST, /* power management */
	CPU_ANY
};
explain_read explain_cpuinfo_read;
void explain_cpuinfo_end(struct explain *e);
/* Whether fsgsbase is among these flags; unknown when the list may have been cut before it.
 * `whole`: something followed the list. */
uint32_t explain_flags(struct text t, bool whole);

/* -- machine.c */
enum { MACHINE_UNAME, MACHINE_RELEASE, MACHINE_OTHER };
/* What a list of flags, CPUID or a host shows, when it is no more than that the feature is
 * offered. */
void explain_decide_offer(struct explain_source *s);
explain_read explain_machine_read;
void explain_machine_kernel(struct explain *e, const char *release, uint64_t line);
/* The kernel that the file names for this machine, "" for none. */
const char *explain_machine_release(const struct explain *e);
/* The question for the kernel's release, and its answer on the next line. */
void explain_machine_answer(struct explain *e, const struct explain_message *m);
/* Takes a complete description; it is given when its kernel is known, or will not be. */
void explain_machine_give(struct explain *e, const struct explain_source *source);
void explain_machine_end(struct explain *e);

/* -- lscpu.c */
explain_read explain_lscpu_read;
void explain_lscpu_end(struct explain *e);

/* -- cpuid.c */
enum { CPUID_BEGIN, CPUID_VENDOR, CPUID_FEATURE, CPUID_HYPERVISOR, CPUID_BRAND, CPUID_RAW };
explain_read explain_cpuid_read;
void explain_cpuid_end(struct explain *e);

/* -- host.c */
enum { HOST_ERROR, HOST_FAILURE, HOST_RIP, HOST_CR, HOST_CODE, HOST_VBOX, HOST_VBOX_OFFER };
explain_read explain_host_read;
/* A line that is no log's and names the feature. */
void explain_host_feature(struct explain *e, const struct explain_message *m);
void explain_host_end(struct explain *e);

/* -- program.c */
enum {
	PROGRAM_SIGNAL,
	PROGRAM_DIED,
	PROGRAM_TOOL,
	PROGRAM_AT,
	PROGRAM_FRAME,
	PROGRAM_BYTES,
	PROGRAM_VALGRIND,
	PROGRAM_JVM,
	PROGRAM_JVM_FRAME,
	PROGRAM_ROW,
	PROGRAM_SYSTEMD,
	PROGRAM_EXECUTABLE,
	PROGRAM_TRANSLATED,
	PROGRAM_MACOS,
	PROGRAM_TRAP
};
explain_read explain_program_read;
/* A line that no entry of the table begins. */
void explain_program_line(struct explain *e, const struct explain_message *m);
void explain_program_end(struct explain *e);

/* -- core.c */
void explain_core_begin(struct explain_core *c);
void explain_core_feed(struct explain_core *c, const char *bytes, size_t size);
void explain_core_end(struct explain *e);

/* -- hint.c */
void explain_hint(struct explain *e, enum explain_hint_kind kind, uint64_t line, const char *name);
const char *explain_hint_text(const struct explain_hint *hint); /* NULL without one */
const char *explain_hint_command(const struct explain_hint *hint);

/* -- image.c: the boot image's lines */
enum { IMAGE_PROCESSOR, IMAGE_HYPERVISOR, IMAGE_VERDICT };
explain_read explain_image_read;

/* -- ../report-read.c: what the command has said elsewhere */
void explain_report_begin(struct explain *e);
void explain_report_end(struct explain *e);
/* Takes a scalar of such JSON, if it is evidence. */
void explain_report_scalar(struct explain *e, const struct json_reader *reader,
			   enum json_type type);
void explain_report_field(struct fsgs_report *r, const struct json_reader *reader,
			  enum json_type type);
void explain_report_finding(const struct explain *e, struct fsgs_report *r, const char *name);
/* The number of a name, or `none`. */
uint32_t explain_number_of(uint32_t list, const char *name, uint32_t none);

#endif

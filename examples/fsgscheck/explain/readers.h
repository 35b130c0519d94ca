/* SPDX-License-Identifier: MIT */
/* The state of each layer and each reader: one structure for each source file, written by that file
 * alone. */
#ifndef FSGSCHECK_READERS_H
#define FSGSCHECK_READERS_H

struct explain;
struct explain_start;

/* -- bytes.c */
struct explain_bytes {
	uint32_t state; /* enum in bytes.c */
	uint32_t length;
	unsigned char first[8];
	uint32_t half;      /* the first byte of a UTF-16 unit, and whether there is one */
	uint32_t surrogate; /* the high surrogate of a pair */
	const struct explain_packed *packed;
};

/* -- stream.c: bytes that become lines, at one depth of packing */
struct explain_stream {
	struct explain *e;
	uint32_t depth;
	uint32_t length;   /* the current line, as far as it is kept */
	uint32_t overlong; /* the line was longer than the buffer */
	uint32_t how;      /* classes of the line: bits of enum explain_line */
	uint32_t counted;  /* the line's number is known */
	uint32_t not_json; /* the line is known not to be JSON */
	char ended;        /* the character that ended the last line, if nothing followed it */
	uint32_t pending;  /* a container's text continues in the next object */
	uint32_t in_json;  /* enum in stream.c */
	uint32_t quoted;   /* the lines in it have quote marks */
	struct json_reader json;
	struct explain_json {
		uint32_t in_text;   /* the string's characters go to the next stream */
		uint32_t held;      /* a journal's MESSAGE is in the next stream's line */
		uint32_t foreign;   /* this object is not from the kernel */
		uint32_t container; /* this object is a line of a container's log */
		uint32_t has_lines; /* this string had a line end */
		uint32_t ended;     /* this object has ended */
		uint32_t skip;      /* this string is a user-chosen name */
	} object;
	struct {
		uint32_t active, bits, count;
	} base64;
	char line[EXPLAIN_LINE];
};

/* -- common.c: the common prefix of a file's lines */
#define EXPLAIN_COMMON      320
#define EXPLAIN_COMMON_KEPT 3
struct explain_common {
	uint32_t barred; /* the kernel's own lines have no prefix */
	uint32_t learnt; /* shape holds a prefix */
	uint32_t tries;
	uint32_t lines;  /* number of lines that began with shape */
	uint32_t misses; /* number of lines since then that did not */
	uint32_t length; /* length of shape */
	char shape[EXPLAIN_COMMON];
	/* The first lines that began with shape. */
	struct explain_kept {
		uint64_t line;
		uint32_t length; /* 0 after it was read */
		char text[1024];
	} kept[EXPLAIN_COMMON_KEPT];
};

/* -- unwrap.c: a message without its transport's prefix */
struct explain_message {
	struct text text;
	const struct explain_start *start; /* the message's reader; NULL for none */
	uint64_t line;                     /* start of the message */
	uint64_t last;                     /* end of the message */
	uint32_t tag;                      /* the caller that printk prints; 0 without */
	uint32_t uptime;                   /* seconds since boot, from 1; 0 when unknown */
	uint32_t clock;     /* uptime in milliseconds, to find the order of lines; 0 if unknown */
	uint8_t stamped;    /* the line had a log's prefix */
	uint8_t foreign;    /* written by a program */
	uint8_t quoted;     /* may be part of a name that the message before quotes */
	uint8_t weak;       /* the prefix may be user-chosen words */
	uint8_t own;        /* the line begins with the kernel's own mark */
	uint8_t partial;    /* another record continues the message */
	uint8_t joined;     /* the message has several lines: no fast check of it */
	uint64_t origin;    /* hash of the first word, to find a host's name before each line */
	struct text prefix; /* the part of the line before the text */
};

struct explain_unwrap {
	uint64_t origins[3];    /* from the lines before */
	uint32_t quoting;       /* number of characters that a quoted name may still have */
	uint32_t quoting_exact; /* the prefix has a clock, so it is this message's own */
	uint32_t quoting_open;  /* a file's name that has not ended yet */
	uint32_t quoting_prefix_length;
	uint32_t faults;         /* programs' faults whose Code: lines may still follow */
	uint64_t faults_message; /* the last one */
	uint32_t entry;          /* the journal entry is from the kernel */
	uint32_t foreign;        /* the last line was from a program */
	uint32_t indent;         /* in a program's message, which is not the kernel's */
	uint32_t held_kind;      /* how the held message may continue: enum explain_wrap */
	uint32_t held_length;
	struct explain_message held;
	uint32_t soft_length; /* of quoted-printable or of a partial record */
	uint32_t soft_kind;
	char held_text[EXPLAIN_LINE];
	char soft_text[EXPLAIN_LINE];
	char clean[EXPLAIN_LINE];
	char quoting_prefix[64]; /* the prefix of the line that quotes it */
};

/* How a message of several lines continues if no prefix tells. */
enum explain_wrap {
	WRAP_NEVER,
	WRAP_CODE,  /* bytes */
	WRAP_REGS,  /* a value */
	WRAP_NAME,  /* a symbol */
	WRAP_WORDS, /* flags, features */
	WRAP_TEXT   /* only where the prefix shows it */
};

/* -- boot.c: facts about the boot that the log reports, up to this line */
struct explain_boot {
	uint64_t line;
	uint64_t kernel_line, hypervisor_line;
	uint32_t kernel_version;
	uint32_t hypervisor_build;
	uint32_t hypervisor_version;
	uint32_t family, model, stepping;
	uint32_t is_xen_pv;
	uint32_t disabled;    /* disabled by nofsgsbase; CPUID has the feature */
	uint32_t cleared;     /* disabled by clearcpuid */
	uint32_t ours;        /* a crash of this boot has been reported */
	uint32_t own_modules; /* an out-of-tree module is loaded */
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
	uint8_t seen;  /* RIP is known */
	uint8_t user;  /* of user space or of a 32-bit kernel: not a crash of the kernel */
	uint8_t vague; /* it may be a program's name: no kernel selector, or more than a symbol */
	uint8_t has_cr4;
	uint8_t code_length;
	uint8_t code[EXPLAIN_CODE];
	uint8_t named;      /* 1 + enum fsgs_insn, from a disassembler */
	uint8_t interrupts; /* enum fsgs_answer: EFLAGS.IF */
	uint64_t cr4;
	uint64_t regs[16]; /* by register number in the encoding */
	uint32_t regs_known;
	uint64_t rip_line, code_line, cr4_line;
};

/* The reason for the kernel's stop. */
enum explain_cause {
	EXPLAIN_HEADERLESS, /* a dump whose beginning is missing */
	EXPLAIN_INVALID_OPCODE,
	EXPLAIN_PROTECTION_FAULT,
	EXPLAIN_PINNED_CR4, /* a warning, not a crash */
	EXPLAIN_SAMPLE,     /* a backtrace of a CPU that continues */
	EXPLAIN_PANIC,      /* only the final panic message */
	EXPLAIN_OTHER       /* another cause, which was recognised */
};

/* Facts from the call trace and the lines around it: bits of explain_crash.trace. */
enum explain_trace {
	TRACE_MODULE = 1 << 0,   /* code of a module */
	TRACE_CALL = 1 << 1,     /* an interrupt from another CPU, which asks for a function call */
	TRACE_RUNNING = 1 << 2,  /* the CPU had finished its bring-up */
	TRACE_SAMPLED = 1 << 3,  /* an interrupt printed its backtrace */
	TRACE_TAINTED = 1 << 4,  /* an out-of-tree module was loaded */
	TRACE_CLEAN = 1 << 5,    /* no out-of-tree module was loaded */
	TRACE_ENDED = 1 << 6,    /* "end trace": the kernel killed this task */
	TRACE_PANICKED = 1 << 7, /* and stopped because of that */
	TRACE_OPCODE = 1 << 8,   /* the handler of invalid opcode is on the stack */
	TRACE_STOPPED = 1 << 9,  /* a watchdog or a driver stopped the machine */
	TRACE_USER = 1 << 11,    /* a dump not of a 64-bit kernel */
	TRACE_BUG = 1 << 10,     /* the kernel's own BUG(), as the line before shows */
	TRACE_PICTURE = 1 << 12, /* letters in place of digits: read by OCR */
	TRACE_QUOTED = 1 << 13   /* its lines may be part of a name */
};

/* The current crash. A kernel may print several dumps for one crash, and dumps of other CPUs in
 * between. */
struct explain_crash {
	uint32_t open;
	uint32_t cause; /* enum explain_cause */
	uint32_t tag;   /* the caller that printk prints; 0 without */
	int32_t cpu;
	uint32_t pid_known, pid;
	uint32_t trace; /* bits of enum explain_trace */
	uint32_t uptime;
	uint32_t reversed; /* its lines are in reverse order */
	uint32_t parts;    /* its parts are in reverse order */
	uint32_t rank;     /* rank of the last register line, to find the order */
	uint32_t falling;  /* number of times that the rank fell by one */
	uint64_t rank_message;
	uint64_t line;
	uint64_t header_line, end_line;
	uint64_t last_message;
	struct explain_dump now;   /* the current dump */
	struct explain_dump best;  /* the dump with the strongest evidence so far */
	struct explain_dump loose; /* registers without a RIP */
};

/* CPUs with interleaved dumps are distinguished by the caller that CONFIG_PRINTK_CALLER prints. */
#define EXPLAIN_CRASHES 4

struct explain_crashes {
	uint32_t parts; /* the parts of a pstore record are in the order newest first */
	uint32_t part;  /* number of the last part */
	uint64_t bug_message;
	char symbol[160]; /* the address at which crash(8) disassembled one of the instructions */
	uint32_t named;   /* 1 + enum fsgs_insn */
	uint64_t named_line;
	struct explain_crash slot[EXPLAIN_CRASHES];
};

/* -- trace.c: relevant functions, as bits by first and by second character */
struct explain_trace_names {
	uint16_t first[256], second[256];
};

/* -- cpuinfo.c */
struct explain_cpuinfo {
	uint32_t open;
	/* The current processor. */
	struct explain_processor {
		uint32_t open;
		uint32_t number, has_number;
		uint32_t lists; /* enum fsgs_answer: has fsgsbase; unknown if truncated */
		uint32_t has_flags;
		uint32_t after; /* number of keys after the flags */
		uint32_t shape; /* a hash of its keys */
		uint32_t hypervisor_flag;
		uint32_t family, model, stepping;
		uint64_t line, flags_line, last_line;
		char vendor[16], brand[56], microcode[16];
		uint32_t flags_length;
		char flags[4096]; /* more than the number of capability words in Linux */
	} now;
	/* Previous processors in the same list. */
	uint32_t with, without, cut;
	uint32_t comparable;
	uint32_t number, shape;
	uint64_t last_line;
	struct explain_source source;
};

/* -- machine.c: the description of a machine, until all its parts have been read */
struct explain_machine {
	uint32_t waiting;      /* source is complete except for its kernel */
	uint32_t has_kernel;   /* the kernel of source, or of the next machine */
	uint32_t ask_release;  /* the next line is the output of uname -r */
	uint32_t fresh;        /* a kernel was named after the last description */
	uint32_t other_system; /* not Linux */
	char hypervisor[16];   /* as that kernel's log names the processor */
	uint64_t kernel_line;
	uint32_t kernel_version;
	char kernel[72];
	struct explain_source source;
};

/* -- lscpu.c, cpuid.c: the current description */
struct explain_description {
	uint32_t open;
	uint64_t last_line;
	struct explain_source source;
};

/* -- host.c */
struct explain_host {
	uint32_t qemu; /* inside a KVM internal error */
	uint32_t emulation;
	uint32_t kernel_mode;
	struct explain_source source; /* in QEMU's message */
	struct explain_source offer;  /* in VirtualBox's log */
};

/* -- program.c */
struct explain_program {
	uint32_t died;       /* the program died of SIGILL */
	uint32_t tool;       /* an emulator without the instruction ran it */
	uint32_t core;       /* systemd has the program's core file */
	uint32_t named;      /* an instruction is shown, and it may be another one */
	uint32_t translated; /* translated by Rosetta */
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
	uint64_t at;   /* file offset of the next byte */
	uint64_t from; /* the next part to be read */
	uint32_t size, length;
	uint32_t left;     /* number of segments */
	uint32_t segments; /* number of stored segments */
	uint64_t note, notes_end;
	uint64_t files, index, page_size;
	uint64_t base;  /* of the current file */
	uint64_t first; /* of the module that contains RIP */
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
		uint64_t offset;    /* file offset of the code at RIP */
		uint64_t page_hash; /* file offset of the module's first page */
		uint32_t has_page;
	} module;
	unsigned char bytes[EXPLAIN_PAGE];
	struct explain_segment {
		uint64_t address, offset, size;
	} segment[EXPLAIN_SEGMENTS];
};

/* -- hint.c: ranked by how specific they are */
enum explain_hint_kind { EXPLAIN_HINT_NONE, EXPLAIN_HINT_PROGRAM, EXPLAIN_HINT_CORE };
struct explain_hint {
	enum explain_hint_kind kind;
	uint64_t line;
	char name[96];
};

struct explain {
	explain_take *take;
	void *context;

	uint64_t lines;    /* number of lines that have begun */
	uint64_t messages; /* number of messages read, at any depth of packing */
	uint64_t crashes;  /* number of crashes seen */
	uint64_t foreign;  /* crashes with another cause */
	uint64_t unread;   /* crashes that could not be read */
	uint64_t unread_line;
	uint64_t sources; /* sources that have been passed to take() */

	const char *findings[FSGS_FINDINGS]; /* the CPUs' names */
	uint8_t starts[256];   /* by first character: its index in the table of starts */
	uint64_t seconds[256]; /* and the possible second characters, as bits */
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
	struct fsgs_report program_report; /* the last module of this file, for a death in it */
	struct explain_source image;       /* the boot image's lines before its last one */
	struct explain_source report;      /* the JSON that is being read */
	uint32_t report_seen;              /* the key that identifies an fsgscheck report */
};

/* -- stream.c */
void explain_streams_begin(struct explain *e);
void explain_stream_feed(struct explain_stream *s, const char *bytes, size_t size);
void explain_stream_put(struct explain_stream *s, char c);
void explain_stream_end(struct explain_stream *s); /* also for the lines */
/* The stream for text that is packed in this stream; NULL if it would be nested too deeply. */
struct explain_stream *explain_stream_deeper(struct explain_stream *s);
/* Passes on the lines that have already been classified. */
void explain_give(struct explain *e, const struct explain_source *source);

/* -- base64.c: consumes a line, or the next part of a long one, if it is base64. */
bool explain_base64_take(struct explain_stream *s, const char *line, size_t size);

/* -- unicode.c: the ASCII character that replaces this code; 0 to drop it; else the code itself. */
uint32_t explain_plain(uint32_t code);
uint32_t explain_plain_byte(unsigned char byte);

/* -- characters.c */
/* Classes of characters that need decoding. */
enum {
	CHARACTERS_ESCAPES = 1 << 0, /* ESC and backspace */
	CHARACTERS_ENTITIES = 1 << 1,
	CHARACTERS_TAGS = 1 << 2,
	CHARACTERS_EQUALS = 1 << 3,
	CHARACTERS_BACKSLASHES = 1 << 4,
	CHARACTERS_CARETS = 1 << 5,
	CHARACTERS_PERCENTS = 1 << 6,
	CHARACTERS_HASHES = 1 << 7,
	CHARACTERS_WIDE = 1 << 8,  /* not ASCII */
	CHARACTERS_QUOTES = 1 << 9 /* perhaps a quotation mark, which is not decoded */
};
/* The classes that occur in these bytes. */
uint32_t explain_characters_in(const char *bytes, size_t size);
/* Further encodings to undo, besides escapes, entities and Unicode. */
enum {
	CHARACTERS_QUOTED = 1 << 10,  /* quoted-printable */
	CHARACTERS_LITERAL = 1 << 11, /* \n and \t */
	CHARACTERS_LINES = 1 << 12,   /* other line ends written as escapes */
	CHARACTERS_URL = 1 << 13,     /* the whole line is encoded as in a URL */
	CHARACTERS_BARE = 1 << 14,    /* colour sequences have lost their ESC */
	CHARACTERS_BLOCKS = 1 << 15,  /* tags at the start of a line */
};
/* Writes the decoded line to e->unwrap.clean and returns its length, which is not more than the
 * line's. `how`: bits of both enumerations. */
size_t explain_characters(struct explain *e, const char *line, size_t length, uint32_t how);
bool explain_is_bare_colour(struct text t, size_t *length);
/* Whether a line is a string literal with several lines in it. */
bool explain_is_literal(struct text t);

/* -- prefix.c: finds the start of a line's message and parses the prefix before it. */
/* Of a line of the kernel's log in the form of dmesg, which most lines have. */
bool explain_find_own(struct text t, struct explain_message *m);
void explain_find_message(const struct explain *e, struct text t, struct explain_message *m);
const char *explain_token_end(struct text t);
/* Only these characters, and not all of them blanks. */
bool explain_is_list_of(struct text t, const char *characters);

/* -- common.c */
/* Skips the common prefix of the file's lines, if it is known and this line has it. */
bool explain_common_skip(const struct explain_common *c, struct text *t);
/* Learns from a line. Returns whether a prefix is known now, so that stored lines can be read with
 * it. `was_read`: the line was recognised without a prefix. */
bool explain_common_learn(struct explain_common *c, struct text t, uint64_t line, bool was_read);
/* The file has no common prefix. */
void explain_common_bar(struct explain_common *c);

/* -- unwrap.c */
enum {
	LINE_PACKED = 1,  /* from JSON or base64: not the file's own characters */
	LINE_LITERAL = 2, /* it is a string with escaped line ends */
	LINE_LONG = 4,    /* it is a part of an overlong line */
	LINE_REST = 8     /* and not the first part */
};
/* `how`: bits of this enumeration. */
void explain_unwrap_line(struct explain *e, const char *line, size_t length, uint32_t how);
/* Does the same in less time for a line of the kernel's own log that nothing has wrapped or
 * encoded, like most lines. False, and nothing is done, if it may be another one. */
bool explain_unwrap_own(struct explain *e, const char *line, size_t length);
void explain_unwrap_end(struct explain *e);

/* -- readers.c. A message's reader and the text that it begins with; NULL for none. */
struct explain_start {
	const char *text;
	void (*read)(struct explain *e, const struct explain_message *m, uint32_t code,
		     struct text after);
	uint16_t code;
	uint8_t wrap;   /* enum explain_wrap */
	uint8_t kernel; /* only the kernel prints it: no user-chosen text may precede it */
};
void explain_readers_begin(struct explain *e);
const struct explain_start *explain_find_start(const struct explain *e, struct text t);
/* Whether a message of the table begins with all of this truncated text. */
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
/* The kernel, processor and hypervisor that the log has named so far. */
void explain_put_boot(struct explain_source *s, const struct explain_boot *b);
/* major<<16 | minor<<8 | patch of a release; 0 if it is not a release. */
uint32_t explain_version(const char *release);
/* The vendor of processors with this name; "" if unknown. */
const char *explain_vendor(struct text brand);
/* CPUID's signature of the hypervisor that a log names; "" if unknown. */
const char *explain_signature(struct text name);

/* -- crash.c */
enum {
	CRASH_OPCODE,
	CRASH_EARLY,
	CRASH_PROTECTION,
	CRASH_PINNED,
	CRASH_OTHER,
	CRASH_OTHER_DIE, /* with the crash number in the line */
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
/* The crash of this caller, or a free place, or the place of the oldest crash. */
struct explain_crash *explain_crash_find(struct explain *e, uint32_t tag, bool *is_new);
struct explain_crash *explain_crash_open(struct explain *e, const struct explain_message *m,
					 enum explain_cause cause);
void explain_dump_end(struct explain_crash *c); /* takes over the facts from the last lines */

/* -- cause.c. Returns false if the message is not a cause. */
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

/* -- judge.c: the conclusion from a complete crash */
void explain_judge(struct explain *e, struct explain_crash *c);

/* -- dump.c */
void explain_dump_rip(struct explain_dump *d, struct text t, bool eip);
void explain_dump_code(struct explain_dump *d, struct text t);
void explain_dump_registers(struct explain_dump *d, struct text t);
/* The order of registers in a dump, from 1; 0 for another line. */
uint32_t explain_dump_rank(struct text t);
/* The instruction named in the text: enum fsgs_insn, -1 for none. */
int explain_insn_named(struct text t);
bool explain_is_module(const char *symbol);
bool explain_is_kernel(const char *symbol); /* certainly one of the instructions */
bool explain_is_ours(const char *symbol);   /* the kernel uses the instructions in this function */

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
	CPU_LAST, /* the last key, "power management" */
	CPU_ANY
};
explain_read explain_cpuinfo_read;
void explain_cpuinfo_end(struct explain *e);
/* Whether fsgsbase is among these flags; unknown if the list may have been truncated before it.
 * `whole`: another line followed the list. */
uint32_t explain_flags(struct text t, bool whole);

/* -- machine.c */
enum { MACHINE_UNAME, MACHINE_RELEASE, MACHINE_OTHER };
/* The source of a list of flags, of CPUID or of a host, if it shows only that the feature is
 * offered. */
void explain_decide_offer(struct explain_source *s);
explain_read explain_machine_read;
void explain_machine_kernel(struct explain *e, const char *release, uint64_t line);
/* The kernel that the file names for this machine; "" for none. */
const char *explain_machine_release(const struct explain *e);
/* The command that asks for the kernel's release, and its output on the next line. */
void explain_machine_answer(struct explain *e, const struct explain_message *m);
/* Accepts a complete description; it is passed on when its kernel is known or the file ends. */
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
/* A line that is not from a log and names the feature. */
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
/* A line that begins with no entry of the table. */
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

/* -- ../report-read.c: reads JSON from earlier runs of the command */
void explain_report_begin(struct explain *e);
void explain_report_end(struct explain *e);
/* Accepts a scalar of such JSON, if it is evidence. */
void explain_report_scalar(struct explain *e, const struct json_reader *reader,
			   enum json_type type);
void explain_report_field(struct fsgs_report *r, const struct json_reader *reader,
			  enum json_type type);
void explain_report_finding(const struct explain *e, struct fsgs_report *r, const char *name);
/* The number of a name; `none` if unknown. */
uint32_t explain_number_of(uint32_t list, const char *name, uint32_t none);

#endif

/* SPDX-License-Identifier: MIT */
/* The states and functions of the layers and readers. Each heading, such as "-- bytes.c", names the
 * source file of what follows. */
#ifndef FSGSCHECK_READERS_H
#define FSGSCHECK_READERS_H

struct explain;
struct explain_start;

/* -- bytes.c */
struct explain_bytes {
	uint32_t state; /* enum in bytes.c */
	uint32_t length;
	unsigned char first[8];
	uint32_t half;      /* 0x100 + first byte of an incomplete UTF-16 unit; 0 if none */
	uint32_t surrogate; /* the high surrogate of an incomplete pair; 0 if none */
	const struct explain_packed *packed;
};

/* -- stream.c: splits bytes into lines. Each depth of packing has a stream of its own. */
struct explain_stream {
	struct explain *e;
	uint32_t depth;
	uint32_t length;   /* number of bytes of the current line in `line` */
	uint32_t overlong; /* the line was longer than the buffer */
	uint32_t how;      /* bits LINE_... (see below) of the current line */
	uint32_t counted;  /* the current line is already counted in e->lines */
	uint32_t not_json; /* of an overlong line: 0 if it is JSON, 2 if it is base64, else 1 */
	char ended;        /* the CR or LF that ended the last line; 0 after a pair of them */
	uint32_t pending;  /* the text of a container's log continues in the next object */
	uint32_t in_json;  /* enum in stream.c */
	uint32_t quoted;   /* each line of the JSON text begins with ">", as in a quoted mail */
	struct json_reader json;
	struct explain_json {
		uint32_t in_text;   /* the current string has begun */
		uint32_t held;      /* the next stream holds a MESSAGE until its origin is known */
		uint32_t foreign;   /* a program wrote this object's message */
		uint32_t container; /* this object is a line of a container's log */
		uint32_t has_lines; /* the current string contains a line end */
		uint32_t skip;      /* the current string is not read as text of a log */
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
	uint32_t barred; /* no prefix is learnt or skipped any more */
	uint32_t learnt; /* `shape` is the prefix, and not only a candidate */
	uint32_t tries;
	uint32_t lines;  /* number of lines in `kept` */
	uint32_t misses; /* number of lines in a row without the prefix */
	uint32_t length; /* length of shape */
	char shape[EXPLAIN_COMMON];
	/* The first lines that begin with `shape`, stored until the prefix is known. */
	struct explain_kept {
		uint64_t line;
		uint32_t length; /* 0 if the line has already been read, or is too long */
		char text[1024];
	} kept[EXPLAIN_COMMON_KEPT];
};

/* -- unwrap.c: a message without its transport's prefix */
struct explain_message {
	struct text text;
	const struct explain_start *start; /* table entry whose text begins the message, or NULL */
	uint64_t line;                     /* number of the message's first line */
	uint64_t last;                     /* number of the message's last line */
	uint32_t tag;       /* number for the thread or CPU that printk names; 0 if none */
	uint32_t uptime;    /* 1 + seconds since boot; 0 if unknown */
	uint8_t stamped;    /* the line had the prefix of a log */
	uint8_t foreign;    /* a program wrote the message, not the kernel */
	uint8_t quoted;     /* may be part of a name that an earlier message quotes */
	uint8_t weak;       /* the prefix may consist of user-chosen words */
	uint8_t own;        /* the prefix shows that the kernel wrote the line */
	uint8_t joined;     /* joined from several lines */
	uint64_t origin;    /* hash of the word that made the prefix weak, perhaps a host's name */
	struct text prefix; /* the part of the line before the text */
};

struct explain_unwrap {
	uint64_t origins[3];    /* origins of the last three messages */
	uint32_t quoting;       /* maximum length of the rest of a quoted name; 0 if none */
	uint32_t quoting_exact; /* a line with the same prefix is certainly part of the name */
	uint32_t quoting_open;  /* the quoted name of a file has not ended yet */
	uint32_t quoting_prefix_length;
	uint32_t faults;         /* number of program faults for which a Code: line may follow */
	uint64_t faults_message; /* number of the message about the last such fault */
	uint32_t entry;          /* the current journal entry is from the kernel */
	uint32_t foreign;        /* the last line was from a program */
	uint32_t indent;         /* column of the last message if it is a program's, else 0 */
	uint32_t held_kind;      /* how the held message may continue: enum explain_wrap */
	uint32_t held_length;
	struct explain_message held;
	uint32_t soft_length; /* length of soft_text: the parts of a split line so far */
	uint32_t soft_kind;
	char held_text[EXPLAIN_LINE];
	char soft_text[EXPLAIN_LINE];
	char clean[EXPLAIN_LINE];
	char quoting_prefix[64]; /* the prefix of the line that quotes a name */
};

/* What the next line must look like to continue a message. A line with a prefix never continues a
 * message, and a line that begins like another message only if it is a list of words. If the
 * message has a prefix, the last three kinds accept any other line. */
enum explain_wrap {
	WRAP_NEVER,
	WRAP_CODE,  /* bytes */
	WRAP_REGS,  /* a value */
	WRAP_NAME,  /* a symbol */
	WRAP_WORDS, /* flags, features */
	WRAP_TEXT   /* any text, but only if the message has a prefix */
};

/* -- boot.c: what the log has reported about the current boot so far */
struct explain_boot {
	uint64_t line;
	uint64_t kernel_line, hypervisor_line;
	uint32_t kernel_version;
	uint32_t hypervisor_build;
	uint32_t hypervisor_version;
	uint32_t family, model, stepping;
	uint32_t is_xen_pv;
	uint32_t disabled; /* nofsgsbase disabled the instructions, which CPUID offers */
	uint32_t cleared;  /* clearcpuid disabled the instructions */
	/* Set if a crash has a verdict or the note MISSPELT. The boot then gets no source. */
	uint32_t judged;
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
	uint8_t seen; /* RIP is known */
	uint8_t user; /* of a program or of a 32-bit kernel, not of a 64-bit kernel */
	/* The RIP line has no selector, or has other text after the symbol than a module or a
	 * source file. So it may be a program's name. */
	uint8_t vague;
	uint8_t has_cr4;
	uint8_t code_length;
	uint8_t code[EXPLAIN_CODE];
	uint8_t named;      /* 1 + enum fsgs_insn, from a disassembler; 0 if unknown */
	uint8_t interrupts; /* enum fsgs_answer: EFLAGS.IF */
	uint64_t cr4;
	uint64_t regs[16]; /* indexed by the registers' numbers in instructions */
	uint32_t regs_known;
	uint64_t rip_line, code_line, cr4_line;
};

/* Why the kernel stopped, or why it printed a dump. */
enum explain_cause {
	EXPLAIN_HEADERLESS, /* the line with the cause has not been read */
	EXPLAIN_INVALID_OPCODE,
	EXPLAIN_PROTECTION_FAULT,
	EXPLAIN_PINNED_CR4, /* the warning about pinned CR4 bits */
	EXPLAIN_SAMPLE,     /* another warning, or a backtrace of a CPU that continues */
	EXPLAIN_PANIC,      /* only the panic message is known */
	EXPLAIN_OTHER       /* a known cause that is not FSGSBASE */
};

/* Facts from the call trace and the lines around it: bits of explain_crash.trace. */
enum explain_trace {
	TRACE_MODULE = 1 << 0,   /* the code of a module is in the trace */
	TRACE_CALL = 1 << 1,     /* one CPU had others execute a function, by an interrupt */
	TRACE_RUNNING = 1 << 2,  /* the CPU had finished its bring-up */
	TRACE_SAMPLED = 1 << 3,  /* an interrupt handler is in the trace, and may have printed it */
	TRACE_TAINTED = 1 << 4,  /* an out-of-tree module was loaded */
	TRACE_CLEAN = 1 << 5,    /* no out-of-tree module was loaded */
	TRACE_ENDED = 1 << 6,    /* the dump has the line "end trace" */
	TRACE_PANICKED = 1 << 7, /* the kernel panicked because of an exception */
	TRACE_OPCODE = 1 << 8,   /* the handler of invalid opcode is on the stack */
	TRACE_STOPPED = 1 << 9,  /* the kernel panicked for another reason, such as a watchdog */
	TRACE_USER = 1 << 11,    /* a dump is of a program or of a 32-bit kernel */
	TRACE_BUG = 1 << 10,     /* a line shortly before the crash reports a BUG() */
	TRACE_PICTURE = 1 << 12, /* letters in place of digits: read by OCR */
	TRACE_QUOTED = 1 << 13   /* the crash's lines may be part of a quoted name */
};

/* A crash that is being read. A kernel may print several dumps for one crash, and dumps of other
 * CPUs in between. */
struct explain_crash {
	uint32_t open;
	uint32_t cause; /* enum explain_cause */
	uint32_t tag;   /* number for the thread or CPU that printk names; 0 if none */
	int32_t cpu;
	uint32_t pid_known, pid;
	uint32_t trace; /* bits of enum explain_trace */
	uint32_t uptime;
	uint32_t reversed; /* its lines are in reverse order */
	uint32_t parts;    /* parts of a pstore record are in reverse order */
	uint32_t rank;     /* explain_dump_rank() of the last register line */
	uint32_t falling;  /* how often the rank fell by one since it last rose */
	uint64_t rank_message;
	uint64_t line;
	uint64_t header_line, end_line;
	uint64_t last_message;
	struct explain_dump now;   /* the current dump */
	struct explain_dump best;  /* the dump with the strongest evidence so far */
	struct explain_dump loose; /* registers from dumps without a RIP line */
};

/* Maximum number of crashes that are read at the same time. Several CPUs may print dumps at once.
 * CONFIG_PRINTK_CALLER adds the thread or CPU to each line, which shows to which dump the line
 * belongs. */
#define EXPLAIN_CRASHES 4

struct explain_crashes {
	uint32_t parts; /* the newest part of a pstore record comes first */
	uint32_t part;  /* number of the pstore part that was read last; 0 if none */
	uint64_t bug_message;
	char symbol[160]; /* symbol at which `dis` of crash(8) showed one of the instructions */
	uint32_t named;   /* that instruction: 1 + enum fsgs_insn; 0 if none */
	uint64_t named_line;
	struct explain_crash slot[EXPLAIN_CRASHES];
};

/* -- trace.c: for each character, which names in trace.c's table begin with it, and which have it
 * as their second character. Bit n stands for name n. */
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
		uint32_t lists; /* enum fsgs_answer: whether the flags have fsgsbase */
		uint32_t has_flags;
		uint32_t after; /* number of keys after the flags */
		uint32_t shape; /* a hash of the keys of the record */
		uint32_t hypervisor_flag;
		uint32_t family, model, stepping;
		uint64_t line, flags_line, last_line;
		char vendor[16], brand[56], microcode[16];
		uint32_t flags_length;
		char flags[4096]; /* room for all flags that Linux knows */
	} now;
	/* How many processors of the list so far have fsgsbase, lack it, or have a truncated list
	 * of flags. */
	uint32_t with, without, cut;
	uint32_t comparable;
	uint32_t number, shape;
	uint64_t last_line;
	struct explain_source source;
};

/* -- machine.c: the description of a machine, until all its parts have been read */
struct explain_machine {
	uint32_t waiting;      /* `source` is complete, except perhaps for its kernel */
	uint32_t has_kernel;   /* a kernel is known: that of `source` or of the next machine */
	uint32_t ask_release;  /* the next line that is not empty is the output of uname -r */
	uint32_t fresh;        /* the file named the kernel after the last description */
	uint32_t other_system; /* not Linux */
	char hypervisor[16];   /* CPUID signature of the hypervisor that the kernel's log names */
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
	uint32_t qemu; /* QEMU's message about a KVM internal error has begun */
	uint32_t emulation;
	uint32_t kernel_mode;
	struct explain_source source; /* from QEMU's message */
	struct explain_source offer;  /* from VirtualBox's log */
};

/* -- program.c */
struct explain_program {
	uint32_t died;       /* the program died of SIGILL */
	uint32_t tool;       /* an emulator or tool without the instruction ran the program */
	uint32_t core;       /* systemd has the program's core file */
	uint32_t named;      /* a debugger named the instruction, which may be none of the four */
	uint32_t translated; /* Rosetta translated the program */
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
	uint64_t from; /* file offset of the next part to be read */
	uint32_t size, length;
	uint32_t left;     /* number of segments that have not been read */
	uint32_t segments; /* number of stored segments */
	uint64_t note, notes_end;
	uint64_t files, index, page_size;
	uint64_t base;  /* start of the last mapping of a file's first page */
	uint64_t first; /* start of the first mapping of the module that contains RIP */
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
		uint64_t offset;    /* offset of the code at RIP in the module's file */
		uint64_t page_hash; /* explain_page_hash() of the module's first page */
		uint32_t has_page;
	} module;
	unsigned char bytes[EXPLAIN_PAGE];
	struct explain_segment {
		uint64_t address, offset, size;
	} segment[EXPLAIN_SEGMENTS];
};

/* -- hint.c: kinds of hints. A later kind is more specific, and has a higher rank. */
enum explain_hint_kind { EXPLAIN_HINT_NONE, EXPLAIN_HINT_PROGRAM, EXPLAIN_HINT_CORE };
struct explain_hint {
	enum explain_hint_kind kind;
	uint64_t line;
	char name[96];
};

struct explain {
	explain_take *take;
	void *context;

	uint64_t lines;    /* number of lines so far, including the current line */
	uint64_t messages; /* number of messages read, at any depth of packing */
	uint64_t crashes;  /* number of crashes seen */
	uint64_t foreign;  /* crashes with a cause other than FSGSBASE */
	uint64_t unread;   /* crashes with too few lines left for a decision */
	uint64_t unread_line;
	uint64_t sources; /* number of sources passed to take() */

	const char *findings[FSGS_FINDINGS]; /* the findings' names */
	/* For each character: 1 + the index of the first entry of `starts` (readers.c) that begins
	 * with it; 0 if there is none. */
	uint8_t starts[256];
	uint64_t seconds[256]; /* for each first character: the second ones (second_bit()) */
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
	struct fsgs_report program_report; /* the last report; it may explain a program's death */
	struct explain_source image;       /* from the boot image's lines before the verdict */
	struct explain_source report;      /* from the JSON that is being read */
	uint32_t report_seen;              /* which keys of an fsgscheck report have been seen */
};

/* -- stream.c */
void explain_streams_begin(struct explain *e);
void explain_stream_feed(struct explain_stream *s, const char *bytes, size_t size);
void explain_stream_put(struct explain_stream *s, char c);
void explain_stream_end(struct explain_stream *s); /* also ends the streams nested in it */
/* The stream for text that is packed in this stream; NULL if it would be nested too deeply. */
struct explain_stream *explain_stream_deeper(struct explain_stream *s);
/* bytes.c: passes a complete source to take(). */
void explain_give(struct explain *e, const struct explain_source *source);

/* -- base64.c: decodes a line, or the next part of an overlong line, and returns true. Returns
 * false if it is not base64. */
bool explain_base64_take(struct explain_stream *s, const char *line, size_t size);

/* -- unicode.c: the ASCII character that replaces this Unicode character; 0 if it is dropped;
 * `code` itself if no ASCII character replaces it. */
uint32_t explain_plain(uint32_t code);
uint32_t explain_plain_byte(unsigned char byte);

/* -- characters.c */
/* Classes of characters. All but the last may need decoding. */
enum {
	CHARACTERS_ESCAPES = 1 << 0, /* ESC, backspace and VT */
	CHARACTERS_ENTITIES = 1 << 1,
	CHARACTERS_TAGS = 1 << 2,
	CHARACTERS_EQUALS = 1 << 3,
	CHARACTERS_BACKSLASHES = 1 << 4,
	CHARACTERS_CARETS = 1 << 5,
	CHARACTERS_PERCENTS = 1 << 6,
	CHARACTERS_HASHES = 1 << 7,
	CHARACTERS_WIDE = 1 << 8,  /* not ASCII */
	CHARACTERS_QUOTES = 1 << 9 /* may be a quotation mark, which is not decoded */
};
/* The classes of the characters in these bytes. */
uint32_t explain_characters_in(const char *bytes, size_t size);
/* Further bits for explain_characters(): what else to decode, and how. */
enum {
	CHARACTERS_QUOTED = 1 << 10,  /* quoted-printable */
	CHARACTERS_LITERAL = 1 << 11, /* \n and \t */
	CHARACTERS_LINES = 1 << 12,   /* encoded line ends become line ends, not blanks */
	CHARACTERS_URL = 1 << 13,     /* the whole line is encoded as in a URL */
	CHARACTERS_BARE = 1 << 14,    /* colour sequences have lost their ESC */
	CHARACTERS_BLOCKS = 1 << 15,  /* block tags become line ends, not blanks */
};
/* Writes the decoded line to e->unwrap.clean and returns its length, which is at most `length`.
 * `how`: bits of both enumerations. */
size_t explain_characters(struct explain *e, const char *line, size_t length, uint32_t how);
bool explain_is_bare_colour(struct text t, size_t *length);
/* Whether a line is a string literal that contains several lines. */
bool explain_is_literal(struct text t);

/* -- prefix.c: finds the start of a line's message and parses the prefix before it. */
/* Finds the message in a line as dmesg prints it, without the checks that other forms need. Returns
 * false for other forms. */
bool explain_find_own(struct text t, struct explain_message *m);
void explain_find_message(const struct explain *e, struct text t, struct explain_message *m);
const char *explain_token_end(struct text t);
/* Whether the text has only these characters, and not only blanks. */
bool explain_is_list_of(struct text t, const char *characters);

/* -- common.c */
/* Skips the common prefix of the file's lines, if it is known and this line has it. Returns true if
 * a prefix was skipped. */
bool explain_common_skip(const struct explain_common *c, struct text *t);
/* Learns the prefix from a line. Returns true if this line makes the prefix known: the caller then
 * reads the stored lines. `was_read`: the line was recognised without a prefix. */
bool explain_common_learn(struct explain_common *c, struct text t, uint64_t line, bool was_read);
/* Call if a line shows that the file has no common prefix. No prefix is learnt or skipped after the
 * call. */
void explain_common_bar(struct explain_common *c);

/* -- unwrap.c */
enum {
	LINE_PACKED = 1,  /* the line was packed in JSON or base64 */
	LINE_LITERAL = 2, /* the line is a string with escaped line ends */
	LINE_LONG = 4,    /* a part of an overlong line */
	LINE_REST = 8     /* a part of an overlong line, but not the first part */
};
/* `how`: bits of this enumeration. */
void explain_unwrap_line(struct explain *e, const char *line, size_t length, uint32_t how);
/* As explain_unwrap_line(), but faster, for a line of the kernel's own log that is neither wrapped
 * nor encoded, as most lines are. If it returns false, it has done nothing. */
bool explain_unwrap_own(struct explain *e, const char *line, size_t length);
void explain_unwrap_end(struct explain *e);

/* -- readers.c. A start is an entry of the table of readers. It has the beginning of a message, and
 * the function that reads messages with this beginning. */
struct explain_start {
	const char *text;
	void (*read)(struct explain *e, const struct explain_message *m, uint32_t code,
		     struct text after);
	uint16_t code;
	uint8_t wrap;   /* enum explain_wrap */
	uint8_t kernel; /* only the kernel prints `text`: no user-chosen text may precede it */
};
void explain_readers_begin(struct explain *e);
/* The start with which the text begins; NULL if there is none. */
const struct explain_start *explain_find_start(const struct explain *e, struct text t);
/* Whether a start in the table begins with this text, and is longer. */
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
/* Copies what the log has shown about the boot so far: kernel, processor, hypervisor, and a
 * misspelt nofsgsbase. */
void explain_put_boot(struct explain_source *s, const struct explain_boot *b);
/* major<<16 | minor<<8 | patch of a kernel's release, each at most 255; 0 if it is not a
 * release. */
uint32_t explain_version(const char *release);
/* The CPUID vendor of a processor with this brand name; "" if unknown. */
const char *explain_vendor(struct text brand);
/* The CPUID signature of a hypervisor that a kernel log or lscpu names; "" if unknown. */
const char *explain_signature(struct text name);

/* -- crash.c */
enum {
	CRASH_OPCODE,
	CRASH_EARLY,
	CRASH_PROTECTION,
	CRASH_PINNED,
	CRASH_OTHER,
	CRASH_OTHER_DIE, /* the line may have a crash number, such as [#1] */
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
/* The open crash with this tag. If there is none, sets `is_new` to true and returns a free slot, or
 * else the slot of the crash that has gone longest without a new line. */
struct explain_crash *explain_crash_find(struct explain *e, uint32_t tag, bool *is_new);
struct explain_crash *explain_crash_open(struct explain *e, const struct explain_message *m,
					 enum explain_cause cause);
void explain_dump_end(struct explain_crash *c); /* ends the current dump */

/* -- cause.c: handles a message that states the cause of a crash. Returns false for other
 * messages. */
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

/* -- judge.c: decides what a complete crash proves */
void explain_judge(struct explain *e, struct explain_crash *c);

/* -- dump.c */
void explain_dump_rip(struct explain_dump *d, struct text t, bool eip);
void explain_dump_code(struct explain_dump *d, struct text t);
void explain_dump_registers(struct explain_dump *d, struct text t);
/* The rank of a register line: its position in a dump, from 1; 0 for another line. */
uint32_t explain_dump_rank(struct text t);
/* The instruction named in the text: enum fsgs_insn, -1 for none. */
int explain_insn_named(struct text t);
bool explain_is_module(const char *symbol);
bool explain_is_kernel(const char *symbol); /* certainly in the kernel itself, not in a module */
/* Whether the kernel executes the instructions, or sets CR4.FSGSBASE, in this function. */
bool explain_is_ours(const char *symbol);

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
/* enum fsgs_answer: whether fsgsbase is among these flags; unknown if the list may have been
 * truncated before it. `whole`: another line followed the list. */
uint32_t explain_flags(struct text t, bool whole);

/* -- machine.c */
enum { MACHINE_UNAME, MACHINE_RELEASE, MACHINE_OTHER };
/* Decides the verdict of a source that may show only that the feature is offered: a list of flags,
 * CPUID's output, or a host's log. */
void explain_decide_offer(struct explain_source *s);
explain_read explain_machine_read;
void explain_machine_kernel(struct explain *e, const char *release, uint64_t line);
/* The release of the kernel that the file names for this machine; "" if it names none. */
const char *explain_machine_release(const struct explain *e);
/* Reads a line that ends with the command "uname -r", or the line after it, which has the
 * output. */
void explain_machine_answer(struct explain *e, const struct explain_message *m);
/* Accepts the complete description of a machine. It becomes a source when the file describes the
 * next machine, names a second kernel, or ends. */
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
/* Reads a message that a host lacks the feature. */
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
/* Reads a line whose beginning is not in the table of readers. */
void explain_program_line(struct explain *e, const struct explain_message *m);
void explain_program_end(struct explain *e);

/* -- core.c */
void explain_core_begin(struct explain_core *c);
void explain_core_feed(struct explain_core *c, const char *bytes, size_t size);
void explain_core_end(struct explain *e);

/* -- hint.c */
void explain_hint(struct explain *e, enum explain_hint_kind kind, uint64_t line, const char *name);
const char *explain_hint_text(const struct explain_hint *hint); /* NULL if there is no hint */
const char *explain_hint_command(const struct explain_hint *hint);

/* -- image.c: the boot image's lines */
enum { IMAGE_PROCESSOR, IMAGE_HYPERVISOR, IMAGE_VERDICT };
explain_read explain_image_read;

/* -- ../report-read.c: reads reports in JSON, as fsgscheck writes them */
void explain_report_begin(struct explain *e);
void explain_report_end(struct explain *e);
/* Reads a scalar of any JSON. Ignores it if it does not belong to a report. */
void explain_report_scalar(struct explain *e, const struct json_reader *reader,
			   enum json_type type);
void explain_report_field(struct fsgs_report *r, const struct json_reader *reader,
			  enum json_type type);
void explain_report_finding(const struct explain *e, struct fsgs_report *r, const char *name);
/* The number that `name` has in a list (`list`: enum fsgs_list); `none` if the list has no such
 * name. */
uint32_t explain_number_of(uint32_t list, const char *name, uint32_t none);

#endif

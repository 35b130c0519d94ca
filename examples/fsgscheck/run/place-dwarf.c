/* SPDX-License-Identifier: MIT */
/* Finds symbols, source lines and the calling function with elfutils' libdw: from symbol tables,
 * debug links, build IDs and frame information. */
#include "death.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct frames {
	const struct death *death;
	Dwarf_Addr caller;
	bool has_caller;
	int memory;
};

/* The thread that is examined. It is global because libdwfl's callbacks that find files get no
 * context. */
static pid_t looked_at;

static pid_t next_thread(Dwfl *dwfl, void *context, void **thread)
{
	const struct frames *frames = context;

	(void)dwfl;
	if (*thread)
		return 0;
	*thread = context;
	return frames->death->thread;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *context, void **thread)
{
	(void)dwfl;
	(void)tid;
	*thread = context;
	return true;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *context)
{
	const struct frames *frames = context;
	const size_t size = frames->death->fault.mode == FSGS_MODE_COMPAT ? 4 : 8;

	(void)dwfl;
	*word = 0;
	return pread(frames->memory, word, size, (off_t)address) == (ssize_t)size;
}

/* Sets registers by their DWARF numbers (psABI of x86-64, figure 3.36; of i386, table 2.14). */
static bool set_registers(Dwfl_Thread *thread, void *context)
{
	const struct frames *frames = context;
	const struct user_regs_struct *r = &frames->death->regs;
	const Dwarf_Word wide[] = {
		r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
		r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip,
	};
	const Dwarf_Word narrow[] = {
		r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->rip,
	};

	return frames->death->fault.mode == FSGS_MODE_COMPAT
		       ? dwfl_thread_state_registers(thread, 0, 9, narrow)
		       : dwfl_thread_state_registers(thread, 0, 17, wide);
}

static int take_frame(Dwfl_Frame *frame, void *context)
{
	struct frames *frames = context;
	Dwarf_Addr pc;
	bool is_activation;

	if (!dwfl_frame_pc(frame, &pc, &is_activation))
		return DWARF_CB_ABORT;
	if (pc == frames->death->fault.address)
		return DWARF_CB_OK;
	/* A return address is the address after the call. Subtract 1 to get an address inside the
	 * call. */
	frames->caller = is_activation ? pc : pc - 1;
	frames->has_caller = true;
	return DWARF_CB_ABORT;
}

/* Opens a module's file through /proc/TID/root: if the program runs in another mount namespace or
 * after chroot(2), the path may lead to another file for the tracer. If the path leads the tracer
 * to the same file, uses the path itself, because debug files are searched for next to it. */
static int find_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
		    char **file, Elf **elf)
{
	struct stat theirs, ours;
	char path[PATH_MAX];
	int length;

	if (name[0] != '/')
		return dwfl_linux_proc_find_elf(module, data, name, base, file, elf);
	length = snprintf(path, sizeof path, "/proc/%d/root%s", (int)looked_at, name);
	if (length < 0 || (size_t)length >= sizeof path || stat(path, &theirs) != 0 ||
	    !S_ISREG(theirs.st_mode))
		return -1;
	if (stat(name, &ours) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
		snprintf(path, sizeof path, "%s", name);
	*file = strdup(path);
	return *file ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Finds the debug file as libdwfl does. But if the debug file next to the module or in the folder
 * .debug is not a regular file, opens no debug file. The program chooses the debug file's name. A
 * FIFO with this name would block the tracer, and the dying program would never end. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			  const char *file, const char *link, GElf_Word crc, char **found)
{
	static const char *const folders[] = {"", ".debug/"};
	const int folder = file ? (int)(base_name(file) - file) : 0;
	struct stat status;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (link)
			snprintf(path, sizeof path, "%.*s%s%s", folder, file, folders[i], link);
		else
			snprintf(path, sizeof path, "%.*s%s%s.debug", folder, file, folders[i],
				 file ? base_name(file) : "");
		if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
			return -1;
	}
	return dwfl_standard_find_debuginfo(module, data, name, base, file, link, crc, found);
}

static void put_symbol(Dwfl *dwfl, Dwarf_Addr address, struct place *place)
{
	Dwfl_Module *module = dwfl_addrmodule(dwfl, address);
	Dwfl_Line *line;
	const char *text;
	GElf_Off offset;
	GElf_Sym symbol;
	int number;

	if (!module)
		return;
	text = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
	if (text) {
		snprintf(place->symbol, sizeof place->symbol, "%s", text);
		place->symbol_offset = offset;
	}
	line = dwfl_module_getsrc(module, address);
	text = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (text)
		snprintf(place->source, sizeof place->source, "%s:%d", base_name(text), number);
}

void place_symbols(struct death *death)
{
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.get_thread = get_thread,
		.memory_read = read_word,
		.set_initial_registers = set_registers,
	};
	static char *debug_path = NULL; /* NULL: elfutils' own list of folders */
	static const Dwfl_Callbacks callbacks = {
		.find_elf = find_elf,
		.find_debuginfo = find_debuginfo,
		.debuginfo_path = &debug_path,
	};
	struct frames frames = {.death = death};
	char path[64];
	Dwfl *dwfl;

	/* A dying program must not wait for a server of debug information. */
	unsetenv("DEBUGINFOD_URLS");
	looked_at = death->thread;
	dwfl = dwfl_begin(&callbacks);
	if (!dwfl)
		return;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)death->thread);
	frames.memory = open(path, O_RDONLY | O_CLOEXEC);
	if (dwfl_linux_proc_report(dwfl, death->thread) == 0 &&
	    dwfl_report_end(dwfl, NULL, NULL) == 0) {
		put_symbol(dwfl, death->fault.address, &death->here);
		if (frames.memory >= 0 &&
		    dwfl_attach_state(dwfl, NULL, death->process, &threads, &frames))
			dwfl_getthread_frames(dwfl, death->thread, take_frame, &frames);
		if (frames.has_caller) {
			place_module(death->thread, frames.caller, &death->caller);
			put_symbol(dwfl, frames.caller, &death->caller);
		}
	}
	if (frames.memory >= 0)
		close(frames.memory);
	dwfl_end(dwfl);
}

/* SPDX-License-Identifier: MIT */
/* Finds out whether a program imports ptrace(), and so may trace other processes. Such a program's
 * dynamic string table contains the name ptrace (ELF, chapter 5). */
#include "tracer.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SEGMENTS 32
#define MAX_DYNAMIC  128
#define PIECE        16384
#define MAX_KNOWN    16 /* number of stored answers; a compilation uses about ten programs */

static bool read_at(int fd, uint64_t at, void *to, size_t size)
{
	return pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

static bool has_name(int fd, uint64_t at, uint64_t size)
{
	static const char name[] = "\0ptrace";
	char piece[PIECE];

	while (size >= sizeof name) {
		const size_t length = size < PIECE ? (size_t)size : PIECE;

		if (!read_at(fd, at, piece, length))
			return false;
		if (memmem(piece, length, name, sizeof name))
			return true;
		if (length == size)
			return false;
		/* The name may begin in this piece and end in the next one. */
		at += length - sizeof name;
		size -= length - sizeof name;
	}
	return false;
}

static bool file_imports_ptrace(int fd)
{
	Elf64_Ehdr head;
	Elf64_Phdr segments[MAX_SEGMENTS];
	Elf64_Dyn dynamic[MAX_DYNAMIC];
	uint64_t table = 0, size = 0;
	size_t entries = 0;

	if (!read_at(fd, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof *segments ||
	    head.e_phnum > MAX_SEGMENTS ||
	    !read_at(fd, head.e_phoff, segments, head.e_phnum * sizeof *segments))
		return false;
	for (size_t i = 0; i < head.e_phnum; i++)
		if (segments[i].p_type == PT_DYNAMIC) {
			entries = segments[i].p_filesz / sizeof *dynamic;
			if (entries > MAX_DYNAMIC)
				entries = MAX_DYNAMIC;
			if (!read_at(fd, segments[i].p_offset, dynamic, entries * sizeof *dynamic))
				return false;
		}
	for (size_t i = 0; i < entries; i++)
		if (dynamic[i].d_tag == DT_STRTAB)
			table = dynamic[i].d_un.d_ptr;
		else if (dynamic[i].d_tag == DT_STRSZ)
			size = dynamic[i].d_un.d_val;
	for (size_t i = 0; i < head.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && table >= segments[i].p_vaddr &&
		    table - segments[i].p_vaddr < segments[i].p_filesz)
			return has_name(fd, table - segments[i].p_vaddr + segments[i].p_offset,
					size);
	return false;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* As file_imports_ptrace(), but stores the answers: a compiler's string table has a megabyte, and
 * `make` executes the compiler again and again. */
static bool known_imports_ptrace(int fd)
{
	static struct {
		struct stat file;
		bool imports;
	} known[MAX_KNOWN];
	static size_t next;
	struct stat file;

	if (fstat(fd, &file) != 0)
		return file_imports_ptrace(fd);
	for (size_t i = 0; i < MAX_KNOWN; i++)
		if (is_same_file(&known[i].file, &file))
			return known[i].imports;
	next = (next + 1) % MAX_KNOWN;
	known[next].file = file;
	known[next].imports = file_imports_ptrace(fd);
	return known[next].imports;
}

bool elf_imports_ptrace(pid_t pid)
{
	char path[64];
	bool imports;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	imports = known_imports_ptrace(fd);
	close(fd);
	return imports;
}

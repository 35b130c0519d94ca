/* SPDX-License-Identifier: MIT */
/* Whether a program may want to trace others: its dynamic string table names ptrace (ELF, chapter
 * 5). */
#include "tracer.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEGMENTS 32
#define MAX_DYNAMIC  128
#define PIECE        16384

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
		/* A name may lie over the end of a piece. */
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

bool elf_imports_ptrace(pid_t pid)
{
	char path[64];
	bool imports;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	imports = file_imports_ptrace(fd);
	close(fd);
	return imports;
}

/* SPDX-License-Identifier: MIT */
/* fsgscheck-explain.exe: `fsgscheck explain` for logs on a Windows machine. */
#include "windows.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>

#include "explain/command.h"

/* Makes the C library expand wildcards, as a shell does on other systems. */
int _dowildcard = -1;

void *memmem(const void *in, size_t size, const void *what, size_t length)
{
	const char *at = in;

	for (; size >= length; at++, size--)
		if (memcmp(at, what, length) == 0)
			return (void *)(size_t)at;
	return NULL;
}

/* print_human() needs strsignal(). This command links print_human(), but never calls it. */
char *strsignal(int signal)
{
	static char text[24];

	snprintf(text, sizeof text, "signal %d", signal);
	return text;
}

int main(int argc, char **argv)
{
	/* Windows accepts both slashes, but the command splits a path only at '/'. */
	for (int i = 1; i < argc; i++)
		for (char *c = argv[i]; *c; c++)
			if (*c == '\\')
				*c = '/';
	_setmode(_fileno(stdin), _O_BINARY);
	return explain_command(argc, argv);
}

/* Does nothing. On Linux, it reads the modules of a core file's program, which are not on this
 * machine. */
struct explain;
void read_module(struct explain *e);
void read_module(struct explain *e)
{
	(void)e;
}

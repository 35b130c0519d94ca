/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_EXPLAIN_COMMAND_H
#define FSGSCHECK_EXPLAIN_COMMAND_H

/* `fsgscheck explain`: argv[0] is "explain". Returns the exit status. */
int explain_command(int argc, char **argv);

/* If the current file is a core file without the bytes at RIP, reads these bytes from the module's
 * file on disk, provided that the file's first page equals the module's first page in the core
 * file. */
struct explain;
void read_module(struct explain *e);

#endif

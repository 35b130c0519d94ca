/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_EXPLAIN_COMMAND_H
#define FSGSCHECK_EXPLAIN_COMMAND_H

/* `fsgscheck explain`: argv[0] is "explain". Returns the exit status. */
int explain_command(int argc, char **argv);

/* If the current core file lacks the bytes at RIP, reads them from the module's file, provided that
 * the first page of this file equals the one in the core file. */
struct explain;
void read_module(struct explain *e);

#endif

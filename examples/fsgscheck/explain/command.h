/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_EXPLAIN_COMMAND_H
#define FSGSCHECK_EXPLAIN_COMMAND_H

/* `fsgscheck explain`: argv[0] is "explain". Returns the exit status. */
int explain_command(int argc, char **argv);

/* Reads the code bytes that a core file leaves out from the program's file, if it is unchanged. */
struct explain;
void read_module(struct explain *e);

#endif

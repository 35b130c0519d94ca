/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_EXPLAIN_COMMAND_H
#define FSGSCHECK_EXPLAIN_COMMAND_H

/* `fsgscheck explain`: argv[0] is "explain". Gives the exit status. */
int explain_command(int argc, char **argv);

/* The bytes that a core file leaves to the program's file, if that is still the same one. */
struct explain;
void read_module(struct explain *e);

#endif

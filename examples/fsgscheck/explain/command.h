/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_EXPLAIN_COMMAND_H
#define FSGSCHECK_EXPLAIN_COMMAND_H

/* `fsgscheck explain`: argv[0] is "explain". Gives the exit status. */
int explain_command(int argc, char **argv);

#endif

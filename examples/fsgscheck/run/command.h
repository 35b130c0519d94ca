/* SPDX-License-Identifier: MIT */
#ifndef FSGSCHECK_RUN_COMMAND_H
#define FSGSCHECK_RUN_COMMAND_H

/* `fsgscheck run`: argv[0] is "run". Returns the exit status. */
int run_command(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/* The filter of explain/text.h, for the strings of a report. */
#ifndef FSGS_COMMAND_CLEAN_H
#define FSGS_COMMAND_CLEAN_H

#include <fsgscheck/report.h>

/* Strings of the hypervisor and the kernel must not control a terminal, in any output format. */
void clean_report(struct fsgs_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* Applies the filter of explain/text.h to the strings of a report. */
#ifndef FSGS_COMMAND_CLEAN_H
#define FSGS_COMMAND_CLEAN_H

#include <fsgscheck/report.h>

/* Filters the report's strings, which come from CPUID and the kernel, so that they cannot control a
 * terminal in any output format. */
void clean_report(struct fsgs_report *report);

#endif

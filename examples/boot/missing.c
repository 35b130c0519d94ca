/* SPDX-License-Identifier: MIT */
/* The text that entry.S prints on a processor without 64-bit mode, where no C function can run. */
#include <fsgscheck/report.h>
#include <fsgscheck/version.h>
#include <stdint.h>
#include "machine.h"

#define TEXT_OF(number) #number
#define TEXT(macro)     TEXT_OF(macro)

extern const char long_mode_missing[];
extern const uint8_t long_mode_missing_status;

const char long_mode_missing[] =
	"\n"
	"TAP version 13\n"
	"# fsgscheck boot image " TEXT(FSGS_VERSION_MAJOR) "." TEXT(FSGS_VERSION_MINOR) "." TEXT(
		FSGS_VERSION_PATCH) "\n"
				    "not ok 1 - CPU 0: CPUID offers 64-bit mode\n"
				    "1..1\n"
				    "# reason: this CPU has no 64-bit mode, and so no FSGSBASE.\n"
				    "# advice: Guest: a 32-bit system does not need FSGSBASE.\n"
				    "# advice: Host: for a 64-bit system, give the VM a 64-bit "
				    "CPU model.\n"
				    "fsgscheck: verdict=unsupported findings= cpus=1\n";

const uint8_t long_mode_missing_status = MACHINE_EXIT_BASE + 1;

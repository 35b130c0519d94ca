/* SPDX-License-Identifier: MIT */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stdint.h>

/* The number of processors that firmware lists as enabled; 0 without a table. If the loader gives
 * no root pointer (0), it is searched where a BIOS puts it. */
uint32_t acpi_processors(uint64_t root_pointer);

#endif

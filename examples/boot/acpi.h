/* SPDX-License-Identifier: MIT */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stdint.h>

/* Returns the number of processors that firmware lists as enabled; 0 if there is no readable list.
 * If `root_pointer` is 0, searches for ACPI's root pointer where a BIOS stores it. */
uint32_t acpi_processors(uint64_t root_pointer);

#endif

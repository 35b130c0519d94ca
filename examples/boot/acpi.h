/* SPDX-License-Identifier: MIT */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stdint.h>

/* How many processors firmware lists as enabled; 0 when it gives no table. The root pointer is
 * where the loader says, or, with 0, looked for where a BIOS leaves it. */
uint32_t acpi_processors(uint64_t root_pointer);

#endif

/* SPDX-License-Identifier: MIT */
/* The boot guard as a UEFI program. */
#ifndef BOOT_EFI_GUARD_H
#define BOOT_EFI_GUARD_H

#include "efi.h"

/* Prepares: reads what stands behind the word `guard` in the load options, and loads the image that
 * it names. Returns 1 when the processors are to be tested, 0 when the command line asks for no
 * test. Does not return when the image cannot be loaded. */
int efi_guard_start(efi_handle image, struct efi_system_table *system,
		    const struct efi_loaded_image *loaded, uint64_t since);

/* Goes on: starts the image, or returns to the caller. */
_Noreturn void efi_guard_finish(int tested);

#endif

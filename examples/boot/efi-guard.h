/* SPDX-License-Identifier: MIT */
/* The boot guard as a UEFI program. */
#ifndef BOOT_EFI_GUARD_H
#define BOOT_EFI_GUARD_H

#include "efi.h"

/* The load options as text, with a question mark for what is not ASCII. Without memory it returns
 * to the caller of the program. */
const char *efi_guard_options(efi_handle image, struct efi_system_table *system,
			      const struct efi_loaded_image *loaded);

/* Prepares: reads what stands behind the word `guard` in that text, and loads the image that it
 * names. Returns 1 when the processors are to be tested, 0 when the command line asks for no test.
 * Does not return when the image cannot be loaded. */
int efi_guard_start(const struct efi_loaded_image *loaded, const char *arguments, uint64_t since);

/* Goes on: starts the image, or returns to the caller. */
_Noreturn void efi_guard_finish(int tested);

#endif

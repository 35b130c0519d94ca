/* SPDX-License-Identifier: MIT */
/* The boot guard as a UEFI program. */
#ifndef BOOT_EFI_GUARD_H
#define BOOT_EFI_GUARD_H

#include "efi.h"

/* Returns the load options as text, with a question mark for each non-ASCII character. Ends the
 * program if there is not enough memory. */
const char *efi_guard_options(efi_handle image, struct efi_system_table *system,
			      const struct efi_loaded_image *loaded);

/* Reads `arguments`, the text after the word `guard`, and loads the image that this text names, if
 * any. Returns 0 if the options of this image forbid the test, else 1. Does not return if the image
 * cannot be loaded. `since` is the time at which this program started. */
int efi_guard_start(const struct efi_loaded_image *loaded, const char *arguments, uint64_t since);

/* Prints the guard's line, then starts the image that efi_guard_start() loaded. If it loaded none,
 * exits to the program that started the guard. `tested` says whether the processors were tested. */
_Noreturn void efi_guard_finish(int tested);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef HOST_LINUX_H
#define HOST_LINUX_H

#include "multiboot.h"

/*
 * Boots @image by the 64-bit boot protocol, with the second module as its initrd, and does not
 * return; returns when @image is no Linux bzImage.
 */
void linux_boot(const struct multiboot_module *image);

#endif

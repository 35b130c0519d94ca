/* SPDX-License-Identifier: MIT */
/* Constants that assembly and C code share. */
#ifndef HOST_LAYOUT_H
#define HOST_LAYOUT_H

/*
 * The selectors of the host's descriptor table. Linux's 64-bit boot protocol requires a flat code
 * segment at 0x10 and a flat data segment at 0x18. The 32-bit code segment is for Multiboot.
 */
#define SELECTOR_CODE32        0x08
#define SELECTOR_CODE64        0x10
#define SELECTOR_DATA          0x18

/* Offsets into the VMCB; svm.c checks them against struct vmcb. */
#define VMCB_RIP               0x578
#define VMCB_RSP               0x5d8

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_LOADER_MAGIC 0x2badb002

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The ring-0 half of the host's own test: a Multiboot image that tries what a kernel relies on, and
 * prints a line NAME=RESULT for each trial. selftest.py checks these lines.
 *
 * The image shares the entry code, the console and the link script with the host. It shares no code
 * with the library, because it must test the host independently.
 */
#include <stdbool.h>
#include "console.h"
#include "cpu.h"
#include "layout.h"
#include "multiboot.h"
#include "text.h"

#define MARKER          UINT64_C(0x0000123456789000)
#define OTHER           UINT64_C(0x0000765432100000)
#define NON_CANONICAL   (UINT64_C(1) << 63)
#define LOW_HALF        UINT64_C(0xffffffff)

#define HYPERVISOR_LEAF 0x40000000u
#define MICROSOFT_HV    0x7263694du /* the first four letters of "Microsoft Hv" */

#define RESERVED_TYPE   2
#define HOST_ADDRESS    0x2000000u
#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_DONE 16 /* QEMU exits with 2 * 16 + 1 = 33 */

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t stack;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e

/* In payload-trap.S: the fault handlers store the vector in payload_fault, and continue at
 * payload_resume. */
extern uint64_t payload_resume;
extern uint64_t payload_fault;
void payload_trap_ud(void);
void payload_trap_gp(void);

_Noreturn void host_main(uint32_t magic, const struct multiboot_info *info);

static struct gate gates[VECTOR_GP + 1];

/* Runs one instruction. Afterwards payload_fault holds the vector of its fault, or 0. */
#define TRY(instruction, operand)                                                         \
	do {                                                                              \
		payload_fault = 0;                                                        \
		__asm__ volatile("movq $1f, payload_resume(%%rip)\n\t" instruction "\n1:" \
				 : operand                                                \
				 :                                                        \
				 : "memory");                                             \
	} while (0)

static void set_gate(enum vector vector, void (*handler)(void))
{
	uint64_t address = (uintptr_t)handler;

	gates[vector] = (struct gate){
		.offset_low = (uint16_t)address,
		.selector = SELECTOR_CODE64,
		.type = GATE_INTERRUPT,
		.offset_middle = (uint16_t)(address >> 16),
		.offset_high = (uint32_t)(address >> 32),
	};
}

static void catch_faults(void)
{
	struct table_register idtr = {sizeof(gates) - 1, (uintptr_t)gates};

	set_gate(VECTOR_UD, payload_trap_ud);
	set_gate(VECTOR_GP, payload_trap_gp);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static void say(const char *name, const char *answer)
{
	console_text(name);
	console_text("=");
	console_text(answer);
	console_text("\n");
}

static const char *outcome(bool right)
{
	if (payload_fault == VECTOR_UD)
		return "#UD";
	if (payload_fault == VECTOR_GP)
		return "#GP";
	return right ? "ok" : "wrong";
}

static void try_reads(const char *suffix)
{
	uint64_t value = 0;

	wrmsr(MSR_FS_BASE, MARKER);
	TRY("rdfsbase %0", "+r"(value));
	console_text("rdfsbase");
	say(suffix, outcome(value == MARKER));

	value = 0;
	wrmsr(MSR_GS_BASE, MARKER);
	TRY("rdgsbase %0", "+r"(value));
	console_text("rdgsbase");
	say(suffix, outcome(value == MARKER));
}

static void try_writes(const char *suffix)
{
	uint64_t value = OTHER;

	TRY("wrfsbase %0", "+r"(value));
	console_text("wrfsbase");
	say(suffix, outcome(rdmsr(MSR_FS_BASE) == OTHER));

	TRY("wrgsbase %0", "+r"(value));
	console_text("wrgsbase");
	say(suffix, outcome(rdmsr(MSR_GS_BASE) == OTHER));
}

/* Tries the 32-bit forms of the GS instructions, whether the GS base survives CPUID, which exits to
 * the host, and whether WRGSBASE raises #GP for an address that is not canonical. */
static void try_corners(void)
{
	uint64_t value = UINT64_MAX;

	wrmsr(MSR_GS_BASE, MARKER);
	TRY("rdgsbase %k0", "+r"(value));
	say("rdgsbase-32", outcome(value == (MARKER & LOW_HALF)));

	value = UINT64_MAX;
	TRY("wrgsbase %k0", "+r"(value));
	say("wrgsbase-32", outcome(rdmsr(MSR_GS_BASE) == LOW_HALF));

	payload_fault = 0;
	wrmsr(MSR_GS_BASE, MARKER);
	(void)cpuid(0, 0);
	say("survives-cpuid", outcome(rdmsr(MSR_GS_BASE) == MARKER));

	value = NON_CANONICAL;
	TRY("wrgsbase %0", "+r"(value));
	say("non-canonical", outcome(true));
}

/* Prints whether CPUID offers FSGSBASE. Returns whether the image may set CR4.FSGSBASE: an emulated
 * machine without the feature hangs at this write, but under a host the write is safe. */
static bool offers_fsgsbase(bool under_host)
{
	bool offered = cpuid(CPUID_STRUCTURED_FEATURES, 0).ebx & CPUID_7_EBX_FSGSBASE;

	say("cpuid", offered ? "1" : "0");
	return offered || under_host;
}

static bool describe_host(void)
{
	bool under_host = (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_HYPERVISOR) &&
			  cpuid(HYPERVISOR_LEAF, 0).ebx == MICROSOFT_HV;

	say("hyper-v", under_host ? "1" : "0");
	say("svm", cpuid(CPUID_EXTENDED_FEATURES, 0).ecx & CPUID_EXT_ECX_SVM ? "1" : "0");
	say("efer-svme", rdmsr(MSR_EFER) & EFER_SVME ? "1" : "0");
	return under_host;
}

static void describe_boot(const struct multiboot_info *info)
{
	const char *cmdline = (const char *)(uintptr_t)info->cmdline;
	bool reserved = false;

	for (uint32_t at = info->map; at < info->map + info->map_length;) {
		const struct multiboot_map_entry *entry = (const void *)(uintptr_t)at;

		if (entry->base == HOST_ADDRESS && entry->type == RESERVED_TYPE)
			reserved = true;
		at += entry->size + (uint32_t)sizeof(entry->size);
	}
	say("host-reserved", reserved ? "1" : "0");
	say("cmdline", cmdline);
	console_text("modules=");
	console_hex(info->module_count);
	console_text("\n");
}

static void try_cr4(void)
{
	uint64_t cr4 = read_cr4() | CR4_FSGSBASE;

	TRY("mov %0, %%cr4", "+r"(cr4));
	say("cr4-set", outcome(true));
	say("cr4-read", read_cr4() & CR4_FSGSBASE ? "1" : "0");
}

void host_main(uint32_t magic, const struct multiboot_info *info)
{
	bool under_host;

	console_init();
	console_text("payload\n");
	say("magic", magic == MULTIBOOT_LOADER_MAGIC ? "ok" : "wrong");
	catch_faults();
	describe_boot(info);
	under_host = describe_host();
	try_reads("-off");
	try_writes("-off");
	if (offers_fsgsbase(under_host)) {
		try_cr4();
		try_reads("");
		try_writes("");
		try_corners();
	}
	console_text("payload done\n");
	outb(DEBUG_EXIT_PORT, DEBUG_EXIT_DONE);
	stop("no isa-debug-exit device", 0);
}

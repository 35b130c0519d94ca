/* SPDX-License-Identifier: MIT */
/*
 * The table of readers: how messages begin, and which reader gets them. A new form of evidence
 * needs a new file and a few lines in this table.
 */
#include "explain.h"

#include <string.h>

#define KERNEL(text, read, code, wrap)                            \
	{                                                         \
		text, explain_##read##_read, code, WRAP_##wrap, 1 \
	}
#define OTHER(text, read, code, wrap)                             \
	{                                                         \
		text, explain_##read##_read, code, WRAP_##wrap, 0 \
	}

/* Sorted by first character. If a text is the beginning of another, the longer text comes first. */
static const struct explain_start starts[] = {
	OTHER("# hypervisor: ", image, IMAGE_HYPERVISOR, TEXT),
	OTHER("# processor: ", image, IMAGE_PROCESSOR, TEXT),
	OTHER("#  SIGILL (0x4) at pc=", program, PROGRAM_JVM, NEVER),
	OTHER("# C ", program, PROGRAM_JVM_FRAME, NEVER),
	OTHER("#0  ", program, PROGRAM_FRAME, NEVER),
	OTHER("#", crash, CRASH_TOOL_FRAME, NEVER),
	KERNEL("---[ end trace", crash, CRASH_END, NEVER),
	OTHER("->  0x", program, PROGRAM_AT, NEVER),
	OTHER("0x00000007 0x00: ", cpuid, CPUID_RAW, NEVER),
	OTHER("0xffffffff", crash, CRASH_TOOL_CODE, NEVER),
	OTHER("0x0000", program, PROGRAM_ROW, NEVER),
	OTHER("=> 0x", program, PROGRAM_AT, NEVER),
	OTHER("=>0x0000", program, PROGRAM_ROW, NEVER),
	OTHER("Architecture:", lscpu, CPU_ANY, NEVER),
	KERNEL("BUG: soft lockup", crash, CRASH_SAMPLE, NEVER),
	KERNEL("BUG: ", crash, CRASH_OTHER, NEVER),
	OTHER("CPU family:", lscpu, CPU_FAMILY, NEVER),
	OTHER("CPU op-mode(s):", lscpu, CPU_ANY, NEVER),
	OTHER("CPU0: ", boot, BOOT_CPU0, TEXT),
	KERNEL("CPU: ", crash, CRASH_CPU, TEXT),
	OTHER("CPU:", cpuid, CPUID_BEGIN, NEVER),
	OTHER("CR0=", host, HOST_CR, NEVER),
	KERNEL("CR2: ", crash, CRASH_REGS, REGS),
	KERNEL("CR3: ", crash, CRASH_REGS, REGS),
	KERNEL("CR4: ", crash, CRASH_REGS, REGS),
	KERNEL("CS: ", crash, CRASH_REGS, REGS),
	KERNEL("Clearing CPUID bits:", boot, BOOT_CLEARED, TEXT),
	KERNEL("Code: ", crash, CRASH_CODE, CODE),
	OTHER("Code Type:", program, PROGRAM_TRANSLATED, NEVER),
	OTHER("Code=", host, HOST_CODE, CODE),
	KERNEL("Command line: ", boot, BOOT_COMMAND_LINE, TEXT),
	KERNEL("EIP: ", crash, CRASH_EIP, TEXT),
	OTHER("Exception Type:", program, PROGRAM_MACOS, NEVER),
	OTHER("Executable:", program, PROGRAM_EXECUTABLE, NEVER),
	KERNEL("FS: ", crash, CRASH_REGS, REGS),
	OTHER("FSGSBASE - ", host, HOST_VBOX, NEVER),
	KERNEL("FSGSBASE disabled via kernel command line", boot, BOOT_DISABLED, TEXT),
	OTHER("FSGSBASE instructions", cpuid, CPUID_FEATURE, NEVER),
	OTHER("Flags:", lscpu, CPU_FLAGS, WORDS),
	OTHER("Hyper-V Host Build", boot, BOOT_HOST_BUILD, TEXT),
	OTHER("Hyper-V: Host Build", boot, BOOT_HOST_BUILD, TEXT),
	OTHER("Hypervisor detected: ", boot, BOOT_HYPERVISOR, TEXT),
	OTHER("Hypervisor vendor:", lscpu, CPU_HYPERVISOR, NEVER),
	KERNEL("INFO: rcu", crash, CRASH_SAMPLE, NEVER),
	KERNEL("INFO: task ", crash, CRASH_SAMPLE, NEVER),
	OTHER("Invalid instruction (UC_ERR_INSN_INVALID)", program, PROGRAM_TOOL, NEVER),
	OTHER("KVM internal error. Suberror: ", host, HOST_ERROR, NEVER),
	KERNEL("Kernel command line: ", boot, BOOT_COMMAND_LINE, TEXT),
	KERNEL("Kernel panic - not syncing", crash, CRASH_PANIC, TEXT),
	OTHER("Kernel: ", machine, MACHINE_RELEASE, NEVER),
	OTHER("Linux version ", boot, BOOT_VERSION, TEXT),
	OTHER("Linux ", machine, MACHINE_UNAME, NEVER),
	OTHER("Model name:", lscpu, CPU_BRAND, NEVER),
	OTHER("Model:", lscpu, CPU_MODEL, NEVER),
	KERNEL("Modules linked in:", boot, BOOT_MODULES, NEVER),
	KERNEL("NMI backtrace for cpu", crash, CRASH_SAMPLE, NEVER),
	KERNEL("NMI watchdog: BUG", crash, CRASH_SAMPLE, NEVER),
	KERNEL("NMI watchdog: Watchdog detected", crash, CRASH_SAMPLE, NEVER),
	OTHER("NetBSD ", machine, MACHINE_OTHER, NEVER),
	KERNEL("Oops#", crash, CRASH_PART, NEVER),
	KERNEL("Oops: general protection fault", crash, CRASH_PROTECTION, TEXT),
	KERNEL("Oops: invalid opcode: ", crash, CRASH_OPCODE, TEXT),
	KERNEL("Oops: ", crash, CRASH_OTHER_DIE, NEVER),
	KERNEL("PANIC: double fault", crash, CRASH_OTHER_DIE, NEVER),
	KERNEL("PANIC: early exception ", crash, CRASH_EARLY, TEXT),
	OTHER("PID: ", crash, CRASH_TOOL_TASK, NEVER),
	KERNEL("Panic#", crash, CRASH_PART, NEVER),
	OTHER("Program received signal ", program, PROGRAM_SIGNAL, NEVER),
	OTHER("Program terminated with signal ", program, PROGRAM_SIGNAL, NEVER),
	KERNEL("R10: ", crash, CRASH_REGS, REGS),
	KERNEL("R13: ", crash, CRASH_REGS, REGS),
	KERNEL("RAX: ", crash, CRASH_REGS, REGS),
	KERNEL("RBP: ", crash, CRASH_REGS, REGS),
	KERNEL("RDX: ", crash, CRASH_REGS, REGS),
	KERNEL("RIP: ", crash, CRASH_RIP, NAME),
	OTHER("RIP=", host, HOST_RIP, NEVER),
	KERNEL("RSP: ", crash, CRASH_REGS, REGS),
	OTHER("RdWrFsGsSupport:", host, HOST_VBOX_OFFER, NEVER),
	OTHER("RELEASE: ", machine, MACHINE_RELEASE, NEVER),
	OTHER("SIGILL: illegal instruction", program, PROGRAM_DIED, NEVER),
	OTHER("Signal: 4 (ILL)", program, PROGRAM_SYSTEMD, NEVER),
	OTHER("Stepping:", lscpu, CPU_STEPPING, NEVER),
	OTHER("TLB size", cpuinfo, CPU_ANY, NEVER),
	OTHER("Thread ", program, PROGRAM_SIGNAL, NEVER),
	OTHER("UcError: Invalid instruction", program, PROGRAM_TOOL, NEVER),
	OTHER("Vendor ID:", lscpu, CPU_VENDOR, NEVER),
	KERNEL("WARNING: ", crash, CRASH_WARNING, NEVER),
	OTHER("[exception RIP: ", crash, CRASH_TOOL_RIP, NEVER),
	KERNEL("alignment check: ", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("address sizes", cpuinfo, CPU_ANY, NEVER),
	OTHER("apicid", cpuinfo, CPU_ANY, NEVER),
	OTHER("bogomips", cpuinfo, CPU_ANY, NEVER),
	KERNEL("bounds: ", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("brand =", cpuid, CPUID_BRAND, NEVER),
	OTHER("bugs", cpuinfo, CPU_ANY, WORDS),
	OTHER("cache size", cpuinfo, CPU_ANY, NEVER),
	OTHER("cache_alignment", cpuinfo, CPU_ANY, NEVER),
	OTHER("clflush size", cpuinfo, CPU_ANY, NEVER),
	KERNEL("control protection", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("core id", cpuinfo, CPU_ANY, NEVER),
	OTHER("cpu MHz", cpuinfo, CPU_ANY, NEVER),
	OTHER("cpu cores", cpuinfo, CPU_ANY, NEVER),
	OTHER("cpu family", cpuinfo, CPU_FAMILY, NEVER),
	OTHER("cpuid level", cpuinfo, CPU_ANY, NEVER),
	KERNEL("divide error: ", crash, CRASH_OTHER_DIE, NEVER),
	KERNEL("double fault: ", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("emulation failure", host, HOST_FAILURE, NEVER),
	OTHER("flags", cpuinfo, CPU_FLAGS, WORDS),
	OTHER("fpu", cpuinfo, CPU_ANY, NEVER),
	OTHER("fsgscheck: verdict=", image, IMAGE_VERDICT, TEXT),
	KERNEL("general protection fault", crash, CRASH_PROTECTION, TEXT),
	OTHER("hypervisor_id", cpuid, CPUID_HYPERVISOR, NEVER),
	OTHER("initial apicid", cpuinfo, CPU_ANY, NEVER),
	OTHER("instruction bytes: ", program, PROGRAM_BYTES, NEVER),
	KERNEL("int3: ", crash, CRASH_OTHER_DIE, NEVER),
	KERNEL("invalid opcode: ", crash, CRASH_OPCODE, TEXT),
	KERNEL("kernel BUG at ", crash, CRASH_BUG, NEVER),
	OTHER("microcode", cpuinfo, CPU_MICROCODE, NEVER),
	OTHER("model name", cpuinfo, CPU_BRAND, NEVER),
	OTHER("model", cpuinfo, CPU_MODEL, NEVER),
	OTHER("physical id", cpuinfo, CPU_ANY, NEVER),
	KERNEL("pinned CR4 bits changed: ", crash, CRASH_PINNED, TEXT),
	OTHER("power management", cpuinfo, CPU_LAST, NEVER),
	OTHER("processor", cpuinfo, CPU_PROCESSOR, NEVER),
	KERNEL("rcu: INFO: ", crash, CRASH_SAMPLE, NEVER),
	KERNEL("segment not present: ", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("siblings", cpuinfo, CPU_ANY, NEVER),
	OTHER("smpboot: CPU0: ", boot, BOOT_CPU0, TEXT),
	KERNEL("stack segment: ", crash, CRASH_OTHER_DIE, NEVER),
	OTHER("stepping", cpuinfo, CPU_STEPPING, NEVER),
	KERNEL("sysrq: Show ", crash, CRASH_SAMPLE, NEVER),
	OTHER("thread #", program, PROGRAM_SIGNAL, NEVER),
	KERNEL("traps: PANIC: double fault", crash, CRASH_OTHER_DIE, NEVER),
	KERNEL("traps: ", program, PROGRAM_TRAP, NEVER),
	OTHER("unicorn.unicorn.UcError: Invalid instruction", program, PROGRAM_TOOL, NEVER),
	OTHER("uname: Linux ", machine, MACHINE_UNAME, NEVER),
	OTHER("vendor_id =", cpuid, CPUID_VENDOR, NEVER),
	OTHER("vendor_id", cpuinfo, CPU_VENDOR, NEVER),
	OTHER("vex amd64->IR: unhandled instruction bytes: ", program, PROGRAM_VALGRIND, NEVER),
	OTHER("vmx flags", cpuinfo, CPU_ANY, WORDS),
	KERNEL("watchdog: BUG: soft lockup", crash, CRASH_SAMPLE, NEVER),
	KERNEL("watchdog: Watchdog detected", crash, CRASH_SAMPLE, NEVER),
	OTHER("wp", cpuinfo, CPU_ANY, NEVER),
	KERNEL("x86/cpu: FSGSBASE disabled via kernel command line", boot, BOOT_DISABLED, TEXT),
};

#define STARTS (sizeof starts / sizeof *starts)

_Static_assert(STARTS < 255, "more starts than a byte counts");

/* The bit for a second character in explain.seconds. Several characters share a bit, so a set bit
 * proves nothing, but a clear bit shows that no text in the table has this second character. */
static uint64_t second_bit(char c)
{
	return 1ull << (c & 63);
}

void explain_readers_begin(struct explain *e)
{
	explain_trace_begin(&e->trace_names);
	for (uint32_t i = 0; i < FSGS_FINDINGS; i++)
		e->findings[i] = fsgs_name(FSGS_LIST_FINDING, i);
	for (size_t i = STARTS; i > 0; i--) {
		const char *text = starts[i - 1].text;

		e->starts[(unsigned char)text[0]] = (uint8_t)i;
		e->seconds[(unsigned char)text[0]] |=
			text[1] ? second_bit(text[1]) | second_bit('\t') | second_bit(TEXT_JOINT)
				: UINT64_MAX;
	}
}

/* The first entry of the table that may match; NULL if there is none. */
static const struct explain_start *first_start(const struct explain *e, struct text t)
{
	if (t.at == t.end || !e->starts[(unsigned char)*t.at] ||
	    (t.end - t.at > 1 && !(e->seconds[(unsigned char)*t.at] & second_bit(t.at[1]))))
		return NULL;
	return &starts[e->starts[(unsigned char)*t.at] - 1];
}

static bool is_last(const struct explain_start *start)
{
	return start + 1 == starts + STARTS || start[1].text[0] != start[0].text[0];
}

/* A fast check of the second character, which may be a joint or a tab in the message. */
static bool may_be(const struct explain_start *start, struct text t)
{
	return t.end - t.at < 2 || t.at[1] == start->text[1] || t.at[1] < ' ' || !start->text[1];
}

const struct explain_start *explain_find_start(const struct explain *e, struct text t)
{
	for (const struct explain_start *start = first_start(e, t); start; start++) {
		struct text rest = t;

		if (may_be(start, t) && text_skip(&rest, start->text))
			return start;
		if (is_last(start))
			break;
	}
	return NULL;
}

bool explain_starts_with(const struct explain *e, struct text t)
{
	const size_t length = (size_t)(t.end - t.at);

	for (const struct explain_start *start = first_start(e, t); start; start++) {
		if (may_be(start, t) && strlen(start->text) > length &&
		    memcmp(start->text, t.at, length) == 0)
			return true;
		if (is_last(start))
			break;
	}
	return false;
}

void explain_readers_line(struct explain *e, const struct explain_message *m)
{
	const struct explain_start *start = m->start;
	struct text after = m->text;

	if (!start) {
		explain_crash_trace(e, m);
		/* These readers are for messages of hosts, tools and people, which have no kernel
		 * timestamp. */
		if (m->uptime)
			return;
		explain_host_feature(e, m);
		explain_program_line(e, m);
		explain_machine_answer(e, m);
		return;
	}
	text_skip(&after, start->text);
	start->read(e, m, start->code, after);
}

/* Ends the file for each reader. explain_machine_end() comes last, because the readers before it
 * use or complete the machine, and the machine's kernel may be named anywhere in the file. */
void explain_readers_end(struct explain *e)
{
	explain_unwrap_end(e);
	memset(&e->image, 0, sizeof e->image);
	explain_boot_end(e);
	explain_host_end(e);
	explain_cpuinfo_end(e);
	explain_lscpu_end(e);
	explain_cpuid_end(e);
	explain_core_end(e);
	explain_program_end(e);
	explain_machine_end(e);
	memset(&e->program_report, 0, sizeof e->program_report);
}

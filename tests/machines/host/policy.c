/* SPDX-License-Identifier: MIT */
/*
 * The defective hosts, and what they model.
 *
 * The reason for them is a crash report: a Linux guest of Hyper-V on an AMD EPYC 7281 died in PID 0
 * with "invalid opcode" on the first RDFSBASE that its kernel executed. CPUID had offered FSGSBASE,
 * and the crash dump showed the bit set in CR4, which the kernel reads by "mov %cr4".
 *
 * The hosts model a CR4 that exists twice. AMD's virtualisation has no CR4 mask and no read shadow,
 * and a host cannot intercept the four instructions. But a host can intercept CR4 reads and writes,
 * show the guest the value that the guest wrote, and run the guest with another value in CR4.
 * In the host "lie", the real bit is clear and the shown bit is set, so the processor itself raises
 * that #UD.  The host injects nothing, and the guest is an unmodified kernel.
 *
 * The model has these limits. Quote them with each result of this host:
 *
 * 1. The reported kernel has save_fsgs() inlined into copy_thread(), and dies there.  Debian's
 *    kernels die in current_save_fsgs(), called from copy_thread().
 * 2. What happened inside the reported host is not known.  A shadowed CR4 is one mechanism that
 *    yields the same symptoms; an instruction emulator that lacks the opcodes, a bit lost between
 *    nested hypervisors, or the silicon could yield them, too.
 * 3. Only the boot processor is a guest.  Processors that it starts run on the bare machine, so
 *    only processor 0 shows the defect.
 * 4. The Hyper-V identity (build 20348 and its features) is invented.  The report does not record
 *    the build of its host.
 *
 * Each row below is one host: what it shows to the guest, and what the processor does.  Linux 5.9
 * and later sets the CR4 bit when CPUID offers the feature, and then uses the instructions.
 */
#include <stddef.h>
#include "console.h"
#include "policy.h"
#include "text.h"

static const struct policy policies[] = {
	/* Without a host: the operating system gets the machine as it is. */
	{.name = "off"},

	/* CPUID offers the feature, and CR4.FSGSBASE has the effect that the guest expects. */
	{.name = "honest",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_AS_ASKED},

	/* The reported crash: CPUID offers the feature, and CR4 accepts and shows the bit, but the
	 * bit has no effect. */
	{.name = "lie",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_CLEAR},

	/* A remedy for the reported crash, Hyper-V's processor compatibility mode: CPUID does not
	 * offer the feature, and CR4 refuses the bit. */
	{.name = "hide",
	 .launch = true,
	 .cpuid = false,
	 .cr4_write = CR4_WRITE_FAULT,
	 .real_bit = REAL_BIT_CLEAR},

	/* CPUID offers the feature, but CR4 refuses the bit with #GP, as if the host had enabled
	 * the feature only in CPUID. */
	{.name = "refuse",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_FAULT,
	 .real_bit = REAL_BIT_CLEAR},

	/* CPUID offers the feature, but CR4 drops the bit without a fault, as a paravirtual write
	 * to CR4 may do. */
	{.name = "drop",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_DISCARD,
	 .real_bit = REAL_BIT_CLEAR},

	/* CPUID does not offer the feature, but the instructions run: the host uses the feature
	 * itself, and has not disabled it for the guest. */
	{.name = "hidden",
	 .launch = true,
	 .cpuid = false,
	 .cr4_write = CR4_WRITE_FAULT,
	 .real_bit = REAL_BIT_SET},

	/* CR4.FSGSBASE can be set and cleared, but has no effect: the instructions always run. */
	{.name = "unenforced",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_SET},

	/*
	 * The host emulates all four instructions correctly. Every real processor raises #GP for a
	 * base that is not canonical. QEMU does not, so here only the hosts that emulate the
	 * instructions do.
	 */
	{.name = "software",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_CLEAR,
	 .emulation = EMULATE_ALL},

	/*
	 * The host emulates the instructions, except one of them, which raises #UD. Linux uses all
	 * four in ring 0, so a kernel boots here only with "ring=3".
	 */
	{.name = "partial",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_CLEAR,
	 .emulation = EMULATE_BUT_FAIL,
	 .chosen = WRGSBASE,
	 .rings = RINGS_ALL},

	/* The host emulates all four instructions. One of them moves a wrong value. */
	{.name = "wrong",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_CLEAR,
	 .emulation = EMULATE_BUT_WRONG,
	 .chosen = RDGSBASE,
	 .rings = RINGS_ALL},

	/* The host emulates all four instructions. The 32-bit form of one of them does not
	 * zero-extend. */
	{.name = "narrow",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_CLEAR,
	 .emulation = EMULATE_BUT_NARROW,
	 .chosen = RDGSBASE,
	 .rings = RINGS_ALL},

	/* The instructions work, but a GS base of the user half is lost when the host handles
	 * CPUID. */
	{.name = "lose",
	 .launch = true,
	 .cpuid = true,
	 .cr4_write = CR4_WRITE_ACCEPT,
	 .real_bit = REAL_BIT_AS_ASKED,
	 .loses_gs_base = true},
};

static const char *const insn_names[FSGS_INSN_COUNT] = {
	[RDFSBASE] = "rdfsbase",
	[RDGSBASE] = "rdgsbase",
	[WRFSBASE] = "wrfsbase",
	[WRGSBASE] = "wrgsbase",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct policy *find_policy(const char *name)
{
	for (size_t i = 0; i < COUNT(policies); i++) {
		if (text_equal(policies[i].name, name))
			return &policies[i];
	}
	stop("no such host; rows in the table:", COUNT(policies));
}

static enum fsgs_insn find_insn(const char *name)
{
	for (unsigned int i = 0; i < COUNT(insn_names); i++) {
		if (text_equal(insn_names[i], name))
			return (enum fsgs_insn)i;
	}
	stop("no such instruction; there are", COUNT(insn_names));
}

static uint8_t find_ring(const char *name)
{
	if (text_equal(name, "0"))
		return RING(0);
	if (text_equal(name, "3"))
		return RING(3);
	stop("a ring is 0 or 3, not", (uint8_t)name[0]);
}

static void announce(const struct policy *policy)
{
	console_text("host: ");
	console_text(policy->name);
	if (policy->emulation > EMULATE_ALL) {
		console_text(" insn=");
		console_text(insn_names[policy->chosen]);
		if (policy->rings != RINGS_ALL)
			console_text(policy->rings == RING(0) ? " ring=0" : " ring=3");
	}
	console_text("\n");
}

struct policy policy_from_command_line(const char *line)
{
	char value[16] = "honest";
	struct policy policy;

	(void)text_option(line, "host=", value, sizeof(value));
	policy = *find_policy(value);
	if (text_option(line, "insn=", value, sizeof(value)))
		policy.chosen = find_insn(value);
	if (text_option(line, "ring=", value, sizeof(value)))
		policy.rings = find_ring(value);
	announce(&policy);
	return policy;
}

/* SPDX-License-Identifier: MIT */
/* The texts of notes, and the names of missing evidence and of the lines that a source is based
 * on. */
#include "explain.h"

static const struct {
	/* The name of the missing evidence, for programs; NULL if none is missing. */
	const char *missing;
	const char *text;
} notes[EXPLAIN_NOTES] = {
	[EXPLAIN_NO_HEADER] =
		{"header",
		 "The line that says why the kernel stopped is missing. It stands some lines above "
		 "RIP: and begins with \"invalid opcode\" or \"Oops\"."},
	[EXPLAIN_NO_CODE] =
		{"code",
		 "The bytes of the Code: line, from the byte in angle brackets on, are missing, "
		 "cut off or misread, so it is not known at which instruction the kernel stopped."},
	[EXPLAIN_NO_CR4] =
		{"cr4", "CR4 is missing. Without CR4, a failing instruction cannot be "
			"distinguished from a dropped CR4 bit. CR4 is in the line that begins with "
			"CR2:."},
	[EXPLAIN_NOT_ENABLED] =
		{NULL, "The kernel had not enabled the instructions, so they must raise invalid "
		       "opcode. The code that executed them is at fault."},
	[EXPLAIN_MODULE] = {NULL, "The instruction is in a module, not in the kernel itself."},
	[EXPLAIN_OTHER_BITS] =
		{NULL, "A write to CR4 was refused. It would have set FSGSBASE and other bits, and "
		       "the file does not show which bit was refused."},
	[EXPLAIN_NO_VALUE] =
		{"value",
		 "A write to CR4 was refused, but the file does not show the new value. The "
		 "register lines, from RAX: to CR2:, would show it."},
	[EXPLAIN_PINNED] =
		{NULL,
		 "The kernel restored CR4.FSGSBASE to its value from boot. Either a module had "
		 "changed the bit, or a CPU differs from the first CPU. The file does not show "
		 "which of the two happened, and does not show a defect of the host."},
	[EXPLAIN_CLEARED] =
		{NULL, "An option on the kernel command line cleared the feature, so the file does "
		       "not show whether the processor has it."},
	[EXPLAIN_HYPERV_TRAIT] =
		{NULL, "The file does not name the hypervisor. The hypervisor flag and a microcode "
		       "revision of 0xffffffff suggest Hyper-V."},
	[EXPLAIN_FLAG_ONLY] =
		{"kernel",
		 "The flag shows that the kernel knows the instructions, not that they run. A "
		 "running kernel of Linux 5.9 or later has executed them. The file does not show "
		 "the version of the kernel: run uname -r on that machine."},
	[EXPLAIN_NO_SYMBOL] =
		{"symbol",
		 "CR4 is missing or does not have FSGSBASE (bit 16) set, and the function's "
		 "name in the RIP: line is missing or cut off. The kernel's own code runs "
		 "the instructions only after it has set the bit. The code of a module may "
		 "run them while the bit is clear."},
	[EXPLAIN_STARTING] =
		{NULL,
		 "This CPU was just being started, and the kernel had not yet set "
		 "CR4.FSGSBASE on it. Kernels without commit 05243d490bb7 (April 2026) run "
		 "the instructions too early: this is a fault of the guest's kernel, not of the "
		 "host. Update that kernel; until then boot it with nofsgsbase."},
	[EXPLAIN_RAN_BEFORE] =
		{NULL, "This kernel had executed the instructions at each context switch since it "
		       "booted. So the machine changed under the running kernel: look for a live "
		       "migration to another host, or a resume from a saved state or a snapshot."},
	[EXPLAIN_MISSPELT] =
		{NULL,
		 "The kernel's command line has an option that this kernel does not know. The "
		 "option that switches the instructions off is spelt nofsgsbase."},
	[EXPLAIN_REVERSED] =
		{NULL, "The newest lines of this log come first. All lines were read in the order "
		       "in which the kernel wrote them."},
	[EXPLAIN_CUT_FLAGS] =
		{"flags", "The list of flags is cut off or too short, so it does not show whether "
			  "fsgsbase is missing."},
	[EXPLAIN_NOT_COMPARABLE] =
		{NULL,
		 "Some processors list the flag and some do not. This does not prove that the CPUs "
		 "of one machine differ: the list is incomplete, or it may be from several "
		 "machines."},
	[EXPLAIN_RUNNING] = {NULL,
			     "This running kernel is Linux 5.9 or later and lists the flag, so it "
			     "executes the instructions at each context switch. No program tried "
			     "them."},
	[EXPLAIN_INTERPRETED] =
		{NULL,
		 "KVM did not let the processor execute the instruction. It gave the instruction "
		 "to its own emulator, which does not support it."},
	[EXPLAIN_MISSING_MODEL] =
		{NULL, "The virtual machine is configured to have fsgsbase, but this host cannot "
		       "provide it. Either the host's processor lacks the feature, or the "
		       "configured CPU model belongs to another processor, or KVM is not used."},
	[EXPLAIN_BY_NAME] =
		{NULL,
		 "The instruction was found by its name in a disassembly, not by the bytes of a "
		 "Code: line."},
	[EXPLAIN_NO_KERNEL] =
		{"kernel",
		 "The file does not show which kernel the program ran under. Kernels before Linux "
		 "5.9 do not enable the instructions for programs. uname -r prints the version."},
	[EXPLAIN_ASK] =
		{"machine",
		 "This text does not show whether the machine executes the instructions. Run "
		 "the program again under fsgscheck run, or add the output of fsgscheck "
		 "--json from the same machine."},
	[EXPLAIN_PICTURE] =
		{"digits",
		 "The text has letters where the kernel prints digits, O for 0 or l for 1, as if "
		 "it was read from a picture. So the bytes of the Code: line and CR4 are "
		 "uncertain. Type the lines RIP:, Code: and CR2:, with CR4 in it, from the "
		 "picture, and run explain again."},
	[EXPLAIN_TOOL] =
		{NULL, "The program ran in an emulator or an instrumentation tool that does not "
		       "have the instruction. This says nothing about the machine: run the program "
		       "without the tool."},
	[EXPLAIN_QUOTED] =
		{NULL, "These lines follow a message that quotes a name, and have the same date as "
		       "that message. They may be part of the name. Any user can choose such a "
		       "name, so these lines prove nothing. Add the same log with the kernel's own "
		       "clock (dmesg without -T or -t): it shows whether the kernel wrote these "
		       "lines."},
	[EXPLAIN_CPUID_ONLY] =
		{NULL, "This is what CPUID offers. The file does not show whether the kernel "
		       "enabled the instructions, or whether they run."},
};

const char *explain_note_text(uint32_t bit)
{
	return bit < EXPLAIN_NOTES ? notes[bit].text : NULL;
}

const char *explain_note_missing(uint32_t bit)
{
	return bit < EXPLAIN_NOTES ? notes[bit].missing : NULL;
}

const char *explain_mark_name(uint32_t mark)
{
	static const char *const names[EXPLAIN_MARKS] = {
		[EXPLAIN_MARK_HEADER] = "header",
		[EXPLAIN_MARK_RIP] = "rip",
		[EXPLAIN_MARK_CODE] = "code",
		[EXPLAIN_MARK_CR4] = "cr4",
		[EXPLAIN_MARK_END] = "end",
		[EXPLAIN_MARK_KERNEL] = "kernel",
		[EXPLAIN_MARK_HYPERVISOR] = "hypervisor",
		[EXPLAIN_MARK_FLAGS] = "flags",
	};

	return mark < EXPLAIN_MARKS ? names[mark] : NULL;
}

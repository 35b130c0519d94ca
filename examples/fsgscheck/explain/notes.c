/* SPDX-License-Identifier: MIT */
/* The texts of notes, of missing evidence, and of the lines that a source is based on. */
#include "explain.h"

static const struct {
	const char *missing; /* its name, for programs; NULL if nothing is missing */
	const char *text;
} notes[EXPLAIN_NOTES] = {
	[EXPLAIN_NO_HEADER] =
		{"header",
		 "The line that says why the kernel stopped is missing. It stands some lines above "
		 "RIP: and begins with \"invalid opcode\" or \"Oops\"."},
	[EXPLAIN_NO_CODE] =
		{"code",
		 "The kernel stopped where it uses these instructions, but the bytes of the Code: "
		 "line, from the one in angle brackets on, are missing, cut off or misread, so "
		 "the instruction is not known."},
	[EXPLAIN_NO_CR4] =
		{"cr4",
		 "CR4 is missing, so an instruction that fails and a CR4 bit that was dropped "
		 "cannot be told apart. It stands in the line that begins with CR2:."},
	[EXPLAIN_NOT_ENABLED] =
		{NULL,
		 "The kernel had not enabled the instructions, so invalid opcode is the right "
		 "answer to them, and the fault is with the code that used them."},
	[EXPLAIN_MODULE] = {NULL, "The instruction is in a module, not in the kernel itself."},
	[EXPLAIN_OTHER_BITS] =
		{NULL,
		 "A write to CR4 was refused that sets FSGSBASE and other bits, and which of them "
		 "is refused is not shown."},
	[EXPLAIN_NO_VALUE] =
		{"value",
		 "A write to CR4 was refused, but the new value is not shown. The register lines, "
		 "from RAX: to CR2:, show it."},
	[EXPLAIN_PINNED] =
		{NULL,
		 "The kernel put CR4.FSGSBASE back to its value from boot: a module, or a CPU that "
		 "differs from the first, had changed it. Which of them is not shown, and nothing "
		 "here blames the host."},
	[EXPLAIN_CLEARED] =
		{NULL, "The command line cleared the feature; whether the processor has it is not "
		       "shown."},
	[EXPLAIN_HYPERV_TRAIT] =
		{NULL,
		 "That this is Hyper-V is an inference, from the hypervisor flag and a microcode "
		 "revision of 0xffffffff; the file does not name the hypervisor."},
	[EXPLAIN_FLAG_ONLY] =
		{"kernel",
		 "The flag shows that the kernel knows of the instructions, not that they run. A "
		 "running kernel of Linux 5.9 or later has executed them. The file does not say "
		 "which kernel it was; uname -r does."},
	[EXPLAIN_NO_SYMBOL] =
		{"symbol",
		 "CR4 does not show the bit, and the name of the function in the RIP: line is "
		 "missing or cut off. The kernel's own code would have enabled it; a module's need "
		 "not."},
	[EXPLAIN_STARTING] =
		{NULL,
		 "This CPU was just being started, before the kernel sets CR4.FSGSBASE on it. "
		 "Kernels without commit 05243d490bb7 (April 2026) run the instructions too early "
		 "there: a fault of the guest's kernel, not of the host. Update that kernel; until "
		 "then boot it with nofsgsbase."},
	[EXPLAIN_RAN_BEFORE] =
		{NULL,
		 "This kernel had executed the instructions at each context switch since it "
		 "booted. So the machine under it changed while it ran: look for a live migration "
		 "to another host, or a resume from a saved state or a snapshot."},
	[EXPLAIN_MISSPELT] =
		{NULL,
		 "The kernel's command line has an option that this kernel does not know. The one "
		 "that switches the instructions off is spelt nofsgsbase."},
	[EXPLAIN_REVERSED] =
		{NULL,
		 "The newest lines of this log stand first; they were put together in the order "
		 "in which the kernel wrote them."},
	[EXPLAIN_CUT_FLAGS] =
		{"flags",
		 "The list of flags is cut or too short to show whether fsgsbase is missing from "
		 "it. A cut list is not a list without the flag."},
	[EXPLAIN_NOT_COMPARABLE] =
		{NULL,
		 "Some processors list the flag and some do not, but the records are not complete "
		 "records of one machine in one list, so that its CPUs differ is not shown."},
	[EXPLAIN_RUNNING] =
		{NULL,
		 "A kernel of Linux 5.9 or later that lists the flag executes the instructions at "
		 "each context switch, and this one was running. No program tried them."},
	[EXPLAIN_INTERPRETED] =
		{NULL,
		 "The host did not let the processor execute the instruction. KVM ran it in its "
		 "instruction emulator, which does not have it."},
	[EXPLAIN_MISSING_MODEL] =
		{NULL,
		 "The virtual machine is configured to have fsgsbase, and this host cannot give "
		 "it: its processor lacks the feature, the model of another host is asked for, or "
		 "KVM is not used."},
	[EXPLAIN_BY_NAME] =
		{NULL,
		 "The instruction is known by its name in a disassembly, not by the bytes of a "
		 "Code: line."},
	[EXPLAIN_NO_KERNEL] =
		{"kernel", "Which kernel the program ran under is not shown. Before Linux 5.9 the "
			   "instructions are not enabled for programs; uname -r tells."},
	[EXPLAIN_ASK] =
		{"machine",
		 "This text does not show whether that machine executes the instructions. Run the "
		 "program again under fsgscheck run, or add the output of fsgscheck --json from "
		 "that machine."},
	[EXPLAIN_PICTURE] =
		{"digits",
		 "Letters stand where the kernel prints digits, O for 0 or l for 1, as in a text "
		 "that was read from a picture. So the bytes of the Code: line and CR4 are not "
		 "certain. Type the lines RIP:, Code: and CR2:, with CR4 in it, from the "
		 "picture, and run explain again."},
	[EXPLAIN_TOOL] =
		{NULL,
		 "An emulator or an instrumentation tool ran the program, and it does not have the "
		 "instruction. This says nothing about the machine: run the program without the "
		 "tool."},
	[EXPLAIN_QUOTED] =
		{NULL,
		 "These lines follow a message that quotes a name, and they have its date. They "
		 "may be a part of that name, which any user can choose, so they prove nothing. "
		 "The same log with the kernel's own clock (dmesg without -T or -t) shows it."},
	[EXPLAIN_CPUID_ONLY] =
		{NULL,
		 "This is what CPUID offers. Whether the kernel enabled the instructions, and "
		 "whether they run, is not shown."},
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

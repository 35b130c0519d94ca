/* SPDX-License-Identifier: MIT */
/* Parses the lines of a register dump in a kernel log. */
#include "explain.h"

#include <string.h>

/* Whether the symbol is in a module. The kernel prints the module's name in brackets after the
 * symbol. decode_stacktrace.sh prints the source file in parentheses, and then the module's
 * name. */
bool explain_is_module(const char *symbol)
{
	const char *close = strrchr(symbol, ')');

	return strstr(symbol, " [") != NULL || (close && close[1] == ' ' && close[2]);
}

/* Whether the symbol is certainly in the kernel itself. If a line of the kernel ends before the
 * size of the function ("copy_thread+0x9b"), a module's name may have been cut off. Lines of
 * crash(8), with a decimal offset, and of decode_stacktrace.sh, with a source file and line number,
 * have no size. */
bool explain_is_kernel(const char *symbol)
{
	const char *at = strchr(symbol, '+'), *source = strstr(symbol, " (");
	size_t digits;

	if (explain_is_module(symbol) || symbol[0] < 'A')
		return false;
	if (source && strchr(source, ':') && strchr(source, ')'))
		return true;
	if (!at)
		return false;
	at++;
	if (strncmp(at, "0x", 2) == 0) {
		at += 2 + strspn(at + 2, "0123456789abcdef");
		if (strncmp(at, "/0x", 3) != 0)
			return false;
		at += 3;
	}
	digits = strspn(at, "0123456789abcdef");
	return digits && (!at[digits] || strchr(" $\"'|", at[digits]));
}

bool explain_is_ours(const char *symbol)
{
	/* Parts of the names of functions in which Linux executes the instructions
	 * (arch/x86/kernel/process_64.c, arch/x86/entry/entry_64.S) or sets CR4.FSGSBASE
	 * (arch/x86/kernel/cpu/common.c). */
	static const char *const names[] = {
		"fsgs",
		"fsbase",
		"gsbase",
		"copy_thread",
		"__switch_to",
		"paranoid_e",
		"native_write_cr4",
		"cr4_init",
		"cr4_update_irqsoff",
		"identify_cpu",
		"identify_boot_cpu",
		"cpu_init_exception_handling",
		"do_arch_prctl_64",
		"flush_thread",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(symbol, names[i]))
			return true;
	return false;
}

/* Parses "0010:current_save_fsgs+0x38/0xa0". The low two bits of the selector are the privilege
 * level. A person who types the line may leave out the selector, and a program's name at the start
 * of a kernel message may look like this line: `vague` is then set. A program's name has at most 15
 * characters, too few for a selector and a whole symbol. */
void explain_dump_rip(struct explain_dump *d, struct text t, bool eip)
{
	struct text rest = t;
	uint64_t selector = 0;
	size_t length;

	d->seen = 1;
	text_blank(&rest);
	if (text_hex(&rest, &selector) == 4 && text_skip(&rest, ":")) {
		t = rest;
	} else {
		selector = 0;
		d->vague = 1;
	}
	d->user = eip || (selector & 3);
	text_blank(&t);
	/* Before Linux 4.11: "[<ffffffff8101f2a4>] [<ffffffff8101f2a4>] save_fsgs+0x1/0x2" */
	while (text_skip(&t, "[<")) {
		text_find(&t, ">]");
		text_blank(&t);
	}
	text_copy(&t, "", d->symbol, sizeof d->symbol);
	for (length = strlen(d->symbol); length && d->symbol[length - 1] == ' ';)
		d->symbol[--length] = '\0';

	const char *behind = strchr(d->symbol, ' ');

	d->vague |= behind && !strchr("[(", behind[1]);
}

/* Finds the byte at which the CPU stopped, and skips the mark before it: the kernel's "<", or
 * another character from retyping or OCR. Such a character is a mark only if two digits and the
 * closing mark follow. */
static bool find_marked(struct text *t)
{
	static const char closes[256] = {['<'] = '>', ['['] = ']', ['('] = ')', ['{'] = '}',
					 ['*'] = '*', ['|'] = '|', ['"'] = '"'};

	for (; t->at < t->end; t->at++) {
		const char close = closes[(unsigned char)*t->at];
		struct text rest = {t->at + 1, t->end};
		uint64_t byte;

		if (!close)
			continue;
		text_blank(&rest);
		*t = rest;
		if (close == '>')
			return true;
		rest.end = rest.end - rest.at > 2 ? rest.at + 2 : rest.end;
		if (text_hex(&rest, &byte) != 2)
			continue;
		rest.end = t->end;
		text_blank(&rest);
		if (rest.at < rest.end && *rest.at == close)
			return true;
	}
	return false;
}

/* Reads the bytes from the marked byte on. Each byte must have two digits, but the line may have
 * been wrapped between the two. */
void explain_dump_code(struct explain_dump *d, struct text t)
{
	if (d->code_length || !find_marked(&t))
		return;
	while (d->code_length < EXPLAIN_CODE) {
		struct text two = t;
		uint64_t digit[2];
		int got = 0;

		for (; got < 2; got++) {
			struct text one;

			if (got == 0) {
				text_blank(&two);
				if (d->code_length == 1 && two.at < two.end &&
				    strchr(">])}*|\"", *two.at))
					two.at++;
				text_blank(&two);
				/* Require blanks between the bytes. With blanks, four bytes after
				 * "Code: " are longer than the 15 characters of a program's
				 * name. */
				if (d->code_length > 1 && two.at == t.at)
					break;
			}
			while (two.at < two.end && *two.at == TEXT_JOINT)
				two.at++;
			one = (struct text){two.at, two.at < two.end ? two.at + 1 : two.at};
			if (!text_hex(&one, &digit[got]))
				break;
			two.at++;
		}
		if (got < 2)
			break;
		d->code[d->code_length++] = (uint8_t)(digit[0] << 4 | digit[1]);
		t = two;
	}
}

/* Copies the last three characters before a colon, without joints. Returns false if there are
 * fewer, or if they follow an underscore ("ORIG_RAX"). */
static bool name_before(const char *start, const char *colon, char *name)
{
	uint32_t length = 3;

	while (length && colon > start)
		if (*--colon != TEXT_JOINT)
			name[--length] = *colon;
	return length == 0 && (colon == start || colon[-1] != '_');
}

/* A register's number in the encoding of instructions; -1 for another name. */
static int register_of(const char *name)
{
	static const char names[16][4] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					  "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15"};

	for (int i = 0; i < 16; i++)
		if (memcmp(name, names[i], 3) == 0)
			return i;
	return -1;
}

/* Parses all registers in a line such as "RAX: 0000000000010000 RBX: ...". Truncated values are
 * ignored. */
void explain_dump_registers(struct explain_dump *d, struct text t)
{
	const char *const start = t.at;
	char name[3];
	uint64_t value;

	while ((t.at = memchr(t.at, ':', (size_t)(t.end - t.at)))) {
		const bool named = name_before(start, t.at, name);
		uint32_t digits;
		struct text at = {++t.at, t.end};

		if (!named)
			continue;
		text_blank(&at);
		digits = text_hex(&at, &value);

		const int number = digits == 16 && name[0] == 'R' ? register_of(name) : -1;

		if (number >= 0 && !(d->regs_known >> number & 1)) {
			d->regs[number] = value;
			d->regs_known |= 1u << number;
		} else if (digits == 16 && !d->has_cr4 && memcmp(name, "CR4", 3) == 0) {
			d->has_cr4 = 1;
			d->cr4 = value;
		} else if (digits == 8 && memcmp(name, "AGS", 3) == 0) { /* EFLAGS */
			d->interrupts = value >> 9 & 1 ? FSGS_ANSWER_YES : FSGS_ANSWER_NO;
		}
	}
}

uint32_t explain_dump_rank(struct text t)
{
	static const char *const order[] = {
		"RSP: ", "RAX: ", "RDX: ", "RBP: ", "R10: ", "R13: ", "FS: ", "CS: ", "CR2: "};

	for (uint32_t i = 0; i < sizeof order / sizeof *order; i++)
		if (text_skip(&t, order[i]))
			return i + 1;
	return 0;
}

int explain_insn_named(struct text t)
{
	const char *name;

	for (uint32_t i = 0; (name = fsgs_name(FSGS_LIST_INSN, i)); i++) {
		struct text rest = t;

		if (text_find(&rest, name))
			return (int)i;
	}
	return -1;
}

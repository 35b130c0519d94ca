/* SPDX-License-Identifier: MIT */
/* Hints for a file that shows a program's death but not the instruction. A hint has the command
 * that finds the instruction. */
#include "explain.h"

void explain_hint(struct explain *e, enum explain_hint_kind kind, uint64_t line, const char *name)
{
	/* Keep the hint with the highest rank, and the first of several hints with this rank. */
	if (e->hint.kind >= kind)
		return;
	e->hint.kind = kind;
	e->hint.line = line;
	text_clean(name, e->hint.name, sizeof e->hint.name);
}

const char *explain_hint_text(const struct explain_hint *hint)
{
	static const char *const texts[] = {
		[EXPLAIN_HINT_NONE] = NULL,
		[EXPLAIN_HINT_PROGRAM] =
			"A program died of an invalid opcode, and the file does not show which "
			"instruction it was. Run the program again under fsgscheck run, or read "
			"its core file:",
		[EXPLAIN_HINT_CORE] =
			"A program died of an invalid opcode, and its core file was kept. The "
			"instruction is in it:",
	};

	return texts[hint->kind];
}

const char *explain_hint_command(const struct explain_hint *hint)
{
	static const char *const commands[] = {
		[EXPLAIN_HINT_NONE] = NULL,
		[EXPLAIN_HINT_PROGRAM] = "gdb -batch -ex 'x/i $pc' -ex bt PROGRAM CORE 2>&1 | "
					 "fsgscheck explain -",
		[EXPLAIN_HINT_CORE] = "coredumpctl debug --debugger-arguments=\"-batch -ex 'x/i "
				      "\\$pc' -ex bt\" 2>&1 | fsgscheck explain -",
	};

	return commands[hint->kind];
}

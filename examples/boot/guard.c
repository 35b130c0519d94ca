/* SPDX-License-Identifier: MIT */
#include "guard.h"
#include "machine.h"

const char *guard_arguments(const char *line)
{
	while (*line) {
		const char *const next = text_next(line);

		if (text_is_word(line, GUARD_WORD))
			return next;
		line = next;
	}
	return NULL;
}

size_t guard_place(const char *line)
{
	const char *at = line;
	size_t end;

	while (*at && !text_is_word(at, "--"))
		at = text_next(at);
	end = (size_t)(at - line);
	while (end > 0 && line[end - 1] == ' ')
		end--;
	return end;
}

int guard_is_off(const char *kernel_line)
{
	const char *const end = kernel_line + guard_place(kernel_line);

	for (const char *at = kernel_line; at < end; at = text_next(at))
		if (text_is_word(at, "nofsgsbase") || text_is_word(at, "fsgscheck=off"))
			return 1;
	return 0;
}

int guard_adds(void)
{
	switch (machine.report.verdict) {
	case FSGS_VERDICT_USABLE:
	case FSGS_VERDICT_UNSUPPORTED:
	case FSGS_VERDICT_UNADVERTISED: /* kernels use FSGSBASE only if CPUID offers it */
		return 0;
	default:
		return 1;
	}
}

int guard_add(char *line, size_t limit)
{
	const size_t place = guard_place(line), length = text_length(line);

	if (length + GUARD_ADDITION_LENGTH > limit)
		return -1;
	for (size_t i = length + 1; i-- > place;)
		line[i + GUARD_ADDITION_LENGTH] = line[i];
	memcpy(line + place, GUARD_ADDITION, GUARD_ADDITION_LENGTH);
	return 0;
}

void guard_line(struct line *line, int added, uint64_t ms)
{
	machine_contract_line(line);
	line_text(line, added ? " guard=nofsgsbase ms=" : " guard=passed ms=");
	line_number(line, (uint32_t)ms);
}

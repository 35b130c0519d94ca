/* SPDX-License-Identifier: MIT */
/* Prints a death, for a person and as JSON. */
#include "death.h"
#include "../json.h"
#include "../output.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#define TEXT 512

static void put_row(FILE *out, const char *what, const char *text)
{
	if (*text)
		fprintf(out, "  %-14s %s\n", what, text);
}

static const char *signal_name(int number, char text[32])
{
#if defined __GLIBC__ && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 32))
	const char *name = sigabbrev_np(number);
#else
	const char *name = NULL;
#endif

	if (name)
		snprintf(text, 32, "SIG%s", name);
	else
		snprintf(text, 32, "signal %d", number);
	return text;
}

static const char *insn_name(const struct fault *f)
{
	return f->cause == FAULT_CPUID ? "cpuid" : fsgs_name(FSGS_LIST_INSN, f->insn);
}

static const char *code_text(const struct fault *f, char text[TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < f->length; i++)
		used += (size_t)snprintf(text + used, TEXT - used, i ? " %02x" : "%02x",
					 f->code[i]);
	return text;
}

/* How the process ended, or that it handles the signal. */
static const char *end_text(const struct death *d, char text[TEXT])
{
	char by[32], of[32];

	signal_name(d->info.si_signo, by);
	if (!d->handled)
		snprintf(text, TEXT, "died of %s", by);
	else if (!d->status)
		snprintf(text, TEXT, "handles %s", by);
	else if (WIFEXITED(d->status))
		snprintf(text, TEXT, "ended with status %d in its handler of %s",
			 WEXITSTATUS(d->status), by);
	else
		snprintf(text, TEXT, "died of %s in its handler of %s",
			 signal_name(WTERMSIG(d->status), of), by);
	return text;
}

static const char *place_text(const struct place *p, char text[TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	if (p->symbol[0])
		used = (size_t)snprintf(text, TEXT, "%s+0x%" PRIx64, p->symbol, p->symbol_offset);
	if (p->source[0] && used < TEXT)
		snprintf(text + used, TEXT - used, "%s%s", used ? ", " : "", p->source);
	return text;
}

static const char *module_text(const struct place *p, char text[TEXT])
{
	text[0] = '\0';
	if (p->in_module)
		snprintf(text, TEXT, "%s+0x%" PRIx64,
			 p->module[0] ? p->module : "generated code, no file", p->offset);
	return text;
}

static void put_head(FILE *out, const struct death *d)
{
	char text[TEXT];

	fprintf(out, "fsgscheck: %s (process %d) %s at %s", d->name, (int)d->process,
		end_text(d, text), insn_name(&d->fault));
}

void print_fault(FILE *out, const struct death *d)
{
	char text[TEXT];

	put_head(out, d);
	fprintf(out, ", %s\n", module_text(&d->here, text));
}

static void put_evidence(FILE *out, const struct death *d)
{
	const struct fault *f = &d->fault;
	char text[TEXT], more[TEXT];

	if (f->cause == FAULT_CPUID)
		snprintf(text, sizeof text, "cpuid (%s)", code_text(f, more));
	else
		snprintf(text, sizeof text, "%s %%%s (%s)%s", insn_name(f), f->operand,
			 code_text(f, more), f->mode == FSGS_MODE_COMPAT ? " in 32-bit code" : "");
	put_row(out, "instruction", text);
	/* An instruction that reads a base has not written its operand yet, so print the value only
	 * for instructions that write a base. */
	if (f->cause != FAULT_CPUID &&
	    (f->insn == FSGS_INSN_WRFSBASE || f->insn == FSGS_INSN_WRGSBASE)) {
		snprintf(text, sizeof text, "0x%" PRIx64, f->value);
		put_row(out, "value", text);
	}
	snprintf(text, sizeof text, "0x%" PRIx64 ", thread %d", f->address, (int)d->thread);
	put_row(out, "address", text);
	put_row(out, "module", module_text(&d->here, text));
	put_row(out, "function", place_text(&d->here, text));
	put_row(out, "called from", place_text(&d->caller, text));
	if (strcmp(d->caller.module, d->here.module) != 0)
		put_row(out, "", module_text(&d->caller, text));
}

struct steps {
	const struct death *death;
	const struct fsgs_report *report;
};

static const char *step_line(const void *context, uint32_t n)
{
	const struct steps *steps = context;

	return death_step(steps->death, steps->report, n);
}

void print_death(FILE *out, const struct death *d, const struct fsgs_report *report)
{
	const struct steps steps = {d, report};

	put_head(out, d);
	fputs("\n\n", out);
	put_evidence(out, d);
	fputs("\nWhy\n  ", out);
	print_wrapped(out, death_reason(d, report), 2, 2);
	fprintf(out, "  FSGSBASE %s: %s (%s)\n",
		d->fault.mode == FSGS_MODE_COMPAT ? "in 32-bit code" : "on this machine",
		fsgs_name(FSGS_LIST_VERDICT, report->verdict),
		fsgs_name(FSGS_LIST_PROOF, report->proof));
	if (d->fault.cause == FAULT_UNDEFINED)
		print_findings(out, report);
	print_steps(out, "What to do", step_line, &steps);
}

static void json_hex(struct json *json, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "0x%" PRIx64, value);
	json_string(json, key, text);
}

static void json_place(struct json *json, const struct place *p)
{
	json_string(json, "module", p->module);
	if (p->in_module)
		json_hex(json, "offset", p->offset);
	else
		json_null(json, "offset");
	json_string(json, "symbol", p->symbol);
	if (p->symbol[0])
		json_number(json, "symbol_offset", (int64_t)p->symbol_offset);
	else
		json_null(json, "symbol_offset");
	json_string(json, "source", p->source);
}

/* Writes this machine's report with its usual keys, and the death under the key "run". */
void json_death(FILE *out, const struct death *d, const struct fsgs_report *report)
{
	static const char *const causes[] = {
		[FAULT_NONE] = NULL,
		[FAULT_UNDEFINED] = "undefined",
		[FAULT_VALUE] = "non-canonical",
		[FAULT_CPUID] = "cpuid-faults",
	};
	const struct fault *f = &d->fault;
	const struct result result = {.report = *report};
	const struct steps steps = {d, report};
	struct json json = {.out = out};
	char text[TEXT];

	report_json(&json, &result);
	json_begin(&json, "run", '{');
	json_string(&json, "program", d->name);
	json_number(&json, "process", d->process);
	json_number(&json, "thread", d->thread);
	json_bool(&json, "handled", d->handled);
	json_bool(&json, "died", !d->handled || d->status);
	json_number(&json, "signal", d->info.si_signo);
	json_number(&json, "si_code", d->info.si_code);
	json_string(&json, "cause", causes[f->cause]);
	json_string(&json, "instruction", insn_name(f));
	json_string(&json, "operand", f->operand);
	if (f->operand)
		json_hex(&json, "value", f->value);
	else
		json_null(&json, "value");
	json_number(&json, "mode", f->mode == FSGS_MODE_COMPAT ? 32 : 64);
	json_string(&json, "code", code_text(f, text));
	json_hex(&json, "address", f->address);
	json_place(&json, &d->here);
	json_begin(&json, "caller", '{');
	json_place(&json, &d->caller);
	json_end(&json, '}');
	json_string(&json, "reason", death_reason(d, report));
	json_lines(&json, "advice", step_line, &steps);
	json_end(&json, '}');
	json_end(&json, '}');
}

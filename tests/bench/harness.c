/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, ROUNDS = 320, WARM_UP = 5 };

struct figures {
	double ns;    /* median over the runs */
	double floor; /* median time of the row's floor */
	double ratio; /* median of the runs' ratios */
	double measured[RUNS];
	int ok;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int pin(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return -1;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET((size_t)cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET((size_t)cpu, &one);
		if (sched_setaffinity(0, sizeof one, &one) == 0)
			return cpu;
	}
	return -1;
}

static void run(const struct row *rows, size_t count, double *best)
{
	for (size_t i = 0; i < count; i++)
		best[i] = 1e18;
	for (int round = -WARM_UP; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			if (rows[i].skip)
				continue;
			if (rows[i].before)
				rows[i].before();

			const double start = now();

			rows[i].body(rows[i].times);

			const double ns = (now() - start) / rows[i].times;

			if (round >= 0 && ns < best[i])
				best[i] = ns;
		}
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, RUNS, sizeof *values, ascending);
	return values[RUNS / 2];
}

/* The value that the bound limits, for one run. */
static double measure(const struct row *row, double ns, double floor)
{
	switch (row->bound) {
	case EXCESS:
		return ns - floor;
	case ABSOLUTE:
		return ns;
	case SPEEDUP:
		return floor / ns;
	default:
		return ns / floor;
	}
}

static void judge(const struct row *rows, size_t count, double (*best)[MAX_ROWS],
		  struct figures *figures)
{
	for (size_t i = 0; i < count; i++) {
		const int floor = rows[i].floor;
		struct figures *f = &figures[i];
		double ns[RUNS], floors[RUNS], ratios[RUNS];

		f->ok = 1;
		if (rows[i].skip || (floor != NO_FLOOR && rows[floor].skip))
			continue;
		for (int r = 0; r < RUNS; r++) {
			ns[r] = best[r][i];
			floors[r] = floor == NO_FLOOR ? 1 : best[r][floor];
			ratios[r] = ns[r] / floors[r];
			f->measured[r] = measure(&rows[i], ns[r], floors[r]);
		}
		f->ns = median(ns);
		f->floor = median(floors);
		f->ratio = median(ratios);

		const double m = median(f->measured);

		if (rows[i].bound == SPEEDUP)
			f->ok = m >= rows[i].limit;
		else if (rows[i].bound != NO_BOUND)
			f->ok = m <= rows[i].limit;
	}
}

static const char *bound_text(const struct row *row, char *text, size_t size)
{
	static const char *const forms[] = {[NO_BOUND] = "",
					    [RATIO] = "<= %.4g x",
					    [EXCESS] = "<= + %.4g ns",
					    [ABSOLUTE] = "<= %.4g ns",
					    [SPEEDUP] = "%.4g x faster"};

	text[0] = '\0';
	if (row->bound != NO_BOUND)
		snprintf(text, size, forms[row->bound], row->limit);
	return text;
}

static void print_table(const char *title, const struct row *rows, size_t count,
			const struct figures *figures)
{
	char text[32];

	printf("# %s\n# minimum of %d interleaved rounds, median of %d runs\n", title, ROUNDS,
	       RUNS);
	printf("%-44s %10s %10s %8s  %-14s\n", "", "ns", "floor", "ratio", "bound");
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		const struct figures *f = &figures[i];

		if (row->skip || (row->floor != NO_FLOOR && rows[row->floor].skip)) {
			printf("%-44s skipped: %s\n", row->name,
			       row->skip ? row->skip : rows[row->floor].skip);
			continue;
		}
		printf("%-44s %10.2f", row->name, f->ns);
		if (row->floor == NO_FLOOR)
			printf(" %10s %8s", "", "");
		else
			printf(" %10.2f %8.3f", f->floor, f->ratio);
		printf("  %-14s %s\n", bound_text(row, text, sizeof text),
		       row->bound == NO_BOUND ? ""
		       : f->ok                ? "ok"
					      : "NOT MET");
	}
}

static int write_json(const char *path, const char *title, const struct row *rows, size_t count,
		      const struct figures *figures)
{
	FILE *out = fopen(path, "w");
	const char *between = "";
	char text[32];

	if (!out) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	fprintf(out, "{\"schema\":1,\"title\":\"%s\",\"rounds\":%d,\"runs\":%d,\"rows\":[", title,
		ROUNDS, RUNS);
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];

		fprintf(out, "%s\n{\"name\":\"%s\"", between, row->name);
		between = ",";
		if (row->skip || (row->floor != NO_FLOOR && rows[row->floor].skip)) {
			fprintf(out, ",\"skipped\":\"%s\"}",
				row->skip ? row->skip : rows[row->floor].skip);
			continue;
		}
		fprintf(out, ",\"ns\":%.3f", figures[i].ns);
		if (row->floor != NO_FLOOR)
			fprintf(out, ",\"floor\":\"%s\",\"floor_ns\":%.3f,\"ratio\":%.4f",
				rows[row->floor].name, figures[i].floor, figures[i].ratio);
		if (row->bound != NO_BOUND)
			fprintf(out, ",\"bound\":\"%s\",\"ok\":%s",
				bound_text(row, text, sizeof text),
				figures[i].ok ? "true" : "false");
		fputc('}', out);
	}
	fputs("\n]}\n", out);
	return fclose(out);
}

int bench(const char *title, const struct row *rows, size_t count, const char *json)
{
	static double best[RUNS][MAX_ROWS];
	static struct figures figures[MAX_ROWS];
	int met = 1;

	if (count > MAX_ROWS)
		return 1;
	printf("# on CPU %d\n", pin());
	for (int r = 0; r < RUNS; r++)
		run(rows, count, best[r]);
	judge(rows, count, best, figures);
	print_table(title, rows, count, figures);
	for (size_t i = 0; i < count; i++)
		met = met && figures[i].ok;
	if (json && write_json(json, title, rows, count, figures))
		return 1;
	return met ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: replay SECONDS FILE...
 *
 * First gives the target every file unchanged. Then, until the time is over, gives it files with
 * random changes: other bytes, cuts, and pieces of one file in another. Each time the program runs,
 * it makes the same changes in the same order.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM (1 << 18)

struct input {
	uint8_t *data;
	size_t size;
};

static uint64_t state = 88172645463325252u;

/* Marsaglia's xorshift64. */
static size_t under(size_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return limit ? (size_t)(state % limit) : 0;
}

static struct input load(const char *path)
{
	struct input input = {malloc(ROOM), 0};
	FILE *file = fopen(path, "rb");

	if (!file || !input.data) {
		perror(path);
		exit(1);
	}
	input.size = fread(input.data, 1, ROOM, file);
	fclose(file);
	return input;
}

/* Runs the target on a copy in a block of exactly this size, so that the sanitizer detects a read
 * beyond it. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(1);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t change(uint8_t *data, size_t size, const struct input *other)
{
	const size_t at = under(size), length = under(size - at < 64 ? size - at : 64);
	const size_t from = under(other->size), some = under(other->size - from);

	switch (under(4)) {
	case 0:
		if (size)
			data[at] = (uint8_t)under(256);
		return size;
	case 1: /* cut out */
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	case 2: /* insert a piece of the other file */
		if (size + some > ROOM)
			return size;
		memmove(data + at + some, data + at, size - at);
		memcpy(data + at, other->data + from, some);
		return size + some;
	default: /* end early */
		return under(8) ? size : at;
	}
}

int main(int argc, char **argv)
{
	const time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 0);
	const size_t count = argc > 2 ? (size_t)argc - 2 : 0;
	struct input *inputs = calloc(count + 1, sizeof *inputs);
	uint8_t *data = malloc(ROOM);
	unsigned long runs = 0;

	if (!inputs || !data || !count)
		return 1;
	for (size_t i = 0; i < count; i++) {
		inputs[i] = load(argv[i + 2]);
		run(inputs[i].data, inputs[i].size);
	}
	for (; time(NULL) < end; runs++) {
		const struct input *input = &inputs[under(count)];
		size_t size = input->size;

		memcpy(data, input->data, size);
		for (size_t changes = 1 + under(6); changes; changes--)
			size = change(data, size, &inputs[under(count)]);
		run(data, size);
	}
	printf("%zu files, %lu changed\n", count, runs);
	for (size_t i = 0; i < count; i++)
		free(inputs[i].data);
	free(inputs);
	free(data);
	return 0;
}

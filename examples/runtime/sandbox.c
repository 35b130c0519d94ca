/* SPDX-License-Identifier: MIT */
/*
 * A sandbox that addresses its memory through GS, as WebAssembly runtimes do (the Segue technique).
 *
 * The guest's pointers are 32-bit numbers, and GS holds the start of 4 GiB of reserved addresses.
 * So an access needs no addition, no mask and no bounds check, and still no pointer of the guest
 * leads out of the sandbox. The difficult part is the change between guest and host. Each call into
 * the guest and each call back to the host changes the GS base, and host code must always run with
 * the host's own base. Here two guests run in turn and call the host in the middle of their work.
 * If a guest saw the other guest's memory or the host's, its sum would be wrong.
 */
#include "gs.h"

#include <sys/mman.h>

#define RESERVED (UINT64_C(1) << 32)
#define USED     (64 * 1024u)

enum { CALLS = 4000, WORDS = 16 };

/* Accesses memory through GS, at a 32-bit offset from the GS base. In the guest, the offset is an
 * address of the guest. */
#define THROUGH_GS(type, address) (*(type __seg_gs volatile *)(uintptr_t)(uint32_t)(address))

struct sandbox {
	unsigned char *memory;
	uint64_t outside; /* the GS base of the caller */
	uint64_t heard;   /* the sum of the words that the guest reported */
	unsigned crossings;
	unsigned disturbed; /* how often host code found a GS base other than its own */
};

/* The host uses GS, too: its own GS base is the address of host_data. */
#define HOST_MARK 0x686f7374u
static uint32_t host_data = HOST_MARK;

static void enter(struct sandbox *box)
{
	must(get_gs(&box->outside));
	must(set_gs((uintptr_t)box->memory));
	box->crossings++;
}

static void leave(struct sandbox *box)
{
	must(set_gs(box->outside));
	box->crossings++;
}

/* The one function of the host that the guest may call. It runs with the host's GS base. */
static __attribute__((noinline)) void host_tell(struct sandbox *box, uint32_t value)
{
	leave(box);
	box->disturbed += THROUGH_GS(uint32_t, 0) != HOST_MARK;
	box->heard += value;
	enter(box);
}

/* The guest: keeps a running sum at address 0 and a table at address 64, and reports every fourth
 * word of the table to the host. */
static __attribute__((noinline)) uint32_t guest_add(struct sandbox *box, uint32_t seed)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		const uint32_t address = 64 + 4 * i;

		THROUGH_GS(uint32_t, address) += seed + i;
		THROUGH_GS(uint32_t, 0) += THROUGH_GS(uint32_t, address);
		if (i % 4 == 0)
			host_tell(box, THROUGH_GS(uint32_t, address));
	}
	return THROUGH_GS(uint32_t, 0);
}

static uint32_t call(struct sandbox *box, uint32_t seed)
{
	uint32_t result;

	enter(box);
	result = guest_add(box, seed);
	leave(box);
	return result;
}

/* The same computation without a sandbox: the expected result. */
struct model {
	uint32_t sum, table[WORDS];
	uint64_t heard;
};

static uint32_t expect(struct model *model, uint32_t seed)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		model->table[i] += seed + i;
		model->sum += model->table[i];
		if (i % 4 == 0)
			model->heard += model->table[i];
	}
	return model->sum;
}

static void create(struct sandbox *box)
{
	box->memory =
		mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (box->memory == MAP_FAILED || mprotect(box->memory, USED, PROT_READ | PROT_WRITE)) {
		perror("cannot reserve the sandbox");
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	static struct sandbox boxes[2];
	static struct model models[2];
	uint64_t base = 0;
	unsigned wrong = 0;

	create(&boxes[0]);
	create(&boxes[1]);
	must(set_gs((uintptr_t)&host_data));

	const double start = now_ns();

	for (uint32_t i = 0; i < CALLS; i++)
		for (uint32_t b = 0; b < 2; b++)
			wrong += call(&boxes[b], i ^ b) != expect(&models[b], i ^ b);

	const double end = now_ns();
	const unsigned crossings = boxes[0].crossings + boxes[1].crossings;

	must(get_gs(&base));
	wrong += base != (uintptr_t)&host_data;
	for (int b = 0; b < 2; b++)
		wrong += boxes[b].disturbed + (boxes[b].heard != models[b].heard);
	printf("%s: %u crossings by %s, %.1f ns each, %u wrong\n", wrong ? "not ok" : "ok",
	       crossings, access_name(), (end - start) / crossings, wrong);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

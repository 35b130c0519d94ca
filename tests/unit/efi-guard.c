/* SPDX-License-Identifier: MIT */
/* Tests the boot guard's UEFI form with simulated firmware. The guard must check all data that the
 * firmware passes. */
#include <criterion/criterion.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/boot/clock.h"
#include "../../examples/boot/efi-guard.h"
#include "../../examples/boot/guard.h"
#include "../../examples/boot/machine.h"
#include "../../examples/boot/serial.h"

/* Replacements for the parts of the boot image that the guard uses. */
struct machine machine;
static char said[2048];

void machine_contract_line(struct line *line)
{
	line_text(line, "fsgscheck: verdict=V findings= cpus=1");
}

uint64_t clock_ms_since(uint64_t then)
{
	return then;
}

void serial_text(const char *text)
{
	strncat(said, text, sizeof said - strlen(said) - 1);
}

void serial_fresh_line(void)
{
}

/* Simulated firmware: the arguments that it received, and the answers that it gives. */
static jmp_buf left;
static efi_status left_with;
static const struct efi_path_node *volume, *asked;
static struct efi_loaded_image guard_image, next_image;
static int self, next, device, started;

/* The pool memory of a UEFI program stays allocated when the program returns, so this is never
 * freed. `kept` shows the blocks to leak checkers. */
static void *reserve(size_t size)
{
	static void *kept[8192];
	static size_t count;

	cr_assert(count < sizeof kept / sizeof *kept);
	kept[count] = malloc(size ? size : 1);
	cr_assert(kept[count]);
	return kept[count++];
}

static efi_status allocate_pool(uint32_t type, uint64_t size, void **buffer)
{
	(void)type;
	*buffer = reserve(size);
	return 0;
}

static efi_status handle_protocol(efi_handle handle, const struct efi_guid *protocol,
				  void **interface)
{
	(void)protocol;
	if (handle == &device && volume)
		*interface = (void *)(uintptr_t)volume;
	else if (handle == &next)
		*interface = &next_image;
	else
		return EFI_UNSUPPORTED;
	return 0;
}

static efi_status load_image(uint8_t policy, efi_handle parent, const struct efi_path_node *path,
			     void *source, uint64_t size, efi_handle *image)
{
	(void)policy, (void)parent, (void)source, (void)size;
	asked = path;
	*image = &next;
	return 0;
}

static efi_status start_image(efi_handle image, uint64_t *size, efi_char **data)
{
	(void)image, (void)size, (void)data;
	started = 1;
	return 0;
}

static efi_status leave(efi_handle image, efi_status status, uint64_t size, efi_char *data)
{
	(void)image, (void)size, (void)data;
	left_with = status;
	longjmp(left, 1);
}

static efi_status output_string(struct efi_output *output, const efi_char *text)
{
	(void)output, (void)text;
	return 0;
}

static struct efi_output output = {.output_string = output_string};
static struct efi_boot_services services = {.allocate_pool = allocate_pool,
					    .handle_protocol = handle_protocol,
					    .load_image = load_image,
					    .start_image = start_image,
					    .exit = leave};
static struct efi_system_table table = {.output = &output, .boot = &services};

/* A copy in a block of exactly this size, so that a sanitizer detects a read beyond it. */
static void *exactly(const void *bytes, size_t size)
{
	void *const copy = reserve(size);

	memcpy(copy, bytes, size);
	return copy;
}

/* Runs the guard with a verdict, and with load options that do not end with a NUL. Returns 0 if the
 * guard left by Exit(), and 1 if the options do not have the word `guard`. */
static int run(const void *bytes, size_t size, enum fsgs_verdict verdict)
{
	const char *words, *arguments;

	guard_image.device = &device;
	guard_image.options = exactly(bytes, size);
	guard_image.options_size = (uint32_t)size;
	machine.report.verdict = verdict;
	if (setjmp(left))
		return 0;
	words = efi_guard_options(&self, &table, &guard_image);
	arguments = guard_arguments(words);
	if (!arguments)
		return 1;
	efi_guard_finish(efi_guard_start(&guard_image, arguments, 7));
}

static int run_words(const char *text, enum fsgs_verdict verdict)
{
	efi_char options[4096];
	size_t count = 0;

	for (; text[count]; count++)
		options[count] = (uint8_t)text[count];
	return run(options, count * sizeof *options, verdict);
}

/* A device path of a partition, as firmware gives it: two nodes and the end node. */
static const uint8_t partition[] = {1, 1, 6, 0, 'a', 'b', 4, 1, 8, 0, 1, 2, 3, 4, 0x7f, 0xff, 4, 0};

static void use_volume(const void *bytes, size_t size)
{
	volume = exactly(bytes, size);
}

/* The load options that the next image received, converted to one byte a character. */
static const char *given(void)
{
	static char text[4096];
	size_t count = 0;

	for (; next_image.options && next_image.options[count]; count++)
		text[count] = (char)next_image.options[count];
	text[count] = '\0';
	return text;
}

static void names(const char *file)
{
	const uint8_t *const node = (const uint8_t *)asked + sizeof partition - 4;
	const size_t count = strlen(file);

	cr_assert(!memcmp(asked, partition, sizeof partition - 4));
	cr_expect(node[0] == EFI_PATH_MEDIA && node[1] == EFI_PATH_FILE);
	cr_expect(node[2] + 256 * node[3] == (int)(4 + 2 * (count + 1)));
	for (size_t i = 0; i <= count; i++)
		cr_expect(node[4 + 2 * i] == (uint8_t)file[i] && !node[5 + 2 * i]);
	cr_expect(!memcmp(node + 4 + 2 * (count + 1), "\x7f\xff\x04\x00", 4));
}

Test(efi_guard, names_the_file_on_its_own_volume)
{
	use_volume(partition, sizeof partition);
	cr_expect(!run_words("guard /EFI/next.efi root=/dev/vda1 -- x", FSGS_VERDICT_BROKEN));
	names("\\EFI\\next.efi");
	cr_expect(started && !left_with);
	cr_expect(!strcmp(given(), "root=/dev/vda1 nofsgsbase -- x"), "%s", given());
	cr_expect(strstr(said, "guard=nofsgsbase ms=7"), "%s", said);
}

Test(efi_guard, puts_the_root_before_a_name_without)
{
	use_volume(partition, sizeof partition);
	cr_expect(!run_words("guard vmlinuz initrd=\\initrd.img ro", FSGS_VERDICT_USABLE));
	names("\\vmlinuz");
	cr_expect(!strcmp(given(), "initrd=\\initrd.img ro"), "%s", given());
}

Test(efi_guard, refuses_a_malformed_device_path)
{
	static const struct {
		const char *name;
		uint8_t bytes[16];
		size_t size;
	} cases[] = {
		{"a node of length 0", {1, 1, 0, 0}, 4},
		{"a node shorter than its header", {1, 1, 3, 0}, 4},
		{"length 0 behind a good node", {1, 1, 6, 0, 1, 2, 4, 1, 0, 0}, 10},
		{"nothing before the end", {0x7f, 0xff, 4, 0}, 4},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		use_volume(cases[i].bytes, cases[i].size);
		said[0] = '\0';
		cr_expect(!run_words("guard /vmlinuz", FSGS_VERDICT_USABLE));
		cr_expect(left_with == EFI_NO_MAPPING, "%s", cases[i].name);
		cr_expect(!asked && !started, "%s", cases[i].name);
		cr_expect(strstr(said, "the volume that the guard was loaded from"), "%s", said);
	}
}

Test(efi_guard, refuses_a_device_path_without_an_end)
{
	const size_t size = 0x20000;
	uint8_t *const path = reserve(size);

	for (size_t at = 0; at < size; at += 8)
		memcpy(path + at, "\x01\x01\x08\x00node", 8);
	volume = (const void *)path;
	cr_expect(!run_words("guard /vmlinuz", FSGS_VERDICT_USABLE));
	cr_expect(left_with == EFI_NO_MAPPING && !asked);
}

Test(efi_guard, refuses_where_it_came_from_no_volume)
{
	cr_expect(!run_words("guard /vmlinuz", FSGS_VERDICT_USABLE));
	cr_expect(left_with == EFI_NO_MAPPING && !asked);
}

/* The options are cut to every length. At an odd length, the half of a character at the end must be
 * ignored. */
Test(efi_guard, reads_options_of_any_length)
{
	static const efi_char text[] = {' ', 'g', 'u', 'a', 'r', 'd', ' ', 0x20ac, 'x', ' ', 'y'};

	use_volume(partition, sizeof partition);
	for (size_t size = 0; size <= sizeof text; size++) {
		next_image.options = NULL;
		cr_expect(run(text, size, FSGS_VERDICT_UNSUPPORTED) == (size < 12), "%zu", size);
		if (size < 12)
			continue;
		cr_expect(!left_with, "%zu", size);
		cr_expect(!strcmp(given(), size >= 22 ? "y" : ""), "%zu: %s", size, given());
	}
}

Test(efi_guard, returns_its_answer_without_a_path)
{
	cr_expect(!run_words("guard", FSGS_VERDICT_USABLE));
	cr_expect(!left_with && !started);
	cr_expect(!run_words("guard", FSGS_VERDICT_INCONSISTENT));
	cr_expect(left_with == EFI_ABORTED && !started);
}

/* A small unified kernel image: the header, the entry of one section, and this section,
 * .cmdline. */
#define PE           0x40
#define SECTION      (PE + 24)
#define COMMAND_LINE 0x80
#define UNIFIED_SIZE 0xa0
#define OWN          "root=/dev/vda2 ro"

static void unify(uint8_t *image)
{
	memset(image, 0, UNIFIED_SIZE);
	image[0x3c] = PE;
	memcpy(image + PE, "PE\0\0", 4);
	image[PE + 6] = 1;
	memcpy(image + SECTION, ".cmdline", 8);
	image[SECTION + 8] = sizeof OWN - 1;
	image[SECTION + 12] = COMMAND_LINE;
	memcpy(image + COMMAND_LINE, OWN, sizeof OWN);
}

Test(efi_guard, adds_to_the_own_line_of_a_unified_image)
{
	uint8_t image[UNIFIED_SIZE];

	unify(image);
	use_volume(partition, sizeof partition);
	next_image.base = exactly(image, sizeof image);
	next_image.size = sizeof image;
	cr_expect(!run_words("guard /linux.efi", FSGS_VERDICT_BROKEN));
	cr_expect(!strcmp(given(), OWN " nofsgsbase"), "%s", given());
}

Test(efi_guard, leaves_an_own_line_that_is_not_ascii)
{
	uint8_t image[UNIFIED_SIZE];

	unify(image);
	image[COMMAND_LINE + 6] = 0xc3;
	use_volume(partition, sizeof partition);
	next_image.base = exactly(image, sizeof image);
	next_image.size = sizeof image;
	/* Options after the path replace the image's own line, so the guard can add to them. */
	cr_expect(!run_words("guard /linux.efi root=/dev/vda2", FSGS_VERDICT_BROKEN));
	cr_expect(!strcmp(given(), "root=/dev/vda2 nofsgsbase"), "%s", given());
	next_image.options = NULL;
	cr_expect(!run_words("guard /linux.efi", FSGS_VERDICT_USABLE));
	cr_expect(!left_with && !given()[0], "%s", given());
	cr_expect(!run_words("guard /linux.efi", FSGS_VERDICT_BROKEN));
	cr_expect(left_with == EFI_ABORTED && !given()[0], "%s", given());
}

/* Each byte of the headers is set to wrong values, and each length is tried. The guard must not
 * read outside of the image. */
Test(efi_guard, reads_no_more_of_an_image_than_there_is)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	uint8_t image[UNIFIED_SIZE];

	use_volume(partition, sizeof partition);
	for (size_t at = 0x3c; at < COMMAND_LINE; at++)
		for (size_t i = 0; i < sizeof values; i++) {
			unify(image);
			image[at] = values[i];
			next_image.base = exactly(image, sizeof image);
			next_image.size = sizeof image;
			cr_expect(!run_words("guard /linux.efi", FSGS_VERDICT_BROKEN));
			cr_expect(!left_with);
		}
	unify(image);
	for (size_t size = 0; size < sizeof image; size++) {
		next_image.base = exactly(image, size);
		next_image.size = size;
		cr_expect(!run_words("guard /linux.efi", FSGS_VERDICT_BROKEN));
		cr_expect(!left_with);
	}
}

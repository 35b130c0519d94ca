/* SPDX-License-Identifier: MIT */
/*
 * The boot guard as a UEFI program. The load options choose what it does:
 *
 * `guard` tests the processors and returns to the program that started it: with success if the
 * kernel needs no nofsgsbase, else with an error status.
 *
 * `guard PATH [OPTIONS]` starts the image PATH from the volume that holds this program. It passes
 * OPTIONS, and adds nofsgsbase if the kernel needs it.
 */
#include "efi-guard.h"
#include "clock.h"
#include "guard.h"
#include "machine.h"
#include "serial.h"
#include "text.h"

/* Offsets and sizes in a PE file, to find the section in which a unified kernel image has its
 * command line. */
#define PE_OFFSET        0x3c
#define PE_MAGIC         0x4550
#define PE_SECTIONS      6
#define PE_OPTIONAL_SIZE 20
#define PE_HEADER        24
#define SECTION_SIZE     40
#define SECTION_LENGTH   8
#define SECTION_ADDRESS  12
#define COMMAND_SECTION  ".cmdline"

/* The maximum size of a device path in bytes, and of a file name in 2-byte characters. A length in
 * a device path has 16 bits, so both must be limited. */
#define PATH_LIMIT       0x10000
#define NAME_LIMIT       0x4000

static struct efi_system_table *firmware;
static efi_handle self, next;
static const struct efi_guid loaded_guid = EFI_LOADED_IMAGE;
static uint64_t started;

/* This program's load options; after efi_guard_start() the options of the next image. `words` has
 * the same text in one-byte characters, for the functions that search for words. */
static efi_char *options;
static char *words;
static size_t length;

/* Set if the next image uses its own command line, and that line is not ASCII. nofsgsbase could
 * only be added to a copy of the line, and unified kernel images read a copy differently if it is
 * not ASCII. */
static int fixed;

static void show(const char *text)
{
	efi_char line[sizeof(struct line) + 3];
	size_t at = 0;

	for (; *text && at < sizeof(struct line); at++)
		line[at] = (uint8_t)*text++;
	line[at++] = '\r';
	line[at++] = '\n';
	line[at] = 0;
	(void)firmware->output->output_string(firmware->output, line);
}

static const char *status_text(efi_status status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "there is no such file on the guard's volume";
	case EFI_UNSUPPORTED:
		return "the file is no UEFI program for this machine";
	case EFI_ACCESS_DENIED:
	case EFI_SECURITY_VIOLATION:
		return "Secure Boot does not accept its signature";
	case EFI_NO_MAPPING:
		return "the firmware does not report the volume that the guard was loaded from";
	case EFI_OUT_OF_RESOURCES:
		return "there is not enough memory";
	default:
		return "it failed with this UEFI status";
	}
}

_Noreturn static void leave(efi_status status)
{
	(void)firmware->boot->exit(self, status, 0, NULL);
	for (;;) /* exit() does not return */
		__asm__ volatile("hlt");
}

static void complain(const char *what, efi_status status)
{
	struct line line = {0};

	line_text(&line, "fsgscheck: guard: ");
	line_text(&line, what);
	if (status) {
		line_text(&line, ": ");
		line_text(&line, status_text(status));
		line_text(&line, " (");
		line_hex(&line, status);
		line_text(&line, ")");
	}
	show(line.text);
	line_text(&line, "\n");
	serial_fresh_line();
	serial_text(line.text);
}

static void *allocate(size_t size)
{
	void *memory;

	if (firmware->boot->allocate_pool(EFI_LOADER_DATA, size, &memory)) {
		complain("there is not enough memory", 0);
		leave(EFI_OUT_OF_RESOURCES);
	}
	return memory;
}

/* Copies the options from `text`, or from `bytes` if `text` is NULL. Leaves room for nofsgsbase. */
static void take(const efi_char *text, const uint8_t *bytes, size_t limit)
{
	size_t count = 0;

	/* The limit may come from the program that started this one, and the text may be much
	 * shorter. Allocate no more than the text needs. */
	while (count < limit && (text ? text[count] : bytes[count]))
		count++;
	options = allocate((count + GUARD_ADDITION_LENGTH + 1) * sizeof *options);
	words = allocate(count + 1);
	for (length = 0; length < count; length++) {
		const efi_char c = text ? text[length] : bytes[length];

		options[length] = c;
		words[length] = c < 0x80 ? (char)c : '?';
	}
	options[length] = 0;
	words[length] = '\0';
}

static uint64_t get(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, from, size);
	return value;
}

/* A unified kernel image accepts options that replace its own command line. So nofsgsbase is added
 * to a copy of that command line. */
static void take_own_options(const struct efi_loaded_image *image)
{
	const uint8_t *const base = image->base, *section;
	uint64_t pe, count;

	if (!base || image->size < PE_OFFSET + 4)
		return;
	pe = get(base + PE_OFFSET, 4);
	if (pe + PE_HEADER > image->size || get(base + pe, 4) != PE_MAGIC)
		return;
	section = base + pe + PE_HEADER + get(base + pe + PE_OPTIONAL_SIZE, 2);
	count = get(base + pe + PE_SECTIONS, 2);
	for (; count-- && section + SECTION_SIZE <= base + image->size; section += SECTION_SIZE) {
		const uint64_t size = get(section + SECTION_LENGTH, 4),
			       address = get(section + SECTION_ADDRESS, 4);
		size_t used = 0;

		if (!text_starts((const char *)section, COMMAND_SECTION) ||
		    address + size > image->size)
			continue;
		while (used < size && base[address + used] >= ' ' && base[address + used] < 0x80)
			used++;
		if (used == size || base[address + used] < ' ')
			take(NULL, base + address, used);
		else
			fixed = 1;
		return;
	}
}

/* Returns the length of a device path without its end node. Returns 0 if a node is invalid, or if
 * no end node follows within PATH_LIMIT bytes. */
static size_t path_length(const struct efi_path_node *path)
{
	const struct efi_path_node *node = path;
	size_t total = 0;

	while (node->type != EFI_PATH_END) {
		const size_t size = get(node->length, 2);

		if (size < sizeof *node || total + size > PATH_LIMIT)
			return 0;
		total += size;
		node = (const void *)((const uint8_t *)path + total);
	}
	return total;
}

/* Returns the device path of a file on the volume `device`; NULL if firmware gives no valid path of
 * the volume. */
static struct efi_path_node *path_to(efi_handle device, const efi_char *file, size_t count)
{
	static const struct efi_guid guid = EFI_DEVICE_PATH;
	const struct efi_path_node *volume;
	struct efi_path_node *path, *node;
	const size_t root = file[0] != '\\' && file[0] != '/';
	const size_t size = sizeof *node + (root + count + 1) * sizeof *file;
	efi_char *name;
	size_t before;

	if (firmware->boot->handle_protocol(device, &guid, (void **)&volume))
		return NULL;
	before = path_length(volume);
	if (!before)
		return NULL;
	path = allocate(before + size + sizeof *node);
	memcpy(path, volume, before);
	node = (void *)((uint8_t *)path + before);
	*node = (struct efi_path_node){
		EFI_PATH_MEDIA, EFI_PATH_FILE, {(uint8_t)size, (uint8_t)(size >> 8)}};
	name = (efi_char *)(void *)(node + 1);
	if (root)
		*name++ = '\\';
	for (size_t i = 0; i < count; i++)
		*name++ = file[i] == '/' ? '\\' : file[i];
	*name = 0;
	node = (void *)((uint8_t *)node + size);
	*node = (struct efi_path_node){EFI_PATH_END, 0xff, {sizeof *node, 0}};
	return path;
}

static void load(efi_handle device, const efi_char *file, size_t count)
{
	struct efi_loaded_image *image;
	struct efi_path_node *path = NULL;
	efi_status status = EFI_NOT_FOUND;

	if (count < NAME_LIMIT) {
		path = path_to(device, file, count);
		status = EFI_NO_MAPPING;
	}
	if (path)
		status = firmware->boot->load_image(0, self, path, NULL, 0, &next);
	if (status) {
		complain("cannot load the next image", status);
		if (status == EFI_SECURITY_VIOLATION && next)
			(void)firmware->boot->unload_image(next);
		leave(status);
	}
	if (!length && !firmware->boot->handle_protocol(next, &loaded_guid, (void **)&image))
		take_own_options(image);
}

const char *efi_guard_options(efi_handle image, struct efi_system_table *system,
			      const struct efi_loaded_image *loaded)
{
	firmware = system;
	self = image;
	take(loaded->options, NULL, loaded->options ? loaded->options_size / sizeof(efi_char) : 0);
	return words;
}

int efi_guard_start(const struct efi_loaded_image *loaded, const char *arguments, uint64_t since)
{
	const efi_char *const all = options;
	const size_t from = (size_t)(arguments - words), count = text_word(arguments);
	const size_t to = (size_t)(text_next(arguments) - words);

	started = since;
	take(all + to, NULL, length - to);
	if (count)
		load(loaded->device, all + from, count);
	return !guard_is_off(words);
}

static void add(void)
{
	const size_t place = guard_place(words);

	for (size_t i = length + 1; i-- > place;)
		options[i + GUARD_ADDITION_LENGTH] = options[i];
	for (size_t i = 0; i < GUARD_ADDITION_LENGTH; i++)
		options[place + i] = (uint8_t)GUARD_ADDITION[i];
	length += GUARD_ADDITION_LENGTH;
}

void efi_guard_finish(int tested)
{
	const int added = tested && guard_adds();
	struct efi_loaded_image *image;
	struct line line = {0};
	efi_status status;

	guard_line(&line, added, clock_ms_since(started));
	if (added)
		show(line.text);
	line_text(&line, "\n");
	serial_fresh_line();
	serial_text(line.text);
	if (!next)
		leave(added ? EFI_ABORTED : 0);

	if (added && fixed) {
		complain("the kernel needs nofsgsbase, but its image has a command line that is "
			 "not ASCII: add it there",
			 0);
		leave(EFI_ABORTED);
	}
	if (added)
		add();
	if (length && !firmware->boot->handle_protocol(next, &loaded_guid, (void **)&image)) {
		image->options = options;
		image->options_size = (uint32_t)((length + 1) * sizeof *options);
	}
	status = firmware->boot->start_image(next, NULL, NULL);
	if (status)
		complain("the next image returned", status);
	leave(status);
}

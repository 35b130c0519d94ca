/* SPDX-License-Identifier: MIT */
/*
 * The host as a UEFI program. It installs the host that its load options name (none with
 * "off"). Then, as that host's guest, it starts \next.efi with the same load options.
 *
 * An operating system reuses the memory of programs that firmware loaded. So the host continues in
 * a copy of itself in reserved memory. The code addresses its data relative to RIP, and the copy
 * uses no pointers into the original.
 */
#include <stddef.h>
#include <stdint.h>
#include "../../../examples/boot/efi.h"
#include "console.h"
#include "cpu.h"
#include "policy.h"
#include "svm.h"
#include "text.h"

#define PAGE        UINT64_C(4096)
#define PAGE_TABLE  0x03 /* present, writable */
#define PAGE_2M     0x83 /* present, writable, large */
#define ENTRIES     512
#define DIRECTORIES 4
#define OPTIONS_MAX 1024
#define FLAG_IF     (1u << 9)
#define PATH_MAX    512

efi_status efi_main(efi_handle image, struct efi_system_table *system);

static uint64_t tables[2 + DIRECTORIES][ENTRIES] __attribute__((aligned(4096)));

/* Maps the first 4 GiB one to one, for the host. */
static uint64_t make_tables(void)
{
	tables[0][0] = (uintptr_t)tables[1] | PAGE_TABLE;
	for (uint64_t i = 0; i < DIRECTORIES; i++)
		tables[1][i] = (uintptr_t)tables[2 + i] | PAGE_TABLE;
	for (uint64_t i = 0; i < DIRECTORIES * ENTRIES; i++)
		tables[2 + i / ENTRIES][i % ENTRIES] = i << 21 | PAGE_2M;
	return (uintptr_t)tables[0];
}

/* Installs the host. This function runs in the copy of this program. */
static void launch(const struct policy *policy)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
	svm_launch(policy, make_tables());
	if (flags & FLAG_IF)
		__asm__ volatile("sti" : : : "memory");
}

static void become_host(struct efi_system_table *system, const struct efi_loaded_image *loaded,
			const struct policy *policy)
{
	void (*volatile in_copy)(const struct policy *) = launch;
	uint64_t copy = MAPPED - 1;

	if (system->boot->allocate_pages(EFI_BELOW_ADDRESS, EFI_RESERVED,
					 (loaded->size + PAGE - 1) / PAGE, &copy))
		stop("no reserved memory for the host of size", loaded->size);
	memcpy((void *)copy, loaded->base, loaded->size);
	in_copy = (void (*)(const struct policy *))((uintptr_t)in_copy - (uintptr_t)loaded->base +
						    copy);
	in_copy(policy);
}

static void start_next(efi_handle image, struct efi_system_table *system,
		       const struct efi_loaded_image *loaded)
{
	static const struct efi_guid path_guid = EFI_DEVICE_PATH, loaded_guid = EFI_LOADED_IMAGE;
	static const efi_char name[] = {'\\', 'n', 'e', 'x', 't', '.', 'e', 'f', 'i', 0};
	static uint8_t path[PATH_MAX];
	const struct efi_path_node *volume, *end;
	struct efi_path_node node = {EFI_PATH_MEDIA, EFI_PATH_FILE, {sizeof node + sizeof name, 0}};
	struct efi_loaded_image *next_loaded;
	efi_handle next;
	efi_status status;
	size_t at;

	if (system->boot->handle_protocol(loaded->device, &path_guid, (void **)&volume))
		stop("the volume has no path", 0);
	for (end = volume; end->type != EFI_PATH_END;)
		end = (const void *)((const uint8_t *)end + end->length[0] + 256 * end->length[1]);
	at = (size_t)((const uint8_t *)end - (const uint8_t *)volume);
	if (at + 2 * sizeof node + sizeof name > sizeof path)
		stop("the volume's path is too long:", at);
	memcpy(path, volume, at);
	memcpy(path + at, &node, sizeof node);
	memcpy(path + at + sizeof node, name, sizeof name);
	node = (struct efi_path_node){EFI_PATH_END, 0xff, {sizeof node, 0}};
	memcpy(path + at + sizeof node + sizeof name, &node, sizeof node);
	status = system->boot->load_image(0, image, (const void *)path, NULL, 0, &next);
	if (status || system->boot->handle_protocol(next, &loaded_guid, (void **)&next_loaded))
		stop("cannot load \\next.efi:", status);
	next_loaded->options = loaded->options;
	next_loaded->options_size = loaded->options_size;
	status = system->boot->start_image(next, NULL, NULL);
	stop("\\next.efi came back with status", status);
}

efi_status efi_main(efi_handle image, struct efi_system_table *system)
{
	static const struct efi_guid loaded_guid = EFI_LOADED_IMAGE;
	static char options[OPTIONS_MAX];
	struct efi_loaded_image *loaded;
	struct policy policy;

	console_init();
	if (system->boot->handle_protocol(image, &loaded_guid, (void **)&loaded))
		stop("firmware does not know this image", 0);
	for (size_t i = 0; i + 1 < sizeof options && i < loaded->options_size / sizeof(efi_char);
	     i++)
		options[i] = (char)loaded->options[i];
	policy = policy_from_command_line(options);
	if (policy.launch)
		become_host(system, loaded, &policy);
	start_next(image, system, loaded);
	return 0;
}

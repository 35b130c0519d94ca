/* SPDX-License-Identifier: MIT */
/* As much of the UEFI specification 2.10 as is used, and its PI companion's multiprocessor services.
 * What lies between the used members is counted, not named. */
#ifndef BOOT_EFI_H
#define BOOT_EFI_H

#include <stdint.h>

typedef uint64_t efi_status;
typedef uint16_t efi_char;
typedef void *efi_handle;
typedef void *efi_event;

struct efi_guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

struct efi_table_header {
	uint64_t signature;
	uint32_t revision, size, crc, reserved;
};

/* 12.3 */
struct efi_input {
	void *reset;
	efi_status (*read_key)(struct efi_input *self, void *key);
	efi_event wait_for_key;
};

/* 12.4 */
struct efi_output {
	void *reset;
	efi_status (*output_string)(struct efi_output *self, const efi_char *text);
	void *test_string, *query_mode;
	efi_status (*set_mode)(struct efi_output *self, uint64_t mode);
	efi_status (*set_attribute)(struct efi_output *self, uint64_t attribute);
	efi_status (*clear_screen)(struct efi_output *self);
	efi_status (*set_cursor_position)(struct efi_output *self, uint64_t column, uint64_t row);
	efi_status (*enable_cursor)(struct efi_output *self, uint8_t visible);
};

/* 7 */
struct efi_boot_services {
	struct efi_table_header header;
	void *until_wait_for_event[9];
	efi_status (*wait_for_event)(uint64_t count, efi_event *events, uint64_t *index);
	void *until_handle_protocol[6];
	efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
				      void **interface);
	void *until_set_watchdog[12];
	efi_status (*set_watchdog)(uint64_t seconds, uint64_t code, uint64_t size,
				   const efi_char *data);
	void *until_locate_protocol[7];
	efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration,
				      void **interface);
};

#define EFI_RESET_SHUTDOWN 2

/* 8 */
struct efi_runtime_services {
	struct efi_table_header header;
	void *until_reset_system[10];
	void (*reset_system)(uint32_t type, efi_status status, uint64_t size, void *data);
};

/* 4.3 */
struct efi_system_table {
	struct efi_table_header header;
	const efi_char *vendor;
	uint32_t revision;
	efi_handle input_handle;
	struct efi_input *input;
	efi_handle output_handle;
	struct efi_output *output;
	efi_handle error_handle;
	struct efi_output *error;
	struct efi_runtime_services *runtime;
	struct efi_boot_services *boot;
};

/* 9.1 */
#define EFI_LOADED_IMAGE                                            \
	{                                                           \
		0x5b1b31a1, 0x9562, 0x11d2,                         \
		{                                                   \
			0x8e, 0x3f, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b \
		}                                                   \
	}

struct efi_loaded_image {
	uint32_t revision;
	efi_handle parent;
	struct efi_system_table *system;
	efi_handle device;
	void *path, *reserved;
	uint32_t options_size;
	const efi_char *options;
};

/* PI 1.8, volume 2, 13.4 */
#define EFI_MP_SERVICES                                             \
	{                                                           \
		0x3fdda605, 0xa76e, 0x4f46,                         \
		{                                                   \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 8 \
		}                                                   \
	}

struct efi_mp_services {
	efi_status (*get_number)(struct efi_mp_services *self, uint64_t *all, uint64_t *enabled);
	void *get_information, *start_all;
	efi_status (*start_one)(struct efi_mp_services *self, void (*procedure)(void *argument),
				uint64_t processor, efi_event event, uint64_t microseconds,
				void *argument, uint8_t *finished);
	void *switch_boot_processor, *enable;
	efi_status (*who_am_i)(struct efi_mp_services *self, uint64_t *processor);
};

#endif

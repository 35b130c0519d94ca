/* SPDX-License-Identifier: MIT */
/* The parts of the UEFI specification 2.10 that this program uses, and the multiprocessor services
 * of the PI specification. The numbers in comments are chapters. Members that are not used serve
 * only as padding. */
#ifndef BOOT_EFI_H
#define BOOT_EFI_H

#include <stddef.h>
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

/* Appendix D: an error has the highest bit set. */
#define EFI_ERROR_BIT          (UINT64_C(1) << 63)
#define EFI_INVALID_PARAMETER  (EFI_ERROR_BIT | 2)
#define EFI_UNSUPPORTED        (EFI_ERROR_BIT | 3)
#define EFI_OUT_OF_RESOURCES   (EFI_ERROR_BIT | 9)
#define EFI_NOT_FOUND          (EFI_ERROR_BIT | 14)
#define EFI_ACCESS_DENIED      (EFI_ERROR_BIT | 15)
#define EFI_NO_MAPPING         (EFI_ERROR_BIT | 17)
#define EFI_TIMEOUT            (EFI_ERROR_BIT | 18)
#define EFI_ABORTED            (EFI_ERROR_BIT | 21)
#define EFI_SECURITY_VIOLATION (EFI_ERROR_BIT | 26)

#define EFI_RESERVED           0
#define EFI_LOADER_DATA        2
#define EFI_BELOW_ADDRESS      1

/* 10.3: a device path is a sequence of nodes, each with its length. The last node is an end
 * node. */
struct efi_path_node {
	uint8_t type, subtype;
	uint8_t length[2];
};

#define EFI_PATH_MEDIA 4
#define EFI_PATH_FILE  4
#define EFI_PATH_END   0x7f

/* 7 */
struct efi_boot_services {
	struct efi_table_header header;
	void *until_allocate_pages[2];
	efi_status (*allocate_pages)(uint32_t how, uint32_t type, uint64_t pages,
				     uint64_t *address);
	void *until_allocate_pool[2];
	efi_status (*allocate_pool)(uint32_t type, uint64_t size, void **buffer);
	efi_status (*free_pool)(void *buffer);
	void *until_wait_for_event[2];
	efi_status (*wait_for_event)(uint64_t count, efi_event *events, uint64_t *index);
	void *until_handle_protocol[6];
	efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
				      void **interface);
	void *until_load_image[5];
	efi_status (*load_image)(uint8_t boot_policy, efi_handle parent,
				 const struct efi_path_node *path, void *source, uint64_t size,
				 efi_handle *image);
	efi_status (*start_image)(efi_handle image, uint64_t *exit_data_size, efi_char **exit_data);
	efi_status (*exit)(efi_handle image, efi_status status, uint64_t exit_data_size,
			   efi_char *exit_data);
	efi_status (*unload_image)(efi_handle image);
	void *until_stall[2];
	efi_status (*stall)(uint64_t microseconds);
	efi_status (*set_watchdog)(uint64_t seconds, uint64_t code, uint64_t size,
				   const efi_char *data);
	void *until_locate_protocol[7];
	efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration,
				      void **interface);
};

_Static_assert(offsetof(struct efi_boot_services, allocate_pool) == 24 + 5 * 8, "UEFI table");
_Static_assert(offsetof(struct efi_boot_services, handle_protocol) == 24 + 16 * 8, "UEFI table");
_Static_assert(offsetof(struct efi_boot_services, load_image) == 24 + 22 * 8, "UEFI table");
_Static_assert(offsetof(struct efi_boot_services, stall) == 24 + 28 * 8, "UEFI table");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 24 + 37 * 8, "UEFI table");

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
	const uint8_t *base;
	uint64_t size;
};

#define EFI_DEVICE_PATH                                             \
	{                                                           \
		0x09576e91, 0x6d3f, 0x11d2,                         \
		{                                                   \
			0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b \
		}                                                   \
	}

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

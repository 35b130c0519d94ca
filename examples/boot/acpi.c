/* SPDX-License-Identifier: MIT */
/* Counts the processors in the tables of ACPI 6.5, chapter 5.2. */
#include "acpi.h"
#include "text.h"

#define MAPPED             (UINT64_C(1) << 32) /* entry.S maps 4 GiB */

#define EBDA_SEGMENT       0x40e
#define EBDA_SEARCHED      1024
#define BIOS_FIRST         0xe0000
#define BIOS_END           0x100000
#define POINTER_STEP       16

#define POINTER_REVISION   15
#define POINTER_RSDT       16
#define POINTER_XSDT       24
#define POINTER_CHECKED    20

#define TABLE_LENGTH       4
#define TABLE_HEADER       36
#define TABLE_LENGTH_LIMIT 0x100000

#define MADT_ENTRIES       44
#define MADT_APIC          0
#define MADT_APIC_FLAGS    4
#define MADT_X2APIC        9
#define MADT_X2APIC_FLAGS  8
#define MADT_ENABLED       1

static uint32_t get32(uint64_t address)
{
	uint32_t value;

	memcpy(&value, (const void *)(uintptr_t)address, sizeof value);
	return value;
}

static uint8_t get8(uint64_t address)
{
	return *(const uint8_t *)(uintptr_t)address;
}

static int has(uint64_t address, const char *signature)
{
	for (; *signature; signature++, address++)
		if (get8(address) != (uint8_t)*signature)
			return 0;
	return 1;
}

static int is_pointer(uint64_t address)
{
	uint8_t sum = 0;

	if (!has(address, "RSD PTR "))
		return 0;
	for (uint64_t i = 0; i < POINTER_CHECKED; i++)
		sum = (uint8_t)(sum + get8(address + i));
	return sum == 0;
}

static uint64_t search(uint64_t from, uint64_t end)
{
	for (; from < end; from += POINTER_STEP)
		if (is_pointer(from))
			return from;
	return 0;
}

static uint64_t find_pointer(void)
{
	uint16_t segment;
	uint64_t found = 0;

	memcpy(&segment, (const void *)EBDA_SEGMENT, sizeof segment);
	if (segment)
		found = search((uint64_t)segment << 4, ((uint64_t)segment << 4) + EBDA_SEARCHED);
	return found ? found : search(BIOS_FIRST, BIOS_END);
}

/* Returns the length of a table. Returns 0 if the address is 0 or may be unmapped, or if the table
 * is longer than TABLE_LENGTH_LIMIT. */
static uint32_t table_length(uint64_t table)
{
	uint32_t length;

	if (!table || table >= MAPPED - TABLE_LENGTH_LIMIT)
		return 0;
	length = get32(table + TABLE_LENGTH);
	return length <= TABLE_LENGTH_LIMIT ? length : 0;
}

static uint32_t count(uint64_t madt)
{
	const uint32_t length = table_length(madt);
	uint32_t processors = 0;

	for (uint32_t at = MADT_ENTRIES; at + 2 <= length;) {
		const uint8_t type = get8(madt + at), size = get8(madt + at + 1);

		if (type == MADT_APIC && (get32(madt + at + MADT_APIC_FLAGS) & MADT_ENABLED))
			processors++;
		if (type == MADT_X2APIC && (get32(madt + at + MADT_X2APIC_FLAGS) & MADT_ENABLED))
			processors++;
		if (size < 2)
			break;
		at += size;
	}
	return processors;
}

uint32_t acpi_processors(uint64_t root_pointer)
{
	uint64_t pointer = root_pointer ? root_pointer : find_pointer(), root;
	uint32_t width = 4;

	if (!pointer || pointer >= MAPPED - TABLE_LENGTH_LIMIT)
		return 0;
	root = get32(pointer + POINTER_RSDT);
	if (!root && get8(pointer + POINTER_REVISION) >= 2) {
		root = get32(pointer + POINTER_XSDT);
		root |= (uint64_t)get32(pointer + POINTER_XSDT + 4) << 32;
		width = 8;
	}
	for (uint32_t at = TABLE_HEADER; at + width <= table_length(root); at += width) {
		uint64_t table = get32(root + at);

		if (width == 8)
			table |= (uint64_t)get32(root + at + 4) << 32;
		if (table_length(table) && has(table, "APIC"))
			return count(table);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Reads a boot loader's data: Multiboot specification 0.6.96, section 3.3, and Xen's header for
 * PVH, public/arch-x86/hvm/start_info.h. */
#include "layout.h"
#include "loader.h"
#include "text.h"

#define MULTIBOOT_MODULES     (1u << 3)
#define MULTIBOOT_MAP         (1u << 6)
#define MULTIBOOT_FRAMEBUFFER (1u << 12)

struct multiboot {
	uint32_t flags, memory[2], boot_device, command_line;
	uint32_t module_count, modules, symbols[4];
	uint32_t map_length, map;
	uint32_t drives[2], configuration, loader_name, apm, vbe[4];
	uint64_t framebuffer;
	uint32_t pitch, width, height;
	uint8_t depth, type;
	uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
} __attribute__((packed));

#define FRAMEBUFFER_RGB 1

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

/* `size` does not count its own four bytes. */
struct multiboot_region {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct pvh {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, root_pointer;
	uint64_t map; /* these fields exist from version 1 on */
	uint32_t map_count, reserved;
};

#define PVH_FLAG_DOM0 (1u << 1) /* SIF_INITDOMAIN */

struct pvh_module {
	uint64_t start, size, command_line, reserved;
};

struct pvh_region {
	uint64_t base, length;
	uint32_t type, reserved;
};

#define MODULES_USED 2

struct module {
	uint64_t start, size;
	const char *arguments;
};

/* The addresses at which a BIOS stores the state of the text screen. */
#define BIOS_VIDEO_MODE      0x449
#define BIOS_COLUMNS         0x44a
#define BIOS_CURSOR          0x450
#define BIOS_LAST_ROW        0x484
#define BIOS_POINTS          0x485
#define MODE_COLOUR          3
#define SCREEN_IS_VGA        1
#define SCREEN_IS_LINEAR     0x23

/* Offsets in a PE file, to find its certificate table. This table is the signature of the file, and
 * follows the kernel. */
#define DOS_PE_OFFSET        0x3c
#define PE_MAGIC             0x4550
#define PE_CERTIFICATE_TABLE 0xa8 /* the fifth data directory of a 64-bit image */

extern const uint8_t image_start[], image_end[]; /* image.lds */

static const struct multiboot *multiboot;
static const struct pvh *pvh;
static struct memory memory;

static const void *at(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

void loader_start(uint32_t magic, const void *information)
{
	if (magic == MULTIBOOT_LOADER)
		multiboot = information;
	else if (((const struct pvh *)information)->magic == PVH_START_INFO)
		pvh = information;
}

const char *loader_command_line(void)
{
	uint64_t line = 0;

	if (multiboot && (multiboot->flags & MULTIBOOT_WORDS))
		line = multiboot->command_line;
	if (pvh)
		line = pvh->command_line;
	return line && line < MEMORY_MAPPED ? at(line) : "";
}

uint64_t loader_root_pointer(void)
{
	return pvh ? pvh->root_pointer : 0;
}

static const char damaged_map[] = "the boot loader's memory map is damaged",
		  endless_map[] = "the boot loader's memory map has too many regions, or a "
				  "region beyond 2^52";

static const char *read_multiboot_map(void)
{
	struct multiboot_region region;
	uint64_t here = multiboot->map;
	const uint64_t end = here + multiboot->map_length;

	if (!(multiboot->flags & MULTIBOOT_MAP))
		return "the boot loader gave no memory map";
	if (end > MEMORY_MAPPED)
		return damaged_map;
	while (here < end) {
		memcpy(&region, at(here), sizeof region);
		if (region.size < sizeof region - sizeof region.size ||
		    here + sizeof region.size + region.size > end)
			return damaged_map;
		if (memory_add(&memory, region.base, region.length, region.type))
			return endless_map;
		here += region.size + sizeof region.size;
	}
	return NULL;
}

static const char *read_pvh_map(void)
{
	struct pvh_region region;

	if (!pvh->version || !pvh->map || pvh->map >= MEMORY_MAPPED)
		return "the boot loader gave no memory map";
	if (pvh->map_count > (MEMORY_MAPPED - pvh->map) / sizeof region)
		return damaged_map;
	for (uint64_t i = 0; i < pvh->map_count; i++) {
		memcpy(&region, at(pvh->map + i * sizeof region), sizeof region);
		if (memory_add(&memory, region.base, region.length, region.type))
			return endless_map;
	}
	return NULL;
}

/* Returns the text of a Multiboot module without the first word. By convention this word is the
 * module's name, which users of GRUB write themselves. */
static const char *without_name(uint32_t string)
{
	return string ? text_next(at(string)) : "";
}

/* Returns the number of modules that were read. */
static uint32_t read_modules(struct module modules[MODULES_USED])
{
	uint32_t count = 0;

	if (multiboot && (multiboot->flags & MULTIBOOT_MODULES))
		for (; count < multiboot->module_count && count < MODULES_USED; count++) {
			struct multiboot_module module;

			memcpy(&module, at(multiboot->modules + count * sizeof module),
			       sizeof module);
			/* A module that ends before its start counts as empty. */
			modules[count] = (struct module){
				module.start,
				module.end > module.start ? module.end - module.start : 0,
				without_name(module.string)};
		}
	if (pvh && pvh->modules < MEMORY_MAPPED)
		for (; count < pvh->module_count && count < MODULES_USED; count++) {
			struct pvh_module module;

			memcpy(&module, at(pvh->modules + count * sizeof module), sizeof module);
			modules[count] = (struct module){
				module.start, module.size,
				module.command_line && module.command_line < MEMORY_MAPPED
					? at(module.command_line)
					: ""};
		}
	return count;
}

static const char *keep_modules(const struct module modules[MODULES_USED], uint32_t count)
{
	(void)memory_keep(&memory, (uintptr_t)image_start,
			  (uintptr_t)image_end - (uintptr_t)image_start);
	for (uint32_t i = 0; i < count; i++) {
		const struct module *module = &modules[i];

		if (!module->size)
			return "a module is empty: the boot loader could not read its file";
		if (module->start + module->size > MEMORY_MAPPED ||
		    !memory_is_ram(&memory, module->start, module->size))
			return "a module does not lie in the memory below 4 GiB";
		if (!memory_is_free(&memory, module->start, module->size))
			return "two modules overlap, or a module overlaps this program";
		(void)memory_keep(&memory, module->start, module->size);
	}
	return NULL;
}

/* Returns the offset at which the signature after the kernel ends; 0 if there is no signature. */
static uint64_t signature_end(const struct module *module)
{
	const uint64_t start = module->start;
	uint32_t pe, magic, where, size;

	memcpy(&pe, at(start + DOS_PE_OFFSET), sizeof pe);
	if ((uint64_t)pe + PE_CERTIFICATE_TABLE + 8 > module->size)
		return 0;
	memcpy(&magic, at(start + pe), sizeof magic);
	memcpy(&where, at(start + pe + PE_CERTIFICATE_TABLE), sizeof where);
	memcpy(&size, at(start + pe + PE_CERTIFICATE_TABLE + sizeof where), sizeof size);
	return magic == PE_MAGIC && where && (uint64_t)where + size <= module->size
		       ? (uint64_t)where + size
		       : 0;
}

static void find_initrd(struct linux_boot *boot, const struct module modules[MODULES_USED],
			uint32_t count)
{
	uint64_t kernel = linux_size(boot->kernel, boot->kernel_size);

	if (count > 1) {
		boot->initrd = modules[1].start;
		boot->initrd_size = modules[1].size;
		return;
	}
	if (kernel && signature_end(&modules[0]) > kernel)
		kernel = signature_end(&modules[0]);
	if (kernel && kernel < boot->kernel_size) {
		boot->initrd = boot->kernel + kernel;
		boot->initrd_size = boot->kernel_size - kernel;
	}
}

static uint8_t bios8(uintptr_t address)
{
	uint8_t value;

	memcpy(&value, at(address), sizeof value);
	return value;
}

static void read_screen(struct linux_screen *screen)
{
	if (multiboot && (multiboot->flags & MULTIBOOT_FRAMEBUFFER) &&
	    multiboot->type == FRAMEBUFFER_RGB && multiboot->framebuffer < MEMORY_MAPPED) {
		*screen = (struct linux_screen){
			.is_vga = SCREEN_IS_LINEAR,
			.width = (uint16_t)multiboot->width,
			.height = (uint16_t)multiboot->height,
			.depth = multiboot->depth,
			.base = (uint32_t)multiboot->framebuffer,
			.size = (multiboot->pitch * multiboot->height + 0xffff) >> 16,
			.line_length = (uint16_t)multiboot->pitch,
			.red_size = multiboot->red_size,
			.red_position = multiboot->red_position,
			.green_size = multiboot->green_size,
			.green_position = multiboot->green_position,
			.blue_size = multiboot->blue_size,
			.blue_position = multiboot->blue_position,
		};
	} else if (multiboot && bios8(BIOS_VIDEO_MODE) == MODE_COLOUR) {
		*screen = (struct linux_screen){
			.is_vga = SCREEN_IS_VGA,
			.mode = MODE_COLOUR,
			.columns = bios8(BIOS_COLUMNS),
			.rows = (uint8_t)(bios8(BIOS_LAST_ROW) + 1),
			.points = bios8(BIOS_POINTS),
			.column = bios8(BIOS_CURSOR),
			.row = bios8(BIOS_CURSOR + 1),
		};
	}
}

static int copy(char *to, const char *from)
{
	size_t i = 0;

	for (; i + 1 < LOADER_COMMAND_LINE && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
	return from[i] ? -1 : 0;
}

const char *loader_linux(struct linux_boot *boot, const char *otherwise, char *command_line)
{
	struct module modules[MODULES_USED] = {0};
	const uint32_t count = read_modules(modules);
	const char *why = multiboot ? read_multiboot_map() : NULL;

	/* A kernel that is started at its 64-bit entry does not learn that it is dom0. So it would
	 * start no guests. */
	if (pvh && (pvh->flags & PVH_FLAG_DOM0))
		return "this is dom0, whose kernel only Xen can start: name the kernel on Xen's "
		       "module line instead of the guard";
	if (pvh)
		why = read_pvh_map();
	if (why)
		return why;
	if (!count)
		return "there is no module: the first module must be the kernel";
	why = keep_modules(modules, count);
	if (why)
		return why;
	if (copy(command_line, *modules[0].arguments ? modules[0].arguments : otherwise))
		return "the command line is longer than any kernel accepts";
	boot->kernel = modules[0].start;
	boot->kernel_size = modules[0].size;
	boot->command_line = command_line;
	boot->root_pointer = loader_root_pointer();
	boot->memory = &memory;
	find_initrd(boot, modules, count);
	read_screen(&boot->screen);
	return NULL;
}

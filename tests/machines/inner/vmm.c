/* SPDX-License-Identifier: MIT */
/*
 * A small virtual machine monitor for KVM that can only start a PVH image. It is for a KVM that
 * runs in an emulated machine. There, QEMU with its fifty libraries would be most of the initial
 * file system.
 *
 *   vmm [-c CPUS] [-f 0|1] [-a WORDS] IMAGE [MODULE]
 *
 *   -c  the number of virtual processors; the default is 1
 *   -f  sets the FSGSBASE bit of CPUID, whatever KVM offers
 *   -a  the image's command line
 *
 * The guest has 192 MiB, a serial port that can only send, the timer of a PC, and the port 0xf4.
 * MODULE is passed to the image as Xen passes a module. If the image writes to the port 0xf4, the
 * exit status is the same as with QEMU's isa-debug-exit device. Otherwise the exit status is
 * STATUS_USAGE if an argument or a file is invalid, STATUS_REFUSED if KVM or a system call fails,
 * STATUS_SHUTDOWN after a triple fault, or STATUS_RESET after a reset by the keyboard controller.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_USAGE = 64, STATUS_REFUSED = 70, STATUS_SHUTDOWN = 71, STATUS_RESET = 72 };

#define MEMORY          (192u << 20)
#define LOW_MEMORY      0x9f000u
#define HIGH_MEMORY     0x100000u
#define LEAVES          256
#define PAGE            4096u

/* The guest's addresses of the data that a boot loader passes. */
#define TABLES          0x5000u
#define START_INFO      0x6000u
#define COMMAND_LINE    0x7000u
#define MEMORY_MAP      0x8000u
#define MODULES         0x9000u

#define PVH_NOTE        18
#define PVH_MAGIC       0x336ec578u

#define COM1            0x3f8
#define LINE_CONTROL    (COM1 + 3)
#define LINE_STATUS     (COM1 + 5)
#define SCRATCH         (COM1 + 7)
#define LINE_IDLE       0x60 /* the transmitter is empty */
#define DIVISOR_LATCH   0x80 /* a bit of LINE_CONTROL; while it is set, COM1 is the divisor */
#define EXIT_PORT       0xf4
#define KEYBOARD        0x64 /* the keyboard controller's port, by which a PC is reset */
#define KEYBOARD_RESET  0xfe

#define LOCAL_APIC      0xfee00000u
#define TASK_STATE_BASE 0xfffbd000u

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, map;
	uint32_t map_entries, reserved;
};

struct module {
	uint64_t start, size, command_line, reserved;
};

struct region {
	uint64_t base, size;
	uint32_t type, reserved;
};

#define REGION_RAM 1

struct processor {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
};

static uint8_t *memory;
static int forced = -1;

static int control(int fd, unsigned long request, const void *argument, const char *name)
{
	const int result = ioctl(fd, request, argument);

	if (result < 0)
		err(STATUS_REFUSED, "%s", name);
	return result;
}
#define CONTROL(fd, request, argument) control(fd, request, argument, #request)

static void load_segment(const uint8_t *file, const Elf64_Phdr *program)
{
	if (program->p_paddr > MEMORY || program->p_memsz > MEMORY - program->p_paddr)
		errx(STATUS_USAGE, "the image does not fit");
	memcpy(memory + program->p_paddr, file + program->p_offset, program->p_filesz);
}

static uint32_t align4(uint32_t size)
{
	return (size + 3) & ~3u;
}

/* Returns the entry point that the PVH note in a note segment gives; 0 if there is no such note. */
static uint32_t find_entry(const uint8_t *notes, uint64_t size)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
		const Elf64_Nhdr *const note = (const void *)(notes + at);
		const uint8_t *const name = notes + at + sizeof *note;
		uint32_t entry;

		if (note->n_type == PVH_NOTE && note->n_namesz == 4 && !memcmp(name, "Xen", 4)) {
			memcpy(&entry, name + 4, sizeof entry);
			return entry;
		}
		at += sizeof *note + align4(note->n_namesz) + align4(note->n_descsz);
	}
	return 0;
}

static uint32_t load(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const Elf64_Phdr *programs;
	const Elf64_Ehdr *header;
	struct stat status;
	uint32_t entry = 0;

	if (fd < 0 || fstat(fd, &status))
		err(STATUS_USAGE, "%s", path);
	header = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (header == MAP_FAILED || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64)
		errx(STATUS_USAGE, "%s is no ELF64 file", path);
	programs = (const void *)((const uint8_t *)header + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++) {
		if (programs[i].p_type == PT_LOAD)
			load_segment((const uint8_t *)header, &programs[i]);
		else if (programs[i].p_type == PT_NOTE && !entry)
			entry = find_entry((const uint8_t *)header + programs[i].p_offset,
					   programs[i].p_filesz);
	}
	if (!entry)
		errx(STATUS_USAGE, "%s has no PVH entry", path);
	return entry;
}

/* Loads the module at the end of memory, where it is safe from a kernel that moves itself to a
 * higher address. */
static struct module load_module(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint64_t start;

	if (fd < 0 || fstat(fd, &status))
		err(STATUS_USAGE, "%s", path);
	if (status.st_size > MEMORY - HIGH_MEMORY)
		errx(STATUS_USAGE, "%s does not fit", path);
	start = (MEMORY - (uint64_t)status.st_size) & ~(uint64_t)(PAGE - 1);
	if (pread(fd, memory + start, (size_t)status.st_size, 0) != status.st_size)
		err(STATUS_USAGE, "%s", path);
	close(fd);
	return (struct module){.start = start, .size = (uint64_t)status.st_size};
}

static void put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof value);
}

static void finish_table(uint8_t *table, uint32_t size, uint32_t checksum_at)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[checksum_at] = (uint8_t)-sum;
}

static void finish_description(uint8_t *table, const char *signature, uint32_t size)
{
	memcpy(table, signature, 4);
	put32(table + 4, size);
	finish_table(table, size, 9);
}

/* Makes the ACPI tables from which the image learns how many processors there are. */
static void describe_processors(unsigned cpus)
{
	uint8_t *const rsdp = memory + TABLES, *const rsdt = rsdp + 0x100,
		       *const madt = rsdp + 0x200;
	uint8_t *entry = madt + 44;

	put32(madt + 36, LOCAL_APIC);
	for (unsigned cpu = 0; cpu < cpus; cpu++, entry += 8) {
		entry[1] = 8; /* the length; the type, entry[0], is 0: a local APIC */
		entry[2] = entry[3] = (uint8_t)cpu;
		entry[4] = 1; /* enabled */
	}
	finish_description(madt, "APIC", (uint32_t)(entry - madt));
	put32(rsdt + 36, TABLES + 0x200);
	finish_description(rsdt, "RSDT", 40);
	memcpy(rsdp, "RSD PTR ", 8);
	put32(rsdp + 16, TABLES + 0x100);
	finish_table(rsdp, 20, 8);
}

static void set_cpuid(int vm, int fd, uint32_t cpu)
{
	struct kvm_cpuid2 *const leaves =
		calloc(1, sizeof *leaves + LEAVES * sizeof leaves->entries[0]);

	if (!leaves)
		err(STATUS_REFUSED, "calloc");
	leaves->nent = LEAVES;
	CONTROL(vm, KVM_GET_SUPPORTED_CPUID, leaves);
	for (uint32_t i = 0; i < leaves->nent; i++) {
		struct kvm_cpuid_entry2 *const leaf = &leaves->entries[i];

		if (leaf->function == 1) {
			leaf->ebx = (leaf->ebx & 0xffffff) | cpu << 24;
			leaf->ecx |= 1u << 31; /* there is a hypervisor */
		} else if (leaf->function == 7 && leaf->index == 0 && forced >= 0) {
			leaf->ebx = (leaf->ebx & ~1u) | (uint32_t)forced;
		} else if (leaf->function == 0xb || leaf->function == 0x1f) {
			leaf->edx = cpu;
		}
	}
	CONTROL(fd, KVM_SET_CPUID2, leaves);
	free(leaves);
}

/* Sets the entry state that PVH requires: 32-bit protected mode, flat segments, paging off. */
static void set_start(int fd, uint32_t entry)
{
	const struct kvm_regs registers = {.rip = entry, .rbx = START_INFO, .rflags = 2};
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_sregs special;

	CONTROL(fd, KVM_GET_SREGS, &special);
	special.ds = special.es = special.fs = special.gs = special.ss = special.cs = data;
	special.cs.selector = 8;
	special.cs.type = 11;
	special.tr = (struct kvm_segment){.limit = 0x67, .type = 11, .present = 1};
	special.cr0 = 0x11; /* PE, ET */
	CONTROL(fd, KVM_SET_SREGS, &special);
	CONTROL(fd, KVM_SET_REGS, &registers);
}

static _Noreturn void end(int status)
{
	fflush(stdout);
	_exit(status);
}

/* The registers of the serial port that the guest can write and read back. */
static uint8_t line_control, scratch;

static void send(uint16_t port, uint8_t value)
{
	switch (port) {
	case COM1:
		if (!(line_control & DIVISOR_LATCH))
			putchar(value);
		break;
	case LINE_CONTROL:
		line_control = value;
		break;
	case SCRATCH:
		scratch = value;
		break;
	case EXIT_PORT:
		end(value << 1 | 1);
	case KEYBOARD:
		if (value == KEYBOARD_RESET)
			end(STATUS_RESET);
		break;
	default:
		break;
	}
}

static uint8_t receive(uint16_t port)
{
	switch (port) {
	case LINE_CONTROL:
		return line_control;
	case LINE_STATUS:
		return LINE_IDLE;
	case SCRATCH:
		return scratch;
	default:
		return 0xff;
	}
}

static void serve_port(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			send(run->io.port, *data);
		} else {
			memset(data, 0xff, run->io.size);
			*data = receive(run->io.port);
		}
	}
}

static void *serve(void *argument)
{
	const struct processor *const processor = argument;

	for (;;) {
		/* EAGAIN: a processor that waited for its start-up interrupt has received this
		 * interrupt. */
		if (ioctl(processor->fd, KVM_RUN, 0) < 0) {
			if (errno != EAGAIN && errno != EINTR)
				err(STATUS_REFUSED, "KVM_RUN");
			continue;
		}
		switch (processor->run->exit_reason) {
		case KVM_EXIT_IO:
			serve_port(processor->run);
			break;
		case KVM_EXIT_MMIO:
			memset(processor->run->mmio.data, 0xff, sizeof processor->run->mmio.data);
			break;
		case KVM_EXIT_SHUTDOWN:
			fputs("vmm: triple fault\n", stderr);
			end(STATUS_SHUTDOWN);
		default:
			fprintf(stderr, "vmm: exit reason %u\n", processor->run->exit_reason);
			end(STATUS_REFUSED);
		}
	}
}

static void start(int kvm, int vm, unsigned cpus, uint32_t entry)
{
	const size_t size = (size_t)CONTROL(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	struct processor *const processors = calloc(cpus, sizeof *processors);

	for (unsigned cpu = 0; processors && cpu < cpus; cpu++) {
		struct processor *const p = &processors[cpu];

		p->fd = CONTROL(vm, KVM_CREATE_VCPU, (void *)(uintptr_t)cpu);
		p->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
		if (p->run == MAP_FAILED)
			err(STATUS_REFUSED, "mmap");
		set_cpuid(kvm, p->fd, cpu);
		if (cpu == 0)
			set_start(p->fd, entry);
		if (pthread_create(&p->thread, NULL, serve, p))
			errx(STATUS_REFUSED, "pthread_create");
	}
}

int main(int argc, char **argv)
{
	const char *words = "";
	unsigned cpus = 1;
	int option;

	while ((option = getopt(argc, argv, "c:f:a:")) != -1) {
		if (option == 'c')
			cpus = (unsigned)atoi(optarg);
		else if (option == 'f')
			forced = atoi(optarg) & 1;
		else if (option == 'a')
			words = optarg;
		else
			return STATUS_USAGE;
	}
	if (optind + 1 > argc || optind + 2 < argc || cpus < 1 || cpus > 32 || strlen(words) > 255)
		errx(STATUS_USAGE, "usage: vmm [-c CPUS] [-f 0|1] [-a WORDS] IMAGE [MODULE]");
	setvbuf(stdout, NULL, _IOLBF, 0);

	const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		err(STATUS_REFUSED, "/dev/kvm");

	const int vm = CONTROL(kvm, KVM_CREATE_VM, NULL);

	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(STATUS_REFUSED, "mmap");

	const struct kvm_userspace_memory_region region = {.memory_size = MEMORY,
							   .userspace_addr = (uintptr_t)memory};
	const struct kvm_pit_config timer = {0};
	const struct region map[] = {{0, LOW_MEMORY, REGION_RAM, 0},
				     {HIGH_MEMORY, MEMORY - HIGH_MEMORY, REGION_RAM, 0}};
	struct start_info information = {.magic = PVH_MAGIC,
					 .version = 1,
					 .command_line = COMMAND_LINE,
					 .rsdp = TABLES,
					 .map = MEMORY_MAP,
					 .map_entries = sizeof map / sizeof map[0]};

	/* On Intel processors, KVM needs an address for a task state segment. On AMD processors,
	 * the request has no effect. */
	ioctl(vm, KVM_SET_TSS_ADDR, (unsigned long)TASK_STATE_BASE);
	CONTROL(vm, KVM_CREATE_IRQCHIP, NULL);
	CONTROL(vm, KVM_CREATE_PIT2, &timer);
	CONTROL(vm, KVM_SET_USER_MEMORY_REGION, &region);

	const uint32_t entry = load(argv[optind]);

	if (optind + 1 < argc) {
		const struct module module = load_module(argv[optind + 1]);

		memcpy(memory + MODULES, &module, sizeof module);
		information.modules = 1;
		information.module_list = MODULES;
	}
	memcpy(memory + START_INFO, &information, sizeof information);
	memcpy(memory + MEMORY_MAP, map, sizeof map);
	memcpy(memory + COMMAND_LINE, words, strlen(words) + 1);
	describe_processors(cpus);
	start(kvm, vm, cpus, entry);
	for (;;)
		pause();
}

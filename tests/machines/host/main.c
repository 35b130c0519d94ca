/* SPDX-License-Identifier: MIT */
/*
 * The main program of the host. It reads the command line and installs the host that the line names
 * (none with "off"). Then, as that host's guest, it boots the first module like any boot loader.
 * policy.c describes the hosts and what they model.
 */
#include "../../../examples/boot/linux.h"
#include "console.h"
#include "cpu.h"
#include "layout.h"
#include "modules.h"
#include "multiboot.h"
#include "policy.h"
#include "svm.h"
#include "text.h"

_Noreturn void host_main(uint32_t magic, const struct multiboot_info *info);

_Noreturn static void boot_linux(void)
{
	struct linux_boot boot = {
		.kernel = modules[0].start,
		.kernel_size = modules[0].end - modules[0].start,
		.command_line = modules_cmdline,
		.memory = &memory,
	};
	const char *why;

	if (module_count > 1) {
		boot.initrd = modules[1].start;
		boot.initrd_size = modules[1].end - modules[1].start;
	}
	why = linux_load(&boot);
	if (why)
		stop(why, boot.kernel_size);
	linux_enter(&boot);
}

void host_main(uint32_t magic, const struct multiboot_info *info)
{
	char defect[16] = "";
	const char *line = "";
	struct policy policy;

	console_init();
	if (magic != MULTIBOOT_LOADER_MAGIC)
		stop("not started by a Multiboot loader; EAX was", magic);
	modules_init(info);
	if (info->flags & MULTIBOOT_INFO_CMDLINE)
		line = (const char *)(uintptr_t)info->cmdline;
	(void)text_option(line, "defect=", defect, sizeof(defect));
	policy = policy_from_command_line(line);
	if (policy.launch)
		svm_launch(&policy, read_cr3());
	if (linux_is_kernel(modules[0].start, modules[0].end - modules[0].start))
		boot_linux();
	modules_move_up();
	multiboot_boot(&modules[0], defect);
	stop("the first module is neither Linux nor Multiboot; its size is",
	     modules[0].end - modules[0].start);
}

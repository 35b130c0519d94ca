/* SPDX-License-Identifier: MIT */
/*
 * The order of events: read the command line, become a guest of the host it names (or not), and
 * then boot the first module as any boot loader would.  What the host is and is not: policy.c.
 */
#include "../../../examples/boot/linux.h"
#include "console.h"
#include "cpu.h"
#include "layout.h"
#include "modules.h"
#include "multiboot.h"
#include "policy.h"
#include "svm.h"

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
	struct policy policy;

	console_init();
	if (magic != MULTIBOOT_LOADER_MAGIC)
		stop("not started by a Multiboot loader; EAX was", magic);
	modules_init(info);
	policy = policy_from_command_line(
		info->flags & MULTIBOOT_INFO_CMDLINE ? (const char *)(uintptr_t)info->cmdline : "");
	if (policy.launch)
		svm_launch(&policy, read_cr3());
	if (linux_is_kernel(modules[0].start, modules[0].end - modules[0].start))
		boot_linux();
	multiboot_boot(&modules[0]);
	stop("the first module is neither Linux nor Multiboot; its size is",
	     modules[0].end - modules[0].start);
}

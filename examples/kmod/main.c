// SPDX-License-Identifier: MIT
/*
 * Tests on the running kernel whether this machine would execute the FSGSBASE instructions if the
 * kernel enabled them. A process cannot find this out, and every other test takes a reboot.
 *
 * The test runs on one CPU after the other, with interrupts off. It sets CR4.FSGSBASE by a raw
 * write, because the kernel's own writes keep pinned bits as they were at boot. Then it executes
 * the four instructions under the exception table. Each write stores the value that the base
 * already has. At the end it restores CR4. On a healthy machine no base changes. On a machine that
 * stores another value, a write to the MSR restores the old base at once. A CPU on which the bit is
 * already set is left unchanged, because the kernel uses the instructions there.
 *
 * An NMI or a machine check may come during the test. The entry code of both was patched at boot
 * for a kernel without the feature, and does not look at CR4. If the sign bit of MSR_GS_BASE is
 * set, the entry code takes the value to be the kernel's base (paranoid_entry() in
 * arch/x86/entry/entry_64.S). This rule holds during the test, because no base changes. A program
 * could break it by writing a value with the sign bit into its own GS base. But it would have to
 * run on this CPU while CR4.FSGSBASE is set (Documentation/arch/x86/x86_64/fsgs.rst), and nothing
 * else runs on this CPU meanwhile.
 *
 * On a machine that stores another value, the GS base is foreign for a few instructions, from
 * WRGSBASE to the WRMSR that repairs it. An NMI at this moment may crash the kernel. On such a
 * machine, any kernel that uses the instructions crashes even without an NMI.
 */
#ifndef CONFIG_X86_64
#error "fsgscheck is for x86-64 kernels: a 32-bit kernel has no use for FSGSBASE"
#endif

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stringify.h>
#include <linux/utsname.h>

#include <fsgscheck.h>

#include "core/stubs.h"

#define VERSION                                                                              \
	__stringify(FSGS_VERSION_MAJOR) "." __stringify(FSGS_VERSION_MINOR) "." __stringify( \
		FSGS_VERSION_PATCH)
#define CR4_FSGSBASE BIT_ULL(16)
/* The output is about 3 KiB. If the buffer were too small, seq_file would call show() again, which
 * would test the machine again. */
#define ROOM         16384

struct answer {
	struct fsgs_report report;
	char text[ROOM];
};

struct cpu_check {
	struct fsgs_report report;
	u64 before, after, in_the_end; /* CR4 */
};

#ifndef __nocfi /* Linux before 5.13 does not define it */
#define __nocfi
#endif

/*
 * Only calls the stub, because the kernel's exception table already handles the faults of stubs. A
 * stub is assembly code without the type that kCFI checks in a call by address: hence __nocfi.
 */
static __nocfi int run(void *context, fsgs_stub_fn *stub, struct fsgs_stub *io)
{
	return stub(io);
}

static const struct fsgs_core_ops ops = {.run = run};

static u64 read_cr4(void)
{
	struct fsgs_stub io = {};

	fsgs_stub_rdcr4(&io);
	return io.out[0];
}

/* Called on the CPU that it checks, with interrupts off. */
static void check_this_cpu(void *data)
{
	struct cpu_check *check = data;

	check->before = read_cr4();
	/* Cannot fail: the flags are valid. */
	(void)!fsgs_core_ring0(&check->report, sizeof(check->report), &ops, sizeof(ops),
			       FSGS_RING0_KEEP);
	check->after = read_cr4();
	if (check->after != check->before) {
		struct fsgs_stub io = {.in = {check->before}};

		fsgs_stub_wrcr4(&io);
		check->in_the_end = read_cr4();
	}
}

/* Checks all online CPUs, one after the other. The report is that of the first CPU. It says whether
 * other CPUs differ. */
static int check_cpus(struct fsgs_report *report)
{
	struct cpu_check *check = kzalloc(sizeof(*check), GFP_KERNEL);
	unsigned int cpu;
	int error = 0;

	if (!check)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		error = smp_call_function_single(cpu, check_this_cpu, check, 1);
		if (error)
			break;
		if (check->before & CR4_FSGSBASE) {
			pr_err("CPU %u: not tested: the kernel uses FSGSBASE there\n", cpu);
			error = -EBUSY;
			break;
		}
		if (check->after != check->before) {
			pr_alert(
				"CPU %u: CR4 was %#llx, then %#llx, and %#llx when written again\n",
				cpu, check->before, check->after, check->in_the_end);
			error = -EIO;
			break;
		}
		if (!report->cpus_checked)
			*report = check->report;
		else if (!fsgs_core_ring0_same(report, &check->report, sizeof(*report)))
			report->cpus_differ = FSGS_ANSWER_YES;
		if (check->report.samples_differ == FSGS_ANSWER_YES)
			report->samples_differ = FSGS_ANSWER_YES;
		report->cpus_checked++;
	}
	cpus_read_unlock();
	kfree(check);
	if (!error && report->cpus_differ == FSGS_ANSWER_UNKNOWN)
		report->cpus_differ = FSGS_ANSWER_NO;
	return error;
}

/* Each read from the start of the file checks the machine again: the guest may have been resumed or
 * migrated since the last check. */
static int show(struct seq_file *file, void *unused)
{
	static DEFINE_MUTEX(turn);
	struct answer *answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	int error;

	if (!answer)
		return -ENOMEM;
	mutex_lock(&turn);
	error = check_cpus(&answer->report);
	mutex_unlock(&turn);
	if (!error) {
		strscpy(answer->report.kernel, init_utsname()->release,
			sizeof(answer->report.kernel));
		fsgs_decide(&answer->report, sizeof(answer->report));
		fsgs_json(&answer->report, sizeof(answer->report), NULL, 0, 0, answer->text,
			  sizeof(answer->text));
		seq_puts(file, answer->text);
	}
	kfree(answer);
	return error;
}

static int open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	/* single_open_size() requires that private_data is NULL, but the misc core has stored its
	 * device there. */
	file->private_data = NULL;
	return single_open_size(file, show, NULL, ROOM);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &operations,
	.mode = 0400,
};

static void look_for_use(void *used)
{
	if (read_cr4() & CR4_FSGSBASE)
		WRITE_ONCE(*(bool *)used, true);
}

static int __init begin(void)
{
	struct fsgs_report report = {};
	bool used = false;

	if (cpu_feature_enabled(X86_FEATURE_XENPV)) {
		pr_err("not loaded: under Xen PV the hypervisor owns CR4\n");
		return -EOPNOTSUPP;
	}
	on_each_cpu(look_for_use, &used, 1);
	if (used) {
		pr_err("not loaded: this kernel uses FSGSBASE itself, so there is nothing to "
		       "settle\n");
		return -EBUSY;
	}
	fsgs_core_cpuid(&report, &ops);
	if (report.cpuid_fsgsbase != FSGS_ANSWER_YES) {
		pr_err("not loaded: CPUID does not offer FSGSBASE, so no kernel will use it\n");
		return -ENODEV;
	}
	return misc_register(&device);
}
module_init(begin);

static void __exit end(void)
{
	misc_deregister(&device);
}
module_exit(end);

MODULE_DESCRIPTION("Tells whether this machine would execute the FSGSBASE instructions");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(VERSION);

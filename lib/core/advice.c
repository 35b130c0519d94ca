/* SPDX-License-Identifier: MIT */
/*
 * Why, and what to do: two tables of sentences, for the library, the command, the boot image and
 * whoever reads a log. A row applies when all that it names is so; what it leaves out does not matter.
 */
#include "core.h"

#define BIT(finding)     FSGS_FINDING_BIT(FSGS_FINDING_##finding)
#define VERDICT(verdict) (1u << FSGS_VERDICT_##verdict)
#define ANY_VERDICT      UINT32_MAX

enum {
	ANYWHERE = 0, /* from either vantage */
	PROCESS = 1,
	RING0 = 2,
	TRIED = 4,    /* all four instructions were tried */
	OFFERED = 8,  /* CPUID offers the instructions */
	VIRTUAL = 16, /* a hypervisor has signed its leaves */
};

struct condition {
	uint32_t verdicts; /* any of these */
	uint64_t with;     /* all of these findings */
	uint64_t without;  /* none of these findings */
	uint8_t where;     /* all of these */
};

struct reason {
	struct condition when;
	const char *text;
};

/* The first row that applies is the reason. */
static const struct reason reasons[] = {
	{{VERDICT(USABLE), 0, 0, RING0},
	 "CPUID offers the instructions, CR4 took the bit, and all four ran with the right values."},
	{{VERDICT(USABLE), BIT(EMULATED), 0, TRIED},
	 "The kernel advertises the instructions, and all four ran with the right values, in an "
	 "emulator."},
	{{VERDICT(USABLE), 0, 0, TRIED},
	 "The kernel advertises the instructions, and all four ran with the right values."},
	{{VERDICT(USABLE), 0, 0, ANYWHERE},
	 "The kernel advertises the instructions and nothing contradicts it; not all were tried."},

	{{VERDICT(UNSUPPORTED), BIT(WRONG_MODE), 0, ANYWHERE},
	 "Only 64-bit x86 code has the instructions, and this is other code."},
	{{VERDICT(UNSUPPORTED), BIT(INSTRUMENTED), 0, ANYWHERE},
	 "CPUID as a tool shows it does not offer the instructions, and they do not run under "
	 "that tool."},
	{{VERDICT(UNSUPPORTED), 0, 0, TRIED},
	 "CPUID does not offer the instructions, and they do not run."},
	{{VERDICT(UNSUPPORTED), 0, 0, ANYWHERE}, "CPUID does not offer the instructions."},

	{{VERDICT(DISABLED), BIT(KERNEL_TOO_OLD), 0, ANYWHERE},
	 "CPUID offers the instructions, but this kernel does not enable them, as kernels before "
	 "Linux 5.9 do not."},
	{{VERDICT(DISABLED), BIT(SWITCHED_OFF), 0, ANYWHERE},
	 "CPUID offers the instructions, but the kernel was told not to enable them."},
	{{VERDICT(DISABLED), 0, 0, ANYWHERE},
	 "CPUID offers the instructions, but the kernel did not enable them."},

	{{VERDICT(UNADVERTISED), 0, 0, RING0},
	 "The instructions run although CPUID does not offer them."},
	{{VERDICT(UNADVERTISED), BIT(INSTRUMENTED), 0, ANYWHERE},
	 "The instructions run although the kernel seems not to advertise them, but a tool "
	 "changes what this process sees."},
	{{VERDICT(UNADVERTISED), BIT(EMULATED), 0, ANYWHERE},
	 "An emulator runs the instructions and does not advertise them."},
	{{VERDICT(UNADVERTISED), BIT(SANDBOXED), 0, ANYWHERE},
	 "The instructions run, but the sandbox around this process does not advertise them."},
	{{VERDICT(UNADVERTISED), BIT(PRIVILEGE_RISK), 0, ANYWHERE},
	 "The instructions run although the kernel did not enable them, so it is not prepared for "
	 "the bases that they write."},
	{{VERDICT(UNADVERTISED), 0, 0, OFFERED},
	 "The instructions run although the kernel does not advertise them."},
	{{VERDICT(UNADVERTISED), 0, 0, ANYWHERE},
	 "The instructions run although neither CPUID nor the kernel offers them."},

	{{VERDICT(BROKEN), BIT(CR4_REFUSED), 0, ANYWHERE},
	 "CPUID offers the instructions, but setting CR4.FSGSBASE raises a fault."},
	{{VERDICT(BROKEN), BIT(CR4_DROPPED), 0, ANYWHERE},
	 "CPUID offers the instructions, but CR4.FSGSBASE does not stay set."},
	{{VERDICT(BROKEN), BIT(INSN_UD), 0, ANYWHERE},
	 "CPUID and CR4 both promise the instructions, and executing them raises invalid opcode."},
	{{VERDICT(BROKEN), BIT(INSTRUMENTED), 0, ANYWHERE},
	 "The kernel advertises the instructions, but a tool around this process keeps them from "
	 "working."},
	{{VERDICT(BROKEN), BIT(VALUE_LOST), 0, ANYWHERE},
	 "The instructions run, but a base that they wrote was lost."},
	{{VERDICT(BROKEN), 0, 0, ANYWHERE},
	 "The instructions are offered and enabled, but at least one of them does not work."},

	{{VERDICT(INCONSISTENT), BIT(CPUS_DIFFER), 0, ANYWHERE},
	 "The CPUs of this machine do not agree on the instructions."},
	{{VERDICT(INCONSISTENT), BIT(CPUID_MASKED), 0, ANYWHERE},
	 "The kernel advertises the instructions, but CPUID is masked for this process."},
	{{VERDICT(INCONSISTENT), 0, 0, RING0}, "Repeated samples on this machine did not agree."},
	{{VERDICT(INCONSISTENT), 0, 0, ANYWHERE},
	 "The kernel advertises the instructions, but CPUID does not offer them."},

	{{VERDICT(UNKNOWN), BIT(UNPROVEN), 0, ANYWHERE},
	 "The kernel lists the instructions, but nothing shows whether it enabled them or whether "
	 "they run."},
	{{ANY_VERDICT, 0, 0, ANYWHERE}, "The evidence could not be collected."},
};

#define ANY_PRODUCT 0xff

struct advice {
	struct condition when;
	uint8_t product;
	const char *text;
};

/* All rows that apply are the steps, in this order: the cheapest of each case stands first. */
static const struct advice advices[] = {
	{{ANY_VERDICT, BIT(WRONG_MODE), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: use a 64-bit x86 build; no other code has these instructions."},

	/* Not enabled: the most valuable warning comes before the upgrade. */
	{{VERDICT(DISABLED), BIT(UPGRADE_RISK) | BIT(SWITCHED_OFF), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Guest: keep nofsgsbase on the kernel command line until the fsgscheck boot image has "
	 "said usable in this VM."},
	{{VERDICT(DISABLED) | VERDICT(UNKNOWN), BIT(UPGRADE_RISK), BIT(SWITCHED_OFF), ANYWHERE},
	 ANY_PRODUCT,
	 "Guest: run the fsgscheck boot image in this VM before you upgrade the kernel; if you "
	 "cannot, add nofsgsbase to its command line first."},
	{{VERDICT(DISABLED), BIT(SWITCHED_OFF), BIT(UPGRADE_RISK), VIRTUAL},
	 ANY_PRODUCT,
	 "Guest: remove nofsgsbase or clearcpuid from the kernel command line only after a check "
	 "in ring 0, such as the fsgscheck boot image, has said usable."},
	{{VERDICT(DISABLED), BIT(KERNEL_TOO_OLD), BIT(UPGRADE_RISK), VIRTUAL},
	 ANY_PRODUCT,
	 "Guest: run the fsgscheck boot image in this VM, then upgrade to Linux 5.9 or later."},
	{{VERDICT(DISABLED), BIT(SWITCHED_OFF), BIT(UPGRADE_RISK), ANYWHERE},
	 ANY_PRODUCT,
	 "Host: if this system is no VM, remove nofsgsbase or clearcpuid from its kernel command "
	 "line, unless somebody had a reason to put it there."},
	{{VERDICT(DISABLED), BIT(KERNEL_TOO_OLD), BIT(UPGRADE_RISK), ANYWHERE},
	 ANY_PRODUCT,
	 "Host: if this system is no VM, upgrade its kernel to Linux 5.9 or later."},
	{{VERDICT(DISABLED), 0, BIT(SWITCHED_OFF) | BIT(KERNEL_TOO_OLD) | BIT(INSTRUMENTED),
	  ANYWHERE},
	 ANY_PRODUCT,
	 "Process: use arch_prctl; look at the kernel's version and command line for the cause."},

	/* Runs without a promise. */
	{{VERDICT(UNADVERTISED), BIT(EMULATED), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: use arch_prctl; nothing is wrong with the host."},
	{{VERDICT(UNADVERTISED), BIT(SANDBOXED), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: use arch_prctl for FS; force the instructions only as a policy for this "
	 "sandbox."},
	{{VERDICT(UNADVERTISED), BIT(PRIVILEGE_RISK) | BIT(KERNEL_TOO_OLD), 0, ANYWHERE},
	 FSGS_PRODUCT_XEN,
	 "Host: update Xen to 4.12 or later (XSA-293)."},
	{{VERDICT(UNADVERTISED), BIT(PRIVILEGE_RISK) | BIT(KERNEL_TOO_OLD), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Host: unload the kernel module that set CR4.FSGSBASE, upgrade to Linux 5.9 or later, "
	 "and treat the system as possibly compromised."},
	{{VERDICT(UNADVERTISED), BIT(PRIVILEGE_RISK), BIT(KERNEL_TOO_OLD), ANYWHERE},
	 FSGS_PRODUCT_XEN,
	 "Host: update Xen to 4.12 or later (XSA-293)."},
	{{VERDICT(UNADVERTISED), BIT(PRIVILEGE_RISK), BIT(KERNEL_TOO_OLD), ANYWHERE},
	 ANY_PRODUCT,
	 "Host: tell the hypervisor's vendor that CR4.FSGSBASE is not enforced; do not count on "
	 "nofsgsbase as a protection in this guest."},
	{{VERDICT(UNADVERTISED), 0,
	  BIT(EMULATED) | BIT(SANDBOXED) | BIT(PRIVILEGE_RISK) | BIT(INSTRUMENTED), PROCESS},
	 ANY_PRODUCT,
	 "Process: use arch_prctl; nobody promises that the kernel keeps these bases."},
	{{VERDICT(UNADVERTISED), 0, 0, RING0},
	 ANY_PRODUCT,
	 "Guest: nothing to do; kernels do not use what CPUID does not offer."},

	{{ANY_VERDICT, BIT(INSTRUMENTED), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: run it again outside the debugger, tracer or tool to learn about the machine."},

	/* Does not keep its promise. The guest's command line costs a reboot, all else costs more. */
	{{VERDICT(BROKEN), BIT(VALUE_LOST), BIT(INSTRUMENTED), ANYWHERE},
	 ANY_PRODUCT,
	 "Guest: boot the kernel with nofsgsbase."},
	{{VERDICT(BROKEN), BIT(VALUE_LOST), BIT(INSTRUMENTED), ANYWHERE},
	 FSGS_PRODUCT_XEN,
	 "Host: update Xen to 4.15 or later, or run the guest as HVM or PVH."},
	{{VERDICT(BROKEN), BIT(VALUE_LOST), BIT(INSTRUMENTED), PROCESS},
	 ANY_PRODUCT,
	 "Host: report the lost base to the hypervisor's vendor."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 ANY_PRODUCT,
	 "Guest: add nofsgsbase to the guest's kernel command line; it costs a reboot, and the "
	 "kernel then uses the older way."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 FSGS_PRODUCT_HYPERV,
	 "Host: with the VM off, Set-VMProcessor -CompatibilityForMigrationEnabled $true "
	 "(Processor, Compatibility); it also hides SSSE3, SSE4, POPCNT, AVX and AES-NI, so a "
	 "guest that needs x86-64-v2 no longer starts. On Server 2025 add "
	 "-CompatibilityForMigrationMode MinimumFeatureSet."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 FSGS_PRODUCT_KVM,
	 "Host: take the feature out of the VM's CPU model: -cpu MODEL,-fsgsbase, in libvirt "
	 "<feature policy='disable' name='fsgsbase'/>; and look for nofsgsbase on the host's own "
	 "command line."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 FSGS_PRODUCT_TCG,
	 "Host: take the feature out of the VM's CPU model: -cpu MODEL,-fsgsbase."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 FSGS_PRODUCT_XEN,
	 "Host: hide the feature from the guest: cpuid=\"host,fsgsbase=0\" in its configuration."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 FSGS_PRODUCT_VMWARE,
	 "Host: mask CPUID leaf 7 EBX bit 0 for the VM, or choose a lower EVC level."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 ANY_PRODUCT,
	 "Host: update the hypervisor, the firmware and the microcode."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST), RING0},
	 ANY_PRODUCT,
	 "Host: or move the VM to a host where this image says usable."},
	{{VERDICT(BROKEN), 0, BIT(VALUE_LOST) | BIT(INSTRUMENTED), PROCESS},
	 ANY_PRODUCT,
	 "Guest: boot the kernel with nofsgsbase, then find out in ring 0 with the fsgscheck boot "
	 "image."},
	{{VERDICT(BROKEN), 0, BIT(INSTRUMENTED), PROCESS},
	 ANY_PRODUCT,
	 "Process: use arch_prctl where the instructions are not given as the access method."},

	{{VERDICT(INCONSISTENT), BIT(CPUS_DIFFER), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Guest: boot the kernel with nofsgsbase until its CPUs agree."},
	{{VERDICT(INCONSISTENT), BIT(CPUS_DIFFER), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Host: give all virtual CPUs of the VM the same CPU model; on a physical machine, update "
	 "the microcode."},
	{{VERDICT(INCONSISTENT), BIT(CPUID_MASKED), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: honour the mask and use arch_prctl; a tool such as a record-and-replay "
	 "debugger hides the feature on purpose."},
	{{VERDICT(INCONSISTENT), 0, BIT(CPUS_DIFFER) | BIT(CPUID_MASKED) | BIT(INSTRUMENTED),
	  PROCESS},
	 ANY_PRODUCT,
	 "Process: use arch_prctl, and run the check with --all-cpus: its CPUs may differ."},
	{{VERDICT(INCONSISTENT), 0, BIT(CPUS_DIFFER), RING0},
	 ANY_PRODUCT,
	 "Host: the machine changed while it was watched; look for a migration or a restored "
	 "state."},

	{{VERDICT(UNKNOWN), BIT(UNPROVEN), BIT(UPGRADE_RISK), PROCESS},
	 ANY_PRODUCT,
	 "Guest: run fsgscheck on this machine; if its kernel is older than Linux 5.9, run the "
	 "fsgscheck boot image in this VM before you upgrade."},
	{{VERDICT(UNKNOWN), 0, BIT(UNPROVEN), PROCESS},
	 ANY_PRODUCT,
	 "Process: look at what its sandbox refuses, and run the check outside it."},

	{{VERDICT(UNKNOWN), 0, 0, RING0},
	 ANY_PRODUCT,
	 "Guest: run the test again with one CPU; if it ends the same way, the step that it "
	 "printed last is the one to report to the hypervisor's vendor."},

	/* These go with any verdict. */
	{{ANY_VERDICT, BIT(ARCH_PRCTL_DENIED), BIT(SANDBOXED) | BIT(WRONG_MODE), ANYWHERE},
	 ANY_PRODUCT,
	 "Process: if it needs the fallback, allow arch_prctl in its seccomp filter."},
	{{ANY_VERDICT, BIT(ARCH_PRCTL_LIES), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: do not rely on arch_prctl for the bases here."},
	{{ANY_VERDICT, BIT(NO_CANONICAL_CHECK), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Process: validate an address before writing it as a base; do not rely on #GP here."},
	{{ANY_VERDICT, BIT(CR4_UNENFORCED), 0, ANYWHERE},
	 ANY_PRODUCT,
	 "Host: tell the hypervisor's vendor; on this machine nofsgsbase, or a kernel before "
	 "Linux 5.9, leaves the instructions live behind an unaware kernel."},
};

static int applies(const struct condition *when, const struct fsgs_report *r)
{
	const uint32_t vantage = r->vantage == FSGS_VANTAGE_RING0 ? RING0 : PROCESS;
	const uint32_t is = vantage | (r->proof == FSGS_PROOF_TRIED ? TRIED : 0u) |
			    (r->cpuid_fsgsbase == FSGS_ANSWER_YES ? OFFERED : 0u) |
			    (r->hypervisor[0] ? VIRTUAL : 0u);

	return (r->verdict < 32 && (when->verdicts >> r->verdict & 1)) &&
	       (r->findings & when->with) == when->with && !(r->findings & when->without) &&
	       (is & when->where) == when->where;
}

const char *fsgs_reason(const struct fsgs_report *report, size_t size)
{
	const size_t last = sizeof reasons / sizeof *reasons - 1;
	struct fsgs_report r;

	if (!report || size < FSGS_REPORT_MIN)
		return reasons[last].text;
	fsgs_report_load(&r, report, size);
	for (size_t i = 0; i < last; i++)
		if (applies(&reasons[i].when, &r))
			return reasons[i].text;
	return reasons[last].text;
}

const char *fsgs_advice(const struct fsgs_report *report, size_t size, uint32_t step)
{
	struct fsgs_report r;

	if (!report || size < FSGS_REPORT_MIN)
		return NULL;
	fsgs_report_load(&r, report, size);

	const uint8_t product = (uint8_t)fsgs_product(r.hypervisor);

	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
		if (advices[i].product != ANY_PRODUCT && advices[i].product != product)
			continue;
		if (applies(&advices[i].when, &r) && step-- == 0)
			return advices[i].text;
	}
	return NULL;
}

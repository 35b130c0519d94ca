/* SPDX-License-Identifier: MIT */
/* The core's trial in a Linux process: the guard, and arch_prctl as the other access to a base. */
#include "../core/core.h"
#include "arch-prctl.h"
#include "guard.h"
#include "linux.h"

#include <errno.h>

/* Since Linux 4.12. */
#ifndef ARCH_GET_CPUID
#define ARCH_GET_CPUID 0x1011
#endif

/* The ABI stores the thread pointer at the address to which it points, so %fs:0 gives it (System V
 * AMD64 TLS, variant II). This needs no system call and is independent of the instructions. A
 * pointer of x32 has 32 bits. */
static uint64_t thread_pointer(void)
{
	uintptr_t self;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(self));
	return self;
}

/* How many times at most the trial is repeated after a wrong value, which a thread switch may have
 * caused. */
#define CHANCES 4

/* Once the FS base may be foreign, this code must not use memory addressed through FS: no
 * thread-local storage, and no stack protector, which lib/meson.build disables. */
static int hook_get_base(void *context, uint32_t segment, uint64_t *base)
{
	const struct fsgs_guarded *const guarded = context;
	uint64_t value = FSGS_SENTINEL;
	long error;

	if (segment == FSGS_SEGMENT_FS && !guarded->kernel_tells) {
		*base = guarded->thread_pointer;
		return 0;
	}
	error = fsgs_arch_prctl(segment == FSGS_SEGMENT_FS ? ARCH_GET_FS : ARCH_GET_GS,
				(uintptr_t)&value);
	if (error)
		return error < 0 ? (int)error : -EIO;
	if (value == FSGS_SENTINEL)
		return -EIO;
	*base = value;
	return 0;
}

static int hook_set_base(void *context, uint32_t segment, uint64_t base)
{
	struct fsgs_guarded *const guarded = context;
	uint64_t value = FSGS_SENTINEL;
	const long error =
		fsgs_arch_prctl(segment == FSGS_SEGMENT_FS ? ARCH_SET_FS : ARCH_SET_GS, base);

	if (segment == FSGS_SEGMENT_FS && !error)
		guarded->kernel_tells = fsgs_arch_prctl(ARCH_GET_FS, (uintptr_t)&value) == 0 &&
					value == guarded->thread_pointer;
	return (int)error;
}

/* Whether a base of the kernel's half may be written for a moment. Under a kernel that is not aware
 * of the instructions, this is dangerous: the kernel's entry code relies on the sign of the GS
 * base. User-mode Linux is known to crash. */
static int may_flash(const struct fsgs_report *report)
{
	if (report->signs & (FSGS_SIGN_BIT(FSGS_SIGN_UML) | FSGS_SIGN_BIT(FSGS_SIGN_XEN_PV)))
		return 0;
	if (report->hwcap2_fsgsbase == FSGS_ANSWER_YES)
		return 1;
	/* If the kernel does not advertise the instructions, the write is safe only in an emulator
	 * of processes. A missing AT_HWCAP2 entry is a sign of such an emulator in two cases: a
	 * genuine kernel of this version would have the entry, or the copies of the vector differ.
	 * Otherwise it is no sign: a genuine kernel from before the entry may have a module that
	 * lets programs use the instructions. This also holds under QEMU's signature, since QEMU
	 * emulates whole machines, too. */
	return report->hwcap2_present == FSGS_ANSWER_NO &&
	       (report->kernel_version >= FSGS_LINUX_HWCAP2 ||
		report->signs & FSGS_SIGN_BIT(FSGS_SIGN_AUXV_DIFFERS));
}

/* ARCH_GET_CPUID returns 0 if CPUID faults. But an arch_prctl that does nothing returns 0 for every
 * code, so this function tries an undefined code as well. */
static int cpuid_faults(void)
{
	return fsgs_arch_prctl(ARCH_GET_CPUID, 0) == 0 && fsgs_arch_prctl(0, 0) != 0;
}

void fsgs_identify(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	if (guarded->ops.run && cpuid_faults())
		report->cpuid_faulting = FSGS_ANSWER_YES;
	fsgs_core_identify(report, &guarded->ops);
}

/* A kernel that did not enable the instructions does not keep the base across a thread switch, so
 * the marker may be lost by chance. A machine that stores wrong values does so each time. If the
 * kernel enabled the instructions, the first wrong value counts. */
static void try_again(struct fsgs_report *report, const struct fsgs_core_ops *ops)
{
	const struct fsgs_trial *const rd = report->trials + FSGS_INSN_RDGSBASE;
	const struct fsgs_trial *const wr = report->trials + FSGS_INSN_WRGSBASE;

	for (int i = 0;
	     i < CHANCES && report->hwcap2_fsgsbase != FSGS_ANSWER_YES &&
	     (rd->outcome == FSGS_OUTCOME_WRONG_VALUE || wr->outcome == FSGS_OUTCOME_WRONG_VALUE);
	     i++)
		fsgs_core_trial(report, ops);
}

void fsgs_try(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	if (!guarded->ops.run)
		return;
	fsgs_core_trial(report, &guarded->ops);
	try_again(report, &guarded->ops);
}

void fsgs_try_canonical(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	if (guarded->ops.run && may_flash(report))
		fsgs_core_canonical(report, &guarded->ops);
}

/* Compares the answer of arch_prctl with the base, if that is known from another source. Only
 * reads, because an arch_prctl that gives a wrong answer must not write a base. */
static void ask_fallback(struct fsgs_report *report, uint32_t segment, int known, uint64_t base)
{
	uint64_t value = FSGS_SENTINEL;
	const long error = fsgs_arch_prctl(segment == FSGS_SEGMENT_FS ? ARCH_GET_FS : ARCH_GET_GS,
					   (uintptr_t)&value);

	if (report->fallback[segment] == FSGS_FALLBACK_LIES)
		return; /* the trial has reported it already */
	if (error < 0) {
		report->fallback[segment] = FSGS_FALLBACK_DENIED;
		report->fallback_error[segment] = (int32_t)-error;
	} else if (value == FSGS_SENTINEL || (known && value != base)) {
		report->fallback[segment] = FSGS_FALLBACK_LIES;
	} else {
		report->fallback[segment] = FSGS_FALLBACK_OK;
	}
}

void fsgs_try_fallback(struct fsgs_report *report, const struct fsgs_guarded *guarded)
{
	struct fsgs_stub io = {0};
	int known = report->trials[FSGS_INSN_RDGSBASE].outcome == FSGS_OUTCOME_OK;

	if (!guarded->ops.run)
		return;
	ask_fallback(report, FSGS_SEGMENT_FS, 1, thread_pointer());
	known = known && !fsgs_guard_run(NULL, fsgs_stub_rdgs64, &io);
	ask_fallback(report, FSGS_SEGMENT_GS, known, io.out[0]);
}

void fsgs_guarded_begin(struct fsgs_guarded *guarded, struct fsgs_report *report,
			enum fsgs_refusal refusal)
{
	const int error = refusal == FSGS_REFUSAL_NONE ? fsgs_guard_enter() : 0;

	report->refusal = (uint32_t)(error ? FSGS_REFUSAL_SYSTEM : refusal);
	report->refusal_error = -error;
	*guarded = (struct fsgs_guarded){.thread_pointer = thread_pointer()};
	if (report->refusal == FSGS_REFUSAL_NONE)
		guarded->ops = (struct fsgs_core_ops){.context = guarded,
						      .run = fsgs_guard_run,
						      .get_base = hook_get_base,
						      .set_base = hook_set_base};
}

void fsgs_guarded_end(const struct fsgs_guarded *guarded)
{
	if (guarded->ops.run)
		fsgs_guard_leave();
}

/* SPDX-License-Identifier: MIT */
/*
 * An EFI program for 64-bit firmware, built with gnu-efi. Firmware itself calls the fault handler,
 * so the program needs no assembly and no exception table.
 */
#include <efi.h>
#include <efilib.h>

#include <fsgscheck/core.h>

/* The beginning of EFI_CPU_ARCH_PROTOCOL (UEFI Platform Initialization specification), up to the
 * last member that is used. */
struct cpu_arch_protocol {
	void *before[5];
	EFI_STATUS(EFIAPI *register_handler)
	(struct cpu_arch_protocol *self, EFI_EXCEPTION_TYPE vector,
	 void(EFIAPI *handler)(EFI_EXCEPTION_TYPE vector, EFI_SYSTEM_CONTEXT context));
};

static EFI_GUID cpu_arch_guid = {
	0x26baccb1, 0x6f42, 0x11d4, {0xbc, 0xe7, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const EFI_EXCEPTION_TYPE vectors[] = {6, 13}; /* #UD, #GP */

static void EFIAPI on_fault(EFI_EXCEPTION_TYPE vector, EFI_SYSTEM_CONTEXT context)
{
	EFI_SYSTEM_CONTEXT_X64 *const frame = context.SystemContextX64;
	uint64_t rip = frame->Rip;

	if (fsgs_stub_recover(&rip, frame->Rdi, (int32_t)vector, (int32_t)frame->ExceptionData))
		frame->Rip = rip;
	else
		for (;;) /* no stub faulted, and a return would fault again */
			__asm__ volatile("hlt");
}

static EFI_STATUS test(struct fsgs_report *report)
{
	const struct fsgs_core_ops ops = {0};
	struct cpu_arch_protocol *cpu;
	EFI_STATUS status = LibLocateProtocol(&cpu_arch_guid, (void **)&cpu);
	UINTN caught = 0;

	while (!EFI_ERROR(status) && caught < 2)
		status = cpu->register_handler(cpu, vectors[caught++], on_fault);
	if (!EFI_ERROR(status)) {
		/* TPL_HIGH_LEVEL also turns interrupts off, as the test requires. */
		const EFI_TPL before = BS->RaiseTPL(TPL_HIGH_LEVEL);

		if (fsgs_core_ring0(report, sizeof *report, &ops, sizeof ops, 0))
			status = EFI_UNSUPPORTED;
		BS->RestoreTPL(before);
	}
	while (caught > 0)
		cpu->register_handler(cpu, vectors[--caught], NULL);
	return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	static struct fsgs_report report;
	EFI_STATUS status;

	InitializeLib(image, system);
	status = test(&report);
	if (EFI_ERROR(status)) {
		Print(L"fsgsbase: not tested: %r\n", status);
		return status;
	}
	fsgs_decide(&report, sizeof report);
	Print(L"fsgsbase: %a: %a\n", fsgs_name(FSGS_LIST_VERDICT, report.verdict),
	      fsgs_reason(&report, sizeof report));
	return EFI_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include "hyperv.h"
#include "text.h"

/* The leaves from HYPERV_LEAF_FIRST on, in the order of the Hypervisor Top Level Functional
 * Specification. */
enum leaf {
	LEAF_VENDOR,
	LEAF_INTERFACE,
	LEAF_VERSION,
	LEAF_FEATURES,
	LEAF_HINTS,
	LEAF_LIMITS,
	LEAF_HARDWARE
};

#define MSR_GUEST_OS_ID   0x40000000u
#define MSR_HYPERCALL     0x40000001u
#define MSR_VP_INDEX      0x40000002u
#define MSR_VP_ASSIST     0x40000073u

/* Linux accepts a host as Hyper-V only if it has these two features. */
#define FEATURE_HYPERCALL (1u << 5)
#define FEATURE_VP_INDEX  (1u << 6)

#define BUILD             20348u
#define VERSION_10_0      (10u << 16)
#define VIRTUAL_CPU_MAX   64u

#define HYPERCALL_ENABLED UINT64_C(1)
#define HYPERCALL_PAGE    UINT64_C(0x000ffffffffff000)

static uint64_t guest_os_id, hypercall, vp_assist;

struct cpuid hyperv_cpuid(uint32_t leaf)
{
	switch (leaf - HYPERV_LEAF_FIRST) {
	case LEAF_VENDOR: /* "Microsoft Hv" */
		return (struct cpuid){HYPERV_LEAF_FIRST + LEAF_HARDWARE, 0x7263694d, 0x666f736f,
				      0x76482074};
	case LEAF_INTERFACE: /* "Hv#1" */
		return (struct cpuid){.eax = 0x31237648};
	case LEAF_VERSION:
		return (struct cpuid){.eax = BUILD, .ebx = VERSION_10_0};
	case LEAF_FEATURES:
		return (struct cpuid){.eax = FEATURE_HYPERCALL | FEATURE_VP_INDEX};
	case LEAF_LIMITS:
		return (struct cpuid){.eax = VIRTUAL_CPU_MAX};
	default:
		return (struct cpuid){0};
	}
}

/* Makes each hypercall of the guest fail. The real Hyper-V would map its own page at @page. */
static void fill_hypercall_page(uint64_t page)
{
	static const uint8_t invalid_hypercall_code[] = {
		0xb8, 0x02, 0x00, 0x00, 0x00, /* mov $2, %eax: HV_STATUS_INVALID_HYPERCALL_CODE */
		0xc3,                         /* ret */
	};

	if (page < MAPPED)
		memcpy((void *)page, invalid_hypercall_code, sizeof(invalid_hypercall_code));
}

bool hyperv_read_msr(uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_GUEST_OS_ID:
		*value = guest_os_id;
		return true;
	case MSR_HYPERCALL:
		*value = hypercall;
		return true;
	case MSR_VP_INDEX:
		*value = 0; /* the virtual processor index: only the boot processor is a guest */
		return true;
	case MSR_VP_ASSIST:
		*value = vp_assist;
		return true;
	default:
		return false;
	}
}

bool hyperv_write_msr(uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_GUEST_OS_ID:
		guest_os_id = value;
		return true;
	case MSR_HYPERCALL:
		hypercall = value;
		if (value & HYPERCALL_ENABLED)
			fill_hypercall_page(value & HYPERCALL_PAGE);
		return true;
	case MSR_VP_ASSIST:
		vp_assist = value;
		return true;
	default:
		return false;
	}
}

// SPDX-License-Identifier: MIT

// Package fsgscheck tells whether the FSGSBASE instructions can really be used here: libfsgscheck by cgo.
//
// Any goroutine may call any function at any time. A check is one C call: the goroutine stays on its thread meanwhile,
// and the Go runtime still gets the signals that it needs. A base belongs to a thread: call runtime.LockOSThread before
// GetBase, and keep the thread until SetBase.
package fsgscheck

// #cgo LDFLAGS: -lfsgscheck
// #if !__has_include(<fsgscheck.h>)
// #error "fsgscheck.h is not installed. Build and install it in the source tree of libfsgscheck:"
// #error "meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig"
// #error "For a folder that the compiler does not search, set CGO_CFLAGS and CGO_LDFLAGS to what pkg-config prints."
// #endif
// #include <fsgscheck.h>
// #include <fsgscheck/base.h>
// #if FSGS_VERSION_MAJOR != 1
// #error "This package is for version 1 of libfsgscheck."
// #endif
import "C"

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Flags add parts to the plain check, or leave out the trial.
type Flags uint32

const (
	NoTrial  Flags = C.FSGS_CHECK_NO_TRIAL
	Context  Flags = C.FSGS_CHECK_CONTEXT
	AllCPUs  Flags = C.FSGS_CHECK_ALL_CPUS
	Survival Flags = C.FSGS_CHECK_SURVIVAL
)

// Segment is one of the two segments that have a base.
type Segment uint32

const (
	FS Segment = C.FSGS_SEGMENT_FS // the C library's and Go's thread pointer: leave it alone
	GS Segment = C.FSGS_SEGMENT_GS
)

// Verdict is what the evidence adds up to. A number that the library does not know becomes Unknown.
type Verdict uint32

const (
	Unknown      Verdict = C.FSGS_VERDICT_UNKNOWN
	Usable       Verdict = C.FSGS_VERDICT_USABLE
	Unsupported  Verdict = C.FSGS_VERDICT_UNSUPPORTED
	Disabled     Verdict = C.FSGS_VERDICT_DISABLED
	Unadvertised Verdict = C.FSGS_VERDICT_UNADVERTISED
	Broken       Verdict = C.FSGS_VERDICT_BROKEN
	Inconsistent Verdict = C.FSGS_VERDICT_INCONSISTENT
)

// Access is how a base is read and written. A number that the library does not know becomes None.
type Access uint32

const (
	None        Access = C.FSGS_ACCESS_NONE
	Instruction Access = C.FSGS_ACCESS_INSTRUCTION
	ArchPrctl   Access = C.FSGS_ACCESS_ARCH_PRCTL
)

// Outcome is the result of one instruction. A number that the library does not know becomes NotTried.
type Outcome uint32

const (
	NotTried   Outcome = C.FSGS_OUTCOME_NOT_TRIED
	OK         Outcome = C.FSGS_OUTCOME_OK
	Undefined  Outcome = C.FSGS_OUTCOME_UNDEFINED
	Faulted    Outcome = C.FSGS_OUTCOME_FAULTED
	WrongValue Outcome = C.FSGS_OUTCOME_WRONG_VALUE
	ValueLost  Outcome = C.FSGS_OUTCOME_VALUE_LOST
)

// Proof is what a verdict rests on. A number that the library does not know becomes Advertised.
type Proof uint32

const (
	Advertised Proof = C.FSGS_PROOF_ADVERTISED
	Tried      Proof = C.FSGS_PROOF_TRIED
)

// Finding is a detail of a verdict, and Insn is one of the four instructions.
type (
	Finding uint32
	Insn    uint32
)

// name returns the library's own name, or the kind and the number if the library has no name.
func name(kind string, list, value uint32) string {
	if name := C.fsgs_name(C.uint32_t(list), C.uint32_t(value)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("%s-%d", kind, value)
}

func (v Verdict) String() string { return name("verdict", C.FSGS_LIST_VERDICT, uint32(v)) }
func (a Access) String() string  { return name("access", C.FSGS_LIST_ACCESS, uint32(a)) }
func (f Finding) String() string { return name("finding", C.FSGS_LIST_FINDING, uint32(f)) }
func (o Outcome) String() string { return name("outcome", C.FSGS_LIST_OUTCOME, uint32(o)) }
func (i Insn) String() string    { return name("insn", C.FSGS_LIST_INSN, uint32(i)) }
func (p Proof) String() string   { return name("proof", C.FSGS_LIST_PROOF, uint32(p)) }

// known returns the number, or 0 if the library has no name for the number.
func known(list uint32, value C.uint32_t) uint32 {
	if C.fsgs_name(C.uint32_t(list), value) == nil {
		return 0
	}
	return uint32(value)
}

// Text is the sentence that explains a finding.
func (f Finding) Text() string {
	return C.GoString(C.fsgs_describe(C.FSGS_LIST_FINDING, C.uint32_t(f)))
}

// Report is the result of one check: the decision, and the evidence.
type Report struct {
	Verdict  Verdict
	Proof    Proof
	Verdicts [C.FSGS_SEGMENTS]Verdict // by Segment
	Access   [C.FSGS_SEGMENTS]Access  // by Segment
	Outcomes [C.FSGS_INSNS]Outcome    // by Insn
	Findings []Finding                // also those that only a newer library knows
	CPUID    *bool                    // nil: not known
	HWCAP2   *bool
	Vendor   string
	Kernel   string
	Reason   string
	Advice   []string
}

func answer(value C.uint32_t) *bool {
	yes := value == C.FSGS_ANSWER_YES
	if !yes && value != C.FSGS_ANSWER_NO {
		return nil
	}
	return &yes
}

func failed(status C.int) error {
	if status == 0 {
		return nil
	}
	return syscall.Errno(-status)
}

// Check collects evidence and decides. The error does not depend on the verdict: it is nil even for Broken.
func Check(flags Flags) (*Report, error) {
	var raw C.struct_fsgs_report
	size := C.size_t(unsafe.Sizeof(raw))
	if err := failed(C.fsgs_check(&raw, size, C.uint32_t(flags))); err != nil {
		return nil, err
	}
	report := &Report{
		Verdict: Verdict(known(C.FSGS_LIST_VERDICT, raw.verdict)),
		Proof:   Proof(known(C.FSGS_LIST_PROOF, raw.proof)),
		CPUID:   answer(raw.cpuid_fsgsbase),
		HWCAP2:  answer(raw.hwcap2_fsgsbase),
		Vendor:  C.GoString(&raw.vendor[0]),
		Kernel:  C.GoString(&raw.kernel[0]),
		Reason:  C.GoString(C.fsgs_reason(&raw, size)),
	}
	for i := range report.Verdicts {
		report.Verdicts[i] = Verdict(known(C.FSGS_LIST_VERDICT, raw.verdicts[i]))
		report.Access[i] = Access(known(C.FSGS_LIST_ACCESS, raw.access[i]))
	}
	for i := range report.Outcomes {
		report.Outcomes[i] = Outcome(known(C.FSGS_LIST_OUTCOME, raw.trials[i].outcome))
	}
	for i := Finding(0); i < 64; i++ {
		if raw.findings>>i&1 == 1 {
			report.Findings = append(report.Findings, i)
		}
	}
	for step := C.uint32_t(0); ; step++ {
		text := C.fsgs_advice(&raw, size, step)
		if text == nil {
			return report, nil
		}
		report.Advice = append(report.Advice, C.GoString(text))
	}
}

// CanUse tells whether all four instructions may be used by this process; cached until Refresh.
func CanUse() bool { return C.fsgs_usable() == 1 }

// Refresh checks again, after a resume, a migration or a restore. It tells whether anything changed.
func Refresh() bool { return C.fsgs_refresh() == 1 }

// BaseAccess tells how a base is read and written here; None for an invalid segment.
func BaseAccess(segment Segment) Access {
	return Access(known(C.FSGS_LIST_ACCESS, C.fsgs_base_access(C.uint32_t(segment))))
}

// GetBase reads a base of the calling thread.
func GetBase(segment Segment) (uint64, error) {
	var base C.uint64_t
	err := failed(C.fsgs_get_base(C.uint32_t(segment), &base))
	return uint64(base), err
}

// SetBase writes a base of the calling thread.
func SetBase(segment Segment, base uint64) error {
	return failed(C.fsgs_set_base(C.uint32_t(segment), C.uint64_t(base)))
}

// EnsureBase writes a base of the calling thread only if the segment has another base. This is cheaper than SetBase if
// the segment often has the base already.
func EnsureBase(segment Segment, base uint64) error {
	return failed(C.fsgs_ensure_base(C.uint32_t(segment), C.uint64_t(base)))
}

// Version returns the version of the library that is running.
func Version() string { return C.GoString(C.fsgs_version_string()) }

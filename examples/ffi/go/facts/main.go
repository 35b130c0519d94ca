// SPDX-License-Identifier: MIT

// Facts makes checks in many goroutines while the garbage collector runs, another goroutine recovers from nil pointers
// (SIGSEGV), and the Go runtime preempts goroutines (SIGURG). Then it prints facts, which tests/live/ffi.py compares.
// With the argument "facts" it only prints the facts.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"fsgscheck.example/fsgscheck"
)

const (
	goroutines = 8
	checks     = 50
)

var (
	agreed, panics int64
	garbage        atomic.Value
)

// wander makes checks in a goroutine that may move to another thread between two checks.
func wander(expected fsgscheck.Verdict) {
	for i := 0; i < checks; i++ {
		flags := fsgscheck.Flags(0)
		if i%10 == 0 {
			flags = fsgscheck.Context
			runtime.GC()
		}
		report, err := fsgscheck.Check(flags)
		if err == nil && report.Verdict == expected {
			atomic.AddInt64(&agreed, 1)
		}
		garbage.Store(make([]byte, 1<<16))
		runtime.Gosched()
	}
}

// stay makes checks in a goroutine that keeps its thread, with a GS base of its own.
func stay(number int, expected fsgscheck.Verdict) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	marker := uint64(0x1000 * (number + 1))
	before, err := fsgscheck.GetBase(fsgscheck.GS)
	if err != nil || fsgscheck.SetBase(fsgscheck.GS, marker) != nil {
		return
	}
	defer fsgscheck.SetBase(fsgscheck.GS, before)
	for i := 0; i < checks; i++ {
		report, err := fsgscheck.Check(0)
		base, baseErr := fsgscheck.GetBase(fsgscheck.GS)
		if err == nil && baseErr == nil && report.Verdict == expected && base == marker {
			atomic.AddInt64(&agreed, 1)
		}
		garbage.Store(make([]byte, 1<<16))
	}
}

// crash reads through a nil pointer: the Go runtime turns the SIGSEGV into a panic.
func crash(pointer *[]byte) {
	defer func() {
		if err, ok := recover().(runtime.Error); ok && strings.Contains(err.Error(), "nil pointer") {
			panics++
		}
	}()
	garbage.Store(*pointer)
}

func threads(expected fsgscheck.Verdict) {
	var workers, crashing sync.WaitGroup
	var done atomic.Bool
	tries := int64(0)

	crashing.Add(1)
	go func() {
		defer crashing.Done()
		for ; !done.Load(); tries++ {
			crash(nil)
		}
	}()
	for i := 0; i < goroutines; i++ {
		i := i
		workers.Add(2)
		go func() { defer workers.Done(); wander(expected) }()
		go func() { defer workers.Done(); stay(i, expected) }()
	}
	workers.Wait()
	done.Store(true)
	crashing.Wait()
	fmt.Printf("threads %d of %d\n", agreed, 2*goroutines*checks)
	if tries == 0 || panics != tries {
		fmt.Printf("recovered %d of %d panics\n", panics, tries)
		os.Exit(1)
	}
}

// ensure keeps its thread, because a base belongs to a thread.
func ensure() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := fsgscheck.GetBase(fsgscheck.GS)
	if err != nil {
		return err
	}
	defer fsgscheck.EnsureBase(fsgscheck.GS, before)
	if err := fsgscheck.EnsureBase(fsgscheck.GS, 0x7000); err != nil {
		return err
	}
	base, err := fsgscheck.GetBase(fsgscheck.GS)
	fmt.Printf("ensured %#x\n", base)
	return err
}

func answer(value *bool) string {
	if value == nil {
		return "none"
	}
	return fmt.Sprint(*value)
}

func main() {
	report, err := fsgscheck.Check(fsgscheck.Context)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if len(os.Args) < 2 || os.Args[1] != "facts" {
		threads(report.Verdict)
	}

	var errno syscall.Errno
	if _, err := fsgscheck.Check(1 << 31); errors.As(err, &errno) {
		fmt.Println("error.check", int(errno))
	}
	if errors.As(fsgscheck.SetBase(fsgscheck.GS, 1<<63), &errno) {
		fmt.Println("error.set_base", int(errno))
	}
	if errors.As(fsgscheck.EnsureBase(fsgscheck.GS, 1<<63), &errno) {
		fmt.Println("error.ensure_base", int(errno))
	}
	if err := ensure(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	findings, bits := []string{}, uint64(0)
	for _, finding := range report.Findings {
		findings = append(findings, finding.String())
		bits |= 1 << finding
	}
	fmt.Println("verdict", report.Verdict)
	fmt.Println("proof", report.Proof)
	fmt.Println("findings", strings.Join(findings, ","))
	fmt.Printf("bits %#x\n", bits)
	fmt.Println("reason", report.Reason)
	fmt.Println("library", fsgscheck.Version())
	fmt.Println("cpuid.vendor", report.Vendor)
	fmt.Println("kernel.release", report.Kernel)
	fmt.Println("cpuid.fsgsbase", answer(report.CPUID))
	fmt.Println("hwcap2.fsgsbase", answer(report.HWCAP2))
	fmt.Println("fs", report.Verdicts[fsgscheck.FS])
	fmt.Println("gs", report.Verdicts[fsgscheck.GS])
	fmt.Println("access.fs", report.Access[fsgscheck.FS])
	fmt.Println("access.gs", report.Access[fsgscheck.GS])
	fmt.Println("base_access.fs", fsgscheck.BaseAccess(fsgscheck.FS))
	fmt.Println("base_access.gs", fsgscheck.BaseAccess(fsgscheck.GS))
	for insn, outcome := range report.Outcomes {
		fmt.Printf("trial.%v %v\n", fsgscheck.Insn(insn), outcome)
	}
	for _, step := range report.Advice {
		fmt.Println("advice", step)
	}
	fmt.Println("usable", fsgscheck.CanUse())
	fsgscheck.Refresh()
	fmt.Println("refreshed", fsgscheck.CanUse())
	for identifier, verdict := range map[string]fsgscheck.Verdict{
		"Unknown": fsgscheck.Unknown, "Usable": fsgscheck.Usable, "Unsupported": fsgscheck.Unsupported,
		"Disabled": fsgscheck.Disabled, "Unadvertised": fsgscheck.Unadvertised, "Broken": fsgscheck.Broken,
		"Inconsistent": fsgscheck.Inconsistent,
	} {
		fmt.Println("name verdict", uint32(verdict), identifier)
	}
	for identifier, access := range map[string]fsgscheck.Access{
		"None": fsgscheck.None, "Instruction": fsgscheck.Instruction, "ArchPrctl": fsgscheck.ArchPrctl,
	} {
		fmt.Println("name access", uint32(access), identifier)
	}
	for identifier, outcome := range map[string]fsgscheck.Outcome{
		"NotTried": fsgscheck.NotTried, "OK": fsgscheck.OK, "Undefined": fsgscheck.Undefined,
		"Faulted": fsgscheck.Faulted, "WrongValue": fsgscheck.WrongValue, "ValueLost": fsgscheck.ValueLost,
	} {
		fmt.Println("name outcome", uint32(outcome), identifier)
	}
	for identifier, proof := range map[string]fsgscheck.Proof{
		"Advertised": fsgscheck.Advertised, "Tried": fsgscheck.Tried,
	} {
		fmt.Println("name proof", uint32(proof), identifier)
	}
}

// SPDX-License-Identifier: MIT
package fsgscheck_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"fsgscheck.example/fsgscheck"
)

func TestCheckDecides(t *testing.T) {
	report, err := fsgscheck.Check(0)
	if err != nil {
		t.Fatal(err)
	}
	if report.Reason == "" || (report.Verdict == fsgscheck.Usable) != fsgscheck.CanUse() {
		t.Errorf("%v: %q, usable %v", report.Verdict, report.Reason, fsgscheck.CanUse())
	}
}

func TestUnknownFlag(t *testing.T) {
	if _, err := fsgscheck.Check(1 << 31); err != syscall.EINVAL {
		t.Errorf("%v instead of EINVAL", err)
	}
}

func TestBases(t *testing.T) {
	for _, segment := range []fsgscheck.Segment{fsgscheck.FS, fsgscheck.GS} {
		if _, err := fsgscheck.GetBase(segment); err != nil {
			t.Errorf("segment %d: %v", segment, err)
		}
	}
	if err := fsgscheck.SetBase(fsgscheck.GS, 1<<63); err != syscall.EPERM {
		t.Errorf("%v instead of EPERM", err)
	}
}

func TestVersion(t *testing.T) {
	if !strings.HasPrefix(fsgscheck.Version(), "1.") {
		t.Errorf("the library is %s", fsgscheck.Version())
	}
}

func Example() {
	report, err := fsgscheck.Check(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	if report.Verdict != fsgscheck.Usable {
		fmt.Println(report.Verdict, report.Reason, report.Advice)
	}
}

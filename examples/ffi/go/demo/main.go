// SPDX-License-Identifier: MIT

// Demo prints the verdict and the GS base.
package main

import (
	"fmt"
	"log"

	"fsgscheck.example/fsgscheck"
)

func main() {
	report, err := fsgscheck.Check(fsgscheck.Context)
	if err != nil {
		log.Fatal(err)
	}
	base, err := fsgscheck.GetBase(fsgscheck.GS)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: %s\nGS base %#x\n", report.Verdict, report.Reason, base)
}

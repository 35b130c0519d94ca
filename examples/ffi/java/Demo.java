// SPDX-License-Identifier: MIT

import fsgscheck.Fsgscheck;

/** Prints the verdict and the GS base. */
public final class Demo {
    private Demo() {}

    public static void main(String[] arguments) {
        Fsgscheck.Report report = Fsgscheck.check(Fsgscheck.Check.CONTEXT);

        System.out.println(report.verdict().name().toLowerCase() + ": " + report.reason());
        System.out.println("GS base 0x" + Long.toHexString(Fsgscheck.getBase(Fsgscheck.Segment.GS)));
    }
}

// SPDX-License-Identifier: MIT
package fsgscheck;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Makes checks in many threads while the garbage collector runs, and while another thread makes the JVM throw
 * NullPointerException from SIGSEGV. Then prints facts, which tests/live/ffi.py compares. With the argument "facts"
 * it only prints the facts.
 */
public final class Facts {
    private static final int THREADS = 8;
    private static final int CHECKS = 50;
    private static volatile Object garbage;
    private static volatile boolean done;

    private Facts() {}

    /** Compiled code reads through the null pointer. The JVM's handler turns the SIGSEGV into an exception. */
    private static int length(int[] array) {
        return array.length;
    }

    private static int stumble() {
        int[][] arrays = {new int[3], null};
        int caught = 0;
        int tries = 0;

        for (int i = 0; i < 200_000; i++) {
            length(arrays[0]); // many calls, so that the JVM compiles the method without a test for null
        }
        for (; !done || tries < 1000; tries++) {
            try {
                length(arrays[1]);
            } catch (NullPointerException expected) {
                caught++;
            }
        }
        return tries - caught;
    }

    private static int work(int number, Fsgscheck.Verdict expected) {
        long marker = 0x1000L * (number + 1);
        long before = Fsgscheck.getBase(Fsgscheck.Segment.GS);
        int agreed = 0;

        Fsgscheck.setBase(Fsgscheck.Segment.GS, marker);
        for (int i = 0; i < CHECKS; i++) {
            garbage = new byte[1 << 16];
            Fsgscheck.Report report = i % 10 == 0
                    ? Fsgscheck.check(Fsgscheck.Check.CONTEXT)
                    : Fsgscheck.check();
            if (report.verdict() == expected && Fsgscheck.getBase(Fsgscheck.Segment.GS) == marker) {
                agreed++;
            }
            if (i % 10 == 0) {
                System.gc();
            }
        }
        Fsgscheck.setBase(Fsgscheck.Segment.GS, before);
        return agreed;
    }

    private static void threads(Fsgscheck.Verdict expected) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS + 1);
        Future<Integer> stumbling = pool.submit(Facts::stumble);
        List<Future<Integer>> workers = new ArrayList<>();
        int agreed = 0;

        for (int i = 0; i < THREADS; i++) {
            int number = i;
            workers.add(pool.submit(() -> work(number, expected)));
        }
        for (Future<Integer> worker : workers) {
            agreed += worker.get();
        }
        done = true;
        if (stumbling.get() != 0) {
            throw new AssertionError("a null pointer went unnoticed");
        }
        pool.shutdown();
        System.out.println("threads " + agreed + " of " + THREADS * CHECKS);
    }

    private static int errnoOf(Runnable call) {
        try {
            call.run();
        } catch (Fsgscheck.FsgscheckException error) {
            return error.errno();
        }
        return 0;
    }

    private static String answer(Optional<Boolean> value) {
        return value.map(String::valueOf).orElse("none");
    }

    private static String word(Fsgscheck.Words list, Enum<?> value) {
        return Fsgscheck.name(list, value.ordinal());
    }

    private static void facts(Fsgscheck.Report report) {
        System.out.println("verdict " + word(Fsgscheck.Words.VERDICT, report.verdict()));
        System.out.println("proof " + word(Fsgscheck.Words.PROOF, report.proof()));
        System.out.println("findings " + String.join(",", report.findingNames()));
        System.out.println("bits 0x" + Long.toHexString(report.number("findings", 0)));
        System.out.println("known " + report.findings().stream()
                .map(finding -> word(Fsgscheck.Words.FINDING, finding)).collect(Collectors.joining(",")));
        System.out.println("reason " + report.reason());
        System.out.println("library " + Fsgscheck.version());
        System.out.println("cpuid.vendor " + report.vendor());
        System.out.println("kernel.release " + report.kernel());
        System.out.println("cpuid.fsgsbase " + answer(report.cpuid()));
        System.out.println("hwcap2.fsgsbase " + answer(report.hwcap2()));
        for (Fsgscheck.Segment segment : Fsgscheck.Segment.values()) {
            String name = segment.name().toLowerCase();
            System.out.println(name + " " + word(Fsgscheck.Words.VERDICT, report.verdict(segment)));
            System.out.println("access." + name + " " + word(Fsgscheck.Words.ACCESS, report.access(segment)));
            System.out.println("base_access." + name + " " + word(Fsgscheck.Words.ACCESS, Fsgscheck.baseAccess(segment)));
        }
        for (Fsgscheck.Insn insn : Fsgscheck.Insn.values()) {
            System.out.println("trial." + word(Fsgscheck.Words.INSN, insn) + " "
                    + word(Fsgscheck.Words.OUTCOME, report.outcome(insn)));
        }
        for (String step : report.advice()) {
            System.out.println("advice " + step);
        }
        System.out.println("usable " + Fsgscheck.usable());
        Fsgscheck.refresh();
        System.out.println("refreshed " + Fsgscheck.usable());
    }

    private static void ensure() {
        long before = Fsgscheck.getBase(Fsgscheck.Segment.GS);

        Fsgscheck.ensureBase(Fsgscheck.Segment.GS, 0x7000);
        System.out.println("ensured 0x" + Long.toHexString(Fsgscheck.getBase(Fsgscheck.Segment.GS)));
        Fsgscheck.ensureBase(Fsgscheck.Segment.GS, before);
    }

    private static void names(String list, Enum<?>[] values) {
        for (Enum<?> value : values) {
            System.out.println("name " + list + " " + value.ordinal() + " " + value.name());
        }
    }

    private static void copies() {
        names("verdict", Fsgscheck.Verdict.values());
        names("finding", Fsgscheck.Finding.values());
        names("outcome", Fsgscheck.Outcome.values());
        names("insn", Fsgscheck.Insn.values());
        names("access", Fsgscheck.Access.values());
        names("proof", Fsgscheck.Proof.values());
        for (Fsgscheck.Check flag : Fsgscheck.Check.values()) {
            System.out.println("constant FSGS_CHECK_" + flag + " " + flag.bit());
        }
        for (Fsgscheck.Segment segment : Fsgscheck.Segment.values()) {
            System.out.println("constant FSGS_SEGMENT_" + segment + " " + segment.ordinal());
        }
        for (Fsgscheck.Words list : Fsgscheck.Words.values()) {
            System.out.println("constant FSGS_LIST_" + list + " " + list.ordinal());
        }
        Fsgscheck.FIELDS.keySet().forEach(field -> System.out.println("field " + field));
    }

    public static void main(String[] arguments) throws Exception {
        Fsgscheck.Report report = Fsgscheck.check(Fsgscheck.Check.CONTEXT);

        if (arguments.length == 0) {
            threads(report.verdict());
        }
        System.out.println("error.check " + errnoOf(() -> Fsgscheck.check(1 << 31)));
        System.out.println("error.set_base " + errnoOf(() -> Fsgscheck.setBase(Fsgscheck.Segment.GS, 1L << 63)));
        System.out.println("error.ensure_base "
                + errnoOf(() -> Fsgscheck.ensureBase(Fsgscheck.Segment.GS, 1L << 63)));
        ensure();
        facts(report);
        copies();
    }
}

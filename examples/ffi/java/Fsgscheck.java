// SPDX-License-Identifier: MIT
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Structure;
import com.sun.jna.ptr.LongByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Can the FSGSBASE instructions really be used here? libfsgscheck by JNA.
 *
 * <p>Any thread may call anything at any time. The JVM uses SIGSEGV itself; during a trial its signals
 * reach it through the library.
 */
public final class Fsgscheck {
    /** What a check is asked to do besides the plain one: enum fsgs_check_flag. */
    public enum Check {
        NO_TRIAL, CONTEXT, ALL_CPUS, SURVIVAL;

        int bit() {
            return 1 << ordinal();
        }
    }

    /** The two segments that have a base: enum fsgs_segment. FS is the C library's: leave it alone. */
    public enum Segment { FS, GS }

    /** The lists of names: the first of enum fsgs_list. */
    enum Words { VERDICT, FINDING, OUTCOME, INSN, ACCESS, PROOF }

    /** What the evidence adds up to. */
    public enum Verdict { UNKNOWN, USABLE, UNSUPPORTED, DISABLED, UNADVERTISED, BROKEN, INCONSISTENT }

    /** What refines a verdict. */
    public enum Finding {
        KERNEL_TOO_OLD, SWITCHED_OFF, UNPROVEN, UPGRADE_RISK, WRONG_MODE, CPUS_DIFFER, CPUID_MASKED, EMULATED,
        NO_CANONICAL_CHECK, VALUE_LOST, SANDBOXED, ARCH_PRCTL_DENIED, ARCH_PRCTL_LIES, INSTRUMENTED,
        PRIVILEGE_RISK, INSN_UD, CR4_REFUSED, CR4_DROPPED, CR4_UNENFORCED, PROVEN
    }

    /** What came of executing one instruction. */
    public enum Outcome { NOT_TRIED, OK, UNDEFINED, FAULTED, WRONG_VALUE, VALUE_LOST }

    /** The four instructions. */
    public enum Insn { RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE }

    /** How a base is to be read and written. */
    public enum Access { NONE, INSTRUCTION, ARCH_PRCTL }

    /** What the verdict rests on. */
    public enum Proof { ADVERTISED, TRIED }

    /** An error of the library, with the system's number. */
    public static final class FsgscheckException extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final int errno;

        FsgscheckException(String call, int errno) {
            super(call + ": " + C.strerror(errno));
            this.errno = errno;
        }

        public int errno() {
            return errno;
        }
    }

    /** struct fsgs_trial. */
    @Structure.FieldOrder({"outcome", "width", "signal", "code"})
    public static class Trial extends Structure {
        public int outcome, width, signal, code;

        /** Where a field is, for the test that compares this with the header. */
        public int offset(String field) {
            return fieldOffset(field);
        }
    }

    /** struct fsgs_report as it is. */
    @Structure.FieldOrder({"verdict", "proof", "verdicts", "access", "findings", "vantage", "mode", "cpuid_max_leaf",
        "cpuid_fsgsbase", "cpuid_faulting", "hwcap2_present", "hwcap2_fsgsbase", "cpuinfo_flag", "trials", "refusal",
        "refusal_error", "canonical_check", "survival_tried", "survival_lost", "fallback", "fallback_error", "signs",
        "kernel_version", "cpus_checked", "cpus_differ", "samples_differ", "cr4_write", "cr4_sticks", "cr4_set",
        "cr4_cleared", "family", "model", "stepping", "hypervisor_present", "hypervisor_build", "hypervisor_version",
        "vendor", "brand", "hypervisor", "kernel"})
    public static class RawReport extends Structure {
        public int verdict, proof;
        public int[] verdicts = new int[2], access = new int[2];
        public long findings;
        public int vantage, mode, cpuid_max_leaf, cpuid_fsgsbase, cpuid_faulting, hwcap2_present, hwcap2_fsgsbase;
        public int cpuinfo_flag;
        public Trial[] trials = (Trial[]) new Trial().toArray(4);
        public int refusal, refusal_error, canonical_check, survival_tried, survival_lost;
        public int[] fallback = new int[2], fallback_error = new int[2];
        public int signs, kernel_version, cpus_checked, cpus_differ, samples_differ, cr4_write, cr4_sticks;
        public Trial[] cr4_set = (Trial[]) new Trial().toArray(4);
        public Trial[] cr4_cleared = (Trial[]) new Trial().toArray(4);
        public int family, model, stepping, hypervisor_present, hypervisor_build, hypervisor_version;
        public byte[] vendor = new byte[16], brand = new byte[56], hypervisor = new byte[16], kernel = new byte[72];

        /** Where a field is, for the test that compares this with the header. */
        public int offset(String field) {
            return fieldOffset(field);
        }
    }

    private interface Api extends Library {
        int fsgs_check(RawReport report, NativeLong size, int flags);

        int fsgs_usable();

        void fsgs_refresh();

        String fsgs_name(int list, int value);

        String fsgs_describe(int list, int value);

        String fsgs_reason(RawReport report, NativeLong size);

        String fsgs_advice(RawReport report, NativeLong size, int step);

        int fsgs_base_access(int segment);

        int fsgs_get_base(int segment, LongByReference base);

        int fsgs_set_base(int segment, long base);

        int fsgs_ensure_base(int segment, long base);

        String fsgs_version_string();
    }

    private interface Libc extends Library {
        String strerror(int error);
    }

    private static final Api LIBRARY = Native.load("libfsgscheck.so.1", Api.class);
    private static final Libc C = Native.load("c", Libc.class);

    private Fsgscheck() {}

    private static void succeed(String call, int status) {
        if (status != 0) {
            throw new FsgscheckException(call, -status);
        }
    }

    /** A result that is not listed counts as the first of its enum, which says the least: unknown, none, not tried. */
    private static <E> E of(E[] values, int number) {
        return values[number >= 0 && number < values.length ? number : 0];
    }

    private static Optional<Boolean> answer(int value) {
        return value == 1 || value == 2 ? Optional.of(value == 2) : Optional.empty();
    }

    private static String text(byte[] array) {
        int length = 0;
        while (length < array.length && array[length] != 0) {
            length++;
        }
        return new String(array, 0, length, StandardCharsets.UTF_8);
    }

    /** One check: what was decided, and the evidence. */
    public static final class Report {
        public final RawReport raw;

        Report(RawReport raw) {
            this.raw = raw;
        }

        private NativeLong size() {
            return new NativeLong(raw.size());
        }

        public Verdict verdict() {
            return of(Verdict.values(), raw.verdict);
        }

        public Verdict verdict(Segment segment) {
            return of(Verdict.values(), raw.verdicts[segment.ordinal()]);
        }

        public Access access(Segment segment) {
            return of(Access.values(), raw.access[segment.ordinal()]);
        }

        public Proof proof() {
            return of(Proof.values(), raw.proof);
        }

        public Outcome outcome(Insn insn) {
            return of(Outcome.values(), raw.trials[insn.ordinal()].outcome);
        }

        private boolean found(int bit) {
            return (raw.findings >>> bit & 1) == 1;
        }

        /** Those that this class lists. */
        public Set<Finding> findings() {
            Set<Finding> found = EnumSet.allOf(Finding.class);
            found.removeIf(finding -> !found(finding.ordinal()));
            return found;
        }

        /** All that the library has a name for, so those of a later one as well; every bit is in raw.findings. */
        public List<String> findingNames() {
            return IntStream.range(0, Long.SIZE).filter(this::found).mapToObj(bit -> name(Words.FINDING, bit))
                    .filter(Objects::nonNull).collect(Collectors.toList());
        }

        public Optional<Boolean> cpuid() {
            return answer(raw.cpuid_fsgsbase);
        }

        public Optional<Boolean> hwcap2() {
            return answer(raw.hwcap2_fsgsbase);
        }

        public String vendor() {
            return text(raw.vendor);
        }

        public String kernel() {
            return text(raw.kernel);
        }

        /** Why the verdict is what it is, in one sentence. */
        public String reason() {
            return LIBRARY.fsgs_reason(raw, size());
        }

        /** What to do, cheapest first; empty on a healthy machine. */
        public List<String> advice() {
            List<String> steps = new ArrayList<>();
            String step;
            while ((step = LIBRARY.fsgs_advice(raw, size(), steps.size())) != null) {
                steps.add(step);
            }
            return steps;
        }
    }

    static Report check(int flags) {
        RawReport raw = new RawReport();
        succeed("fsgs_check", LIBRARY.fsgs_check(raw, new NativeLong(raw.size()), flags));
        return new Report(raw);
    }

    /** Collects evidence and decides. Any verdict can come without an exception. */
    public static Report check(Check... flags) {
        return check(Arrays.stream(flags).mapToInt(Check::bit).reduce(0, (a, b) -> a | b));
    }

    /** Whether all four instructions may be used by this process; cached until refresh(). */
    public static boolean usable() {
        return LIBRARY.fsgs_usable() == 1;
    }

    /** Looks again: after a resume, a migration, a restore. */
    public static void refresh() {
        LIBRARY.fsgs_refresh();
    }

    /** How a base is read and written here. */
    public static Access baseAccess(Segment segment) {
        return of(Access.values(), LIBRARY.fsgs_base_access(segment.ordinal()));
    }

    /** A base of the calling thread. */
    public static long getBase(Segment segment) {
        LongByReference base = new LongByReference();
        succeed("fsgs_get_base", LIBRARY.fsgs_get_base(segment.ordinal(), base));
        return base.getValue();
    }

    /** Writes a base of the calling thread. */
    public static void setBase(Segment segment, long base) {
        succeed("fsgs_set_base", LIBRARY.fsgs_set_base(segment.ordinal(), base));
    }

    /** The same, but writes only what is not there already: cheaper where it often is. */
    public static void ensureBase(Segment segment, long base) {
        succeed("fsgs_ensure_base", LIBRARY.fsgs_ensure_base(segment.ordinal(), base));
    }

    /** The library's own name for a number of one of its lists; null when it has none. */
    static String name(Words list, int value) {
        return LIBRARY.fsgs_name(list.ordinal(), value);
    }

    /** The sentence that explains a finding. */
    public static String describe(Finding finding) {
        return LIBRARY.fsgs_describe(Words.FINDING.ordinal(), finding.ordinal());
    }

    /** The version of the library that is running. */
    public static String version() {
        return LIBRARY.fsgs_version_string();
    }
}

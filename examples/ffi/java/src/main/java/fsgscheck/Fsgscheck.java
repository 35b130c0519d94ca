// SPDX-License-Identifier: MIT
package fsgscheck;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.ptr.LongByReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Can the FSGSBASE instructions really be used here? libfsgscheck by JNA.
 *
 * <p>Any thread may call any method at any time. The JVM uses SIGSEGV itself. During a trial, the library passes the
 * JVM's signals to the JVM. {@code java -Xcheck:jni} warns of a changed handler if the JVM checks its handlers during a
 * trial. After the trial the JVM's handler is installed again.
 */
public final class Fsgscheck {
    /** The flags of a check: enum fsgs_check_flag. */
    public enum Check {
        NO_TRIAL, CONTEXT, ALL_CPUS, SURVIVAL;

        int bit() {
            return 1 << ordinal();
        }
    }

    /** The two segments that have a base: enum fsgs_segment. FS is the C library's: leave it alone. */
    public enum Segment { FS, GS }

    /** The lists of names: the first members of enum fsgs_list. */
    enum Words { NONE, VERDICT, FINDING, OUTCOME, INSN, ACCESS, PROOF }

    /** What the evidence adds up to. */
    public enum Verdict { UNKNOWN, USABLE, UNSUPPORTED, DISABLED, UNADVERTISED, BROKEN, INCONSISTENT }

    /** A detail of a verdict. */
    public enum Finding {
        KERNEL_TOO_OLD, SWITCHED_OFF, UNPROVEN, UPGRADE_RISK, WRONG_MODE, CPUS_DIFFER, CPUID_MASKED, EMULATED,
        NO_CANONICAL_CHECK, VALUE_LOST, SANDBOXED, ARCH_PRCTL_DENIED, ARCH_PRCTL_LIES, INSTRUMENTED,
        PRIVILEGE_RISK, INSN_UD, CR4_REFUSED, CR4_DROPPED, CR4_UNENFORCED, PROVEN,
        MISCONFIGURED
    }

    /** The result of one instruction. */
    public enum Outcome { NOT_TRIED, OK, UNDEFINED, FAULTED, WRONG_VALUE, VALUE_LOST }

    /** The four instructions. */
    public enum Insn { RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE }

    /** How a base is read and written. */
    public enum Access { NONE, INSTRUCTION, ARCH_PRCTL }

    /** What the verdict rests on. */
    public enum Proof { ADVERTISED, TRIED }

    /** An error of the library, with its errno. */
    public static final class FsgscheckException extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final int errno;

        FsgscheckException(String call, int errno) {
            super(call + ": " + C.strerror(errno));
            this.errno = errno;
        }

        /** The number of the error, as in errno(3). */
        public int errno() {
            return errno;
        }
    }

    private interface Api extends Library {
        int fsgs_check(Memory report, NativeLong size, int flags);

        int fsgs_usable();

        int fsgs_refresh();

        NativeLong fsgs_report_size();

        String fsgs_report_field(int number, int[] field, NativeLong size);

        String fsgs_name(int list, int value);

        String fsgs_describe(int list, int value);

        String fsgs_reason(Memory report, NativeLong size);

        String fsgs_advice(Memory report, NativeLong size, int step);

        int fsgs_base_access(int segment);

        int fsgs_get_base(int segment, LongByReference base);

        int fsgs_set_base(int segment, long base);

        int fsgs_ensure_base(int segment, long base);

        String fsgs_version_string();
    }

    private interface Libc extends Library {
        String strerror(int error);
    }

    /** The library's version. Its first number is part of the soname. */
    static final String VERSION = "1.0.0";

    private static final Api LIBRARY = load("libfsgscheck.so." + VERSION.substring(0, VERSION.indexOf('.')));
    private static final Libc C = Native.load("c", Libc.class);

    private Fsgscheck() {}

    private static Api load(String soname) {
        try {
            return Native.load(soname, Api.class);
        } catch (UnsatisfiedLinkError cause) {
            UnsatisfiedLinkError error = new UnsatisfiedLinkError(soname + " cannot be loaded: " + cause.getMessage()
                    + "\nBuild and install it in the source tree of libfsgscheck:\n"
                    + "    meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig\n"
                    + "For a folder that the loader does not search, set LD_LIBRARY_PATH.");
            error.initCause(cause);
            throw error;
        }
    }

    private static void succeed(String call, int status) {
        if (status != 0) {
            throw new FsgscheckException(call, -status);
        }
    }

    /** A number that is not listed counts as the first member of the enum, which claims the least. */
    private static <E> E of(E[] values, int number) {
        return values[number >= 0 && number < values.length ? number : 0];
    }

    private static Optional<Boolean> answer(long value) {
        return value == 1 || value == 2 ? Optional.of(value == 2) : Optional.empty();
    }

    /** The members of struct fsgs_field for each field of a report, by the field's name. */
    private static Map<String, int[]> fields() {
        Map<String, int[]> fields = new HashMap<>();
        int[] field = new int[8];
        String name;
        while ((name = LIBRARY.fsgs_report_field(fields.size(), field, new NativeLong(Integer.BYTES * field.length))) != null) {
            fields.put(name, field.clone());
        }
        return fields;
    }

    static final Map<String, int[]> FIELDS = fields();

    /** The result of one check: the decision, and the evidence. */
    public static final class Report {
        private final Memory memory;

        Report(Memory memory) {
            this.memory = memory;
        }

        private NativeLong size() {
            return new NativeLong(memory.size());
        }

        private static int[] field(String name) {
            return Objects.requireNonNull(FIELDS.get(name), name);
        }

        /** One element of any field of the report. */
        public long number(String name, int index) {
            int[] field = field(name);
            long at = field[1] + (long) index * field[4];
            return field[2] == Long.BYTES ? memory.getLong(at) : memory.getInt(at);
        }

        /** A field of the report that holds text. */
        public String text(String name) {
            return memory.getString(field(name)[1], "UTF-8");
        }

        private <E> E result(E[] values, String name, int index) {
            return of(values, (int) number(name, index));
        }

        /** What the evidence adds up to: the worse of the two segments. */
        public Verdict verdict() {
            return result(Verdict.values(), "verdict", 0);
        }

        /** The verdict of one segment. */
        public Verdict verdict(Segment segment) {
            return result(Verdict.values(), "verdicts", segment.ordinal());
        }

        /** How the base of a segment is read and written. */
        public Access access(Segment segment) {
            return result(Access.values(), "access", segment.ordinal());
        }

        /** What the verdict rests on. */
        public Proof proof() {
            return result(Proof.values(), "proof", 0);
        }

        /** The result of one instruction. */
        public Outcome outcome(Insn insn) {
            return result(Outcome.values(), "trials.outcome", insn.ordinal());
        }

        private boolean found(int bit) {
            return (number("findings", 0) >>> bit & 1) == 1;
        }

        /** The findings that this class lists. */
        public Set<Finding> findings() {
            Set<Finding> found = EnumSet.allOf(Finding.class);
            found.removeIf(finding -> !found(finding.ordinal()));
            return found;
        }

        /** The names of all findings, also of those that only a newer library knows. All bits: number("findings", 0). */
        public List<String> findingNames() {
            return IntStream.range(0, Long.SIZE).filter(this::found).mapToObj(bit -> name(Words.FINDING, bit))
                    .filter(Objects::nonNull).collect(Collectors.toList());
        }

        /** Whether CPUID offers the instructions; empty if unknown. */
        public Optional<Boolean> cpuid() {
            return answer(number("cpuid_fsgsbase", 0));
        }

        /** Whether the kernel advertises the instructions; empty if unknown. */
        public Optional<Boolean> hwcap2() {
            return answer(number("hwcap2_fsgsbase", 0));
        }

        /** The processor's vendor. */
        public String vendor() {
            return text("vendor");
        }

        /** The kernel's release. */
        public String kernel() {
            return text("kernel");
        }

        /** Why the verdict is what it is, in one or two sentences. */
        public String reason() {
            return LIBRARY.fsgs_reason(memory, size());
        }

        /** What to do, cheapest first; empty on a healthy machine. */
        public List<String> advice() {
            List<String> steps = new ArrayList<>();
            String step;
            while ((step = LIBRARY.fsgs_advice(memory, size(), steps.size())) != null) {
                steps.add(step);
            }
            return steps;
        }
    }

    static Report check(int flags) {
        Memory memory = new Memory(LIBRARY.fsgs_report_size().longValue());
        succeed("fsgs_check", LIBRARY.fsgs_check(memory, new NativeLong(memory.size()), flags));
        return new Report(memory);
    }

    /** Collects evidence and decides. No verdict causes an exception, not even {@code BROKEN}. */
    public static Report check(Check... flags) {
        return check(Arrays.stream(flags).mapToInt(Check::bit).reduce(0, (a, b) -> a | b));
    }

    /** Whether all four instructions may be used by this process; cached until refresh(). */
    public static boolean usable() {
        return LIBRARY.fsgs_usable() == 1;
    }

    /** Checks again, after a resume, a migration or a restore. Returns whether anything changed. */
    public static boolean refresh() {
        return LIBRARY.fsgs_refresh() == 1;
    }

    /** How a base is read and written here. */
    public static Access baseAccess(Segment segment) {
        return of(Access.values(), LIBRARY.fsgs_base_access(segment.ordinal()));
    }

    /** Reads a base of the calling thread. */
    public static long getBase(Segment segment) {
        LongByReference base = new LongByReference();
        succeed("fsgs_get_base", LIBRARY.fsgs_get_base(segment.ordinal(), base));
        return base.getValue();
    }

    /** Writes a base of the calling thread. */
    public static void setBase(Segment segment, long base) {
        succeed("fsgs_set_base", LIBRARY.fsgs_set_base(segment.ordinal(), base));
    }

    /** Writes a base only if the segment has another base. Cheaper than setBase() if the two are often equal. */
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

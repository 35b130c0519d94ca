// SPDX-License-Identifier: MIT
package fsgscheck;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;

import org.junit.Test;

public final class FsgscheckTest {
    @Test
    public void checkDecidesAndSaysWhy() {
        Fsgscheck.Report report = Fsgscheck.check();

        assertFalse(report.reason().isEmpty());
        assertEquals(report.verdict() == Fsgscheck.Verdict.USABLE, Fsgscheck.usable());
    }

    @Test
    public void unknownFlagIsAnError() {
        Fsgscheck.FsgscheckException error =
                assertThrows(Fsgscheck.FsgscheckException.class, () -> Fsgscheck.check(1 << 31));

        assertEquals(22, error.errno());
    }

    @Test
    public void basesCanBeRead() {
        for (Fsgscheck.Segment segment : Fsgscheck.Segment.values()) {
            Fsgscheck.getBase(segment);
        }
    }

    @Test
    public void libraryHasTheSonameOfThisVersion() {
        assertEquals(Fsgscheck.VERSION.split("\\.")[0], Fsgscheck.version().split("\\.")[0]);
    }
}

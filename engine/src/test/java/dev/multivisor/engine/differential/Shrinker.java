package dev.multivisor.engine.differential;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Makes a failing case simpler as long as it fails. */
final class Shrinker {
    private static final int ROUNDS = 60;

    private final Oracle oracle;
    private final Model model;

    Shrinker(Oracle oracle, Model model) {
        this.oracle = oracle;
        this.model = model;
    }

    TestCase shrink(TestCase failing) throws IOException {
        TestCase best = failing;
        for (int round = 0; round < ROUNDS; round++) {
            List<TestCase> simpler = simpler(best);
            List<Outcome> hosts = oracle.run(simpler);
            TestCase found = null;
            for (int n = 0; n < simpler.size() && found == null; n++) {
                TestCase candidate = simpler.get(n);
                if (!Comparison.differences(candidate, hosts.get(n), model.run(candidate))
                        .isEmpty()) {
                    found = candidate;
                }
            }
            if (found == null) {
                break;
            }
            best = found;
        }
        return best;
    }

    private static List<TestCase> simpler(TestCase from) {
        List<TestCase> result = new ArrayList<>();
        for (int n = 0; n < 16; n++) {
            if (from.gpr[n] != 0) {
                from(from, result).gpr[n] = 0;
            }
        }
        if (from.flags != 0x202) {
            from(from, result).flags = 0x202;
        }
        for (int n = 0; n < 24; n++) {
            int at = TestCase.FX_ST + n * 16;
            if (Values.get(from.fx, at, 8) != 0 || Values.get(from.fx, at + 8, 8) != 0) {
                TestCase candidate = from(from, result);
                Values.put(candidate.fx, at, 8, 0);
                Values.put(candidate.fx, at + 8, 8, 0);
            }
        }
        number(from, result, 0, 0x37f);
        number(from, result, TestCase.FX_FSW, 0);
        number(from, result, TestCase.FX_MXCSR, 0x1f80);
        if (from.patch.length > 0) {
            from(from, result).patch = new byte[0];
            for (int n = 0; n < from.patch.length && n < 32; n++) {
                if (from.patch[n] != 0) {
                    from(from, result).patch[n] = 0;
                }
            }
        }
        return result;
    }

    private static void number(TestCase from, List<TestCase> result, int at, int value) {
        if (Values.get(from.fx, at, 2) != value) {
            Values.put(from(from, result).fx, at, 2, value);
        }
    }

    private static TestCase from(TestCase from, List<TestCase> result) {
        TestCase copy = from.copy();
        result.add(copy);
        return copy;
    }
}

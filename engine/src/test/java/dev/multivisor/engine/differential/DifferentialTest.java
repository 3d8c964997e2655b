package dev.multivisor.engine.differential;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.InstructionTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * Every form of the instruction table on the host's CPU and on the interpreter: the same state before, the same after.
 *
 * <p>System properties: {@code multivisor.differential.seed}, {@code multivisor.differential.cases} (for each form and
 * mode) and {@code multivisor.differential.forms} (only forms whose operation or encoding begins so).
 */
class DifferentialTest {
    private static final int BATCH = 2000, SHOWN_PER_FORM = 2, SHOWN = 60;

    private final long seed = Long.getLong("multivisor.differential.seed", 1);
    private final int cases = Integer.getInteger("multivisor.differential.cases", 400);
    private final String only = System.getProperty("multivisor.differential.forms", "");

    private final List<String> table = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();
    private long total;
    private long mismatches;
    private int covered;
    private int failing;

    @Test
    void agreesWithTheHost() throws IOException, InterruptedException {
        Optional<Oracle> started = Oracle.start();
        assumeTrue(started.isPresent(), "no x86-64 Linux host with a C compiler");
        long begin = System.nanoTime();
        try (Oracle oracle = started.get()) {
            Model model = new Model();
            boolean sha = Files.readString(Path.of("/proc/cpuinfo")).contains(" sha_ni");
            for (int mode : oracle.sixteen ? new int[] {64, 32, 16} : new int[] {64, 32}) {
                for (Form form : InstructionTable.STANDARD.forms()) {
                    boolean chosen =
                            form.op().name().startsWith(only) || form.encoding().startsWith(only);
                    if (chosen && (sha || !form.has(Form.Attribute.SHA)) && Generator.possible(form, mode)) {
                        form(oracle, model, form, mode);
                    }
                }
            }
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        table.add("");
        table.add(String.format(
                "total: %d forms, %d cases, %d mismatches in %d forms, seed %d, %.1f s",
                covered, total, mismatches, failing, seed, seconds));
        Files.createDirectories(Path.of("target"));
        Files.write(Path.of("target/differential.txt"), table);
        assertEquals(0, mismatches, () -> table.getLast() + "\n" + String.join("\n", failures));
    }

    private void form(Oracle oracle, Model model, Form form, int mode) throws IOException {
        Generator generator = new Generator(seed * 1_000_003 + form.encoding().hashCode() * 31L + mode);
        int wrong = 0;
        for (int done = 0; done < cases; done += BATCH) {
            int size = Math.min(BATCH, cases - done);
            List<TestCase> batch = new ArrayList<>(size);
            for (int n = 0; n < size; n++) {
                batch.add(generator.next(form, mode));
            }
            List<Outcome> hosts = oracle.run(batch);
            for (int n = 0; n < size; n++) {
                TestCase test = batch.get(n);
                if (!differences(test, hosts.get(n), model).isEmpty()) {
                    wrong++;
                    if (wrong <= SHOWN_PER_FORM && failures.size() < SHOWN) {
                        failures.add(describe(oracle, model, test));
                    }
                }
            }
        }
        covered++;
        total += cases;
        mismatches += wrong;
        failing += wrong > 0 ? 1 : 0;
        table.add(String.format(
                "%-8s %-24s %-12s %-14s %8d %8d",
                mode + "-bit", form.encoding(), form.op(), String.join(",", form.operands()), cases, wrong));
    }

    private static List<String> differences(TestCase test, Outcome host, Model model) {
        try {
            return Comparison.differences(test, host, model.run(test));
        } catch (RuntimeException e) {
            throw new AssertionError(test.toString(), e);
        }
    }

    private static String describe(Oracle oracle, Model model, TestCase failing) throws IOException {
        TestCase test = new Shrinker(oracle, model).shrink(failing);
        Outcome host = oracle.run(List.of(test)).getFirst();
        return test + "\n    host / interpreter: "
                + String.join("\n    ", Comparison.differences(test, host, model.run(test)));
    }
}

package dev.multivisor.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.multivisor.server.MachineView;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final long SECOND = 1_000_000_000L;

    private static MachineView machine(String name, MachineView.Usage... usage) {
        return new MachineView(
                name,
                1,
                "running",
                "2",
                Optional.empty(),
                false,
                0,
                Map.of(),
                0,
                0,
                Optional.empty(),
                List.of(),
                List.of(usage));
    }

    @Test
    void whatAllMachinesDidIsAddedUp() {
        List<MachineView> machines = List.of(
                machine(
                        "a",
                        new MachineView.Usage("1", 10 * SECOND, 2 * SECOND, 100, 0, 0, Map.of("halts", 50L)),
                        new MachineView.Usage("2", 4 * SECOND, SECOND, 300, 1, 0, Map.of("halts", 8L, "kicks", 4L))),
                machine("b", new MachineView.Usage("1", 10 * SECOND, 3 * SECOND, 400, 1, 1, Map.of("halts", 10L))));
        List<Comparison.Row> rows = Comparison.of(machines, "1", "2");
        assertEquals(
                List.of(
                        new Comparison.Row("machines", "", 2, 1),
                        new Comparison.Row("guest time", "s", 20, 4),
                        new Comparison.Row("CPU time", "s", 5, 1),
                        new Comparison.Row("instructions", "", 500, 300),
                        new Comparison.Row("instructions per CPU second", "", 100, 300),
                        new Comparison.Row("handovers to it", "", 1, 1),
                        new Comparison.Row("failures", "", 1, 0),
                        new Comparison.Row("halts", "/s", 3, 2),
                        new Comparison.Row("kicks", "/s", 0, 1)),
                rows);
        assertEquals("3.00", rows.get(4).ratioText());
        assertEquals("-", rows.getLast().ratioText());
    }

    @Test
    void anEngineThatNoMachineWasOnIsNamed() {
        CliException none = assertThrows(
                CliException.class,
                () -> Comparison.of(
                        List.of(machine("a", new MachineView.Usage("1", 1, 1, 1, 0, 0, Map.of()))), "1", "2"));
        assertEquals("engine 2: no running machine has been on it; they were on 1", none.getMessage());
        assertThrows(CliException.class, () -> Comparison.of(List.of(), "1", "2"));
    }

    @Test
    void numbersAreShort() {
        assertEquals("1,234,567", Comparison.Row.text(1234567, ""));
        assertEquals("0", Comparison.Row.text(0, ""));
        assertEquals("12.35 s", Comparison.Row.text(12.345678, "s"));
        assertEquals("4,321 /s", Comparison.Row.text(4321.4, "/s"));
    }
}

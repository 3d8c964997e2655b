package dev.multivisor.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.server.MachineView;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RatesTest {
    private static final long SECOND = 1_000_000_000L;

    private static final Map<String, Long> OLD = Map.of("portReads", 5L, "portWrites", 5L, "halts", 2L);

    private static MachineView machine(
            String engine, String phase, long instructions, long cpuNanos, Map<String, Map<String, Long>> usage) {
        List<MachineView.Usage> stays = usage.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(stay -> new MachineView.Usage(stay.getKey(), 0, 0, 0, 0, 0, stay.getValue()))
                .toList();
        return new MachineView(
                "web",
                7,
                phase,
                engine,
                Optional.empty(),
                false,
                0,
                Map.of(),
                0,
                0,
                Optional.empty(),
                List.of(new MachineView.Cpu(instructions, cpuNanos, false)),
                stays);
    }

    private static Map<String, Long> counters(long compiled, long requests, long answers, long regions) {
        Map<String, Long> counters = new HashMap<>(OLD);
        counters.put("compiledInstructions", compiled);
        counters.put("compileRequests", requests);
        counters.put("compileAnswers", answers);
        counters.put("compiledRegions", regions);
        return counters;
    }

    @Test
    void figuresArePerSecondBetweenTwoLooks() {
        Rates rates = new Rates();
        var first = machine("3", "running", 1000, 0, Map.of("3", counters(100, 4, 4, 4)));
        assertEquals(List.of(), rates.since(List.of(first), 0));
        Map<String, Long> later = counters(4 * 750 + 100, 20, 15, 9);
        later.put("portWrites", 25L);
        var second = machine("3", "running", 5000, SECOND, Map.of("3", later));
        Rates.Row row = rates.since(List.of(second), 2 * SECOND).getFirst();
        assertEquals(2000, row.instructions(), 1e-6);
        assertEquals(0.75, row.compiled().orElseThrow(), 1e-9);
        assertEquals(0.25, row.interpreted().orElseThrow(), 1e-9);
        assertEquals(Map.of("port", 10.0, "halt", 0.0), row.exits());
        assertEquals(0.5, row.hostCpu(), 1e-9);
        assertEquals(Optional.of(5L), row.waitingRegions());
        assertEquals(Optional.of(9L), row.compiledRegions());
        assertEquals(0.75, row.fields().get("compiled"));
        assertEquals(Rates.Row.class.getRecordComponents().length, row.fields().size());
    }

    @Test
    void anEngineWithoutTheCountersHasADash() {
        Rates rates = new Rates();
        rates.since(List.of(machine("1", "running", 0, 0, Map.of("1", OLD))), 0);
        List<Rates.Row> rows = rates.since(List.of(machine("1", "running", 1_234_000, 0, Map.of("1", OLD))), SECOND);
        assertEquals(Optional.empty(), rows.getFirst().compiled());
        assertEquals(Optional.empty(), rows.getFirst().waitingRegions());
        List<String> lines = TopTable.lines(rows);
        assertEquals(2, lines.size());
        assertEquals(
                List.of("web", "1", "1.2M", "-", "-", "0", "-/-", "0", "-", "-", "-", "-", "0", "-"),
                List.of(lines.get(1).split(" +")));
        assertEquals(14, lines.get(0).split(" +").length);
    }

    @Test
    void aMoveLosesNothing() {
        Rates rates = new Rates();
        rates.since(List.of(machine("1", "running", 1000, 0, Map.of("1", OLD))), 0);
        var moved = machine("3", "running", 3000, 0, Map.of("1", OLD, "3", counters(500, 1, 1, 1)));
        Rates.Row row = rates.since(List.of(moved), SECOND).getFirst();
        assertEquals(2000, row.instructions(), 1e-6);
        assertEquals(10, row.exits().get("port"), 1e-6);
        assertEquals(0.25, row.compiled().orElseThrow(), 1e-9);
    }

    @Test
    void whoeverIsNewOrAnotherIsNotComparedWithWhatWasBefore() {
        Rates rates = new Rates();
        rates.since(List.of(), 0);
        assertEquals(List.of(), rates.since(List.of(machine("1", "running", 5, 0, Map.of("1", OLD))), SECOND));
        var idle = machine("1", "paused", 5, 0, Map.of("1", OLD));
        List<Rates.Row> rows = rates.since(List.of(idle), 2 * SECOND);
        assertEquals(0, rows.getFirst().instructions());
        assertTrue(TopTable.lines(rows).get(1).contains("paused"));
        assertTrue(TopTable.lines(List.of()).getFirst().startsWith("No machine runs."));
    }

    @Test
    void numbersHaveThreeDigits() {
        Map.of(
                        0.0, "0", 0.44, "0.4", 9.96, "10.0", 12.0, "12", 999.0, "999", 999.7, "1.0k", 12_345.0, "12.3k",
                        310e6, "310M", 4.2e9, "4.2G")
                .forEach((value, text) -> assertEquals(text, TopTable.number(value)));
    }
}

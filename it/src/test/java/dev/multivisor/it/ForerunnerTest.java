package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Before a guest comes to an engine, a copy of it works there, from wherever it comes, and the guest notices nothing. */
@Timeout(120)
class ForerunnerTest {
    private static final EngineCatalog ENGINES =
            EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));

    /** What an event says of it. */
    private static final Pattern RAN =
            Pattern.compile("engine \\S+, with a copy of the guest: ([0-9,]+) instructions in .*");

    static Stream<String> engines() {
        return ENGINES.engines().stream().map(EngineJar::version);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void aCopyGoesAhead(String version) throws Exception {
        List<MachineEvent> events = new CopyOnWriteArrayList<>();
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        try (LoadedEngine source = LoadedEngine.load(ENGINES.version(version));
                LoadedEngine target = LoadedEngine.load(ENGINES.newest());
                StreamConsole console = new StreamConsole(List.of(output));
                StreamConsole debug = new StreamConsole(List.of());
                VirtualMachine machine = VirtualMachine.create(
                        source,
                        new VirtualMachine.Settings(
                                "guest",
                                BuiltinGuest.MEMORY,
                                new MachineSpec(2, "x86-64-v2", Map.of()),
                                console,
                                debug),
                        BuiltinGuest.boot(""))) {
            machine.onEvent(events::add);
            machine.start();
            awaitBeats(output, 10);
            HandoverReport report = machine.upgrade(
                    target,
                    new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ofSeconds(3), Duration.ofSeconds(5)));
            assertTrue(report.committed(), report::toString);
            awaitBeats(output, beats(output).size() + 10);
            console.flush(10_000);
        }
        long instructions = events.stream()
                .filter(event -> event.kind() == MachineEvent.Kind.REHEARSING)
                .map(event -> RAN.matcher(event.detail()))
                .filter(Matcher::matches)
                .mapToLong(ran -> Long.parseLong(ran.group(1).replace(",", "")))
                .sum();
        assertTrue(instructions > 1_000_000, events::toString);
        List<String[]> beats = beats(output);
        for (int n = 0; n < beats.size(); n++) {
            String[] line = beats.get(n);
            assertEquals(Integer.parseInt(beats.getFirst()[2]) + n, Integer.parseInt(line[2]), output::toString);
            for (int field : new int[] {7, 8, 9}) {
                assertEquals("0", line[field], output::toString);
            }
        }
    }

    private static void awaitBeats(ByteArrayOutputStream output, int count) throws InterruptedException {
        while (beats(output).size() < count) {
            Thread.sleep(20);
        }
    }

    /** What the first vCPU has reported, see {@link SnapshotTest}. */
    private static List<String[]> beats(ByteArrayOutputStream output) {
        String printed = output.toString(StandardCharsets.UTF_8).replace("\r\n", "\n");
        return printed.substring(0, printed.lastIndexOf('\n') + 1)
                .lines()
                .filter(line -> line.startsWith("beat 0 "))
                .map(line -> line.split(" "))
                .toList();
    }
}

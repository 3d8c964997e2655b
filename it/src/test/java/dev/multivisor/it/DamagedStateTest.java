package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a real engine says to a state from a real engine that is damaged; the guest goes on where it was. */
@Timeout(120)
class DamagedStateTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "CUT_STATE       | state: length: .* bytes announced, .* present",
                "FLIPPED_BIT     | state: checksum: the content is damaged",
                "RENAMED_SECTION | state: section 'time' is missing",
                "NEWER_VERSION   | state: section '.*' has version 10[12], this engine takes .*"
            })
    void isRefused(FaultyEngine.Fault fault, String message) throws Exception {
        EngineCatalog shipped = EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));
        EngineJar faulty = EngineJar.read(FaultyEngine.of(shipped.newest().path(), "99.0-faulty", fault, folder));
        EnginePool pool = new EnginePool();
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        StreamConsole serial = new StreamConsole(List.of(output));
        MachineSpec spec = new MachineSpec(1, "x86-64-v2", Map.of());
        try (EnginePool.Lease source = pool.lease(faulty);
                EnginePool.Lease target = pool.lease(shipped.engines().getFirst());
                VirtualMachine machine = VirtualMachine.create(
                        source.engine(),
                        new VirtualMachine.Settings("damaged", 32 << 20, spec, serial, serial),
                        BuiltinGuest.boot("idle"))) {
            machine.start();
            awaitBeat(output, 2);
            HandoverReport report = machine.upgrade(
                    target.engine(), new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ZERO, Duration.ZERO));
            assertEquals(HandoverReport.Outcome.FAILED, report.outcome());
            assertTrue(report.reason().matches(message), report.reason());
            assertEquals("99.0-faulty", machine.status().engine());
            awaitBeat(output, lines(output) + 3);
        }
        serial.close();
    }

    private static void awaitBeat(ByteArrayOutputStream output, long count) throws InterruptedException {
        for (int n = 0; n < 600 && lines(output) < count; n++) {
            Thread.sleep(100);
        }
        assertTrue(lines(output) >= count, "the guest stands still");
    }

    private static long lines(ByteArrayOutputStream output) {
        return output.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.startsWith("beat "))
                .count();
    }
}

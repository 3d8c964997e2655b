package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the working tree's engine has and engine 0.1.0, as it was released, does not know. */
class FeaturesTest {
    private static final Path FOLDER = Path.of(System.getProperty("multivisor.engines"));
    private static final EngineCatalog ENGINES = EngineCatalog.of(List.of(FOLDER));
    private static final String OLD = "0.1.0";
    private static final Duration DEADLINE = Duration.ofSeconds(10);

    private final MachineHost host = new MachineHost(() -> ENGINES);
    private final StreamConsole nowhere = new StreamConsole(List.of());
    private EnginePool.Lease oldLease;
    private EnginePool.Lease newLease;
    private LoadedEngine older;
    private LoadedEngine newer;

    @BeforeEach
    void lease() {
        assumeTrue(Files.exists(FOLDER.resolve("multivisor-engine-0.1.0.jar")), "engine 0.1.0 could not be built here");
        oldLease = host.lease(OLD);
        newLease = host.lease(ENGINES.newest().version());
        older = oldLease.engine();
        newer = newLease.engine();
    }

    @AfterEach
    void close() {
        if (newLease != null) {
            newLease.close();
        }
        if (oldLease != null) {
            oldLease.close();
        }
        host.close();
        nowhere.close();
    }

    private VirtualMachine start(String version, Map<String, String> parameters) {
        MachineSpec spec = new MachineSpec(1, "x86-64-v2", parameters);
        VirtualMachine machine = host.create(
                ENGINES.version(version),
                new VirtualMachine.Settings("features", BuiltinGuest.MEMORY, spec, nowhere, nowhere),
                BuiltinGuest.boot(""));
        machine.start();
        return machine;
    }

    private static HandoverReport move(VirtualMachine machine, LoadedEngine target, Map<String, String> changes) {
        return machine.upgrade(target, new UpgradeRequest(changes, DEADLINE, Duration.ZERO, Duration.ZERO));
    }

    private static void assertMoves(VirtualMachine machine, LoadedEngine target, Map<String, String> changes) {
        HandoverReport report = move(machine, target, changes);
        assertTrue(report.committed(), report::toString);
    }

    private static void assertRefused(
            VirtualMachine machine, LoadedEngine target, Map<String, String> changes, String start)
            throws InterruptedException {
        List<String> reasons = machine.preflight(target, changes);
        assertEquals(1, reasons.size(), reasons::toString);
        assertTrue(reasons.getFirst().startsWith(start), reasons::toString);
        HandoverReport report = move(machine, target, changes);
        assertEquals(HandoverReport.Outcome.REFUSED, report.outcome());
        assertTrue(report.reason().contains(start), report::toString);
        assertTrue(machine.await(Duration.ofMillis(20)).isEmpty(), "the guest goes on");
    }

    @Test
    void aGuestWithShaStaysWhereItIsKnown() throws InterruptedException {
        VirtualMachine machine = start(ENGINES.newest().version(), Map.of("sha", "on"));
        assertRefused(machine, older, Map.of(), "feature 'sha': is unknown to the target");
        assertRefused(machine, older, Map.of("sha", ""), "feature 'sha': is unknown to the target");
        assertRefused(machine, newer, Map.of("sha", "off"), "parameter 'sha': cannot be turned off");
        assertRefused(machine, newer, Map.of("sha", ""), "parameter 'sha': cannot be turned off");
        assertMoves(machine, newer, Map.of());
        machine.stop("seen enough");
    }

    @Test
    void aGuestWithoutShaGoesBothWays() throws InterruptedException {
        VirtualMachine machine = start(OLD, Map.of());
        assertRefused(machine, newer, Map.of("sha", "on"), "parameter 'sha': cannot be turned on");
        assertMoves(machine, newer, Map.of("sha", "off"));
        assertRefused(machine, newer, Map.of("sha", "on"), "parameter 'sha': cannot be turned on");
        assertMoves(machine, older, Map.of("sha", ""));
        assertMoves(machine, newer, Map.of());
        machine.stop("seen enough");
    }

    @Test
    void whatTheGuestCannotSeeMayChange() throws InterruptedException {
        VirtualMachine machine = start(OLD, Map.of());
        assertMoves(machine, newer, Map.of("slice", "50000"));
        assertRefused(machine, newer, Map.of("slice", "5"), "parameter 'slice': '5' is no number from 1000 to");
        assertRefused(machine, older, Map.of(), "parameter 'slice': this engine has time, payload");
        assertMoves(machine, newer, Map.of("slice", "1000"));
        assertMoves(machine, older, Map.of("slice", ""));
        machine.stop("seen enough");
    }
}

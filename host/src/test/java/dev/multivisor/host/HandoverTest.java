package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.FakeEngine.Recipe;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Moving a machine, and what must hold whatever the engines do: it is on exactly one of them, and runs there. */
@Timeout(60)
class HandoverTest {
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    @TempDir
    Path folder;

    private LoadedEngine source;

    @BeforeEach
    void load() throws Exception {
        source = load("1.0");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void movesThereAndBackWhileItRuns(int cpus) throws Exception {
        LoadedEngine target = load("2.0");
        try (VirtualMachine machine = machine(cpus, "idle")) {
            machine.start();
            for (int n = 0; n < 50; n++) {
                LoadedEngine to = n % 2 == 0 ? target : source;
                HandoverReport report = machine.handOver(to, PATIENCE);
                assertTrue(report.committed(), report.reason());
                assertEquals(to.jar().version(), report.to());
                assertSame(to, machine.engine());
                assertRuns(machine);
            }
        }
    }

    @Test
    void movesWhilePaused() throws Exception {
        LoadedEngine target = load("2.0");
        try (VirtualMachine machine = machine(2, "idle")) {
            machine.start();
            assertRuns(machine);
            machine.pause();
            assertTrue(machine.handOver(target, PATIENCE).committed());
            assertEquals(0, machine.statistics().get("rounds"));
            machine.resume();
            assertRuns(machine);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void itsStateIsCopiedOnceAndItStaysWhereItIs(boolean paused) throws Exception {
        LoadedEngine target = load("2.0");
        try (VirtualMachine machine = machine(2, "idle")) {
            machine.start();
            if (paused) {
                machine.pause();
            }
            MachineSpec spec = machine.home().spec();
            HandoverReport copy = machine.copyState(target, spec, PATIENCE).orElseThrow();
            assertEquals(HandoverReport.Outcome.POSSIBLE, copy.outcome(), copy.reason());
            assertEquals(3, copy.stateBytes());
            assertTrue(machine.copyState(target, spec, PATIENCE).isEmpty());
            assertSame(source, machine.engine());
            if (paused) {
                machine.resume();
            }
            assertRuns(machine);
            assertTrue(machine.handOver(target, PATIENCE).committed());
            assertTrue(machine.copyState(source, spec, PATIENCE).isEmpty(), "what it moved with is a copy");
        }
    }

    @Test
    void whatCannotBeCopiedGoesOn() throws Exception {
        try (VirtualMachine machine = machine(1, "save-throws")) {
            machine.start();
            HandoverReport copy = machine.copyState(load("2.0"), machine.home().spec(), PATIENCE)
                    .orElseThrow();
            assertEquals(HandoverReport.Outcome.FAILED, copy.outcome());
            assertTrue(copy.reason().endsWith("java.lang.IllegalStateException: cannot save"), copy.reason());
            assertRuns(machine);
        }
    }

    @Test
    void whatIsHotGoesWithTheMachine() throws Exception {
        LoadedEngine silent = load("0.1");
        LoadedEngine target = load("2.0");
        // One that does not run, so that there is no copy of it whose engine tells, too.
        try (VirtualMachine machine = machine(1, "hot")) {
            upgrade(machine, silent, 0);
            assertEquals("1.0 0", prepared(machine));
            // It tells nothing, so that what is known is what the one before it said.
            upgrade(machine, target, 20);
            assertEquals("1.0 20", prepared(machine));
            upgrade(machine, source, 30);
            assertEquals("2.0 30", prepared(machine));
            assertTrue(machine.rollBack(PATIENCE).committed());
            assertEquals("2.0 0", prepared(machine));
        }
    }

    @Test
    void whatIsHotForACopyOnTheTargetGoesBefore() throws Exception {
        try (VirtualMachine machine = machine(1, "hot")) {
            machine.start();
            upgrade(machine, load("2.0"), 3000);
            assertEquals("2.0 3000", prepared(machine));
            assertTrue(machine.rollBack(PATIENCE).committed());
            assertEquals("2.0 0", prepared(machine));
        }
    }

    private static void upgrade(VirtualMachine machine, LoadedEngine target, long rehearsal) {
        Duration limit = Duration.ofMillis(rehearsal);
        HandoverReport report = machine.upgrade(target, new UpgradeRequest(Map.of(), PATIENCE, limit, Duration.ZERO));
        assertTrue(report.committed(), report.reason());
    }

    private static String prepared(VirtualMachine machine) {
        return machine.explain(OptionalLong.empty()).orElseThrow();
    }

    @Test
    void aSourceThatCannotSaveKeepsIt() throws Exception {
        try (VirtualMachine machine = machine(1, "save-throws")) {
            machine.start();
            HandoverReport report = machine.handOver(load("2.0"), PATIENCE);
            assertFalse(report.committed());
            assertTrue(report.reason().endsWith("java.lang.IllegalStateException: cannot save"), report.reason());
            assertRuns(machine);
        }
    }

    /** As when somebody and a probation find at once that an engine is bad: the second must not lead there again. */
    @Test
    void goesBackOnceHoweverManyWantIt() throws Exception {
        LoadedEngine target = load("2-save-slow-real");
        try (VirtualMachine machine = machine(1, "idle")) {
            machine.start();
            assertTrue(machine.handOver(target, PATIENCE).committed());
            try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
                Future<HandoverReport> one = threads.submit(() -> machine.rollBack(Duration.ofSeconds(5)));
                Future<HandoverReport> other = threads.submit(() -> machine.rollBack(Duration.ofSeconds(5)));
                assertTrue(one.get().committed(), () -> one.resultNow().reason());
                assertTrue(other.get().committed(), () -> other.resultNow().reason());
            }
            assertSame(source, machine.engine());
            assertRuns(machine);
            // Later on, back means to where it was in between.
            assertTrue(machine.rollBack(PATIENCE).committed());
            assertSame(target, machine.engine());
        }
    }

    @Test
    void refusesAMachineThatHasEnded() throws Exception {
        try (VirtualMachine machine = machine(1, "power-off")) {
            machine.start();
            machine.await();
            assertThrows(HostException.class, () -> machine.handOver(load("2.0"), PATIENCE));
        }
    }

    private LoadedEngine load(String version) throws Exception {
        Path jar = FakeEngine.build(folder, Recipe.good(version));
        return LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache"));
    }

    private VirtualMachine machine(int cpus, String mode) {
        return VirtualMachine.create(
                source, VirtualMachineTest.settings(cpus, Map.of("mode", mode)), VirtualMachineTest.boot());
    }

    /** Every vCPU comes into its engine again after a pause. */
    private static void assertRuns(VirtualMachine machine) throws InterruptedException {
        long before = machine.statistics().get("rounds");
        machine.pause();
        machine.resume();
        for (int n = 0; machine.statistics().get("rounds") <= before; n++) {
            assertTrue(n < 1000, "no vCPU runs");
            Thread.sleep(10);
        }
    }
}

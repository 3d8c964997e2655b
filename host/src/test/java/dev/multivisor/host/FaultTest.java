package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Exit;
import dev.multivisor.host.FakeEngine.Recipe;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Each step of an upgrade fails in each way that it can. What must hold in every cell: the guest is on exactly one
 * engine and runs there, the report says why in one line, and the next upgrade, to a good engine, succeeds. The table
 * is left in {@code target/faults.md}.
 */
@Timeout(180)
class FaultTest {
    private static final Duration DEADLINE = Duration.ofSeconds(1);

    private static final List<String> KINDS = List.of("throws", "refuses", "exhausts", "slow", "hangs");

    @TempDir
    Path folder;

    /** What came of a cell. */
    private record Cell(String step, String kind, String outcome, List<Executable> checks) {}

    @Test
    void theGuestGoesOnInEveryCell() throws Exception {
        List<Callable<Cell>> cells = new ArrayList<>();
        for (String kind : KINDS) {
            cells.add(() -> cell("source: format", "1-format-" + kind, "2.0", Duration.ZERO));
            cells.add(() -> cell("target: check", "1.0", "2-check-" + kind, Duration.ZERO));
            cells.add(() -> cell("target: restore, rehearsed", "1.0", "2-restore-" + kind, Duration.ofMillis(50)));
            cells.add(() -> cell("source: save", "1-save-" + kind + "-real", "2.0", Duration.ZERO));
            cells.add(() -> cell("target: restore", "1.0", "2-restore-" + kind + "-real", Duration.ZERO));
            cells.add(() -> cell("target: track pages", "1.0", "2-track-" + kind, Duration.ZERO));
            cells.add(() -> cell("source: save, of the stand-in", "1-save-" + kind, "2.0", Duration.ZERO));
            cells.add(() -> cell("source: tell hot code", "1-tell-" + kind + "-real", "2.0", Duration.ZERO));
            cells.add(() -> cell("target: prepare code", "1.0", "2-prepare-" + kind, Duration.ZERO));
            cells.add(() -> cell("source: close", "1-close-" + kind + "-real", "2.0", Duration.ZERO));
        }
        for (String kind : List.of("throws", "refuses", "exhausts", "stalls")) {
            cells.add(() -> cell("target: run, on probation", "1.0", "2-run-" + kind, Duration.ZERO));
        }
        List<Cell> table = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(8)) {
            for (Future<Cell> cell : pool.invokeAll(cells)) {
                table.add(cell.get());
            }
        }
        report(table);
        assertEquals(10 * KINDS.size() + 4, table.size());
        assertAll(table.stream().flatMap(cell -> cell.checks.stream()));
    }

    private Cell cell(String step, String from, String to, Duration rehearsal) throws Exception {
        boolean onProbation = to.startsWith("2-run");
        String kind = (from + to).replaceAll("-real", "").replaceAll("^.*-", "").replaceAll("[0-9.]+$", "");
        LoadedEngine source = load(from);
        LoadedEngine target = load(to);
        List<MachineEvent> events = new CopyOnWriteArrayList<>();
        List<Executable> checks = new ArrayList<>();
        String name = step + ", " + kind;
        VirtualMachine machine = VirtualMachine.create(
                source, VirtualMachineTest.settings(2, Map.of("mode", "hot")), VirtualMachineTest.boot());
        machine.onEvent(events::add);
        if (step.endsWith("pages")) {
            machine.pages().register((address, bytes, writer) -> {}).add(1);
        }
        machine.start();
        HandoverReport report =
                machine.upgrade(target, new UpgradeRequest(Map.of(), DEADLINE, rehearsal, Duration.ofSeconds(5)));
        if (onProbation) {
            for (int n = 0; n < 800 && machine.engine() == target; n++) {
                Thread.sleep(10);
            }
        }
        String on = machine.engine() == source ? from : to;
        boolean goodInTheEnd = step.endsWith("close")
                || step.startsWith("source: tell")
                || step.endsWith("prepare code") && kind.equals("refuses")
                || (kind.equals("slow") && report.committed());
        checks.add(() -> assertEquals(goodInTheEnd ? to : from, on, name));
        checks.add(() -> assertEquals(goodInTheEnd || onProbation, report.committed(), name));
        checks.add(() -> assertTrue(report.reason().lines().count() <= 1, name));
        checks.add(() -> assertTrue(report.committed() || !report.reason().isEmpty(), name));
        boolean runs = runs(machine);
        checks.add(() -> assertTrue(runs, name + ": no vCPU runs"));
        // An engine that cannot be left is no place to go on from.
        boolean leavable = !from.contains("save") && !from.contains("format");
        HandoverReport next = leavable ? upgradeAgain(machine) : report;
        checks.add(() -> assertTrue(!leavable || next.committed(), name + ": " + next.reason()));
        boolean runsAgain = runs(machine);
        checks.add(() -> assertTrue(runsAgain, name + ": no vCPU runs afterwards"));
        String said = onProbation
                ? events.stream()
                        .filter(e -> e.kind() == MachineEvent.Kind.MISBEHAVED)
                        .map(MachineEvent::detail)
                        .findFirst()
                        .orElse("")
                : report.reason();
        checks.add(() -> assertTrue(!onProbation || !said.isEmpty(), name));
        if (!kind.equals("hangs")) {
            machine.close();
        }
        String where = on.equals(from) ? onProbation ? "went back to the source" : "stayed at the source" : "moved";
        return new Cell(step, kind, "guest " + where + " and ran on. " + said, checks);
    }

    /** What fails with this guest only is found out with a copy of it, whether its pages can be tracked or not. */
    @ParameterizedTest
    @CsvSource({
        "1.0, 2-run-throws-real, 'engine 2-run-throws-real: failed with a copy of the guest: engine 2-run-throws-real"
                + " failed on vCPU 0: java.lang.IllegalStateException: boom'",
        "1-plain, 2-run-throws-real, 'engine 2-run-throws-real: failed with a copy of the guest: engine"
                + " 2-run-throws-real failed on vCPU 0: java.lang.IllegalStateException: boom'",
        "1.0, 2-restore-refuses-real, restore: cannot be done",
        "1.0, 2-restore-throws-real, 'engine 2-restore-throws-real failed to create a machine:"
                + " java.lang.IllegalStateException: boom'",
        "1.0, 2-restore-hangs-real, no answer while running a copy of the guest on engine 2-restore-hangs-real"
    })
    void theGuestStaysWhereItIsWhenACopyOfItFails(String from, String to, String problem) throws Exception {
        VirtualMachine machine = VirtualMachine.create(
                load(from), VirtualMachineTest.settings(1, Map.of("mode", "hot")), VirtualMachineTest.boot());
        machine.start();
        HandoverReport report = machine.upgrade(
                load(to), new UpgradeRequest(Map.of(), DEADLINE, Duration.ofMillis(500), Duration.ofSeconds(5)));
        assertEquals(HandoverReport.Outcome.FAILED, report.outcome(), report::toString);
        assertEquals(problem, report.reason());
        assertEquals(from, machine.engine().jar().version());
        assertTrue(runs(machine));
        assertTrue(upgradeAgain(machine).committed());
        assertTrue(runs(machine));
        machine.close();
    }

    /** A vCPU that its engine does not let go of cannot be taken back: what is left is to say so. */
    @Test
    void aVcpuThatNeverComesOutIsReported() throws Exception {
        List<MachineEvent> events = new CopyOnWriteArrayList<>();
        VirtualMachine machine =
                VirtualMachine.create(load("1.0"), VirtualMachineTest.settings(1, Map.of()), VirtualMachineTest.boot());
        machine.onEvent(events::add);
        machine.start();
        UpgradeRequest request = new UpgradeRequest(Map.of(), DEADLINE, Duration.ZERO, Duration.ofSeconds(5));
        assertTrue(machine.upgrade(load("2-run-hangs"), request).committed());
        for (int n = 0; n < 1500 && events.stream().noneMatch(e -> e.detail().startsWith("no way back")); n++) {
            Thread.sleep(10);
        }
        List<String> said = events.stream()
                .filter(e -> e.kind() == MachineEvent.Kind.MISBEHAVED || e.kind() == MachineEvent.Kind.NOT_MOVED)
                .map(MachineEvent::detail)
                .toList();
        assertEquals("engine 2-run-hangs: vCPU 0 executes nothing", said.getFirst());
        assertEquals(
                "no way back from engine 2-run-hangs: the vCPUs did not come out of engine 2-run-hangs in time",
                said.getLast());
    }

    /** Whoever saw it there may ask for the way back when a probation has just taken it. */
    @Test
    void aRollbackDoesNotLeadToAnEngineThatMisbehaved() throws Exception {
        LoadedEngine source = load("1.0");
        try (VirtualMachine machine = VirtualMachine.create(
                source, VirtualMachineTest.settings(1, Map.of("mode", "hot")), VirtualMachineTest.boot())) {
            machine.start();
            UpgradeRequest request = new UpgradeRequest(Map.of(), DEADLINE, Duration.ZERO, Duration.ofSeconds(5));
            assertTrue(machine.upgrade(load("2-run-throws"), request).committed());
            for (int n = 0; n < 800 && machine.engine() != source; n++) {
                Thread.sleep(10);
            }
            HandoverReport report = machine.rollBack(DEADLINE);
            assertEquals("2-run-throws to 1.0", report.from() + " to " + report.to());
            assertEquals(source, machine.engine());
            // After another upgrade there is a way back again.
            assertTrue(upgradeAgain(machine).committed());
            assertTrue(machine.rollBack(DEADLINE).committed());
            assertEquals(source, machine.engine());
            assertTrue(runs(machine));
        }
    }

    /** Where the way back fails, the machine's end says both. */
    @Test
    void anEndWithoutAWayBackSaysWhy() throws Exception {
        try (VirtualMachine machine = VirtualMachine.create(
                load("1.0"), VirtualMachineTest.settings(1, Map.of("mode", "lost")), VirtualMachineTest.boot())) {
            machine.start();
            UpgradeRequest request = new UpgradeRequest(Map.of(), DEADLINE, Duration.ZERO, Duration.ofSeconds(5));
            assertTrue(machine.upgrade(load("2-run-throws"), request).committed());
            Exit exit = machine.await().exit();
            assertEquals(Exit.Reason.FAILED, exit.reason());
            assertEquals(
                    "engine 2-run-throws failed on vCPU 0: java.lang.IllegalStateException: boom; no way back from"
                            + " engine 2-run-throws: state: is not whole",
                    exit.detail());
        }
    }

    @Test
    void theGuestGoesOnWhenACaptureGetsNoAnswer() throws Exception {
        for (boolean live : List.of(true, false)) {
            VirtualMachine machine = VirtualMachine.create(
                    load("1-save-hangs-real"),
                    VirtualMachineTest.settings(2, Map.of("mode", "hot")),
                    VirtualMachineTest.boot());
            machine.start();
            try (FileChannel file = FileChannel.open(
                    Files.createTempFile(folder, "memory", ""), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                HostException none = assertThrows(
                        HostException.class,
                        () -> machine.capture(new CaptureRequest("1", file, Optional.empty(), live)));
                assertEquals(
                        live
                                ? "machine " + machine.name() + ": no answer while saving on engine 1-save-hangs-real"
                                : "no answer while saving machine " + machine.name() + " on engine 1-save-hangs-real",
                        none.getMessage());
            }
            assertTrue(runs(machine), "live: " + live);
        }
    }

    /** What is found out by whoever asked may come before or after what the one who carries it out does last. */
    @Test
    void eachCaptureOfAGuestThatRunsSucceeds() throws Exception {
        VirtualMachine machine = VirtualMachine.create(
                load("1.0"), VirtualMachineTest.settings(2, Map.of("mode", "hot")), VirtualMachineTest.boot());
        machine.start();
        try (FileChannel file = FileChannel.open(
                Files.createTempFile(folder, "memory", ""), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            for (int n = 0; n < 200; n++) {
                Capture capture = machine.capture(new CaptureRequest("" + n, file, Optional.empty(), true));
                assertTrue(capture.stopped() > 0);
            }
        }
        assertTrue(runs(machine));
        machine.close();
    }

    private HandoverReport upgradeAgain(VirtualMachine machine) throws IOException {
        return machine.upgrade(
                load("3.0"), new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ZERO, Duration.ZERO));
    }

    private LoadedEngine load(String version) throws IOException {
        Path jar = FakeEngine.build(folder, Recipe.good(version));
        return LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache"));
    }

    private static boolean runs(VirtualMachine machine) throws InterruptedException {
        long before = machine.statistics().get("rounds");
        machine.pause();
        machine.resume();
        for (int n = 0; n < 500; n++) {
            if (machine.statistics().get("rounds") > before) {
                return true;
            }
            Thread.sleep(10);
        }
        return false;
    }

    private static void report(List<Cell> table) throws IOException {
        StringBuilder text = new StringBuilder("# What an upgrade does when a step of it fails\n\n"
                + "| step | how it fails | what happened |\n| --- | --- | --- |\n");
        table.stream()
                .sorted(java.util.Comparator.comparing(Cell::step))
                .forEach(cell -> text.append("| %s | %s | %s |%n".formatted(cell.step, cell.kind, cell.outcome)));
        Files.writeString(Files.createDirectories(Path.of("target")).resolve("faults.md"), text);
    }
}

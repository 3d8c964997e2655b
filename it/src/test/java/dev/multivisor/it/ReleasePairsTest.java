package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.MachineEnd;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.images.Image;
import dev.multivisor.images.Images;
import dev.multivisor.images.Initramfs;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every two engines, the released ones and the working tree's, take running guests from each other, both ways and again
 * and again, while these compute and watch their clocks.
 */
class ReleasePairsTest {
    private static final Path FOLDER = Path.of(System.getProperty("multivisor.engines"));
    private static final EngineCatalog ENGINES = EngineCatalog.of(List.of(FOLDER));

    /** Far longer than a move takes: how long is measured elsewhere, and this host may be busy. */
    private static final Duration DEADLINE = Duration.ofSeconds(10);

    private static final Duration REHEARSAL = Duration.ofMillis(300);
    private static final long BETWEEN_MILLIS = 25;
    private static final int MOVES = 60;
    private static final int LEAST_MOVES = 8;

    /** Computes under a clock that is watched, and tells what came of both. */
    private static final String SCRIPT = """
            #!/bin/sh
            ./heartbeat >beats &
            beat=$!
            ./compute 1 10 >computed || exit 3
            kill -0 $beat || { cat beats; exit 4; }
            kill $beat
            echo "== date $(date +%s)"
            echo "== compute"
            awk '!/^round/ { print $1, $3 }' computed
            echo "== trouble"
            dmesg | grep -iE 'unstable|stall|lockup|backwards|went back|warning:|bug:|oops'
            echo "== beats $(wc -l <beats)"
            exit 7
            """;

    @TempDir
    Path folder;

    /** Each two engines once: their guest goes to and fro. */
    static Stream<Arguments> pairs() {
        List<String> versions =
                ENGINES.engines().stream().map(EngineJar::version).toList();
        List<Arguments> pairs = new ArrayList<>();
        for (int n = 0; n < versions.size(); n++) {
            for (int m = n + 1; m < versions.size(); m++) {
                pairs.add(Arguments.of(versions.get(n), versions.get(m)));
            }
        }
        return pairs.stream();
    }

    @Test
    void everyReleaseIsThere() throws Exception {
        assertEquals(List.of(), ENGINES.problems());
        List<String> known = new ArrayList<>();
        for (String line : Files.readAllLines(Launcher.ROOT.resolve("engines/releases.txt"))) {
            if (!line.isBlank() && !line.startsWith("#")) {
                known.add(line.split(" ")[0]);
            }
        }
        Path missing = FOLDER.resolve("missing.txt");
        // Only where whoever called the build said that it may go on without releases.
        assumeFalse(Files.exists(missing), () -> "SKIPPED: " + read(missing));
        List<String> there = ENGINES.engines().stream()
                .filter(engine -> !engine.commit().isEmpty())
                .map(EngineJar::version)
                .toList();
        assertEquals(known, there);
        assertEquals("", ENGINES.newest().commit(), "the working tree's engine is newer than every release");
    }

    private static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest(allowZeroInvocations = true)
    @MethodSource("pairs")
    void theBuiltInGuestMovesBothWays(String one, String other) throws Exception {
        for (int cpus = 1; cpus <= 2; cpus++) {
            Ride ride = new Ride(one, other, cpus, BuiltinGuest.MEMORY, MOVES);
            Exit exit = ride.run(BuiltinGuest.boot(""));
            assertEquals(Exit.Reason.KICKED, exit.reason(), ride::printed);
            for (int cpu = 0; cpu < cpus; cpu++) {
                checkBeats("beat " + cpu + " ", ride.printed());
            }
        }
    }

    /** Lines that are counted one by one, with nothing lost, nothing doubled and no error of the clock. */
    private static void checkBeats(String start, String printed) {
        List<String[]> lines = printed.substring(0, printed.lastIndexOf('\n') + 1)
                .lines()
                .filter(line -> line.startsWith(start))
                .map(line -> line.split(" "))
                .toList();
        assertTrue(lines.size() >= 5, printed);
        for (int n = 0; n < lines.size(); n++) {
            String[] line = lines.get(n);
            assertEquals(Integer.toString(n + 1), line[2], printed);
            for (int field : new int[] {7, 8, 9}) {
                assertEquals("0", line[field], printed);
            }
        }
    }

    @ParameterizedTest(allowZeroInvocations = true)
    @MethodSource("pairs")
    void linuxMovesBothWaysUnderLoad(String one, String other) throws Exception {
        Guests.require("debian-12", folder);
        Path compute = Guests.program("compute");
        Image image = Images.open(Images.defaultCache()).find("debian-12").orElseThrow();
        byte[] initramfs = new Initramfs(image)
                .file(Guests.program("heartbeat"), "/root/heartbeat")
                .file(compute, "/root/compute")
                .script(SCRIPT.getBytes(StandardCharsets.UTF_8))
                .toByteArray();
        Boot boot = new Boot(
                new Boot.Image("kernel", MemorySegment.ofArray(Files.readAllBytes(image.kernel()))),
                List.of(new Boot.Image("initramfs", MemorySegment.ofArray(initramfs))),
                "console=ttyS0 panic=-1 quiet");
        Instant before = Instant.now();
        Ride ride = new Ride(one, other, 2, 256L << 20, Integer.MAX_VALUE);
        Exit exit = ride.run(boot);
        assertEquals(new Exit(Exit.Reason.DEBUG_EXIT, 2 * 7 + 1, exit.detail()), exit, ride::printed);

        String printed = ride.printed();
        String computed = Guests.output(List.of(compute.toString(), "1", "10"))
                .lines()
                .filter(line -> !line.startsWith("round"))
                .map(line -> line.replaceFirst(" +\\S+ +", " ") + "\n")
                .reduce("", String::concat);
        assertEquals(computed, between(printed, "== compute\n", "== trouble\n"));
        assertEquals("", between(printed, "== trouble\n", "== beats "));
        long date = Long.parseLong(between(printed, "== date ", "\n"));
        assertTrue(date >= before.getEpochSecond() - 1 && date <= Instant.now().getEpochSecond() + 1, printed);
        assertTrue(Integer.parseInt(between(printed, "== beats ", "\n")) > 0, printed);
    }

    private static String between(String text, String start, String end) {
        int from = text.indexOf(start);
        int to = text.indexOf(end, from + start.length());
        assertTrue(from >= 0 && to >= 0, text);
        return text.substring(from + start.length(), to);
    }

    /** A guest that is moved to and fro between two engines until it ends, or for so many times. */
    private record Ride(String one, String other, int cpus, long memory, int limit, ByteArrayOutputStream output) {
        Ride(String one, String other, int cpus, long memory, int limit) {
            this(one, other, cpus, memory, limit, new ByteArrayOutputStream());
        }

        String printed() {
            return output.toString(StandardCharsets.UTF_8).replace("\r\n", "\n");
        }

        Exit run(Boot boot) throws Exception {
            MachineSpec spec = new MachineSpec(cpus, "x86-64-v2", Map.of());
            try (MachineHost host = new MachineHost(() -> ENGINES);
                    EnginePool.Lease first = host.lease(one);
                    EnginePool.Lease second = host.lease(other);
                    StreamConsole serial = new StreamConsole(List.of(output));
                    StreamConsole nowhere = new StreamConsole(List.of())) {
                VirtualMachine machine = host.create(
                        ENGINES.version(one), new VirtualMachine.Settings("pair", memory, spec, serial, nowhere), boot);
                machine.start();
                int moves = 0;
                Optional<MachineEnd> end;
                while ((end = machine.await(Duration.ofMillis(BETWEEN_MILLIS))).isEmpty()) {
                    EnginePool.Lease target = moves % 2 == 0 ? second : first;
                    String problem = move(machine, target.engine(), moves);
                    if (problem.isEmpty()) {
                        moves++;
                        if (moves == limit) {
                            machine.stop("moved enough");
                        }
                    } else {
                        // Unless the guest came to its end meanwhile.
                        end = machine.await(Duration.ofSeconds(1));
                        assertTrue(end.isPresent(), () -> problem + "\n" + printed());
                    }
                }
                serial.flush(10_000);
                assertTrue(moves >= LEAST_MOVES, moves + " moves\n" + printed());
                return end.get().exit();
            }
        }

        /** Why it did not work; empty if it did. The first move each way has a rehearsal before it. */
        private static String move(VirtualMachine machine, LoadedEngine target, int moves) {
            Duration rehearsal = moves < 2 ? REHEARSAL : Duration.ZERO;
            try {
                HandoverReport report =
                        machine.upgrade(target, new UpgradeRequest(Map.of(), DEADLINE, rehearsal, Duration.ZERO));
                return report.committed() ? "" : report.toString();
            } catch (HostException e) {
                return e.getMessage();
            }
        }
    }
}

package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.images.Image;
import dev.multivisor.images.Images;
import dev.multivisor.images.Initramfs;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Thousands of handovers of one guest, from the oldest to the newest engine and back. The newest is loaded anew every
 * hundred moves, from a file of its own, and left behind. With {@code -Dhandovers=N}; else it is left out.
 */
class LongHandoverTest {
    private static final int MOVES = Integer.getInteger("it.handovers", 0);
    private static final int RELOAD = 100;
    private static final long BETWEEN_MILLIS = 20;
    private static final long GROWTH = 32L << 20;

    private static final UpgradeRequest REHEARSED =
            new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ofSeconds(5), Duration.ZERO);
    private static final UpgradeRequest PLAIN =
            new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ZERO, Duration.ZERO);

    private static final EngineCatalog ENGINES =
            EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));

    /** Lines with numbers, sums of computations, and a watched clock, all at the same time. */
    private static final String SCRIPT = """
            #!/bin/sh
            ./heartbeat &
            while true; do ./compute 1 10 | awk '!/^round/ { print "sum", $1, $3; fflush() }'; done &
            n=0
            while true; do n=$((n + 1)); echo "line $n"; usleep 20000; done
            """;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final ReferenceQueue<ClassLoader> queue = new ReferenceQueue<>();
    private final Set<PhantomReference<ClassLoader>> loaders = new java.util.HashSet<>();
    private final EnginePool pool = new EnginePool();

    @BeforeEach
    void onlyIfWanted() {
        assumeTrue(MOVES > 0, "left out: -Dhandovers=N runs it");
    }

    @Test
    void theBuiltInGuest() throws Exception {
        move(BuiltinGuest.boot(""), BuiltinGuest.MEMORY, "beat 0 20 ");
        for (String cpu : List.of("0", "1")) {
            List<String[]> beats = printed()
                    .lines()
                    .filter(line -> line.startsWith("beat " + cpu + " "))
                    .map(line -> line.split(" "))
                    .filter(line -> line.length == 12)
                    .toList();
            for (int n = 0; n < beats.size(); n++) {
                assertEquals(Integer.toString(n + 1), beats.get(n)[2], "a line was lost or doubled");
                String all = String.join(" ", beats.get(n));
                assertEquals(List.of("0", "0", "0"), List.of(beats.get(n)).subList(7, 10), all);
            }
        }
    }

    @Test
    void linux() throws Exception {
        Guests.require("debian-12", folder);
        Path compute = Guests.program("compute");
        Image image = Images.open(Images.defaultCache()).find("debian-12").orElseThrow();
        byte[] initramfs = new Initramfs(image)
                .file(Guests.program("heartbeat"), "/root/heartbeat")
                .file(compute, "/root/compute")
                .script(SCRIPT.getBytes(StandardCharsets.UTF_8))
                .toByteArray();
        move(
                new Boot(
                        new Boot.Image("kernel", MemorySegment.ofArray(Files.readAllBytes(image.kernel()))),
                        List.of(new Boot.Image("initramfs", MemorySegment.ofArray(initramfs))),
                        "console=ttyS0 panic=-1 quiet"),
                256L << 20,
                "line 100\n");
        Set<String> right = Guests.output(List.of(compute.toString(), "1", "10"))
                .lines()
                .filter(line -> !line.startsWith("round"))
                .map(line -> "sum " + line.split(" +")[0] + " " + line.split(" +")[2])
                .collect(Collectors.toCollection(TreeSet::new));
        String whole = printed().substring(0, printed().lastIndexOf('\n') + 1);
        assertFalse(whole.contains("went back"), "the guest's clock");
        List<String> sums =
                whole.lines().filter(line -> line.startsWith("sum ")).toList();
        assertTrue(sums.size() >= right.size(), "no round of the computation was finished");
        assertEquals(Set.of(), sums.stream().filter(sum -> !right.contains(sum)).collect(Collectors.toSet()));
        List<String> lines =
                whole.lines().filter(line -> line.startsWith("line ")).toList();
        for (int n = 0; n < lines.size(); n++) {
            assertEquals("line " + (n + 1), lines.get(n), "a line was lost or doubled");
        }
        Set<String> others = whole.lines()
                .filter(line -> !line.matches("(line|sum|beat) .*"))
                .collect(Collectors.toSet());
        assertEquals(Set.of(), others, "bytes were lost or doubled");
    }

    private void move(Boot boot, long memory, String up) throws Exception {
        EngineJar newest = ENGINES.newest();
        List<EngineJar> copies = new ArrayList<>();
        for (int n = 0; n < 2; n++) {
            Path copy = Files.createDirectory(folder.resolve("copy" + n)).resolve("engine.jar");
            copies.add(EngineJar.read(Files.copy(newest.path(), copy)));
        }
        StreamConsole serial = new StreamConsole(List.of(output));
        StreamConsole nowhere = new StreamConsole(List.of());
        MachineSpec spec = new MachineSpec(2, "x86-64-v2", Map.of());
        long[] stopped = new long[MOVES];
        try (EnginePool.Lease old = pool.lease(ENGINES.engines().getFirst());
                VirtualMachine machine = VirtualMachine.create(
                        old.engine(), new VirtualMachine.Settings("long", memory, spec, serial, nowhere), boot)) {
            machine.start();
            for (int n = 0; n < 1200 && !printed().contains(up); n++) {
                Thread.sleep(100);
            }
            assertTrue(printed().contains(up), this::printed);
            List<Long> early = List.of();
            EnginePool.Lease young = null;
            for (int n = 0; n < MOVES; n++) {
                UpgradeRequest request = PLAIN;
                if (n % RELOAD == 0) {
                    if (young != null) {
                        young.close();
                    }
                    young = pool.lease(copies.get(n / RELOAD % 2));
                    watch(young.engine());
                    request = REHEARSED;
                }
                HandoverReport report = machine.upgrade(n % 2 == 0 ? young.engine() : old.engine(), request);
                assertTrue(report.committed(), () -> report + "\n" + printed());
                stopped[n] = report.stopped();
                Thread.sleep(BETWEEN_MILLIS);
                if (n == MOVES / 5) {
                    early = memory();
                }
            }
            young.close();
            List<Long> late = memory();
            for (int n = 0; n < early.size(); n++) {
                assertTrue(late.get(n) < early.get(n) + GROWTH, "memory has grown: " + early + ", now " + late);
            }
            // The last one is where the machine would roll back to.
            int kept = 1;
            for (int n = 0; n < 50 && loaders.size() > kept; n++) {
                System.gc();
                while (loaders.remove(queue.remove(100))) {}
            }
            assertTrue(loaders.size() <= kept, loaders.size() + " engines that were left are still there");
            report(stopped, early, late);
        }
        serial.flush(10_000);
        serial.close();
    }

    private void watch(LoadedEngine engine) throws ReflectiveOperationException {
        loaders.add(new PhantomReference<>(UnloadTest.loader(engine), queue));
    }

    /** Bytes in use after a collection: heap, metaspace and code cache. */
    private static List<Long> memory() throws InterruptedException {
        for (int n = 0; n < 3; n++) {
            System.gc();
            Thread.sleep(50);
        }
        long other = ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().contains("Metaspace"))
                .map(MemoryPoolMXBean::getUsage)
                .mapToLong(usage -> usage.getUsed())
                .sum();
        long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        return List.of(heap, other);
    }

    private static void report(long[] stopped, List<Long> early, List<Long> late) {
        long[] sorted = stopped.clone();
        Arrays.sort(sorted);
        System.out.printf(
                "%d handovers: first %d, median %d, 99 %% %d, most %d us; heap %d, then %d KiB; metaspace %d, then %d KiB%n",
                sorted.length,
                stopped[0] / 1000,
                sorted[sorted.length / 2] / 1000,
                sorted[sorted.length * 99 / 100] / 1000,
                sorted[sorted.length - 1] / 1000,
                early.get(0) >> 10,
                late.get(0) >> 10,
                early.get(1) >> 10,
                late.get(1) >> 10);
    }

    private String printed() {
        return output.toString(StandardCharsets.UTF_8).replace("\r\n", "\n");
    }
}

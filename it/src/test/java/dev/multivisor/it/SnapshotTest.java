package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.DirtyLog;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.snapshots.Snapshot;
import dev.multivisor.snapshots.SnapshotRequest;
import dev.multivisor.snapshots.SnapshotStore;
import java.io.ByteArrayOutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Snapshots of the built-in guest, which computes, beats and watches its clock, between the engines that there are. */
@Timeout(300)
class SnapshotTest {
    private static final Path FOLDER = Path.of(System.getProperty("multivisor.engines"));
    private static final EngineCatalog ENGINES = EngineCatalog.of(List.of(FOLDER));
    private static final String NEWEST = ENGINES.newest().version();

    @TempDir
    Path folder;

    private final MachineHost host = new MachineHost(() -> ENGINES);
    private final List<StreamConsole> consoles = new ArrayList<>();
    private int machines;

    @AfterEach
    void close() {
        host.close();
        consoles.forEach(StreamConsole::close);
    }

    private SnapshotStore store() {
        return new SnapshotStore(folder.resolve("snapshots"));
    }

    /** A machine with what it has printed. */
    private record Guest(VirtualMachine machine, StreamConsole console, ByteArrayOutputStream output) {
        String printed() {
            console.flush(10_000);
            return output.toString(StandardCharsets.UTF_8).replace("\r\n", "\n");
        }

        /** Waits until the first vCPU has reported so many times. */
        Guest awaitBeats(int count) throws InterruptedException {
            long end = System.nanoTime() + 100_000_000_000L;
            while (beats().size() < count) {
                assertTrue(System.nanoTime() < end, this::printed);
                Thread.sleep(20);
            }
            return this;
        }

        List<String[]> beats() {
            String printed = printed();
            return printed.substring(0, printed.lastIndexOf('\n') + 1)
                    .lines()
                    .filter(line -> line.startsWith("beat 0 "))
                    .map(line -> line.split(" "))
                    .toList();
        }

        /** Nothing lost, nothing doubled, no error of the clock; the first line may have begun before a snapshot. */
        void assertSound() {
            List<String[]> beats = beats();
            for (int n = 0; n < beats.size(); n++) {
                String[] line = beats.get(n);
                assertEquals(Integer.parseInt(beats.getFirst()[2]) + n, Integer.parseInt(line[2]), this::printed);
                for (int field : new int[] {7, 8, 9}) {
                    assertEquals("0", line[field], this::printed);
                }
            }
        }
    }

    private VirtualMachine.Settings settings(MachineSpec spec, ByteArrayOutputStream output) {
        StreamConsole console = new StreamConsole(List.of(output));
        StreamConsole nowhere = new StreamConsole(List.of());
        consoles.add(console);
        consoles.add(nowhere);
        return new VirtualMachine.Settings("vm-" + ++machines, BuiltinGuest.MEMORY, spec, console, nowhere);
    }

    private Guest start(String engine, int cpus, Map<String, String> parameters, String commandLine) {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        VirtualMachine.Settings settings = settings(new MachineSpec(cpus, "x86-64-v2", parameters), output);
        VirtualMachine machine = host.create(ENGINES.version(engine), settings, BuiltinGuest.boot(commandLine));
        machine.start();
        return new Guest(machine, (StreamConsole) settings.serial(), output);
    }

    private Guest restore(Snapshot snapshot, String engine, Map<String, String> parameters) {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        MachineSpec spec = snapshot.machine().spec();
        VirtualMachine.Settings settings = settings(new MachineSpec(spec.cpus(), spec.cpuModel(), parameters), output);
        VirtualMachine machine = host.restore(ENGINES.version(engine), settings, snapshot.machine(), snapshot.memory());
        return new Guest(machine, (StreamConsole) settings.serial(), output);
    }

    static Stream<Arguments> pairs() {
        List<String> versions =
                ENGINES.engines().stream().map(EngineJar::version).toList();
        return versions.stream().flatMap(from -> versions.stream().map(to -> Arguments.of(from, to)));
    }

    /** A snapshot that any engine made goes on on any engine, to the guest's own good end. */
    @ParameterizedTest
    @MethodSource("pairs")
    void goesOnOnEveryEngine(String from, String to) throws Exception {
        for (int cpus = 1; cpus <= 2; cpus++) {
            Guest guest = start(from, cpus, Map.of(), "seconds=3").awaitBeats(8);
            Snapshot stopped = store().create(guest.machine, new SnapshotRequest("s" + cpus, Optional.empty(), false));
            boolean live = guest.machine.capturesLive();
            Snapshot second = store().create(guest.machine, new SnapshotRequest("l" + cpus, Optional.empty(), live));
            assertEquals(from, second.manifest().engine());
            for (Snapshot snapshot : List.of(stopped, second)) {
                Guest copy = restore(snapshot, to, Map.of());
                long before = snapshot.manifest().guestNanos();
                assertEquals(before, copy.machine.clock().nanoTime(), "its clock stands where it was");
                copy.machine.start();
                Exit exit = copy.machine.await().exit();
                assertEquals(Exit.Reason.DEBUG_EXIT, exit.reason(), copy::printed);
                assertEquals(1, exit.status(), "what the guest says of itself: " + copy.printed());
                assertTrue(copy.machine.clock().nanoTime() > before);
                copy.assertSound();
            }
            Exit exit = guest.machine.await().exit();
            assertEquals(1, exit.status(), "the original: " + guest.printed());
            guest.assertSound();
            assertEquals(List.of(), store().list().problems());
            store().remove("s" + cpus);
            store().remove("l" + cpus);
        }
    }

    @Test
    void aPausedMachineStaysPaused() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(3);
        guest.machine.pause();
        long time = guest.machine.clock().nanoTime();
        Snapshot snapshot = store().create(guest.machine, new SnapshotRequest("", Optional.empty(), true));
        assertEquals("vm-1-1", snapshot.name());
        assertEquals(time, snapshot.manifest().guestNanos());
        assertEquals(time, guest.machine.clock().nanoTime());
        guest.machine.resume();
        guest.awaitBeats(6).assertSound();
    }

    /** Each lies over the one before and holds what was written since; each can be gone on from. */
    @Test
    void snapshotsLieOverEachOther() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(3);
        List<Snapshot> chain = new ArrayList<>();
        for (int n = 0; n < 5; n++) {
            Optional<String> parent = n == 0 ? Optional.empty() : Optional.of("c" + (n - 1));
            chain.add(store().create(guest.machine, new SnapshotRequest("c" + n, parent, n % 2 == 0)));
            guest.awaitBeats(guest.beats().size() + 2);
        }
        // One that is not the last: what differs is found by comparing.
        chain.add(store().create(guest.machine, new SnapshotRequest("c5", Optional.of("c1"), true)));
        assertEquals(
                List.of("c1", "c0"),
                chain.get(5).ancestors().stream().map(Snapshot::name).toList());
        for (Snapshot snapshot : chain) {
            snapshot.check();
            if (snapshot.manifest().parent().isPresent()) {
                assertTrue(
                        snapshot.manifest().storedPages()
                                < chain.getFirst().manifest().storedPages(),
                        () -> snapshot.manifest().toString());
            }
            Guest copy = restore(snapshot, NEWEST, Map.of());
            copy.machine.start();
            copy.awaitBeats(3).assertSound();
        }
        String message =
                assertThrows(HostException.class, () -> store().remove("c1")).getMessage();
        assertEquals("snapshot c1: is the parent of c2, c5; remove those first", message);
        guest.assertSound();
    }

    /** A guest that stands still writes nothing; one that has gone on for a moment, no more than that. */
    @Test
    void onlyWhatWasWrittenIsStored() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(3);
        guest.machine.pause();
        store().create(guest.machine, new SnapshotRequest("p0", Optional.empty(), false));
        Snapshot same = store().create(guest.machine, new SnapshotRequest("p1", Optional.of("p0"), false));
        assertEquals(0, same.manifest().storedPages());
        guest.machine.resume();
        guest.awaitBeats(guest.beats().size() + 2);
        guest.machine.pause();
        Snapshot later = store().create(guest.machine, new SnapshotRequest("p2", Optional.of("p1"), true));
        assertTrue(
                later.manifest().storedPages() > 0 && later.manifest().storedPages() < 64, later.manifest()::toString);
        byte[] is = new byte[(int) BuiltinGuest.MEMORY];
        byte[] was = is.clone();
        guest.machine.pages().read(0, was);
        restore(later, NEWEST, Map.of()).machine.pages().read(0, is);
        assertArrayEquals(was, is);
        guest.machine.resume();
        guest.awaitBeats(guest.beats().size() + 2).assertSound();
    }

    /** The log of written pages is no reason for an engine that cannot track pages not to take the machine. */
    @Test
    void aMachineGoesBackToAnEngineThatTracksNoPages() throws Exception {
        String oldest = ENGINES.engines().getFirst().version();
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(3);
        store().create(guest.machine, new SnapshotRequest("one", Optional.empty(), true));
        try (var old = host.lease(oldest);
                var now = host.lease(NEWEST)) {
            for (var lease : List.of(old, now)) {
                HandoverReport report = guest.machine.upgrade(
                        lease.engine(),
                        new UpgradeRequest(Map.of(), Duration.ofSeconds(10), Duration.ZERO, Duration.ZERO));
                assertTrue(report.committed(), report::toString);
                guest.awaitBeats(guest.beats().size() + 2);
            }
        }
        Snapshot second = store().create(guest.machine, new SnapshotRequest("two", Optional.of("one"), true));
        Guest copy = restore(second, oldest, Map.of());
        copy.machine.start();
        copy.awaitBeats(3).assertSound();
    }

    @Test
    void whatATargetDoesNotKnowIsNamed() throws Exception {
        String oldest = ENGINES.engines().getFirst().version();
        Guest guest = start(NEWEST, 1, Map.of("vmgenid", "on"), "").awaitBeats(3);
        Snapshot snapshot = store().create(guest.machine, new SnapshotRequest("new", Optional.empty(), false));
        assertTrue(snapshot.machine().hasGeneration());
        if (!oldest.equals(NEWEST)) {
            String message = assertThrows(HostException.class, () -> restore(snapshot, oldest, Map.of()))
                    .getMessage();
            assertTrue(message.contains("feature 'vmgenid': is unknown"), message);
        }
        String message = assertThrows(HostException.class, () -> restore(snapshot, NEWEST, Map.of("vmgenid", "off")))
                .getMessage();
        assertTrue(message.contains("parameter 'vmgenid': cannot be turned off"), message);
        Guest copy = restore(snapshot, NEWEST, Map.of("vmgenid", "01234567-89ab-cdef-0123-456789abcdef"));
        copy.machine.start();
        copy.awaitBeats(3).assertSound();
    }

    /** The 16 bytes are a device's write, which is made once, when the copy runs, and by no engine that it moves to. */
    @Test
    void whoWatchesHearsWhatACopyIsTold() throws Exception {
        long page = 0xff;
        Guest guest = start(NEWEST, 1, Map.of("vmgenid", "on"), "").awaitBeats(3);
        Snapshot snapshot = store().create(guest.machine, new SnapshotRequest("s", Optional.empty(), false));
        for (String id : List.of("01234567-89ab-cdef-0123-456789abcdef", "on")) {
            Guest copy = restore(snapshot, NEWEST, Map.of("vmgenid", id));
            List<String> heard = new CopyOnWriteArrayList<>();
            PageRegistration registration = copy.machine
                    .pages()
                    .register((address, bytes, writer) -> heard.add(
                            "%s %x %s".formatted(writer, address, HexFormat.of().formatHex(bytes))));
            registration.add(page);
            DirtyLog log = copy.machine.pages().logWrites();
            assertEquals(List.of(), heard);
            copy.machine.start();
            copy.awaitBeats(2);
            try (var lease = host.lease(NEWEST)) {
                HandoverReport report = copy.machine.upgrade(
                        lease.engine(),
                        new UpgradeRequest(Map.of(), Duration.ofSeconds(10), Duration.ZERO, Duration.ZERO));
                assertTrue(report.committed(), report::toString);
            }
            copy.awaitBeats(copy.beats().size() + 2).assertSound();
            boolean told = !id.equals("on");
            assertEquals(told ? List.of("OUTSIDE ff000 67452301ab89efcd0123456789abcdef") : List.of(), heard);
            assertEquals(told ? 1 : 0, log.take(page, 1).cardinality());
            byte[] stored = new byte[16];
            copy.machine.pages().read(page << 12, stored);
            assertEquals(told, HexFormat.of().formatHex(stored).equals("67452301ab89efcd0123456789abcdef"));
            registration.close();
            log.close();
            copy.machine.stop("seen enough");
        }
    }

    private interface Damage {
        void to(Path snapshot) throws Exception;
    }

    private static Damage cut(String file, long length) {
        return snapshot -> {
            try (RandomAccessFile cut =
                    new RandomAccessFile(snapshot.resolve(file).toFile(), "rw")) {
                cut.setLength(length);
            }
        };
    }

    private static Damage flip(String file, int from) {
        return snapshot -> {
            byte[] bytes = Files.readAllBytes(snapshot.resolve(file));
            bytes[from < 0 ? bytes.length + from : from] ^= 4;
            Files.write(snapshot.resolve(file), bytes);
        };
    }

    private static Damage edit(String from, String to) {
        return snapshot -> {
            Path manifest = snapshot.resolve("manifest.json");
            String text = Files.readString(manifest);
            assertTrue(text.contains(from), text);
            Files.writeString(manifest, text.replace(from, to));
        };
    }

    /** One line, which names the file and the field; whatever is wrong. */
    @Test
    void badSnapshotsAreRefused() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(2);
        store().create(guest.machine, new SnapshotRequest("base", Optional.empty(), false));
        store().create(guest.machine, new SnapshotRequest("over", Optional.of("base"), false));
        guest.machine.stop("seen enough");
        bad("over", snapshot -> Files.delete(snapshot.resolve("state")), "/state: cannot be read");
        bad("over", cut("state", 100), "/state: has 100 bytes instead of");
        bad("over", cut("state", 1L << 33), "/state: has 8589934592 bytes instead of");
        bad("over", flip("state", 50), "/state: does not fit its checksum");
        bad("over", flip("pages", 0), "/pages: does not fit its checksum");
        bad("over", cut("pages", 4), "/pages: has 4 bytes");
        bad("over", cut("memory", 4096), "/memory: has 4096 bytes instead of 16777216");
        bad("over", snapshot -> Files.delete(snapshot.resolve("memory")), "/memory: cannot be read");
        bad("over", snapshot -> Files.delete(snapshot.resolve("manifest.json")), "is no snapshot (manifest.json");
        bad("over", cut("manifest.json", 0), "/manifest.json: is no JSON object");
        bad("over", cut("manifest.json", 300), "/manifest.json: is no JSON in line");
        bad("over", cut("manifest.json", 2L << 20), "/manifest.json: is no manifest: it has more than");
        bad("over", flip("manifest.json", -6), "/manifest.json: checksum: ");
        bad("over", edit("\"cpus\" : 1", "\"cpus\" : 2"), "/manifest.json: checksum: does not fit the rest");
        bad("over", edit("multivisor-snapshot\" : 1", "multivisor-snapshot\" : 2"), "is 2, this program knows 1");
        bad("over", edit("\"multivisor-snapshot\"", "\"something-else\""), "multivisor-snapshot: is missing");
        bad("over", edit("{\n", "[\n"), "/manifest.json: is no JSON object");
        bad("base", cut("memory", 4096), "/base/memory: has 4096 bytes");
        bad("base", snapshot -> Files.move(snapshot, snapshot.resolveSibling("elsewhere")), "parent: base is missing");
        String absent =
                assertThrows(HostException.class, () -> store().find("absent")).getMessage();
        assertTrue(absent.startsWith("snapshot absent: there is none of this name in "), absent);
        String name =
                assertThrows(HostException.class, () -> store().find("no such")).getMessage();
        assertTrue(name.contains("\"no such\": is not 1 to 64 letters"), name);
    }

    /** Memory is not read at a restore, but a check finds what is wrong with it. */
    @Test
    void aCheckFindsDamagedMemory() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(2);
        Snapshot snapshot = store().create(guest.machine, new SnapshotRequest("base", Optional.empty(), false));
        snapshot.check();
        flip("memory", 0x100000).to(snapshot.folder());
        snapshot.memory();
        String message = assertThrows(HostException.class, snapshot::check).getMessage();
        assertTrue(message.contains("/memory: does not fit its checksum in manifest.json"), message);
    }

    private void bad(String damaged, Damage damage, String problem) throws Exception {
        Path all = folder.resolve("snapshots");
        Path kept = folder.resolve("kept");
        copy(all, kept);
        damage.to(all.resolve(damaged));
        RuntimeException e =
                assertThrows(RuntimeException.class, () -> restore(store().find("over"), NEWEST, Map.of()), problem);
        assertTrue(Set.of(HostException.class, EngineException.class).contains(e.getClass()), e::toString);
        assertEquals(1, e.getMessage().lines().count());
        assertTrue(e.getMessage().startsWith("snapshot ") && e.getMessage().contains(problem), e.getMessage());
        remove(all);
        Files.move(kept, all);
    }

    private static void copy(Path from, Path to) throws Exception {
        Process process = new ProcessBuilder("cp", "-a", "--sparse=always", from.toString(), to.toString()).start();
        assertEquals(0, process.waitFor());
    }

    private static void remove(Path folder) throws Exception {
        assertEquals(
                0,
                new ProcessBuilder(Arrays.asList("rm", "-r", folder.toString()))
                        .start()
                        .waitFor());
    }

    @Test
    void namesAreTakenOnce() throws Exception {
        Guest guest = start(NEWEST, 1, Map.of(), "").awaitBeats(2);
        store().create(guest.machine, new SnapshotRequest("one", Optional.empty(), false));
        String taken = assertThrows(
                        HostException.class,
                        () -> store().create(guest.machine, new SnapshotRequest("one", Optional.empty(), false)))
                .getMessage();
        assertEquals("snapshot one: there is one of this name already", taken);
        assertThrows(
                HostException.class,
                () -> store().create(guest.machine, new SnapshotRequest("../x", Optional.empty(), false)));
        guest.machine.stop("seen enough");
        guest.machine.await();
        String ended = assertThrows(
                        HostException.class,
                        () -> store().create(guest.machine, new SnapshotRequest("two", Optional.empty(), false)))
                .getMessage();
        assertTrue(ended.endsWith(": has ended"), ended);
        try (Stream<Path> files = Files.list(folder.resolve("snapshots"))) {
            assertEquals(
                    List.of("lock", "one"),
                    files.map(file -> file.getFileName().toString()).sorted().toList(),
                    "nothing half-made is left");
        }
    }
}

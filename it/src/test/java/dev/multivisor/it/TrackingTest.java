package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.DirtyLog;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.KeptPages;
import dev.multivisor.host.PageListener;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Page tracking of a guest that writes as fast as it can, while it moves between engines. */
@Timeout(300)
class TrackingTest {
    /** With {@code -Dmoves=N}; the default is what a build can afford. */
    private static final int MOVES = Integer.getInteger("it.moves", 1000);

    private static final UpgradeRequest PLAIN =
            new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ZERO, Duration.ZERO);
    /** No engine restores a machine in this time. */
    private static final UpgradeRequest TOO_SHORT =
            new UpgradeRequest(Map.of(), Duration.ofNanos(10_000), Duration.ZERO, Duration.ZERO);

    private static final EngineCatalog ENGINES =
            EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));

    @TempDir
    Path folder;

    private final EnginePool pool = new EnginePool();
    private EnginePool.Lease one;
    private EnginePool.Lease other;

    @BeforeEach
    void load() throws Exception {
        Path copy = Files.copy(ENGINES.newest().path(), folder.resolve("engine.jar"));
        one = pool.lease(ENGINES.newest());
        other = pool.lease(EngineJar.read(copy));
    }

    @AfterEach
    void unload() {
        one.close();
        other.close();
    }

    private void moveBack(VirtualMachine machine) {
        if (machine.engine() != one.engine()) {
            assertTrue(machine.upgrade(one.engine(), PLAIN).committed());
        }
    }

    private void move(VirtualMachine machine, int n) {
        HandoverReport report = machine.upgrade(n % 2 == 0 ? other.engine() : one.engine(), PLAIN);
        assertTrue(report.committed(), report::toString);
    }

    /** Every write of two processors, from the first on, is reported once and in order, wherever the guest is. */
    @ParameterizedTest
    @ValueSource(strings = {"", "0.2.0"})
    void handoversInTheMiddleOfAStormOfWrites(String release) throws Exception {
        if (!release.isEmpty()) {
            other.close();
            other = pool.lease(ENGINES.version(release));
        }
        int missed = 0;
        try (VirtualMachine machine = Storm.machine(one.engine(), 2)) {
            Storm.Listener listener =
                    new Storm.Listener(new Storm.Follower(0, true).from(1), new Storm.Follower(1, true).from(1));
            PageRegistration registration = machine.pages().register(listener);
            registration.add(Storm.FRAME, Storm.WATCHED);
            machine.start();
            AtomicBoolean over = new AtomicBoolean();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            AtomicInteger rounds = new AtomicInteger();
            // Somebody else comes and goes meanwhile, at handovers too.
            Thread visitor = Thread.ofPlatform().start(() -> {
                try {
                    while (!over.get()) {
                        visit(machine, failure);
                        rounds.incrementAndGet();
                    }
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            for (int n = 0; n < MOVES; n++) {
                Thread.sleep(3);
                if (n % 10 == 0) {
                    // One that is given up when the target has its state, and the guest goes on where it was.
                    missed += machine.upgrade(other.engine(), TOO_SHORT).committed() ? 0 : 1;
                    moveBack(machine);
                }
                move(machine, n);
                assertEquals("", listener.wrong.get(), "after " + n + " moves");
                assertEquals(null, failure.get());
            }
            over.set(true);
            visitor.join();
            assertTrue(missed > MOVES / 20, "given up: " + missed);
            machine.pause();
            for (int cpu = 0; cpu < 2; cpu++) {
                long written = Storm.number(machine, cpu);
                long seen = listener.followers.get(cpu).round();
                assertTrue(written == seen || written == seen - 1, "vCPU " + cpu + ": " + written + ", seen " + seen);
                assertTrue(written > MOVES, "vCPU " + cpu + " wrote " + written);
            }
            assertEquals("", listener.wrong.get());
            assertEquals(null, failure.get());
            System.out.println(MOVES + " moves, " + listener.followers.get(0).reports() + " and "
                    + listener.followers.get(1).reports() + " reports, " + rounds + " visits");
        }
    }

    /**
     * From add to remove or close, not one of the numbers in the fourth page is missed, and none is reported after it.
     *
     * @return whether the page was removed while another listener held a processor up in a write to it
     */
    private static boolean visit(VirtualMachine machine, AtomicReference<Throwable> failure)
            throws InterruptedException {
        Storm.Follower first = new Storm.Follower(0, false);
        Storm.Follower second = new Storm.Follower(1, false);
        Storm.Listener visiting = new Storm.Listener(first, second);
        Gate gate = new Gate();
        Ending ending = new Ending(visiting, failure);
        boolean held = false;
        try (PageRegistration earlier = machine.pages().register(gate)) {
            earlier.add(Storm.OTHER);
            PageRegistration registration = machine.pages().register(ending);
            registration.add(Storm.OTHER);
            long[] before = {Storm.number(machine, 0), Storm.number(machine, 1)};
            for (int n = 0; n < 20 && (first.reports() < 10 || second.reports() < 10); n++) {
                Thread.sleep(1);
            }
            if (ThreadLocalRandom.current().nextBoolean()) {
                gate.shut();
                registration.remove(Storm.OTHER);
                ending.over = gate.held();
                held = ending.over != 0;
                gate.open();
                // A moment for what must not come; closed, it would not come anyway.
                Thread.sleep(1);
                registration.close();
            } else {
                registration.close();
            }
            ending.over = 3;
            assertEquals("", visiting.wrong.get());
            for (int cpu = 0; cpu < 2; cpu++) {
                Storm.Follower follower = visiting.followers.get(cpu);
                long begun = follower.round() - follower.reports();
                // The fourth page is written at the end of a round whose number stood in the first already.
                assertTrue(
                        follower.reports() == 0 || begun <= before[cpu] + 1,
                        "vCPU " + cpu + ": at " + before[cpu] + ", first report " + begun);
            }
        }
        return held;
    }

    /** Holds processors up that write, so that it is known that those who are told after it were not told yet. */
    private static final class Gate implements PageListener {
        private static final int HOLD_MILLIS = 20;

        private final AtomicIntegerArray inside = new AtomicIntegerArray(2);
        private volatile boolean shut;

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            if (shut && writer instanceof Writer.Cpu(int number, long instruction)) {
                inside.set(number, 1);
                for (int n = 0; shut && n < HOLD_MILLIS * 10; n++) {
                    LockSupport.parkNanos(100_000);
                }
                inside.set(number, 0);
            }
        }

        /** Returns when a processor is held up, or after a while. */
        void shut() throws InterruptedException {
            shut = true;
            for (int n = 0; held() == 0 && n < HOLD_MILLIS; n++) {
                Thread.sleep(1);
            }
        }

        void open() {
            shut = false;
        }

        /** The processors that are held up, a bit for each. */
        int held() {
            return inside.get(0) | inside.get(1) << 1;
        }
    }

    /** Must hear nothing more from some processors. */
    private static final class Ending implements PageListener {
        private final PageListener listener;
        private final AtomicReference<Throwable> failure;

        /** A bit for each of them. */
        private volatile int over;

        Ending(PageListener listener, AtomicReference<Throwable> failure) {
            this.listener = listener;
            this.failure = failure;
        }

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            if (writer instanceof Writer.Cpu(int number, long instruction) && (over >>> number & 1) != 0) {
                failure.compareAndSet(null, new AssertionError("vCPU " + number + " was reported after the end"));
            }
            listener.onWrite(address, bytes, writer);
        }
    }

    /** What kvmclock writes: time and wall clock, and the time again when the guest has set its counter. */
    @Test
    void whatAClockWritesIsReportedOnce() throws Exception {
        long time = Storm.PAGES + 0x40;
        long wall = Storm.PAGES + 0x1040;
        byte[] flag = new byte[1];
        try (VirtualMachine machine = Storm.machine(one.engine(), 1, Guests.clock());
                DirtyLog log = machine.pages().logWrites()) {
            Replay replay = new Replay(Storm.PAGES, 2 * 4096);
            PageRegistration registration = machine.pages().register(replay);
            registration.add(Storm.FRAME, 2);
            machine.start();
            while (flag[0] == 0) {
                Thread.sleep(1);
                machine.pages().read(Storm.PAGES + 0x2000, flag);
            }
            // The version is written before and after the rest.
            assertEquals(Map.of(time, "2222" + "1".repeat(28), wall, "2222" + "1".repeat(8)), replay.counts());
            assertEquals(2, replay.version(time));
            assertEquals(2, replay.version(wall));
            replay.assertMemory(machine);
            assertEquals(BitSet.valueOf(new long[] {3}), log.take(Storm.FRAME, 2));

            move(machine, 0);
            move(machine, 1);
            move(machine, 0);
            // A move writes nothing, not even what nobody would hear of.
            assertEquals(2, replay.version(time));
            replay.assertMemory(machine);
            assertEquals(new BitSet(), log.take(Storm.FRAME, 2));

            machine.pages().write(Storm.PAGES + 0x2001, new byte[] {1});
            assertEquals(1, machine.await().exit().status());
            assertEquals(Map.of(time, "4444" + "2".repeat(28), wall, "2222" + "1".repeat(8)), replay.counts());
            assertEquals(4, replay.version(time));
            replay.assertMemory(machine);
            assertEquals(BitSet.valueOf(new long[] {1}), log.take(Storm.FRAME, 2));
            assertEquals("", replay.wrong.get());
        }
    }

    /** Makes pages anew from what is reported of them. */
    private static final class Replay implements PageListener {
        private final long start;
        private final byte[] bytes;
        private final int[] writes;
        final AtomicReference<String> wrong = new AtomicReference<>("");

        Replay(long start, int size) {
            this.start = start;
            bytes = new byte[size];
            writes = new int[size];
        }

        @Override
        public synchronized void onWrite(long address, byte[] written, Writer writer) {
            if (writer != Writer.Outside.OUTSIDE) {
                wrong.compareAndSet("", "%x was written by %s".formatted(address, writer));
            }
            for (int n = 0; n < written.length; n++) {
                bytes[(int) (address - start) + n] = written[n];
                writes[(int) (address - start) + n]++;
            }
        }

        /** How often each byte was written, by where such bytes begin. */
        synchronized Map<Long, String> counts() {
            Map<Long, String> counts = new TreeMap<>();
            for (int n = 0; n < writes.length; n++) {
                int first = n;
                StringBuilder count = new StringBuilder();
                while (n < writes.length && writes[n] > 0) {
                    count.append(writes[n++]);
                }
                if (n > first) {
                    counts.put(start + first, count.toString());
                }
            }
            return counts;
        }

        synchronized int version(long address) {
            return bytes[(int) (address - start)];
        }

        synchronized void assertMemory(VirtualMachine machine) {
            byte[] memory = new byte[bytes.length];
            machine.pages().read(start, memory);
            assertEquals(-1, Arrays.mismatch(memory, bytes), () -> "at " + Arrays.mismatch(memory, bytes));
        }
    }

    /** What was not logged is not written: pages are compared with copies that follow the log. */
    @Test
    void aCopyThatFollowsTheLogIsTheGuestsMemory() throws Exception {
        try (VirtualMachine machine = Storm.machine(one.engine(), 2);
                DirtyLog log = machine.pages().logWrites();
                DirtyLog idle = machine.pages().logWrites()) {
            long pages = Storm.MEMORY >>> 12;
            byte[] copy = new byte[(int) Storm.MEMORY];
            machine.pages().read(0, copy);
            machine.start();
            BitSet all = new BitSet();
            for (int n = 0; n < MOVES; n++) {
                all.or(follow(machine, log.take(0, pages), 0, copy));
                if (n % 4 == 0) {
                    move(machine, n / 4);
                }
                all.or(follow(machine, log.take(Storm.FRAME, 2), Storm.FRAME, copy));
            }
            machine.pause();
            all.or(follow(machine, log.take(0, pages), 0, copy));
            byte[] memory = new byte[copy.length];
            machine.pages().read(0, memory);
            assertEquals(-1, Arrays.mismatch(memory, copy));
            assertTrue(all.cardinality() < 64, "pages written: " + all);
            assertEquals(all, idle.take(0, pages));
            assertEquals(new BitSet(), log.take(0, pages));
            machine.pages().write(Storm.PAGES + 0x8000, new byte[] {1});
            assertEquals(BitSet.valueOf(new long[] {1L << 8}), log.take(Storm.FRAME, 16));
        }
    }

    private static BitSet follow(VirtualMachine machine, BitSet written, long first, byte[] copy) {
        BitSet pages = new BitSet();
        byte[] page = new byte[4096];
        written.stream().forEach(n -> {
            machine.pages().read(first + n << 12, page);
            System.arraycopy(page, 0, copy, (int) (first + n) << 12, 4096);
            pages.set((int) first + n);
        });
        return pages;
    }

    /** Memory as it was at a moment, collected while the guest writes on and moves. */
    @Test
    void pagesAreKeptAsTheyWere() throws Exception {
        try (VirtualMachine machine = Storm.machine(one.engine(), 2)) {
            machine.pages().register((address, bytes, writer) -> {});
            machine.start();
            int pages = (int) (Storm.MEMORY >>> 12);
            for (int n = 0; n < 20; n++) {
                Thread.sleep(10);
                machine.pause();
                byte[] then = new byte[pages << 12];
                machine.pages().read(0, then);
                byte[] kept = new byte[then.length];
                AtomicInteger count = new AtomicInteger();
                KeptPages keeping = machine.pages().keep((page, content) -> {
                    MemorySegment.copy(content, 0, MemorySegment.ofArray(kept), page << 12, 4096);
                    count.incrementAndGet();
                });
                machine.resume();
                keeping.keepRest(0, pages / 2);
                if (n % 4 == 0) {
                    move(machine, n / 4);
                }
                Thread.sleep(2);
                keeping.keepRest(0, pages);
                keeping.close();
                assertEquals(pages, count.get());
                assertEquals(-1, Arrays.mismatch(then, kept), "page " + (Arrays.mismatch(then, kept) >>> 12));
            }
        }
    }

    /** Methods of listeners on two processors' threads wait for the other processor, which is in such a method too. */
    @Test
    void listenersChangeWhatIsWatchedWhileOthersComeAndGo() throws Exception {
        try (VirtualMachine machine = Storm.machine(one.engine(), 2)) {
            Meddler meddler = new Meddler(machine);
            meddler.strict.add(Storm.FRAME, Storm.WATCHED);
            machine.start();
            AtomicBoolean over = new AtomicBoolean();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            AtomicInteger held = new AtomicInteger();
            List<Thread> visitors = new ArrayList<>();
            for (int n = 0; n < 2; n++) {
                visitors.add(Thread.ofPlatform().start(() -> {
                    try {
                        while (!over.get()) {
                            if (visit(machine, failure)) {
                                held.incrementAndGet();
                            }
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                }));
            }
            long end = System.nanoTime() + 3_000_000_000L;
            for (int n = 0; System.nanoTime() < end; n++) {
                Thread.sleep(20);
                if (n % 10 == 0) {
                    machine.pause();
                    machine.resume();
                }
                assertEquals("", meddler.follow.wrong.get());
                assertEquals(null, meddler.failure.get());
                assertEquals(null, failure.get());
            }
            over.set(true);
            for (Thread visitor : visitors) {
                visitor.join();
            }
            assertEquals(null, failure.get());
            assertTrue(held.get() > 10, "removed in the middle of a write: " + held);
            machine.pause();
            long changes = meddler.changes.get();
            assertTrue(changes > 1000, "changes: " + changes);
            assertTrue(meddler.notes.get() > 100, "nested writes: " + meddler.notes);
            meddler.follow.followers.forEach(follower -> assertTrue(follower.round() > 1000));
            meddler.strict.close();
            meddler.loose.close();
            meddler.noting.close();
        }
    }

    /** Follows the guest's writes, and with some of them changes what is watched, or writes itself. */
    private static final class Meddler implements PageListener {
        private static final long NOTES = Storm.FRAME + 16;

        private final VirtualMachine machine;
        private final Storm.Listener follow =
                new Storm.Listener(new Storm.Follower(0, true).from(1), new Storm.Follower(1, true).from(1));
        private final AtomicReference<Throwable> failure = new AtomicReference<>();
        private final AtomicLong changes = new AtomicLong();
        private final AtomicLong notes = new AtomicLong();
        private final PageRegistration strict;
        private final PageRegistration loose;
        private final PageRegistration noting;

        Meddler(VirtualMachine machine) {
            this.machine = machine;
            strict = machine.pages().register(this);
            loose = machine.pages().register((address, bytes, writer) -> {});
            noting = machine.pages().register((address, bytes, writer) -> {
                if (writer == Writer.Outside.OUTSIDE && address >>> 12 == NOTES) {
                    notes.incrementAndGet();
                }
            });
            noting.add(NOTES);
        }

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            follow.onWrite(address, bytes, writer);
            try {
                switch ((int) (address + bytes[0] & 0x3f)) {
                    case 0 -> {
                        loose.add(Storm.OTHER);
                        loose.add(Storm.FRAME, 2);
                        loose.remove(Storm.OTHER);
                        loose.remove(Storm.FRAME, 2);
                        changes.incrementAndGet();
                    }
                    case 4 -> machine.pages().write(NOTES << 12, bytes);
                    case 8 -> {
                        String refused = "from inside a page listener";
                        String message =
                                assertThrows(HostException.class, loose::close).getMessage();
                        assertTrue(message.endsWith(refused), message);
                        message = assertThrows(HostException.class, machine::close)
                                .getMessage();
                        assertTrue(message.endsWith(refused), message);
                    }
                    default -> {}
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        }
    }

    @Test
    void anEngineThatCannotTrackPagesIsNamed() throws Exception {
        EngineJar oldest = ENGINES.engines().getFirst();
        org.junit.jupiter.api.Assumptions.assumeTrue(oldest.version().equals("0.1.0"));
        try (EnginePool.Lease old = pool.lease(oldest)) {
            try (VirtualMachine machine = Storm.machine(old.engine(), 1)) {
                String unable = "machine storm: engine 0.1.0 cannot track pages";
                assertEquals(
                        unable,
                        assertThrows(
                                        HostException.class,
                                        () -> machine.pages().register((address, bytes, writer) -> {}))
                                .getMessage());
                assertEquals(
                        unable,
                        assertThrows(HostException.class, () -> machine.pages().logWrites())
                                .getMessage());
                machine.start();
                move(machine, 1);
                PageRegistration registration = machine.pages().register((address, bytes, writer) -> {});
                List<String> reasons = machine.preflight(old.engine(), Map.of());
                assertEquals(
                        List.of("engine 0.1.0 cannot track pages, as a user of this machine's memory wants"), reasons);
                assertEquals(
                        HandoverReport.Outcome.REFUSED,
                        machine.rollBack(Duration.ofSeconds(5)).outcome());
                registration.close();
                assertTrue(machine.rollBack(Duration.ofSeconds(5)).committed());
            }
        }
    }
}

package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a user of page tracking may rely on, with an engine that writes only what it is asked to. */
@Timeout(60)
class PageTrackerTest {
    private static final int PAGES = 32 << 20 >> 12;

    @TempDir
    Path folder;

    private VirtualMachine machine;
    private PageTracker pages;

    @BeforeEach
    void create() throws Exception {
        machine =
                VirtualMachine.create(load("1.0"), VirtualMachineTest.settings(2, Map.of()), VirtualMachineTest.boot());
        pages = machine.pages();
    }

    @AfterEach
    void close() {
        machine.close();
    }

    private LoadedEngine load(String version) throws Exception {
        Path jar = FakeEngine.build(folder, FakeEngine.Recipe.good(version));
        return LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache"));
    }

    /** Notes what it hears. */
    private static final class Notes implements PageListener {
        final List<String> heard = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            heard.add("%x+%d".formatted(address, bytes.length));
        }

        @Override
        public void onRegionRemoved(long frame, long count) {
            heard.add("removed %x+%d".formatted(frame, count));
        }

        List<String> take() {
            List<String> taken = List.copyOf(heard);
            heard.clear();
            return taken;
        }
    }

    private static String message(org.junit.jupiter.api.function.Executable executable) {
        return assertThrows(HostException.class, executable).getMessage();
    }

    @Test
    void addsAreCountedForEachListenerAndFrame() {
        Notes one = new Notes();
        Notes other = new Notes();
        try (PageRegistration first = pages.register(one);
                PageRegistration second = pages.register(other)) {
            first.add(5);
            first.add(4, 3);
            second.add(5);
            second.remove(5);
            pages.write(0x5010, new byte[] {1, 2});
            pages.write(0x7000, new byte[] {1});
            assertEquals(List.of("5010+2"), one.take());
            first.remove(5);
            pages.write(0x5010, new byte[] {3});
            first.remove(5);
            pages.write(0x5010, new byte[] {4});
            pages.write(0x4000, new byte[] {5});
            assertEquals(List.of("5010+1", "4000+1"), one.take());
            assertEquals(List.of(), other.take());
            assertEquals("machine test: frame 0x5: is not watched by this listener", message(() -> first.remove(4, 2)));
            pages.write(0x4000, new byte[] {6});
            assertEquals(List.of("4000+1"), one.take(), "a remove that is refused removes nothing");
        }
        byte[] read = new byte[2];
        pages.read(0x5010, read);
        assertArrayEquals(new byte[] {4, 2}, read);
    }

    @Test
    void everyListenerHasItsOwnBytes() {
        List<byte[]> heard = new ArrayList<>();
        PageListener spoiler = (address, bytes, writer) -> {
            heard.add(bytes.clone());
            bytes[0] = 99;
        };
        pages.register(spoiler).add(1);
        pages.register(spoiler).add(1);
        pages.write(0x1000, new byte[] {1});
        assertEquals(List.of((byte) 1, (byte) 1), heard.stream().map(b -> b[0]).toList());
    }

    @Test
    void aWriteThatNobodyMadeIsHeardByThatListenerOnlyAndWritesNothing() {
        Notes one = new Notes();
        Notes other = new Notes();
        PageRegistration registration = pages.register(one);
        registration.add(1);
        pages.register(other).add(1);
        pages.write(0x1000, new byte[] {7});
        registration.practise(1);
        registration.practise(2);
        assertEquals(List.of("1000+1", "1000+0"), one.take());
        assertEquals(List.of("1000+1"), other.take());
        byte[] there = new byte[1];
        pages.read(0x1000, there);
        assertEquals(7, there[0]);
        registration.close();
        registration.practise(1);
        assertEquals(List.of(), one.take());
    }

    @Test
    void whoWritesWhatMayBeUrgentGoesBeforeOthersUntilAllHaveHeard() {
        List<Boolean> usual = new ArrayList<>();
        Runnable look = () -> usual.add(HostScheduler.isUsual(HostScheduler.thread()));
        PromptThread.run(look);
        assumeTrue(!usual.removeFirst(), "the process may not have threads that go before others");
        PageRegistration urgent = pages.register(new PageListener() {
            @Override
            public void onWrite(long address, byte[] bytes, Writer writer) {
                look.run();
            }

            @Override
            public boolean mayBeUrgent() {
                return true;
            }
        });
        pages.register((address, bytes, writer) -> look.run()).add(1, 2);
        urgent.add(1);
        pages.write(0x1000, new byte[1]);
        look.run();
        pages.write(0x2000, new byte[1]);
        assertEquals(List.of(false, false, true, true), usual);
    }

    @Test
    void whatIsNoMemoryIsRefused() {
        PageRegistration registration = pages.register(new Notes());
        assertEquals("machine test: frame 0x2000: has no memory", message(() -> registration.add(PAGES - 1, 2)));
        assertEquals(
                "machine test: frame 0x1fff: is not watched by this listener",
                message(() -> registration.remove(PAGES - 1)));
        assertEquals("machine test: frame 0xffffffffffffffff: has no memory", message(() -> registration.add(-1)));
        String outside = "machine test: no memory at 0x1ffffff, or less than 2 bytes";
        assertEquals(outside, message(() -> pages.write(0x1ffffff, new byte[2])));
        assertEquals(outside, message(() -> pages.read(0x1ffffff, new byte[2])));
        assertThrows(HostException.class, () -> pages.logWrites().take(PAGES - 1, 2));
    }

    @Test
    void closingWaitsForReportsAndIsRefusedInsideOne() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicReference<PageRegistration> itself = new AtomicReference<>();
        List<String> refused = new ArrayList<>();
        List<String> steps = Collections.synchronizedList(new ArrayList<>());
        PageRegistration registration = pages.register((address, bytes, writer) -> {
            refused.add(message(itself.get()::close));
            refused.add(message(machine::close));
            refused.add(message(machine::pause));
            begun.countDown();
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            steps.add("reported");
        });
        itself.set(registration);
        registration.add(1);
        Thread writer = Thread.ofPlatform().start(() -> pages.write(0x1000, new byte[1]));
        begun.await();
        Thread closer = Thread.ofPlatform().start(() -> {
            registration.close();
            steps.add("closed");
        });
        assertFalse(closer.join(Duration.ofMillis(100)));
        // Closing has begun: nothing more is reported.
        pages.write(0x1000, new byte[1]);
        go.countDown();
        writer.join();
        closer.join();
        assertEquals(List.of("reported", "closed"), steps);
        String inside = " from inside a page listener";
        assertEquals(
                List.of(
                        "machine test: a page registration cannot be closed" + inside,
                        "machine test: cannot be closed" + inside,
                        "machine test: cannot be paused" + inside),
                refused);
        registration.close();
        assertEquals("machine test: the page registration is closed", message(() -> registration.add(1)));
    }

    /** A listener that hears of the first write when it is let. */
    private static final class Slow implements PageListener {
        final CountDownLatch begun = new CountDownLatch(1);
        final CountDownLatch go = new CountDownLatch(1);

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            begun.countDown();
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Test
    void whoCeasesToWatchBeforeItsTurnHearsNothing() throws Exception {
        Slow slow = new Slow();
        Notes removing = new Notes();
        Notes closing = new Notes();
        Notes counting = new Notes();
        pages.register(slow).add(1);
        PageRegistration removed = pages.register(removing);
        removed.add(0, 3);
        PageRegistration closed = pages.register(closing);
        closed.add(1);
        PageRegistration counted = pages.register(counting);
        counted.add(1);
        counted.add(1);
        Thread writer = Thread.ofPlatform().start(() -> pages.write(0x1000, new byte[1]));
        slow.begun.await();
        removed.remove(1);
        closed.close();
        counted.remove(1);
        slow.go.countDown();
        writer.join();
        assertEquals(List.of(), removing.take());
        assertEquals(List.of(), closing.take());
        assertEquals(List.of("1000+1"), counting.take(), "added twice and removed once");
        pages.write(0x2000, new byte[1]);
        assertEquals(List.of("2000+1"), removing.take());
    }

    /** The registration's close waits for a report, as does the machine's, which has forgotten all frames. */
    @Test
    void aRegistrationClosesWhileItsMachineDoes() throws Exception {
        Slow slow = new Slow();
        PageRegistration registration = pages.register(slow);
        registration.add(1);
        Thread writer = Thread.ofPlatform().start(() -> pages.write(0x1000, new byte[1]));
        slow.begun.await();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread closer = Thread.ofPlatform().start(() -> {
            try {
                registration.close();
            } catch (Throwable e) {
                failure.set(e);
            }
        });
        while (!registration.closed()) {
            Thread.sleep(1);
        }
        Thread end = Thread.ofPlatform().start(machine::close);
        while (true) {
            try {
                pages.logWrites().close();
                // The lock is wanted by whoever ends the machine.
                Thread.sleep(1);
            } catch (HostException e) {
                break;
            }
        }
        slow.go.countDown();
        writer.join();
        closer.join();
        end.join();
        assertEquals(null, failure.get());
    }

    @Test
    void aListenerThatThrowsHarmsNobody() {
        Notes notes = new Notes();
        pages.register((address, bytes, writer) -> {
                    throw new IllegalStateException("as a test");
                })
                .add(1);
        pages.register(notes).add(1);
        pages.write(0x1000, new byte[1]);
        assertEquals(List.of("1000+1"), notes.take());
    }

    @Test
    void theEndOfAMachineIsTheEndOfItsMemory() {
        Notes used = new Notes();
        Notes unused = new Notes();
        PageRegistration registration = pages.register(used);
        pages.register(unused);
        registration.add(7);
        DirtyLog log = pages.logWrites();
        machine.close();
        assertEquals(List.of("removed 0+" + PAGES), used.take());
        assertEquals(List.of(), unused.take());
        String closed = "machine test: is closed";
        assertEquals(closed, message(() -> registration.add(7)));
        assertEquals(closed, message(() -> registration.remove(7)));
        assertEquals(closed, message(() -> pages.register(used)));
        assertEquals(closed, message(pages::logWrites));
        assertEquals(closed, message(() -> log.take(0, 1)));
        assertEquals(closed, message(() -> pages.write(0, new byte[1])));
        assertEquals(closed, message(() -> pages.read(0, new byte[1])));
        registration.close();
        log.close();
    }

    @Test
    void memoryThatEndsUnderAWriterIsNamed() throws Exception {
        List<AtomicReference<Throwable>> ends = new ArrayList<>();
        List<Thread> writers = new ArrayList<>();
        CountDownLatch written = new CountDownLatch(2);
        for (int n = 0; n < 2; n++) {
            ends.add(new AtomicReference<>());
            writers.add(writer(pages, ends.get(n), written));
        }
        written.await();
        machine.close();
        for (int n = 0; n < 2; n++) {
            writers.get(n).join();
            assertClosed(ends.get(n).get());
        }
        // One that has begun before the close, and finds no memory after it.
        VirtualMachine slow = VirtualMachine.create(
                load("1-write-slow"), VirtualMachineTest.settings(1, Map.of()), VirtualMachineTest.boot());
        AtomicReference<Throwable> end = new AtomicReference<>();
        Thread writer = writer(slow.pages(), end, new CountDownLatch(1));
        while (writer.getState() != Thread.State.TIMED_WAITING) {
            Thread.sleep(1);
        }
        slow.close();
        writer.join();
        assertClosed(end.get());
        assertEquals(IllegalStateException.class, end.get().getCause().getClass());
        try (VirtualMachine bad = VirtualMachine.create(
                load("1-write-throws"), VirtualMachineTest.settings(1, Map.of()), VirtualMachineTest.boot())) {
            assertEquals(
                    "boom",
                    assertThrows(IllegalStateException.class, () -> bad.pages().write(0, new byte[1]))
                            .getMessage());
        }
    }

    /** Writes until it cannot. */
    private static Thread writer(PageTracker pages, AtomicReference<Throwable> end, CountDownLatch written) {
        return Thread.ofPlatform().start(() -> {
            try {
                while (true) {
                    pages.write(0x1000, new byte[4096]);
                    written.countDown();
                }
            } catch (Throwable e) {
                end.set(e);
            }
        });
    }

    private static void assertClosed(Throwable end) {
        assertEquals("dev.multivisor.host.HostException: machine test: is closed", end.toString());
    }

    @Test
    void anEngineThatCannotTrackIsNoTarget() throws Exception {
        LoadedEngine plain = load("2-plain");
        PageRegistration registration = pages.register(new Notes());
        String reason = "engine 2-plain cannot track pages, as a user of this machine's memory wants";
        assertEquals(List.of(reason), machine.preflight(plain, Map.of()));
        registration.close();
        assertEquals(List.of(), machine.preflight(plain, Map.of()));
        assertTrue(machine.handOver(plain, Duration.ofSeconds(2)).committed());
        assertEquals("machine test: engine 2-plain cannot track pages", message(() -> pages.register(new Notes())));
        assertEquals(List.of(), machine.preflight(load("3.0"), Map.of()));
    }

    @Test
    void listenersStayThroughHandovers() throws Exception {
        Notes notes = new Notes();
        PageRegistration registration = pages.register(notes);
        registration.add(3, 4);
        registration.remove(4);
        machine.start();
        LoadedEngine[] engines = {load("2.0"), load("3.0")};
        for (int n = 0; n < 20; n++) {
            assertTrue(machine.handOver(engines[n % 2], Duration.ofSeconds(2)).committed());
            pages.write(0x3000, new byte[1]);
            pages.write(0x4000, new byte[2]);
            pages.write(0x5000, new byte[3]);
            assertEquals(List.of("3000+1", "5000+3"), notes.take());
        }
        registration.close();
        assertTrue(machine.handOver(engines[0], Duration.ofSeconds(2)).committed());
        pages.write(0x3000, new byte[1]);
        assertEquals(List.of(), notes.take());
    }

    /** Such a handover is given up, not waited for. */
    @Test
    void aWriteThatAListenerHoldsUpHoldsUpNoGuest() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        pages.register((address, bytes, writer) -> {
                    begun.countDown();
                    try {
                        go.await(20, TimeUnit.SECONDS);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                })
                .add(1);
        machine.start();
        Thread writer = Thread.ofPlatform().start(() -> pages.write(0x1000, new byte[1]));
        begun.await();
        HandoverReport report = machine.handOver(load("2.0"), Duration.ofSeconds(2));
        assertEquals("machine test: somebody's write to guest memory is under way", report.reason());
        assertFalse(report.committed());
        go.countDown();
        writer.join();
        assertTrue(machine.handOver(load("2.0"), Duration.ofSeconds(2)).committed());
    }

    @Test
    void logsAreIndependent() throws Exception {
        pages.register(new Notes());
        try (DirtyLog one = pages.logWrites()) {
            pages.write(0x1000, new byte[1]);
            try (DirtyLog two = pages.logWrites()) {
                pages.write(0x41000, new byte[1]);
                assertTrue(machine.handOver(load("2.0"), Duration.ofSeconds(2)).committed());
                assertEquals(bits(), one.take(2, 50));
                assertEquals(bits(1, 65), one.take(0, PAGES));
                assertEquals(bits(25), two.take(40, 100));
                assertEquals(bits(), two.take(40, 100));
                pages.write(0x1fff000, new byte[1]);
                assertEquals(bits(), two.take(0, PAGES - 1));
            }
            assertEquals(bits(1), one.take(PAGES - 2, 2));
            assertEquals(bits(), one.take(0, 0));
        }
    }

    private static BitSet bits(int... set) {
        BitSet bits = new BitSet();
        for (int bit : set) {
            bits.set(bit);
        }
        return bits;
    }

    @Test
    void pagesAreKeptOnceEach() throws Exception {
        pages.register(new Notes());
        pages.write(0x1000, new byte[] {1});
        pages.write(0x2000, new byte[] {2});
        Map<Long, Byte> kept = Collections.synchronizedMap(new TreeMap<>());
        KeptPages.Sink sink = (page, content) -> {
            assertEquals(4096, content.byteSize());
            assertEquals(null, kept.put(page, content.get(ValueLayout.JAVA_BYTE, 0)));
        };
        KeptPages keeping = pages.keep(sink);
        assertEquals("pages are being kept already", message(() -> pages.keep(sink)));
        machine.start();
        assertEquals("machine test: pages can be kept only while it is paused", message(() -> pages.keep(sink)));
        pages.write(0x1000, new byte[] {3});
        pages.write(0x1000, new byte[] {4});
        assertEquals(Map.of(1L, (byte) 1), kept);
        assertTrue(machine.handOver(load("2.0"), Duration.ofSeconds(2)).committed());
        pages.write(0x1000, new byte[] {5});
        pages.write(0x3000, new byte[] {6});
        assertEquals(Map.of(1L, (byte) 1, 3L, (byte) 0), kept);
        assertThrows(HostException.class, () -> keeping.keepRest(0, PAGES + 1));
        assertEquals(PAGES - 2, keeping.left());
        keeping.keepRest(0, PAGES);
        assertEquals(0, keeping.left());
        assertEquals(PAGES, kept.size());
        assertEquals((byte) 2, kept.get(2L));
        keeping.close();
        machine.pause();
        try (KeptPages failing = pages.keep((page, content) -> {
            throw new IllegalStateException("full");
        })) {
            pages.write(0x1000, new byte[] {7});
            assertEquals(
                    "guest memory was not kept: java.lang.IllegalStateException: full",
                    message(() -> failing.keepRest(0, 1)));
        }
        byte[] read = new byte[1];
        pages.read(0x1000, read);
        assertEquals(7, read[0]);
    }
}

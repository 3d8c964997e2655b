package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.PageObserver;
import dev.multivisor.engine.cpu.Cpu;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Several vCPUs and devices on one memory: watched pages and locked operations. */
@Timeout(60)
class SharedMemoryTest {
    private final TestGuest guest = new TestGuest(1 << 20);
    private final PhysicalMemory memory = guest.memory;
    private final Mmu mmu = guest.mmu;

    @Test
    void everyKindOfWriteToAWatchedPageIsReported() {
        List<String> seen = new ArrayList<>();
        memory.setCodeListener((physical, size) -> seen.add(Long.toHexString(physical) + "+" + size));
        mmu.store8(0x5000, 1);
        mmu.watchCode(5);
        assertTrue(memory.watched(5));
        mmu.store8(0x5001, 1);
        mmu.store64(0x5008, 1);
        mmu.store32(0x4ffe, 1);
        mmu.compareAndSet(0x5010, 4, 0, 1);
        mmu.compareAndSet128(0x5020, 0, 0, 1, 1);
        memory.write(0x4000, new byte[0x3000], 0, 0x3000);
        assertEquals(0, ByteRuns.fillWithinPage(mmu, 0x5000, 1, 0, 64));
        assertEquals(List.of("5001+1", "5008+8", "5000+2", "5010+4", "5020+8", "5028+8", "5000+4096"), seen);
        seen.clear();
        memory.unwatchCode(5);
        mmu.store8(0x5000, 1);
        mmu.store8(0x5000, 2);
        assertEquals(64, ByteRuns.fillWithinPage(mmu, 0x5000, 1, 0, 64));
        assertEquals(List.of(), seen);
    }

    @Test
    void accessedAndDirtyFlagsAreWritesToo() {
        List<Long> seen = new ArrayList<>();
        LongModeTables tables = new LongModeTables(memory);
        long entry = tables.map(0x400000, 0x80000, 3);
        tables.enter(guest.cpu, 0);
        memory.setCodeListener((physical, size) -> seen.add(physical));
        memory.watchCode(entry >>> 12);
        mmu.load8(0x400000);
        mmu.store8(0x400000, 1);
        assertEquals(List.of(entry, entry), seen);
    }

    @Test
    void aRequestDropsEntriesAndReportsOnlyThose() {
        List<Long> seen = new ArrayList<>();
        memory.setCodeListener((physical, size) -> seen.add(physical));
        Cpu other = guest.addCpu(1);
        other.mmu.store8(0x5000, 1);
        mmu.watchCode(5);
        mmu.watchCode(6);
        assertTrue(other.attention());
        other.mmu.store8(0x5000, 2);
        assertEquals(List.of(), seen);
        other.mmu.handleRequests();
        assertEquals(List.of(0x5000L), seen);
        other.mmu.store8(0x5000, 3);
        assertEquals(List.of(0x5000L, 0x5000L), seen);
    }

    @Test
    void anEntryThatIsForgottenBeforeTheRequestIsHandledIsReported() {
        List<Long> seen = new ArrayList<>();
        memory.setCodeListener((physical, size) -> seen.add(physical));
        Cpu other = guest.addCpu(1);
        other.mmu.store8(0x5000, 1);
        mmu.watchCode(5);
        other.mmu.flushNonGlobal();
        assertEquals(List.of(0x5000L), seen);
        // More requests than are listed one by one.
        for (int page = 16; page < 200; page++) {
            other.mmu.store8(page * 4096L, 1);
        }
        seen.clear();
        for (int page = 10; page < 200; page++) {
            mmu.watchCode(page);
        }
        other.mmu.flushPage(0);
        assertEquals(184, seen.stream().distinct().count());
    }

    /**
     * One vCPU keeps raising a number in a page and handles requests now and then; another keeps a copy, watches, and
     * copies again when told. When the writer has stopped and handled what is there to handle, the copy is current.
     */
    @Test
    void aCopyOfAWatchedPageIsNeverStale() throws Exception {
        AtomicBoolean valid = new AtomicBoolean();
        memory.setCodeListener((physical, size) -> {
            memory.unwatchCode(5);
            valid.set(false);
        });
        Cpu other = guest.addCpu(1);
        for (int round = 0; round < 300; round++) {
            AtomicBoolean stop = new AtomicBoolean();
            int writes = 1 + round * 7;
            int flavour = round % 3;
            try (ExecutorService pool = Executors.newFixedThreadPool(1)) {
                Future<?> writer = pool.submit(() -> {
                    for (int n = 1; n <= writes; n++) {
                        other.mmu.store64(0x5008, n);
                        if (flavour == 1 && n % 5 == 0) {
                            other.mmu.store8(0x5000, 0);
                            other.mmu.flushNonGlobal();
                        } else if (flavour == 2 && n % 11 == 0) {
                            other.mmu.handleRequests();
                        }
                    }
                    stop.set(true);
                });
                long copy = -1;
                while (!stop.get()) {
                    if (!valid.get()) {
                        valid.set(true);
                        mmu.watchCode(5);
                        copy = mmu.load64(0x5008);
                    }
                }
                writer.get();
                other.mmu.handleRequests();
                if (valid.get()) {
                    assertEquals(writes, copy, "round " + round);
                }
            }
        }
    }

    /** Who tracks a page waits for a vCPU that may still write past it, and for none that is away. */
    @Test
    void trackingWaitsForVcpusThatAccessMemory() throws Exception {
        Tracking tracking = new Tracking(memory);
        List<Long> seen = new ArrayList<>();
        tracking.observe(
                new PageObserver() {
                    @Override
                    public void written(int cpu, long instruction, long address, byte[] bytes) {
                        seen.add(address);
                    }

                    @Override
                    public void beforeWrite(long page) {}
                },
                new AtomicLongArray(4),
                new AtomicLongArray(4));
        mmu.enter();
        mmu.store8(0x5000, 1);
        mmu.store8(0x5000, 1);
        mmu.store8(0x6000, 1);
        mmu.store8(0x6000, 1);
        Thread tracker = Thread.ofPlatform().start(() -> tracking.track(new long[] {5}));
        while (!guest.cpu.attention()) {
            Thread.onSpinWait();
        }
        assertFalse(tracker.join(Duration.ofMillis(50)));
        mmu.store8(0x5001, 1);
        mmu.handleRequests();
        assertTrue(tracker.join(Duration.ofSeconds(10)));
        mmu.store8(0x5002, 1);
        Thread refresher = Thread.ofPlatform().start(tracking::refresh);
        assertFalse(refresher.join(Duration.ofMillis(50)));
        mmu.flushNonGlobal();
        assertTrue(refresher.join(Duration.ofSeconds(10)));
        mmu.leave();
        tracking.track(new long[] {6});
        tracking.refresh();
        mmu.enter();
        mmu.store8(0x6003, 1);
        assertEquals(List.of(0x5002L, 0x6003L), seen);
    }

    @Test
    void aLockedOperationThatDoesNotStoreIsNoWrite() throws Exception {
        Tracking tracking = new Tracking(memory);
        List<Long> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        tracking.observe(
                new PageObserver() {
                    @Override
                    public void written(int cpu, long instruction, long address, byte[] bytes) {
                        seen.add(address & 0xffff | (bytes[0] & 0xffL) << 16 | (bytes[1] & 0xffL) << 24);
                    }

                    @Override
                    public void beforeWrite(long page) {}
                },
                new AtomicLongArray(4),
                new AtomicLongArray(4));
        tracking.track(new long[] {7, 8});
        assertFalse(mmu.compareAndSet(0x7000, 8, 1, 2));
        assertFalse(mmu.compareAndSet(0x7ffe, 4, 1, 2));
        assertFalse(mmu.compareAndSet128(0x7010, 1, 1, 2, 2));
        assertEquals(List.of(), seen);
        assertTrue(mmu.compareAndSet(0x7ffe, 4, 0, 0x40302));
        assertTrue(mmu.compareAndSet128(0x7010, 0, 0, 2, 3));
        assertEquals(
                List.of(0x3027ffeL, 0x48000L, 0x27010L, 0x37018L), seen.stream().toList());
        seen.clear();
        inTwoThreads(
                vcpu -> {
                    for (int n = 0; n < 5_000; n++) {
                        long old;
                        do {
                            old = vcpu.loadForWrite(0x7100, 2);
                        } while (!vcpu.compareAndSet(0x7100, 2, old, old + 1));
                    }
                },
                guest.addCpu(1).mmu);
        assertEquals(10_000, seen.size());
        assertEquals(10_000, seen.stream().distinct().count());
    }

    @Test
    void lockedCountersLoseNothing() throws Exception {
        Mmu second = guest.addCpu(1).mmu;
        int[][] cases = {
            {0x7000, 1},
            {0x7011, 1},
            {0x7022, 2},
            {0x7033, 2},
            {0x7044, 4},
            {0x7051, 4},
            {0x7060, 8},
            {0x7077, 2},
            {0x7085, 4},
            {0x7091, 8},
            {0x7ffd, 8},
            {0x8fff, 2},
            {0x9ffe, 4},
            {0xa01f, 8}
        };
        int count = 20_000;
        for (int[] c : cases) {
            long at = c[0];
            int size = c[1];
            inTwoThreads(
                    vcpu -> {
                        for (int n = 0; n < count; n++) {
                            long old;
                            do {
                                old = vcpu.loadForWrite(at, size);
                            } while (!vcpu.compareAndSet(at, size, old, old + 1));
                        }
                    },
                    second);
            long mask = -1L >>> 64 - size * 8;
            assertEquals(2 * count & mask, mmu.load(at, size), Long.toHexString(at) + " size " + size);
            assertEquals(0, mmu.load8(at - 1));
            assertEquals(0, mmu.load8(at + size));
        }
    }

    @Test
    void lockedPairsLoseNothing() throws Exception {
        Mmu second = guest.addCpu(1).mmu;
        int count = 20_000;
        AtomicLong failures = new AtomicLong();
        inTwoThreads(
                vcpu -> {
                    long low = 0;
                    long high = 0;
                    for (int n = 0; n < count; ) {
                        if (vcpu.compareAndSet128(0x7000, low, high, low + 1, high - 1)) {
                            n++;
                        } else {
                            failures.incrementAndGet();
                        }
                        low = vcpu.observedLow;
                        high = vcpu.observedHigh;
                        if (low != -high) {
                            throw new IllegalStateException("torn: " + low + ", " + high);
                        }
                    }
                },
                second);
        assertEquals(2 * count, mmu.load64(0x7000));
        assertEquals(-2 * count, mmu.load64(0x7008));
        assertFalse(mmu.compareAndSet128(0x7000, 0, -2 * count, 0, 0));
    }

    private interface Work {
        void run(Mmu vcpu) throws Exception;
    }

    private void inTwoThreads(Work work, Mmu second) throws Exception {
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            List<Future<?>> futures = new ArrayList<>();
            for (Mmu vcpu : List.of(mmu, second)) {
                futures.add(pool.submit(() -> {
                    work.run(vcpu);
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get(50, TimeUnit.SECONDS);
            }
        }
    }
}

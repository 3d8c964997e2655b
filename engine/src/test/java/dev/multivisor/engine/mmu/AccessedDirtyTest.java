package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.PageObserver;
import dev.multivisor.engine.cpu.Cpu;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Accessed and dirty flags as a watcher of the paging structures sees them, against a model (Intel SDM vol. 3, 4.8). */
class AccessedDirtyTest {
    private static final long SIZE = 8 << 20, TABLES_END = 0x80000;
    private static final int PAGES = 60, ACCESSES = 20_000;

    /** A mapped page: its size in bits, where its entries are from the top down, and what it maps. */
    private record Page(long linear, int bits, long[] entries, long physical) {}

    private final TestGuest guest = new TestGuest(SIZE);
    private final PhysicalMemory memory = guest.memory;
    private final List<String> reports = new ArrayList<>();

    /** The entries as they must be. */
    private final Map<Long, Long> model = new HashMap<>();

    private final List<String> expected = new ArrayList<>();

    private void observe() {
        AtomicLongArray dirty = new AtomicLongArray((int) (SIZE >>> 18));
        for (int n = 0; n < dirty.length(); n++) {
            dirty.set(n, -1);
        }
        Tracking tracking = new Tracking(memory);
        PageObserver observer = new PageObserver() {
            @Override
            public void written(int cpu, long instruction, long address, byte[] bytes) {
                if (cpu < 0) {
                    return; // The test's own.
                }
                assertEquals(8, bytes.length);
                long value = 0;
                for (int n = 0; n < 8; n++) {
                    value |= (bytes[n] & 0xffL) << n * 8;
                }
                reports.add(shown(address, value));
            }

            @Override
            public void beforeWrite(long page) {}
        };
        tracking.observe(observer, dirty, new AtomicLongArray(dirty.length()));
        tracking.track(LongStream.range(1, TABLES_END >>> 12).toArray());
    }

    private static String shown(long address, long value) {
        return "%x = %x".formatted(address, value);
    }

    /** What an access does to the entries: accessed at each level, dirty at the last one if it writes. */
    private void touch(Page page, boolean write) {
        for (int n = 0; n < page.entries.length; n++) {
            long at = page.entries[n];
            long old = model.get(at);
            long set = LongModeTables.ACCESSED | (write && n == page.entries.length - 1 ? LongModeTables.DIRTY : 0);
            if ((old | set) != old) {
                model.put(at, old | set);
                expected.add(shown(at, old | set));
            }
        }
    }

    private List<Page> map(Random random) {
        LongModeTables tables = new LongModeTables(memory);
        tables.enter(guest.cpu, 0);
        long[] roots = {0, 0x40000000L, 0x8000000000L, 0x7fffc0000000L, 0xffff800000000000L};
        long flags = LongModeTables.PRESENT | LongModeTables.WRITABLE | LongModeTables.USER;
        List<Page> pages = new ArrayList<>();
        Map<Long, Integer> regions = new HashMap<>();
        while (pages.size() < PAGES) {
            long region = roots[random.nextInt(roots.length)] + (random.nextInt(4) << 21);
            int bits = regions.computeIfAbsent(region, key -> random.nextInt(3) == 0 ? 21 : 12);
            long linear = bits == 21 ? region : region + (random.nextInt(512) << 12);
            if (pages.stream().anyMatch(page -> page.linear == linear)) {
                continue;
            }
            // Several pages may map the same memory, with flags of their own. The structures are in none.
            long physical = bits == 21
                    ? (1L + random.nextInt(3)) << 21
                    : TABLES_END + (long) random.nextInt((int) (SIZE - TABLES_END >>> 12)) * 4096;
            long global = random.nextBoolean() ? LongModeTables.GLOBAL : 0;
            tables.put(linear, bits, physical | flags | global | (bits == 21 ? LongModeTables.LARGE : 0));
            pages.add(new Page(linear, bits, entries(linear, bits), physical));
        }
        return pages;
    }

    private long[] entries(long linear, int bits) {
        List<Long> found = new ArrayList<>();
        long table = guest.cpu.cr3;
        for (int shift = 39; shift >= bits; shift -= 9) {
            long at = table + (linear >>> shift - 3 & 0xff8);
            found.add(at);
            table = memory.load(at, 8) & 0xffffffffff000L;
            assertTrue(shift == bits || table < TABLES_END);
        }
        return found.stream().mapToLong(Long::longValue).toArray();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void eachFlagIsReportedWhenItIsSetAndOnce(long seed) {
        Random random = new Random(seed);
        List<Page> pages = map(random);
        observe();
        pages.forEach(page -> {
            for (long at : page.entries) {
                model.put(at, memory.load(at, 8));
            }
        });
        Mmu mmu = guest.mmu;
        int total = 0;
        for (int n = 0; n < ACCESSES; n++) {
            Page page = pages.get(random.nextInt(pages.size()));
            int size = 1 << random.nextInt(4);
            long offset = random.nextLong() & (1L << page.bits) - 1 & -size;
            boolean write = random.nextInt(5) == 0;
            if (write) {
                mmu.store(page.linear + offset, size, n);
            } else if (random.nextInt(8) == 0) {
                mmu.fetch(page.linear + offset);
            } else {
                mmu.load(page.linear + offset, size);
            }
            touch(page, write);
            assertEquals(expected, reports, "access " + n);
            total += reports.size();
            expected.clear();
            reports.clear();
            disturb(random, pages, mmu);
        }
        model.forEach((at, value) -> assertEquals(value, memory.load(at, 8)));
        assertTrue(total > 600, "reports: " + total);
    }

    /** Forgets translations, which changes nothing, or clears flags as a guest does and forgets translations then. */
    private void disturb(Random random, List<Page> pages, Mmu mmu) {
        switch (random.nextInt(40)) {
            case 0 -> mmu.flushAll();
            case 1 -> mmu.flushPage(pages.get(random.nextInt(pages.size())).linear);
            case 2, 3 -> {
                long[] entries = pages.get(random.nextInt(pages.size())).entries;
                long at = entries[random.nextInt(entries.length)];
                long kept = random.nextBoolean() ? ~LongModeTables.DIRTY : ~LongModeTables.ACCESSED;
                memory.store(at, 8, memory.load(at, 8) & kept);
                model.put(at, model.get(at) & kept);
                mmu.flushAll();
            }
            case 4 -> {
                Cpu cpu = guest.cpu;
                cpu.cpl = 3 - cpu.cpl;
                cpu.updateMode();
            }
            default -> {}
        }
    }
}

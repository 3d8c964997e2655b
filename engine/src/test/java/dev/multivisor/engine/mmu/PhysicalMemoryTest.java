package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory.Region;
import dev.multivisor.engine.device.MmioHandler;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Regions, devices and nothing. */
class PhysicalMemoryTest {
    private static final long GIB = 1L << 30;

    private final TestGuest guest =
            new TestGuest(0x20000, List.of(new Region(0, 0, 0x10000), new Region(5 * GIB, 0x10000, 0x10000)));
    private final PhysicalMemory memory = guest.memory;

    private static final class Recorder implements MmioHandler {
        final List<String> seen = new ArrayList<>();

        @Override
        public long read(int cpu, long offset, int size) {
            seen.add("cpu " + cpu + " reads " + size + " at " + offset);
            return 0x8877665544332211L;
        }

        @Override
        public void write(int cpu, long offset, int size, long value) {
            seen.add("cpu " + cpu + " writes " + size + " at " + offset + ": " + Long.toHexString(value));
        }
    }

    @Test
    void regionsAbove4GibAreFound() {
        memory.store(5 * GIB + 0xfff8, 8, 42);
        assertEquals(0x1fff8, memory.ramOffset(5 * GIB + 0xfff8));
        assertEquals(42, memory.load(5 * GIB + 0xfff8, 8));
        assertEquals(-1, memory.ramOffset(0x10000));
        assertEquals(-1, memory.ramOffset(5 * GIB - 1));
        assertEquals(-1, memory.ramOffset(5 * GIB + 0x10000));
        assertTrue(memory.isRam(5 * GIB, 0x10000));
        assertEquals(-1L, memory.load(GIB, 8));
        memory.store(GIB, 8, 1);
        assertEquals(0xffffL, memory.load(0x10000, 2));
        assertEquals(0xff00, memory.load(0xffff, 2));
    }

    @Test
    void pagedAccessReachesRegionsAbove4Gib() {
        LongModeTables tables = new LongModeTables(memory);
        tables.map(0x400000, 5 * GIB + 0x3000, 3);
        tables.enter(guest.cpu, 0);
        guest.mmu.store32(0x400010, 99);
        guest.mmu.store32(0x400014, 98);
        assertEquals(98L << 32 | 99, memory.load(5 * GIB + 0x3010, 8));
    }

    @Test
    void blocksSkipWhatIsNoRam() {
        byte[] bytes = new byte[0x3000];
        memory.write(0xf000, bytes, 0, bytes.length);
        memory.store(0xf000, 1, 5);
        memory.read(0xf000, bytes, 0, bytes.length);
        assertEquals(5, bytes[0]);
        assertEquals(0, bytes[0xfff]);
        assertEquals(-1, bytes[0x1000]);
        assertEquals(-1, bytes[0x2fff]);
        byte[] source = {1, 2, 3, 4};
        memory.write(5 * GIB - 2, source, 0, 4);
        byte[] back = new byte[4];
        memory.read(5 * GIB - 2, back, 0, 4);
        assertArrayEquals(new byte[] {-1, -1, 3, 4}, back);
    }

    @Test
    void devicesSeeAccessesAsTheyWere() {
        Recorder device = new Recorder();
        memory.map(GIB, 0x100, device);
        TestGuest other = guest;
        assertEquals(0x2211, memory.load(3, GIB + 8, 2));
        memory.store(null, 2, GIB + 0xf8, 8, 0x1234);
        other.mmu.store16(GIB + 1, 0xabcdef);
        assertEquals(
                List.of("cpu 3 reads 2 at 8", "cpu 2 writes 8 at 248: 1234", "cpu 0 writes 2 at 1: cdef"), device.seen);
        device.seen.clear();
        memory.store(GIB + 0xff, 2, 0x5566);
        assertEquals(List.of("cpu 0 writes 1 at 255: 66"), device.seen);
        memory.map(2 * GIB, 0x100, device);
        memory.unmap(GIB, 0x100, device);
        assertEquals(0xff, memory.load(GIB, 1));
        assertEquals(0x11, memory.load(2 * GIB, 1));
    }

    @Test
    void nonsensicalRegionsAreRefused() {
        List<Region> bad = List.of(new Region(1, 0, 0x1000), new Region(0, 0, 0x3000), new Region(0, -0x1000, 0x1000));
        for (Region region : bad) {
            assertThrows(EngineException.class, () -> new TestGuest(0x2000, List.of(region)));
        }
        assertThrows(
                EngineException.class,
                () -> new TestGuest(0x2000, List.of(new Region(0, 0, 0x2000), new Region(0x1000, 0, 0x1000))));
    }
}

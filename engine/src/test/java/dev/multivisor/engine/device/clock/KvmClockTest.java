package dev.multivisor.engine.device.clock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.device.InvalidMsrException;
import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KvmClockTest {
    private static final int SYSTEM_TIME = 0x4b564d01;

    private final ManualTime time = new ManualTime();
    private final PhysicalMemory memory = new PhysicalMemory(new GuestMemory() {
        private final MemorySegment bytes = MemorySegment.ofArray(new byte[0x4000]);

        @Override
        public MemorySegment bytes() {
            return bytes;
        }

        @Override
        public List<Region> regions() {
            return List.of(new Region(0, 0, 0x4000));
        }
    });

    /** pvclock_read as in Linux. */
    private long read(long address, long tsc) {
        long delta = tsc - memory.load(address + 8, 8);
        int shift = (byte) memory.load(address + 28, 1);
        delta = shift >= 0 ? delta << shift : delta >>> -shift;
        long scaled = Math.multiplyHigh(delta, memory.load(address + 24, 4)) << 32
                | delta * memory.load(address + 24, 4) >>> 32;
        return memory.load(address + 16, 8) + scaled;
    }

    @ParameterizedTest
    @ValueSource(longs = {1_000_000_000L, 2_400_000_000L, 999_999_999L, 250_000_000L, 3_999_999_937L})
    void timeFollowsTheTsc(long hertz) {
        TscReading tsc = (cpu, nanos) -> (long) (nanos / 1e9 * hertz) + 77;
        KvmClock clock = new KvmClock(2, time, memory, tsc, hertz);
        time.now = 5_000_000_000L;
        clock.writeMsr(1, SYSTEM_TIME, 0x2001);
        assertEquals(2, memory.load(0x2000, 4));
        assertEquals(1, memory.load(0x201d, 1));
        assertEquals(5_000_000_000L, read(0x2000, tsc.tsc(1, 5_000_000_000L)));
        assertEquals(3605_000_000_000.0, read(0x2000, tsc.tsc(1, 3605_000_000_000L)), 3000.0);
        clock.tscChanged(1);
        assertEquals(4, memory.load(0x2000, 4));
        clock.writeMsr(1, SYSTEM_TIME, 0);
        assertEquals(4, memory.load(0x2000, 4));
    }

    @Test
    void wallClockIsThatOfTheStart() {
        KvmClock clock = new KvmClock(1, time, memory, (cpu, nanos) -> nanos, 1_000_000_000L);
        time.wallAtStart = 1_700_000_000_123_456_789L;
        time.now = 42;
        clock.writeMsr(0, 0x4b564d00, 0x1000);
        assertEquals(2, memory.load(0x1000, 4));
        assertEquals(1_700_000_000L, memory.load(0x1004, 4));
        assertEquals(123_456_789L, memory.load(0x1008, 4));
        assertThrows(InvalidMsrException.class, () -> clock.readMsr(0, 0x4b564d02));
    }

    @Test
    void stateTravels() {
        KvmClock clock = new KvmClock(2, time, memory, (cpu, nanos) -> nanos, 1_000_000_000L);
        clock.writeMsr(1, SYSTEM_TIME, 0x2001);
        clock.writeMsr(0, 0x4b564d00, 0x1000);
        KvmClockState state = clock.save();
        KvmClock restored = new KvmClock(
                2, time, memory, (cpu, nanos) -> nanos, 1_000_000_000L, States.travel(state, KvmClockState.class));
        States.assertSame(state, restored.save());
        assertEquals(0x2001, restored.readMsr(1, 0x12));
        assertEquals(0x1000, restored.readMsr(1, 0x11));
    }
}

package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.GuestMemory.Region;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class GuestRamTest {
    private static final long GIB = 1L << 30;

    @Test
    void isMappedLazilyAndZero() {
        MemorySegment kept;
        try (GuestRam ram = GuestRam.allocate(64 * GIB)) {
            assertEquals("", ram.fallback());
            MemorySegment bytes = kept = ram.bytes();
            assertEquals(64 * GIB, bytes.byteSize());
            assertEquals(0, bytes.get(ValueLayout.JAVA_LONG, 63 * GIB));
            bytes.set(ValueLayout.JAVA_LONG, 63 * GIB, 42);
            assertEquals(42, bytes.get(ValueLayout.JAVA_LONG, 63 * GIB));
            assertThrows(IndexOutOfBoundsException.class, () -> bytes.get(ValueLayout.JAVA_BYTE, 64 * GIB));
        }
        assertThrows(IllegalStateException.class, () -> kept.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void leavesTheLastGibibyteBelowFourToDevices() {
        try (GuestRam ram = GuestRam.allocate(3 * GIB)) {
            assertEquals(List.of(new Region(0, 0, 3 * GIB)), ram.regions());
        }
        try (GuestRam ram = GuestRam.allocate(5 * GIB)) {
            assertEquals(List.of(new Region(0, 0, 3 * GIB), new Region(4 * GIB, 3 * GIB, 2 * GIB)), ram.regions());
        }
    }

    @Test
    void readsSizesAsPeopleWriteThem() {
        assertEquals(512 << 20, MemorySize.parse("512M"));
        assertEquals(2 * GIB, MemorySize.parse("2g"));
        assertEquals(2 * GIB, MemorySize.parse("2GiB"));
        assertEquals(16 << 20, MemorySize.parse("16777216"));
        assertEquals(1L << 40, MemorySize.parse("1T"));
        assertEquals("512M", MemorySize.format(512 << 20));
        assertEquals("1536M", MemorySize.format(3 * GIB / 2));
    }

    @Test
    void refusesSizesThatNoMachineHas() {
        assertProblem("lots", "\"lots\" is not a size");
        assertProblem("", "is not a size");
        assertProblem("-1G", "is not a size");
        assertProblem("15M", "15M is less than the minimum of 16M");
        assertProblem("16777217", "are not a multiple of 4096");
        assertProblem("2T", "2T is more than the limit of 1T");
        assertProblem("999999999999999T", "is more than the limit");
        assertProblem("99999999999999999999", "is not a size");
        assertThrows(HostException.class, () -> GuestRam.allocate(Long.MAX_VALUE));
        assertThrows(HostException.class, () -> GuestRam.allocate(-4096));
    }

    private static void assertProblem(String text, String problem) {
        String message =
                assertThrows(HostException.class, () -> MemorySize.parse(text)).getMessage();
        assertTrue(message.startsWith("memory: ") && message.contains(problem), message);
    }
}

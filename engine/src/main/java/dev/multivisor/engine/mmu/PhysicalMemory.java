package dev.multivisor.engine.mmu;

import dev.multivisor.api.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Guest-physical addresses of one machine: RAM in its regions, and devices between them. Shared by its vCPUs. */
public final class PhysicalMemory {
    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment ram;

    public PhysicalMemory(GuestMemory memory) {
        ram = memory.bytes();
    }

    /** Loads 1, 2, 4 or 8 bytes, zero-extended. */
    public long load(long address, int size) {
        return switch (size) {
            case 1 -> ram.get(ValueLayout.JAVA_BYTE, address) & 0xff;
            case 2 -> ram.get(SHORT, address) & 0xffff;
            case 4 -> ram.get(INT, address) & 0xffffffffL;
            default -> ram.get(LONG, address);
        };
    }

    /** Stores the low 1, 2, 4 or 8 bytes. */
    public void store(long address, int size, long value) {
        switch (size) {
            case 1 -> ram.set(ValueLayout.JAVA_BYTE, address, (byte) value);
            case 2 -> ram.set(SHORT, address, (short) value);
            case 4 -> ram.set(INT, address, (int) value);
            default -> ram.set(LONG, address, value);
        }
    }
}

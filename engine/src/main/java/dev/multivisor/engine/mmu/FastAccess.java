package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Leave;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The quick half of {@link Mmu}'s accesses, for compiled code, which leaves the other half to the interpreter: so there is
 * no call in its loops, and HotSpot keeps what they use in registers. The tags are {@link Mmu#tags()}.
 */
public final class FastAccess {
    private FastAccess() {}

    /**
     * The offset in RAM of a load.
     *
     * @param page the page of the last byte
     * @throws Leave where the access cannot be quick
     */
    public static long readable(long[] tags, long linear, long page) {
        int i = Tlb.index(linear);
        // Before the comparison: the processor need not wait for one to begin the other.
        long offset = linear + tags[i + Tlb.ADDEND];
        if (tags[i] != page) {
            throw Leave.NOW;
        }
        return offset;
    }

    /** The offset in RAM of a store, as {@link #readable}: nobody watches the page. */
    public static long writable(long[] tags, long linear, long page) {
        int i = Tlb.index(linear);
        long offset = linear + tags[i + Tlb.ADDEND];
        if (tags[i + Tlb.WRITE] != page) {
            throw Leave.NOW;
        }
        return offset;
    }

    /** Loads a byte, zero-extended. */
    public static long load8(MemorySegment ram, long offset) {
        return ram.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }

    /** Loads two bytes, zero-extended. */
    public static long load16(MemorySegment ram, long offset) {
        return ram.get(PhysicalMemory.SHORT, offset) & 0xffff;
    }

    /** Loads four bytes, zero-extended. */
    public static long load32(MemorySegment ram, long offset) {
        return ram.get(PhysicalMemory.INT, offset) & 0xffffffffL;
    }

    /** Loads eight bytes. */
    public static long load64(MemorySegment ram, long offset) {
        return ram.get(PhysicalMemory.LONG, offset);
    }

    /** Stores the lowest byte. */
    public static void store8(MemorySegment ram, long offset, long value) {
        ram.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    /** Stores the low two bytes. */
    public static void store16(MemorySegment ram, long offset, long value) {
        ram.set(PhysicalMemory.SHORT, offset, (short) value);
    }

    /** Stores the low four bytes. */
    public static void store32(MemorySegment ram, long offset, long value) {
        ram.set(PhysicalMemory.INT, offset, (int) value);
    }

    /** Stores eight bytes. */
    public static void store64(MemorySegment ram, long offset, long value) {
        ram.set(PhysicalMemory.LONG, offset, value);
    }
}

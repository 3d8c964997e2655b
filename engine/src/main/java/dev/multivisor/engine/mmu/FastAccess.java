package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Leave;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The quick half of {@link Mmu}'s accesses, for compiled code, which leaves the other half to the interpreter: so there is
 * no call in its loops, and HotSpot keeps what they use in registers: as long as each method here is small enough to be put
 * in line wherever it is called, however seldom, and however large the region (42 bytes of bytecode, MaxTrivialSize, as the
 * launcher sets it). The tags are {@link Mmu#tags()}.
 */
public final class FastAccess {
    // MemorySegment's own get and set take HotSpot half as many nodes more, and a method can have only so many.
    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle().withInvokeExactBehavior(),
            SHORT = PhysicalMemory.SHORT.varHandle().withInvokeExactBehavior(),
            INT = PhysicalMemory.INT.varHandle().withInvokeExactBehavior(),
            LONG = PhysicalMemory.LONG.varHandle().withInvokeExactBehavior();

    private FastAccess() {}

    /**
     * What to add to the linear address of a load to get its offset in RAM. An access that crosses a boundary of its own
     * size is looked up in the TLB every time: it may cross one of pages.
     *
     * @param further bytes after the first, 0, 1, 3, 7 or 15
     * @param page the page found last, and what it was for it
     * @throws Leave where the access cannot be quick
     */
    public static long readable(long[] tags, long linear, long further, long page, long addend) {
        return (linear & (Mmu.PAGES | further)) == page ? addend : addend(tags, Tlb.READ, late(linear, page), further);
    }

    /** The same for a store: nobody watches the page. */
    public static long writable(long[] tags, long linear, long further, long page, long addend) {
        return (linear & (Mmu.PAGES | further)) == page ? addend : addend(tags, Tlb.WRITE, late(linear, page), further);
    }

    /**
     * Whether an access is to another page than the site found last: 0 or 1, for a switch. For it HotSpot takes this method's
     * profile, in which both happen, and does not compile away what a single site did not need yet.
     *
     * @param linear without the bits that may be any
     */
    public static int away(long linear, long page) {
        return linear == page ? 0 : 1;
    }

    /** What the TLB has, in either of the page's places. */
    private static long addend(long[] tags, int kind, long linear, long further) {
        return atFirst(tags, Tlb.index(linear) | kind, linear, linear + further & Mmu.PAGES);
    }

    /**
     * @param index of the tag in the page's first place
     * @param last the page of the last byte
     */
    private static long atFirst(long[] tags, int index, long linear, long last) {
        long tag = tags[index];
        return tag == last ? tags[index | Tlb.ADDEND] : atOther(tags, Tlb.other(index, late(linear, tag)), last);
    }

    /** @param index of the tag in the page's other place */
    private static long atOther(long[] tags, int index, long last) {
        if (tags[index] != last) {
            throw Leave.NOW;
        }
        return tags[index | Tlb.ADDEND];
    }

    /**
     * A number as it is, but HotSpot does not see that. So what is made of it is not computed before the other one is there:
     * as it would be, in the quick case too, where an address is used twice.
     */
    private static long late(long number, long after) {
        return (number | after) & number;
    }

    /**
     * Has HotSpot look once, at the entry, at what it would look at again for each access that no other one has come before
     * on every way: which kind of memory it is, and that it is not closed and may be written.
     *
     * @return of no use
     */
    public static long ready(MemorySegment ram) {
        return ram.isReadOnly() ? 0 : load64(ram, 0);
    }

    /** Loads a byte, zero-extended. */
    public static long load8(MemorySegment ram, long offset) {
        return (byte) BYTE.get(ram, offset) & 0xff;
    }

    /** Loads two bytes, zero-extended. */
    public static long load16(MemorySegment ram, long offset) {
        return (short) SHORT.get(ram, offset) & 0xffff;
    }

    /** Loads four bytes, zero-extended. */
    public static long load32(MemorySegment ram, long offset) {
        return (int) INT.get(ram, offset) & 0xffffffffL;
    }

    /** Loads eight bytes. */
    public static long load64(MemorySegment ram, long offset) {
        return (long) LONG.get(ram, offset);
    }

    /** Stores the lowest byte. */
    public static void store8(MemorySegment ram, long offset, long value) {
        BYTE.set(ram, offset, (byte) value);
    }

    /** Stores the low two bytes. */
    public static void store16(MemorySegment ram, long offset, long value) {
        SHORT.set(ram, offset, (short) value);
    }

    /** Stores the low four bytes. */
    public static void store32(MemorySegment ram, long offset, long value) {
        INT.set(ram, offset, (int) value);
    }

    /** Stores eight bytes. */
    public static void store64(MemorySegment ram, long offset, long value) {
        LONG.set(ram, offset, value);
    }

    /**
     * Replaces four bytes at once.
     *
     * @throws Leave where they are not aligned, or not as expected any more
     */
    public static void replace32(MemorySegment ram, long offset, long expected, long value) {
        if ((offset & 3) != 0 || !Atomics.INT.compareAndSet(ram, offset, (int) expected, (int) value)) {
            throw Leave.NOW;
        }
    }

    /** Replaces eight bytes at once, as {@link #replace32}. */
    public static void replace64(MemorySegment ram, long offset, long expected, long value) {
        if ((offset & 7) != 0 || !Atomics.LONG.compareAndSet(ram, offset, expected, value)) {
            throw Leave.NOW;
        }
    }
}

package dev.multivisor.engine.mmu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Locked operations on RAM (Intel SDM vol. 3, 8.1). What lies within an aligned 8-byte word is one compare-and-set of
 * the host. What crosses one (a split lock, or CMPXCHG16B) is made of two, under a lock of the machine: atomic among
 * operations of the same kind, while another CPU's plain load or locked operation on one of the two words may see the
 * first word changed and the second not yet. If the second word turns out to have changed, the first is put back.
 */
final class Atomics {
    static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private Atomics() {}

    static boolean compareAndSet(
            MemorySegment ram, long offset, int size, long expected, long value, Object splitLock) {
        if (size == 8 && (offset & 7) == 0) {
            return LONG.compareAndSet(ram, offset, expected, value);
        }
        if (size == 4 && (offset & 3) == 0) {
            return INT.compareAndSet(ram, offset, (int) expected, (int) value);
        }
        int shift = (int) (offset & 7) * 8;
        long mask = mask(size);
        if (shift + size * 8 <= 64) {
            return masked(ram, offset & -8, mask << shift, expected << shift, value << shift);
        }
        long word = offset & -8;
        return split(ram, word, word + 8, shift, size, expected, value, splitLock);
    }

    /** A locked operation on the last bytes of one word, from bit {@code shift}, and the first bytes of another. */
    static boolean split(
            MemorySegment ram,
            long first,
            long second,
            int shift,
            int size,
            long expected,
            long value,
            Object splitLock) {
        int low = 64 - shift;
        long firstMask = -1L << shift;
        long secondMask = mask(size) >>> low;
        synchronized (splitLock) {
            return pair(
                    ram,
                    first,
                    firstMask,
                    expected << shift,
                    value << shift,
                    second,
                    secondMask,
                    expected >>> low,
                    value >>> low);
        }
    }

    /** Both words or none. Called with the split lock held. */
    static boolean pair(
            MemorySegment ram,
            long first,
            long firstMask,
            long firstExpected,
            long firstValue,
            long second,
            long secondMask,
            long secondExpected,
            long secondValue) {
        long now = (long) LONG.getVolatile(ram, second);
        if (((now ^ secondExpected) & secondMask) != 0 || !masked(ram, first, firstMask, firstExpected, firstValue)) {
            return false;
        }
        if (masked(ram, second, secondMask, secondExpected, secondValue)) {
            return true;
        }
        masked(ram, first, firstMask, firstValue, firstExpected);
        return false;
    }

    static long loadWord(MemorySegment ram, long offset) {
        return (long) LONG.getVolatile(ram, offset);
    }

    private static boolean masked(MemorySegment ram, long word, long mask, long expected, long value) {
        while (true) {
            long old = (long) LONG.getVolatile(ram, word);
            if (((old ^ expected) & mask) != 0) {
                return false;
            }
            if (LONG.compareAndSet(ram, word, old, old & ~mask | value & mask)) {
                return true;
            }
        }
    }

    private static long mask(int size) {
        return -1L >>> 64 - size * 8;
    }
}

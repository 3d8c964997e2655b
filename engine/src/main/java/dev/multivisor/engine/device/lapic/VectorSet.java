package dev.multivisor.engine.device.lapic;

import dev.multivisor.engine.device.StateCheck;
import java.util.concurrent.atomic.AtomicLongArray;

/** A 256-bit register of a local APIC, changed by any thread. */
final class VectorSet {
    private final AtomicLongArray words;

    VectorSet() {
        words = new AtomicLongArray(4);
    }

    VectorSet(String field, long[] state) {
        words = new AtomicLongArray(StateCheck.copy(field, state, 4));
    }

    long[] save() {
        long[] copy = new long[4];
        for (int i = 0; i < 4; i++) {
            copy[i] = words.get(i);
        }
        return copy;
    }

    /** Sets a bit; false if it was set already. */
    boolean set(int vector) {
        long bit = 1L << vector;
        return (words.getAndAccumulate(vector >>> 6, bit, (a, b) -> a | b) & bit) == 0;
    }

    /** Clears a bit; false if it was clear already. */
    boolean clear(int vector) {
        long bit = 1L << vector;
        if ((words.get(vector >>> 6) & bit) == 0) {
            return false;
        }
        return (words.getAndAccumulate(vector >>> 6, ~bit, (a, b) -> a & b) & bit) != 0;
    }

    boolean contains(int vector) {
        return (words.get(vector >>> 6) >>> vector & 1) != 0;
    }

    /** The highest bit set, or -1. */
    int highest() {
        for (int i = 3; i >= 0; i--) {
            long word = words.get(i);
            if (word != 0) {
                return i * 64 + 63 - Long.numberOfLeadingZeros(word);
            }
        }
        return -1;
    }

    /** One of the eight 32-bit registers. */
    int register(int index) {
        return (int) (words.get(index >>> 1) >>> (index & 1) * 32);
    }

    void clearAll() {
        for (int i = 0; i < 4; i++) {
            words.set(i, 0);
        }
    }
}

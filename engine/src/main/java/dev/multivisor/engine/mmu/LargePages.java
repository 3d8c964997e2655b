package dev.multivisor.engine.mmu;

import java.util.Arrays;

/**
 * Where large pages may have been entered in pieces of 4 KiB, by hash: INVLPG of any address in one has to forget all
 * of its pieces.
 */
final class LargePages {
    /** The run of addresses that one note stands for: the largest of 2 and 4 MiB. */
    static final long SIZE = 4 << 20;

    private static final int HUGE_BITS = 30;

    private final long[] large = new long[64];
    private final long[] huge = new long[64];

    /** A page was entered that is part of one of 2 to the power of {@code bits}. */
    void note(long linear, int bits) {
        if (bits == HUGE_BITS) {
            set(huge, linear >>> HUGE_BITS);
        } else if (bits > 12) {
            set(large, linear >>> 22);
        }
    }

    /** Whether the address may be in a page of 2 or 4 MiB. */
    boolean mayBeLarge(long linear) {
        return holds(large, linear >>> 22);
    }

    /** Whether the address may be in a page of 1 GiB. */
    boolean mayBeHuge(long linear) {
        return holds(huge, linear >>> HUGE_BITS);
    }

    void clear() {
        Arrays.fill(large, 0);
        Arrays.fill(huge, 0);
    }

    private static void set(long[] bits, long number) {
        bits[(int) (number >>> 6) & 63] |= 1L << number;
    }

    private static boolean holds(long[] bits, long number) {
        return (bits[(int) (number >>> 6) & 63] & 1L << number) != 0;
    }
}

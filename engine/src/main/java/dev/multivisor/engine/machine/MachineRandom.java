package dev.multivisor.engine.machine;

import java.security.SecureRandom;

/**
 * Random numbers for RDRAND and RDSEED: the host's, or in counted time, where everything repeats, a function of the
 * count of instructions.
 */
final class MachineRandom {
    private final SecureRandom host;

    MachineRandom(boolean counted) {
        host = counted ? null : new SecureRandom();
    }

    /** The next number, at a count of instructions. */
    long next(long instructions) {
        return host == null ? mixed((instructions + 1) * 0x9e3779b97f4a7c15L) : host.nextLong();
    }

    /** The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
    private static long mixed(long value) {
        long z = (value ^ value >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}

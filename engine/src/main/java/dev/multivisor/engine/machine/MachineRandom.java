package dev.multivisor.engine.machine;

import java.security.SecureRandom;
import java.util.UUID;

/**
 * Random numbers for RDRAND and RDSEED: the host's, or in counted time, where everything repeats, a function of the
 * count of instructions.
 */
final class MachineRandom {
    private final boolean counted;

    MachineRandom(boolean counted) {
        this.counted = counted;
    }

    /** Made when the first guest asks: it takes long. */
    private static final class Host {
        static final SecureRandom RANDOM = new SecureRandom();
    }

    /** An identifier for a new machine. */
    UUID identifier() {
        return new UUID(next(Long.MIN_VALUE), next(Long.MIN_VALUE + 1));
    }

    /** The next number, at a count of instructions. */
    long next(long instructions) {
        return counted ? mixed((instructions + 1) * 0x9e3779b97f4a7c15L) : Host.RANDOM.nextLong();
    }

    /** The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
    private static long mixed(long value) {
        long z = (value ^ value >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}

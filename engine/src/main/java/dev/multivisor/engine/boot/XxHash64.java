package dev.multivisor.engine.boot;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The checksum of Zstandard frames: XXH64 with seed 0 (xxhash_spec.md). */
final class XxHash64 {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long P1 = 0x9e3779b185ebca87L,
            P2 = 0xc2b2ae3d27d4eb4fL,
            P3 = 0x165667b19e3779f9L,
            P4 = 0x85ebca77c2b2ae63L,
            P5 = 0x27d4eb2f165667c5L;

    private XxHash64() {}

    @SuppressWarnings("ConstantOverflow") // the algorithm counts modulo 2^64
    static long hash(byte[] bytes, int from, int to) {
        int at = from;
        long hash = P5;
        if (to - from >= 32) {
            long a = P1 + P2;
            long b = P2;
            long c = 0;
            long d = -P1;
            for (; to - at >= 32; at += 32) {
                a = round(a, (long) LONG.get(bytes, at));
                b = round(b, (long) LONG.get(bytes, at + 8));
                c = round(c, (long) LONG.get(bytes, at + 16));
                d = round(d, (long) LONG.get(bytes, at + 24));
            }
            hash = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
            hash = merge(merge(merge(merge(hash, a), b), c), d);
        }
        hash += to - from;
        for (; to - at >= 8; at += 8) {
            hash = Long.rotateLeft(hash ^ round(0, (long) LONG.get(bytes, at)), 27) * P1 + P4;
        }
        if (to - at >= 4) {
            hash = Long.rotateLeft(hash ^ ((int) INT.get(bytes, at) & 0xffffffffL) * P1, 23) * P2 + P3;
            at += 4;
        }
        for (; at < to; at++) {
            hash = Long.rotateLeft(hash ^ (bytes[at] & 0xff) * P5, 11) * P1;
        }
        hash = (hash ^ hash >>> 33) * P2;
        hash = (hash ^ hash >>> 29) * P3;
        return hash ^ hash >>> 32;
    }

    private static long round(long state, long value) {
        return Long.rotateLeft(state + value * P2, 31) * P1;
    }

    private static long merge(long hash, long state) {
        return (hash ^ round(0, state)) * P1 + P4;
    }
}

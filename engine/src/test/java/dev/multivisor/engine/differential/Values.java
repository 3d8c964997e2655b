package dev.multivisor.engine.differential;

import java.util.SplittableRandom;

/** Random operands, biased to the edges. */
final class Values {
    private static final long[] INTEGERS = {
        0,
        1,
        2,
        -1,
        -2,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffffL,
        0x80000000L,
        0xffffffffL,
        0x100000000L,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        Long.MIN_VALUE + 1,
        0x8080808080808080L,
        0x7f7f7f7f7f7f7f7fL,
        0x8000800080008000L,
        0x7fff7fff7fff7fffL,
        0x8000000080000000L,
        0x7fffffff7fffffffL,
        0x5555555555555555L,
        10,
        99
    };
    private static final int[] SINGLES = {
        0,
        0x80000000,
        1,
        0x80000001,
        0x7fffff,
        0x807fffff,
        0x800000,
        0x80800000,
        0x3f800000,
        0xbf800000,
        0x3f800001,
        0x3f7fffff,
        0x7f7fffff,
        0xff7fffff,
        0x7f800000,
        0xff800000,
        0x7fc00000,
        0xffc00000,
        0x7f800001,
        0xff812345,
        0x7fc12345,
        0x4f000000,
        0xcf000000,
        0x4effffff,
        0x4f800000,
        0x5f000000,
        0xdf000000,
        0x3f000000,
        0xbf000000,
        0x3fc00000,
        0x40200000,
        0x4b000000,
        0x4b7fffff,
        0x4b800001,
        0x40490fdb,
        0x00ffffff,
        0x01000000
    };
    private static final long[] DOUBLES = {
        0,
        Long.MIN_VALUE,
        1,
        0x8000000000000001L,
        0xfffffffffffffL,
        0x800fffffffffffffL,
        0x10000000000000L,
        0x3ff0000000000000L,
        0xbff0000000000000L,
        0x3ff0000000000001L,
        0x3fefffffffffffffL,
        0x7fefffffffffffffL,
        0xffefffffffffffffL,
        0x7ff0000000000000L,
        0xfff0000000000000L,
        0x7ff8000000000000L,
        0xfff8000000000000L,
        0x7ff0000000000001L,
        0xfff0123456789abcL,
        0x7ff8123456789abcL,
        0x41dfffffffc00000L,
        0x41e0000000000000L,
        0xc1e0000000000000L,
        0xc1e0000000200000L,
        0x43e0000000000000L,
        0xc3e0000000000000L,
        0x43dfffffffffffffL,
        0x47efffffe0000000L,
        0x47effffff0000000L,
        0x3810000000000000L,
        0x380fffffffffffffL,
        0x36a0000000000000L,
        0x3fe0000000000000L,
        0x3ff8000000000000L,
        0x4004000000000000L,
        0x4330000000000000L,
        0x400921fb54442d18L
    };

    private final SplittableRandom random;

    Values(SplittableRandom random) {
        this.random = random;
    }

    boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    long bits() {
        return random.nextLong();
    }

    long integer() {
        return switch (random.nextInt(8)) {
            case 0, 1 -> INTEGERS[random.nextInt(INTEGERS.length)];
            case 2 -> random.nextInt(256) - 128;
            case 3 -> 1L << random.nextInt(64);
            case 4 -> (1L << random.nextInt(64)) - 1;
            case 5 -> random.nextLong() >>> random.nextInt(64);
            case 6 -> INTEGERS[random.nextInt(INTEGERS.length)] + random.nextInt(5) - 2;
            default -> random.nextLong();
        };
    }

    int single() {
        return switch (random.nextInt(8)) {
            case 0, 1, 2 -> SINGLES[random.nextInt(SINGLES.length)];
            case 3 -> Float.floatToRawIntBits(random.nextInt(2001) - 1000);
            case 4 -> random.nextInt() & 0x807fffff | 127 + random.nextInt(48) - 24 << 23;
            case 5 -> random.nextInt() & 0x807fffff | 127 + random.nextInt(4) - 2 << 23;
            case 6 -> random.nextInt() & 0x80ffffff;
            default -> random.nextInt();
        };
    }

    long wide() {
        long sign = Long.MIN_VALUE;
        return switch (random.nextInt(9)) {
            case 0, 1, 2 -> DOUBLES[random.nextInt(DOUBLES.length)];
            case 3 -> Double.doubleToRawLongBits(random.nextInt(2001) - 1000);
            case 4 -> random.nextLong() & (0xfffffffffffffL | sign) | (long) (1023 + random.nextInt(128) - 64) << 52;
            case 5 -> random.nextLong() & (0xfffffffffffffL | sign) | (long) (1023 + random.nextInt(4) - 2) << 52;
            case 6 -> random.nextLong() & (0x1fffffffffffffL | sign);
            // Doubles around the limits of singles.
            case 7 ->
                random.nextLong() & (0xfffffffffffffL | sign)
                        | (long) (1023 + (random.nextBoolean() ? 127 : -127) + random.nextInt(40) - 20) << 52;
            default -> random.nextLong();
        };
    }

    /** Sixteen bytes: integers of some size, singles or doubles. */
    void vector(byte[] to, int offset) {
        int kind = random.nextInt(10);
        long low;
        long high;
        if (kind < 3) {
            low = single() & 0xffffffffL | (long) single() << 32;
            high = single() & 0xffffffffL | (long) single() << 32;
        } else if (kind < 6) {
            low = wide();
            high = wide();
        } else if (kind == 6) {
            low = small();
            high = small();
        } else {
            low = integer();
            high = integer();
        }
        put(to, offset, 8, low);
        put(to, offset + 8, 8, high);
    }

    /** Bytes of a small alphabet, for string comparisons. */
    private long small() {
        long value = 0;
        for (int n = 0; n < 8; n++) {
            value = value << 8 | random.nextInt(4);
        }
        return value;
    }

    /** A double-extended value: significand, then sign and exponent. */
    void extended(byte[] to, int offset) {
        long significand = random.nextLong() | Long.MIN_VALUE;
        int exponent = 0x3fff;
        int kind = random.nextInt(16);
        switch (kind) {
            case 0 -> {
                significand = 0;
                exponent = 0;
            }
            case 1 -> significand = Long.MIN_VALUE;
            case 2 -> {
                significand = random.nextLong() >>> 1 + random.nextInt(62);
                exponent = 0;
            }
            case 3 -> {
                significand = Long.MIN_VALUE;
                exponent = 0x7fff;
            }
            case 4 -> exponent = 0x7fff;
            case 5 -> {
                significand = random.nextLong() & 0x3fffffffffffffffL | Long.MIN_VALUE;
                exponent = 0x7fff;
            }
            // Unnormals and pseudo-denormals.
            case 6 -> {
                boolean unnormal = random.nextBoolean();
                significand = unnormal ? significand & Long.MAX_VALUE : significand;
                exponent = unnormal ? random.nextInt(0x8000) : 0;
            }
            case 7, 8 -> {
                long integer = random.nextLong() >>> random.nextInt(64) | 1;
                int shift = Long.numberOfLeadingZeros(integer);
                significand = integer << shift;
                exponent = 0x3fff + 63 - shift;
            }
            case 9 -> exponent = 1 + random.nextInt(80);
            case 10 -> exponent = 0x7ffe - random.nextInt(80);
            case 11 -> {
                significand = random.nextBoolean() ? -1L : 0xfffffffffffff800L;
                exponent = 0x3fff + random.nextInt(8) - 4;
            }
            case 12 -> exponent = 0x3fff + random.nextInt(300) - 150;
            case 13 -> exponent = 0x3fff + (random.nextBoolean() ? 1023 : -1022) + random.nextInt(60) - 30;
            default -> exponent = 0x3fff + random.nextInt(80) - 40;
        }
        put(to, offset, 8, significand);
        put(to, offset + 8, 2, exponent | (random.nextBoolean() ? 0x8000 : 0));
    }

    /** A packed decimal number, mostly with proper digits. */
    void decimal(byte[] to, int offset) {
        int digits = random.nextInt(19);
        for (int n = 0; n < 9; n++) {
            int low = 2 * n < digits ? random.nextInt(10) : 0;
            int high = 2 * n + 1 < digits ? random.nextInt(10) : 0;
            to[offset + n] = (byte) (high << 4 | low);
        }
        to[offset + 9] = (byte) (random.nextBoolean() ? 0x80 : 0);
    }

    static void put(byte[] to, int offset, int size, long value) {
        for (int n = 0; n < size; n++) {
            to[offset + n] = (byte) (value >>> n * 8);
        }
    }

    static long get(byte[] from, int offset, int size) {
        long value = 0;
        for (int n = size - 1; n >= 0; n--) {
            value = value << 8 | from[offset + n] & 0xff;
        }
        return value;
    }
}

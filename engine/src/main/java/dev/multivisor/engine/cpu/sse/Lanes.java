package dev.multivisor.engine.cpu.sse;

/**
 * Integer operations on the bytes, words or doublewords of a 64-bit half. Those of addition and comparison work on all
 * lanes at once: {@code h} has the highest bit of each lane set, and carries are kept from crossing it.
 */
public final class Lanes {
    /** The highest bit of each byte, word, doubleword. */
    public static final long H8 = 0x8080808080808080L, H16 = 0x8000800080008000L, H32 = 0x8000000080000000L;

    private Lanes() {}

    public static long add(long a, long b, long h) {
        return (a & ~h) + (b & ~h) ^ (a ^ b) & h;
    }

    public static long subtract(long a, long b, long h) {
        return (a | h) - (b & ~h) ^ (a ^ ~b) & h;
    }

    /** Widens the highest bit of each lane to the lane. */
    public static long spread(long t, long h) {
        t &= h;
        return (t << 1) - (t >>> width(h) - 1);
    }

    /** The width of lanes with these highest bits. */
    private static int width(long h) {
        return Long.numberOfTrailingZeros(h) + 1;
    }

    public static long addUnsignedSaturated(long a, long b, long h) {
        long sum = add(a, b, h);
        return sum | spread(a & b | (a | b) & ~sum, h);
    }

    public static long subtractUnsignedSaturated(long a, long b, long h) {
        long difference = subtract(a, b, h);
        return difference & ~spread(borrow(a, b, difference), h);
    }

    private static long borrow(long a, long b, long difference) {
        return ~a & b | (~a | b) & difference;
    }

    public static long addSaturated(long a, long b, long h) {
        long sum = add(a, b, h);
        return saturate(a, sum, ~(a ^ b) & (a ^ sum), h);
    }

    public static long subtractSaturated(long a, long b, long h) {
        long difference = subtract(a, b, h);
        return saturate(a, difference, (a ^ b) & (a ^ difference), h);
    }

    /** Replaces lanes that overflowed by the greatest or the least value, as the sign of {@code a} says. */
    private static long saturate(long a, long value, long overflow, long h) {
        long extreme = ((a & h) >>> width(h) - 1) + ~h;
        return blend(value, extreme, spread(overflow, h));
    }

    /** {@code b} where the mask is set, else {@code a}. */
    public static long blend(long a, long b, long mask) {
        return a & ~mask | b & mask;
    }

    public static long equal(long a, long b, long h) {
        long x = a ^ b;
        return spread(~((x & ~h) + ~h | x), h);
    }

    public static long greaterUnsigned(long a, long b, long h) {
        return spread(borrow(b, a, subtract(b, a, h)), h);
    }

    public static long greater(long a, long b, long h) {
        return greaterUnsigned(a ^ h, b ^ h, h);
    }

    public static long max(long a, long b, long h) {
        return blend(b, a, greater(a, b, h));
    }

    public static long min(long a, long b, long h) {
        return blend(a, b, greater(a, b, h));
    }

    public static long maxUnsigned(long a, long b, long h) {
        return blend(b, a, greaterUnsigned(a, b, h));
    }

    public static long minUnsigned(long a, long b, long h) {
        return blend(a, b, greaterUnsigned(a, b, h));
    }

    public static long absolute(long a, long h) {
        long negative = spread(a, h);
        return subtract(a ^ negative, negative, h);
    }

    /** PSIGN: negated where {@code b} is negative, zero where it is zero. */
    public static long sign(long a, long b, long h) {
        long negative = spread(b, h);
        return subtract(a ^ negative, negative, h) & ~equal(b, 0, h);
    }

    /** Rounds up. */
    public static long averageBytes(long a, long b) {
        return (a | b) - ((a ^ b) >>> 1 & 0x7f7f7f7f7f7f7f7fL);
    }

    public static long averageWords(long a, long b) {
        return (a | b) - ((a ^ b) >>> 1 & 0x7fff7fff7fff7fffL);
    }

    // ---- Multiplication ----

    /** Word n, 0 to 3, sign-extended. */
    public static int word(long a, int n) {
        return (short) (a >>> n * 16);
    }

    public static long words(int w0, int w1, int w2, int w3) {
        return w0 & 0xffffL | (w1 & 0xffffL) << 16 | (w2 & 0xffffL) << 32 | (long) w3 << 48;
    }

    public static long doublewords(int low, int high) {
        return low & 0xffffffffL | (long) high << 32;
    }

    public static long multiplyLowWords(long a, long b) {
        return words(
                word(a, 0) * word(b, 0), word(a, 1) * word(b, 1), word(a, 2) * word(b, 2), word(a, 3) * word(b, 3));
    }

    public static long multiplyHighWords(long a, long b) {
        return words(
                word(a, 0) * word(b, 0) >> 16,
                word(a, 1) * word(b, 1) >> 16,
                word(a, 2) * word(b, 2) >> 16,
                word(a, 3) * word(b, 3) >> 16);
    }

    public static long multiplyHighUnsignedWords(long a, long b) {
        return words(unsignedHigh(a, b, 0), unsignedHigh(a, b, 1), unsignedHigh(a, b, 2), unsignedHigh(a, b, 3));
    }

    private static int unsignedHigh(long a, long b, int n) {
        return (word(a, n) & 0xffff) * (word(b, n) & 0xffff) >>> 16;
    }

    /** PMULHRSW: the product of two fractions of 15 bits, rounded. */
    public static long multiplyHighRounded(long a, long b) {
        return words(rounded(a, b, 0), rounded(a, b, 1), rounded(a, b, 2), rounded(a, b, 3));
    }

    private static int rounded(long a, long b, int n) {
        return (word(a, n) * word(b, n) >> 14) + 1 >> 1;
    }

    public static long multiplyLowDoublewords(long a, long b) {
        return doublewords((int) a * (int) b, (int) (a >>> 32) * (int) (b >>> 32));
    }

    public static long multiplyUnsignedDoubleword(long a, long b) {
        return (a & 0xffffffffL) * (b & 0xffffffffL);
    }

    public static long multiplyDoubleword(long a, long b) {
        return (long) (int) a * (int) b;
    }

    /** PMADDWD. */
    public static long multiplyAddWords(long a, long b) {
        return doublewords(
                word(a, 0) * word(b, 0) + word(a, 1) * word(b, 1), word(a, 2) * word(b, 2) + word(a, 3) * word(b, 3));
    }

    /** PMADDUBSW: unsigned bytes of {@code a} by signed bytes of {@code b}, neighbours added with saturation. */
    public static long multiplyAddBytes(long a, long b) {
        long result = 0;
        for (int n = 0; n < 64; n += 16) {
            int sum = ((int) (a >>> n) & 0xff) * (byte) (b >>> n) + ((int) (a >>> n + 8) & 0xff) * (byte) (b >>> n + 8);
            result |= (saturateWord(sum) & 0xffffL) << n;
        }
        return result;
    }

    public static int saturateWord(int value) {
        return Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    /** PSADBW: the sum of the absolute differences of bytes. */
    public static long sumOfDifferences(long a, long b) {
        long d = maxUnsigned(a, b, H8) - minUnsigned(a, b, H8);
        long pairs = (d & 0x00ff00ff00ff00ffL) + (d >>> 8 & 0x00ff00ff00ff00ffL);
        return pairs * 0x0001000100010001L >>> 48;
    }

    // ---- Neighbours: four results from the eight lanes of two halves ----

    public static long addNeighbourWords(long low, long high, boolean saturated) {
        int s0 = word(low, 0) + word(low, 1);
        int s1 = word(low, 2) + word(low, 3);
        int s2 = word(high, 0) + word(high, 1);
        int s3 = word(high, 2) + word(high, 3);
        return saturated
                ? words(saturateWord(s0), saturateWord(s1), saturateWord(s2), saturateWord(s3))
                : words(s0, s1, s2, s3);
    }

    public static long subtractNeighbourWords(long low, long high, boolean saturated) {
        int s0 = word(low, 0) - word(low, 1);
        int s1 = word(low, 2) - word(low, 3);
        int s2 = word(high, 0) - word(high, 1);
        int s3 = word(high, 2) - word(high, 3);
        return saturated
                ? words(saturateWord(s0), saturateWord(s1), saturateWord(s2), saturateWord(s3))
                : words(s0, s1, s2, s3);
    }

    public static long addNeighbourDoublewords(long low, long high) {
        return doublewords((int) low + (int) (low >>> 32), (int) high + (int) (high >>> 32));
    }

    public static long subtractNeighbourDoublewords(long low, long high) {
        return doublewords((int) low - (int) (low >>> 32), (int) high - (int) (high >>> 32));
    }

    // ---- Packing: eight lanes from the lanes of two halves, with saturation ----

    public static long packWordsToBytes(long low, long high, int least, int greatest) {
        long result = 0;
        for (int n = 0; n < 4; n++) {
            result |= (Math.clamp(word(low, n), least, greatest) & 0xffL) << n * 8
                    | (Math.clamp(word(high, n), least, greatest) & 0xffL) << n * 8 + 32;
        }
        return result;
    }

    public static long packDoublewordsToWords(long low, long high, int least, int greatest) {
        return words(
                Math.clamp((int) low, least, greatest),
                Math.clamp((int) (low >>> 32), least, greatest),
                Math.clamp((int) high, least, greatest),
                Math.clamp((int) (high >>> 32), least, greatest));
    }

    // ---- Interleaving the lanes of the low 4 bytes of two halves; {@code a} comes first ----

    public static long interleaveBytes(long a, long b) {
        return spreadBytes(a) | spreadBytes(b) << 8;
    }

    public static long interleaveWords(long a, long b) {
        return spreadWords(a) | spreadWords(b) << 16;
    }

    public static long interleaveDoublewords(long a, long b) {
        return a & 0xffffffffL | b << 32;
    }

    /** The low four bytes, one in each word. */
    public static long spreadBytes(long a) {
        long words = spreadWords(a);
        return (words | words << 8) & 0x00ff00ff00ff00ffL;
    }

    /** The low two words, one in each doubleword. */
    public static long spreadWords(long a) {
        return a & 0xffffL | (a & 0xffff0000L) << 16;
    }

    // ---- Shuffles ----

    /** Bits 7, 15, ... 63 as bits 0 to 7. */
    public static long signs8(long a) {
        return (a >>> 7 & 0x0101010101010101L) * 0x0102040810204080L >>> 56;
    }

    /** PSHUFB: eight bytes of sixteen, chosen by the low four bits of bytes; zero where the highest bit is set. */
    public static long shuffleBytes(long low, long high, long control) {
        int c = (int) control;
        int d = (int) (control >>> 32);
        long first = chosen(low, high, c)
                | chosen(low, high, c >>> 8) << 8
                | chosen(low, high, c >>> 16) << 16
                | chosen(low, high, c >>> 24) << 24;
        long second = chosen(low, high, d)
                | chosen(low, high, d >>> 8) << 8
                | chosen(low, high, d >>> 16) << 16
                | chosen(low, high, d >>> 24) << 24;
        return (first | second << 32) & ~spread(control, H8);
    }

    private static long chosen(long low, long high, int n) {
        return ((n & 8) == 0 ? low : high) >>> (n << 3) & 0xff;
    }

    /** Four words of a half, chosen by pairs of bits. */
    public static long shuffleWords(long a, int order) {
        return a >>> (order & 3) * 16 & 0xffff
                | (a >>> (order >> 2 & 3) * 16 & 0xffff) << 16
                | (a >>> (order >> 4 & 3) * 16 & 0xffff) << 32
                | a >>> (order >> 6 & 3) * 16 << 48;
    }

    /** Four words, shifted right by at most 15 bits; the signs come in. */
    public static long shiftWords(long a, int n) {
        return words(word(a, 0) >> n, word(a, 1) >> n, word(a, 2) >> n, word(a, 3) >> n);
    }

    /** Two doublewords, shifted right by at most 31 bits; the signs come in. */
    public static long shiftDoublewords(long a, int n) {
        return doublewords((int) a >> n, (int) (a >> 32) >> n);
    }
}

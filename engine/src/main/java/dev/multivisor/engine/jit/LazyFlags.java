package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.Cpu;

/**
 * Arithmetic flags as compiled code keeps them in three locals: a kind and two words. Of most instructions the words are
 * the operands, so that producing flags costs nothing and a condition becomes a comparison of the operands. The kind
 * {@link #RAW} is the form of {@link Cpu}: the result and its carries. The other kinds are an operation and a size.
 */
public final class LazyFlags {
    /** The words are {@link Cpu#flagResult} and {@link Cpu#flagAux}. */
    static final int RAW = 0;

    /** The words are the operands. The size follows: its logarithm, 0 to 3, is added. */
    static final int ADD = 4, SUB = 8;

    /** The words are the operand, and the carry flag before in bit 63. */
    static final int INC = 12, DEC = 16;

    /**
     * The words are the sign-extended result, and what was shifted by one bit less: of {@link #SHL} with its sign in bit 63.
     */
    static final int SHL = 20, SHR = 24, SAR = 28;

    private static final long TOP = 3L << 62;

    private LazyFlags() {}

    /** Bits to shift an operand up by, so that its sign is bit 63. */
    static int shift(int kind) {
        return 64 - (8 << (kind & 3));
    }

    /** {@link Cpu#flagResult}. */
    public static long result(int kind, long a, long b) {
        long result = switch (kind >> 2) {
            case 0 -> a;
            case 1 -> a + b;
            case 2 -> a - b;
            case 3 -> a + 1;
            case 4 -> a - 1;
            default -> a;
        };
        return kind == RAW ? result : result << shift(kind) >> shift(kind);
    }

    /** {@link Cpu#flagAux}. */
    public static long aux(int kind, long a, long b) {
        return switch (kind >> 2) {
            case 0 -> b;
            case 1 -> carries(a & b | (a | b) & ~(a + b), kind);
            case 2 -> carries(~a & b | (~a | b) & a - b, kind);
            case 3 -> carryKept(a & ~(a + 1), b, kind);
            case 4 -> carryKept(~a & a - 1, b, kind);
            case 5 -> b & Long.MIN_VALUE | b << 1 >>> 1 & 1L << 62;
            case 6 -> shiftedRight(a << shift(kind), b << 63);
            default -> -(b & 1) << 62;
        };
    }

    private static long carries(long carries, int kind) {
        return carries << shift(kind) & TOP | carries & 8;
    }

    private static long shiftedRight(long top, long carry) {
        return ((top ^ top << 1) >>> 1 ^ carry >>> 1) & 1L << 62 | carry;
    }

    private static long carryKept(long carries, long carry, int kind) {
        long top = carries << shift(kind);
        return carry | (carry >>> 1 ^ top >>> 1 ^ top) & 1L << 62 | carries & 8;
    }

    /** Stores them where the interpreter has them. */
    public static void spill(Cpu cpu, int kind, long a, long b) {
        cpu.flagResult = result(kind, a, b);
        cpu.flagAux = aux(kind, a, b);
    }

    /** CF as 0 or 1. */
    public static long carry(int kind, long a, long b) {
        return aux(kind, a, b) >>> 63;
    }

    /** A condition by its code 0 to 15 (Intel SDM vol. 1, appendix B), as {@link Cpu#condition}. */
    public static boolean holds(int condition, int kind, long a, long b) {
        long result = result(kind, a, b);
        long aux = aux(kind, a, b);
        boolean less = (result ^ aux << 47 ^ aux ^ aux << 1) < 0;
        boolean holds = switch (condition >>> 1) {
            case 0 -> (aux ^ aux << 1) < 0;
            case 1 -> aux < 0;
            case 2 -> result == 0;
            case 3 -> aux < 0 || result == 0;
            case 4 -> (result >>> 63 ^ aux >>> 16 & 1) != 0;
            case 5 -> parity(result, aux);
            case 6 -> less;
            default -> result == 0 || less;
        };
        return holds == ((condition & 1) == 0);
    }

    private static boolean parity(long result, long aux) {
        int low = (int) (result ^ aux >>> 8) & 0xff;
        return (0x9669 >>> ((low ^ low >>> 4) & 15) & 1) != 0;
    }

    /** Second word of {@link #RAW} after a product whose high half is significant or not. */
    public static long overflow(long significant) {
        return (significant | -significant) & Long.MIN_VALUE;
    }

    /** Second word of {@link #RAW} after IMUL with a truncated product: operands are sign-extended. */
    public static long productAux(long x, long y, int shift) {
        long product = x * y;
        boolean overflow = shift == 0 ? Math.multiplyHigh(x, y) != product >> 63 : product != product << shift >> shift;
        return overflow ? Long.MIN_VALUE : 0;
    }
}

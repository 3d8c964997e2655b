package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Leave;

/**
 * Comparisons and conversions of one number, for compiled code, which leaves what is not quick to the interpreter, as with
 * {@link QuickArithmetic}: where an operand is neither a normal number nor zero, or where precision is lost for the first
 * time. Singles are zero-extended.
 */
public final class Scalar {
    /** The two top carries of {@link Cpu#flagAux}: CF without OF. */
    private static final long CARRY = 3L << 62;

    /** PE, and its mask: a result that is not exact changes nothing any more. */
    private static final int PRECISION = Mxcsr.PE | Mxcsr.PE << Mxcsr.MASKS;

    private static final long LOW = 0xffffffffL;

    private Scalar() {}

    // ---- Comparisons ----

    /** One of {@link SoftFloat}'s relations, but for unordered. */
    public static long relation64(long a, long b) {
        return relation(Double.longBitsToDouble(a), Double.longBitsToDouble(b));
    }

    /** One of {@link SoftFloat}'s relations, but for unordered. */
    public static long relation32(long a, long b) {
        return relation(Float.intBitsToFloat((int) a), Float.intBitsToFloat((int) b));
    }

    private static long relation(double x, double y) {
        return plain(x) && plain(y) ? ordered(x, y) : left();
    }

    private static long relation(float x, float y) {
        return plain(x) && plain(y) ? ordered(x, y) : left();
    }

    private static long ordered(double x, double y) {
        return x < y ? SoftFloat.LESS : x > y ? SoftFloat.GREATER : SoftFloat.EQUAL;
    }

    private static boolean plain(double x) {
        return Math.abs(x) >= Double.MIN_NORMAL || x == 0;
    }

    private static boolean plain(float x) {
        return Math.abs(x) >= Float.MIN_NORMAL || x == 0;
    }

    private static long left() {
        throw Leave.NOW;
    }

    /** {@link Cpu#flagResult} after UCOMISD and its kin: zero if equal. */
    public static long flagResult(long relation) {
        return relation + 1 >> 1 & 1;
    }

    /** {@link Cpu#flagAux} after UCOMISD and its kin: CF if less. */
    public static long flagAux(long relation) {
        return (relation & 1) != 0 ? CARRY : relation == SoftFloat.EQUAL ? 1 << 8 : 0;
    }

    /** CMPSD. */
    public static long compared64(long a, long b, int predicate) {
        return FloatComparisons.holds((int) relation64(a, b), predicate) ? -1 : 0;
    }

    /** CMPSS. */
    public static long compared32(long a, long b, int predicate) {
        return FloatComparisons.holds((int) relation32(a, b), predicate) ? LOW : 0;
    }

    /** MINSD: the second where none is less. */
    public static long min64(long a, long b) {
        return relation64(a, b) == SoftFloat.LESS ? a : b;
    }

    /** MINSS. */
    public static long min32(long a, long b) {
        return relation32(a, b) == SoftFloat.LESS ? a : b;
    }

    /** MAXSD. */
    public static long max64(long a, long b) {
        return relation64(a, b) == SoftFloat.GREATER ? a : b;
    }

    /** MAXSS. */
    public static long max32(long a, long b) {
        return relation32(a, b) == SoftFloat.GREATER ? a : b;
    }

    // ---- Conversions ----

    /** CVTSI2SD. */
    public static long fromInteger64(Cpu cpu, long value) {
        return Math.abs(value) >>> 53 == 0 || Mxcsr.precise(cpu) ? Double.doubleToRawLongBits(value) : left();
    }

    /** CVTSI2SS. */
    public static long fromInteger32(Cpu cpu, long value) {
        return Math.abs(value) >>> 24 == 0 || Mxcsr.precise(cpu) ? bits((float) value) : left();
    }

    private static long bits(float value) {
        return Float.floatToRawIntBits(value) & LOW;
    }

    /** A single as the double of the same value, for a conversion to an integer, which tells no NaNs apart. */
    public static long wide(long single) {
        return Double.doubleToRawLongBits(Float.intBitsToFloat((int) single));
    }

    /** CVTTSD2SI to a quadword, also of a single that {@link #wide} has made wide. */
    public static long truncated64(Cpu cpu, long bits) {
        return truncated(cpu, Double.longBitsToDouble(bits), 0x1p62);
    }

    /** CVTTSD2SI to a doubleword, zero-extended. */
    public static long truncated32(Cpu cpu, long bits) {
        return truncated(cpu, Double.longBitsToDouble(bits), 0x1p30) & LOW;
    }

    private static long truncated(Cpu cpu, double value, double most) {
        long integer = (long) value;
        return Math.abs(value) < most && (integer == value || precisionLost(cpu)) ? integer : left();
    }

    private static boolean precisionLost(Cpu cpu) {
        return (cpu.mxcsr & PRECISION) == PRECISION;
    }

    /** CVTSD2SI to a quadword. */
    public static long rounded64(Cpu cpu, long bits) {
        return rounded(cpu, Double.longBitsToDouble(bits), 0x1p62);
    }

    /** CVTSD2SI to a doubleword, zero-extended. */
    public static long rounded32(Cpu cpu, long bits) {
        return rounded(cpu, Double.longBitsToDouble(bits), 0x1p30) & LOW;
    }

    private static long rounded(Cpu cpu, double value, double most) {
        return whole(cpu, value, Math.rint(value), most);
    }

    private static long whole(Cpu cpu, double value, double rounded, double most) {
        return Math.abs(value) < most && (rounded == value || Mxcsr.precise(cpu)) ? (long) rounded : left();
    }

    /** CVTSS2SD. */
    public static long toDouble(long a) {
        return plain(Float.intBitsToFloat((int) a)) ? wide(a) : left();
    }

    /** CVTSD2SS. */
    public static long toSingle(Cpu cpu, long a) {
        return toSingle(cpu, Double.longBitsToDouble(a));
    }

    private static long toSingle(Cpu cpu, double value) {
        float single = (float) value;
        return value == 0 || narrows(cpu, value, single) ? bits(single) : left();
    }

    private static boolean narrows(Cpu cpu, double value, float single) {
        return (single == value || Mxcsr.precise(cpu)) && normal(single);
    }

    /** Neither zero nor infinite, and so large that nothing underflowed before rounding. */
    private static boolean normal(float single) {
        return Math.abs(single) > 0x1p-125f && Math.abs(single) <= Float.MAX_VALUE;
    }
}

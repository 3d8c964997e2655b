package dev.multivisor.engine.cpu.sse;

import static dev.multivisor.engine.cpu.sse.SoftFloat.DOUBLE;
import static dev.multivisor.engine.cpu.sse.SoftFloat.SINGLE;

import dev.multivisor.engine.cpu.Cpu;

/**
 * Comparisons and conversions of one number for compiled code: what is ordinary by the host's instructions, the rest by
 * what the interpreter has. Singles are zero-extended. Exceptions are noted in the {@link Cpu}, not raised.
 */
public final class Scalar {
    /** The two top carries of {@link Cpu#flagAux}: CF without OF. */
    private static final long CARRY = 3L << 62;

    /** PE, and its mask: a result that is not exact changes nothing any more. */
    private static final int PRECISION = Mxcsr.PE | Mxcsr.PE << Mxcsr.MASKS;

    private Scalar() {}

    // ---- Comparisons ----

    /** One of {@link SoftFloat}'s relations. */
    public static long relation64(Cpu cpu, long a, long b, boolean quietInvalid) {
        if (FloatArithmetic.plain64(a) && FloatArithmetic.plain64(b)) {
            return relation(Double.longBitsToDouble(a), Double.longBitsToDouble(b));
        }
        return SoftFloat.relation(cpu, a, b, quietInvalid, DOUBLE);
    }

    /** One of {@link SoftFloat}'s relations. */
    public static long relation32(Cpu cpu, long a, long b, boolean quietInvalid) {
        if (FloatArithmetic.plain32((int) a) && FloatArithmetic.plain32((int) b)) {
            return relation(Float.intBitsToFloat((int) a), Float.intBitsToFloat((int) b));
        }
        return SoftFloat.relation(cpu, a, b, quietInvalid, SINGLE);
    }

    private static long relation(double x, double y) {
        return x < y ? SoftFloat.LESS : x > y ? SoftFloat.GREATER : SoftFloat.EQUAL;
    }

    /** {@link Cpu#flagResult} after UCOMISD and its kin: zero if equal or unordered. */
    public static long flagResult(long relation) {
        return relation + 1 >> 1 & 1;
    }

    /** {@link Cpu#flagAux} after UCOMISD and its kin: CF if less or unordered, PF only if unordered. */
    public static long flagAux(long relation) {
        return (relation & 1) != 0 ? CARRY : relation == SoftFloat.EQUAL ? 1 << 8 : 0;
    }

    /** CMPSD. */
    public static long compared64(Cpu cpu, long a, long b, int predicate) {
        return FloatComparisons.compared(cpu, a, b, predicate, DOUBLE);
    }

    /** CMPSS. */
    public static long compared32(Cpu cpu, long a, long b, int predicate) {
        return FloatComparisons.compared(cpu, a, b, predicate, SINGLE);
    }

    /** MINSD. */
    public static long min64(Cpu cpu, long a, long b) {
        return SoftFloat.min(cpu, a, b, DOUBLE);
    }

    /** MINSS. */
    public static long min32(Cpu cpu, long a, long b) {
        return SoftFloat.min(cpu, a, b, SINGLE);
    }

    /** MAXSD. */
    public static long max64(Cpu cpu, long a, long b) {
        return SoftFloat.max(cpu, a, b, DOUBLE);
    }

    /** MAXSS. */
    public static long max32(Cpu cpu, long a, long b) {
        return SoftFloat.max(cpu, a, b, SINGLE);
    }

    // ---- Conversions ----

    /** CVTSI2SD. */
    public static long fromInteger64(Cpu cpu, long value) {
        return Conversions.doubleOf(cpu, value);
    }

    /** CVTSI2SS. */
    public static long fromInteger32(Cpu cpu, long value) {
        return Conversions.singleOf(cpu, value) & 0xffffffffL;
    }

    /** A single as the double of the same value, for a conversion to an integer, which tells no NaNs apart. */
    public static long wide(Cpu cpu, long single) {
        return widened(SoftFloat.operand(cpu, single, SINGLE));
    }

    private static long widened(long single) {
        return Double.doubleToRawLongBits(Float.intBitsToFloat((int) single));
    }

    /** CVTTSD2SI to a quadword, also of a single that {@link #wide} has made wide. */
    public static long truncated64(Cpu cpu, long bits) {
        double value = Double.longBitsToDouble(bits);
        long integer = (long) value;
        if (integer == value && integer != Long.MAX_VALUE || inexact(cpu, value, 0x1p62)) {
            return integer;
        }
        return Conversions.toLong(cpu, Conversions.doubleOperand(cpu, bits), Mxcsr.TRUNCATE);
    }

    /** CVTTSD2SI to a doubleword, zero-extended. */
    public static long truncated32(Cpu cpu, long bits) {
        double value = Double.longBitsToDouble(bits);
        int integer = (int) value;
        if (integer == value || inexact(cpu, value, 0x1p30)) {
            return integer & 0xffffffffL;
        }
        return Conversions.toInt(cpu, Conversions.doubleOperand(cpu, bits), Mxcsr.TRUNCATE) & 0xffffffffL;
    }

    /** Whether a number is so small that it can be converted, and that it is not exact is nothing new. */
    private static boolean inexact(Cpu cpu, double value, double most) {
        return Math.abs(value) < most && (cpu.mxcsr & PRECISION) == PRECISION;
    }

    /** CVTSD2SI to a quadword. */
    public static long rounded64(Cpu cpu, long bits) {
        return Conversions.toLong(cpu, Conversions.doubleOperand(cpu, bits), Mxcsr.rounding(cpu));
    }

    /** CVTSD2SI to a doubleword, zero-extended. */
    public static long rounded32(Cpu cpu, long bits) {
        return Conversions.toInt(cpu, Conversions.doubleOperand(cpu, bits), Mxcsr.rounding(cpu)) & 0xffffffffL;
    }

    /** CVTSS2SD. */
    public static long toDouble(Cpu cpu, long a) {
        return FloatArithmetic.plain32((int) a) ? widened(a) : SoftFloat.toDouble(cpu, a);
    }

    /** CVTSD2SS. */
    public static long toSingle(Cpu cpu, long a) {
        double value = Double.longBitsToDouble(a);
        float single = (float) value;
        if (single == value && FloatArithmetic.safe32(Float.floatToRawIntBits(single))) {
            return Float.floatToRawIntBits(single) & 0xffffffffL;
        }
        return SoftFloat.toSingle(cpu, a) & 0xffffffffL;
    }
}

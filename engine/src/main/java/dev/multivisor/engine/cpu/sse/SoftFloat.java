package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;

/**
 * Binary32 and binary64 arithmetic in integers, exact in every rounding mode, with every exception flag and the
 * treatment of NaNs of Intel SDM vol. 1, 4.8 and 11.5. The slow path: {@link FloatArithmetic} comes here when the
 * host's arithmetic could not tell all of it.
 *
 * <p>Values are bit patterns in the low 32 or 64 bits of a long. The format is given by the width of its fraction,
 * {@link #SINGLE} or {@link #DOUBLE}. Exceptions are added to {@link Cpu#simdExceptions}. Between unpacking and
 * rounding a magnitude is a significand with its leading one at bit 62 and, in bit 0, whether anything not zero was cut
 * off below; and a biased exponent that may leave the format's range.
 */
final class SoftFloat {
    static final int SINGLE = 23, DOUBLE = 52;

    private SoftFloat() {}

    // ---- Parts of a value ----

    private static int maxExponent(int f) {
        return f == DOUBLE ? 0x7ff : 0xff;
    }

    private static int bias(int f) {
        return f == DOUBLE ? 1023 : 127;
    }

    private static long signBit(int f) {
        return f == DOUBLE ? Long.MIN_VALUE : 0x80000000L;
    }

    private static long fraction(long a, int f) {
        return a & (1L << f) - 1;
    }

    private static int exponent(long a, int f) {
        return (int) (a >>> f) & maxExponent(f);
    }

    private static boolean negative(long a, int f) {
        return (a & signBit(f)) != 0;
    }

    private static long infinity(int f) {
        return (long) maxExponent(f) << f;
    }

    private static long magnitude(long a, int f) {
        return a & signBit(f) - 1;
    }

    static boolean isNan(long a, int f) {
        return magnitude(a, f) > infinity(f);
    }

    static boolean isSignaling(long a, int f) {
        return isNan(a, f) && (a & 1L << f - 1) == 0;
    }

    private static boolean isInfinite(long a, int f) {
        return magnitude(a, f) == infinity(f);
    }

    private static boolean isZero(long a, int f) {
        return magnitude(a, f) == 0;
    }

    static boolean isDenormal(long a, int f) {
        return exponent(a, f) == 0 && fraction(a, f) != 0;
    }

    static long quiet(long a, int f) {
        return a | 1L << f - 1;
    }

    /** The NaN of an invalid operation: negative, quiet, no payload. */
    static long indefinite(int f) {
        return quiet(infinity(f) | signBit(f), f);
    }

    /** The operand, as a zero of its sign if it is denormal and MXCSR.DAZ is set. */
    static long operand(Cpu cpu, long a, int f) {
        return (cpu.mxcsr & Mxcsr.DAZ) != 0 && exponent(a, f) == 0 ? a & signBit(f) : a;
    }

    private static long invalid(Cpu cpu, int f) {
        cpu.simdExceptions |= Mxcsr.IE;
        return indefinite(f);
    }

    /** The result when at least one of two operands is a NaN: the first NaN, quiet. */
    private static long propagate(Cpu cpu, long a, long b, int f) {
        if (isSignaling(a, f) || isSignaling(b, f)) {
            cpu.simdExceptions |= Mxcsr.IE;
        }
        return quiet(isNan(a, f) ? a : b, f);
    }

    static void noteDenormals(Cpu cpu, long a, long b, int f) {
        if (isDenormal(a, f) || isDenormal(b, f)) {
            cpu.simdExceptions |= Mxcsr.DE;
        }
    }

    /** The significand of a finite number that is not zero, leading one at bit 62. */
    private static long significand(long a, int f) {
        long fraction = fraction(a, f);
        return exponent(a, f) == 0
                ? fraction << Long.numberOfLeadingZeros(fraction) - 1
                : (fraction | 1L << f) << 62 - f;
    }

    /** The biased exponent that belongs to {@link #significand}: below 1 for denormals. */
    private static int normalExponent(long a, int f) {
        int exponent = exponent(a, f);
        return exponent != 0 ? exponent : 1 - (Long.numberOfLeadingZeros(fraction(a, f)) - (63 - f));
    }

    /** Shifts right, keeping in bit 0 whether anything was lost. */
    private static long shiftRightSticky(long a, int n) {
        if (n == 0) {
            return a;
        }
        return n > 63 ? a == 0 ? 0 : 1 : a >>> n | ((a << -n) == 0 ? 0 : 1);
    }

    // ---- Rounding ----

    /** Divides by a power of two and rounds to an integer. */
    private static long roundedShift(long a, int n, boolean negative, int mode) {
        long quotient = a >>> n;
        long rest = a & (1L << n) - 1;
        long half = 1L << n - 1;
        boolean up = switch (mode) {
            case Mxcsr.NEAREST -> rest > half || rest == half && (quotient & 1) != 0;
            case Mxcsr.DOWN -> negative && rest != 0;
            case Mxcsr.UP -> !negative && rest != 0;
            default -> false;
        };
        return up ? quotient + 1 : quotient;
    }

    /** Rounds to the format and encodes; overflow and underflow are those of SDM vol. 1, 4.9.1.4 and 4.9.1.5. */
    private static long round(Cpu cpu, boolean negative, int exponent, long significand, int f) {
        int mode = Mxcsr.rounding(cpu);
        long sign = negative ? signBit(f) : 0;
        int drop = 62 - f;
        long rounded = roundedShift(significand, drop, negative, mode);
        boolean inexact = (significand & (1L << drop) - 1) != 0;
        int roundedExponent = exponent;
        if (rounded >>> f + 1 != 0) {
            rounded >>>= 1;
            roundedExponent++;
        }
        if (roundedExponent < 1) {
            return underflow(cpu, sign, exponent, significand, inexact, f);
        }
        if (roundedExponent >= maxExponent(f)) {
            return overflow(cpu, sign, inexact, f);
        }
        if (inexact) {
            cpu.simdExceptions |= Mxcsr.PE;
        }
        return sign | (long) roundedExponent << f | fraction(rounded, f);
    }

    private static long underflow(Cpu cpu, long sign, int exponent, long significand, boolean inexact, int f) {
        if ((cpu.mxcsr & Mxcsr.UE << Mxcsr.MASKS) == 0) {
            cpu.simdExceptions |= inexact ? Mxcsr.UE | Mxcsr.PE : Mxcsr.UE;
            return sign;
        }
        if ((cpu.mxcsr & Mxcsr.FTZ) != 0) {
            cpu.simdExceptions |= Mxcsr.UE | Mxcsr.PE;
            return sign;
        }
        long denormal = shiftRightSticky(significand, 1 - exponent);
        int drop = 62 - f;
        if ((denormal & (1L << drop) - 1) != 0) {
            cpu.simdExceptions |= Mxcsr.UE | Mxcsr.PE;
        }
        return sign | roundedShift(denormal, drop, sign != 0, Mxcsr.rounding(cpu));
    }

    private static long overflow(Cpu cpu, long sign, boolean inexact, int f) {
        boolean masked = (cpu.mxcsr & Mxcsr.OE << Mxcsr.MASKS) != 0;
        cpu.simdExceptions |= inexact || masked ? Mxcsr.OE | Mxcsr.PE : Mxcsr.OE;
        boolean toInfinity = switch (Mxcsr.rounding(cpu)) {
            case Mxcsr.NEAREST -> true;
            case Mxcsr.DOWN -> sign != 0;
            case Mxcsr.UP -> sign == 0;
            default -> false;
        };
        return sign | (toInfinity ? infinity(f) : infinity(f) - 1);
    }

    // ---- Arithmetic ----

    static long add(Cpu cpu, long a, long b, int f) {
        return sum(cpu, operand(cpu, a, f), operand(cpu, b, f), false, f);
    }

    static long subtract(Cpu cpu, long a, long b, int f) {
        return sum(cpu, operand(cpu, a, f), operand(cpu, b, f), true, f);
    }

    private static long sum(Cpu cpu, long a, long b, boolean subtract, int f) {
        if (isNan(a, f) || isNan(b, f)) {
            return propagate(cpu, a, b, f);
        }
        if (subtract) {
            b ^= signBit(f);
        }
        boolean negativeA = negative(a, f);
        boolean negativeB = negative(b, f);
        if (isInfinite(a, f) && isInfinite(b, f) && negativeA != negativeB) {
            return invalid(cpu, f);
        }
        noteDenormals(cpu, a, b, f);
        if (isInfinite(a, f) || isInfinite(b, f)) {
            return isInfinite(a, f) ? a : b;
        }
        if (isZero(a, f) || isZero(b, f)) {
            return sumWithZero(cpu, a, b, f);
        }
        long greater = a;
        long lesser = b;
        if (magnitude(a, f) < magnitude(b, f)) {
            greater = b;
            lesser = a;
        }
        int exponent = normalExponent(greater, f);
        long x = significand(greater, f);
        long y = shiftRightSticky(significand(lesser, f), exponent - normalExponent(lesser, f));
        if (negativeA == negativeB) {
            long s = x + y;
            return s < 0
                    ? round(cpu, negativeA, exponent + 1, s >>> 1 | s & 1, f)
                    : round(cpu, negativeA, exponent, s, f);
        }
        long s = x - y;
        if (s == 0) {
            return Mxcsr.rounding(cpu) == Mxcsr.DOWN ? signBit(f) : 0;
        }
        int shift = Long.numberOfLeadingZeros(s) - 1;
        return round(cpu, negative(greater, f), exponent - shift, s << shift, f);
    }

    private static long sumWithZero(Cpu cpu, long a, long b, int f) {
        if (isZero(a, f) && isZero(b, f)) {
            return a == b ? a : Mxcsr.rounding(cpu) == Mxcsr.DOWN ? signBit(f) : 0;
        }
        long value = isZero(a, f) ? b : a;
        // A denormal is still rounded: it may be flushed to zero, or underflow unmasked.
        return round(cpu, negative(value, f), normalExponent(value, f), significand(value, f), f);
    }

    static long multiply(Cpu cpu, long a, long b, int f) {
        a = operand(cpu, a, f);
        b = operand(cpu, b, f);
        if (isNan(a, f) || isNan(b, f)) {
            return propagate(cpu, a, b, f);
        }
        if (isInfinite(a, f) && isZero(b, f) || isZero(a, f) && isInfinite(b, f)) {
            return invalid(cpu, f);
        }
        noteDenormals(cpu, a, b, f);
        long sign = (a ^ b) & signBit(f);
        if (isInfinite(a, f) || isInfinite(b, f)) {
            return sign | infinity(f);
        }
        if (isZero(a, f) || isZero(b, f)) {
            return sign;
        }
        long x = significand(a, f);
        long y = significand(b, f);
        // The product's leading one is at bit 124 or 125 of 128.
        long high = Math.multiplyHigh(x, y) << 1 | x * y >>> 63;
        long sticky = x * y << 1 != 0 ? 1 : 0;
        int exponent = normalExponent(a, f) + normalExponent(b, f) - bias(f);
        if (high >>> 62 == 0) {
            return round(cpu, sign != 0, exponent, high << 1 | sticky, f);
        }
        return round(cpu, sign != 0, exponent + 1, high | sticky, f);
    }

    static long divide(Cpu cpu, long a, long b, int f) {
        a = operand(cpu, a, f);
        b = operand(cpu, b, f);
        if (isNan(a, f) || isNan(b, f)) {
            return propagate(cpu, a, b, f);
        }
        if (isInfinite(a, f) && isInfinite(b, f) || isZero(a, f) && isZero(b, f)) {
            return invalid(cpu, f);
        }
        long sign = (a ^ b) & signBit(f);
        if (isZero(b, f) && !isInfinite(a, f)) {
            cpu.simdExceptions |= Mxcsr.ZE;
            return sign | infinity(f);
        }
        noteDenormals(cpu, a, b, f);
        if (isInfinite(a, f)) {
            return sign | infinity(f);
        }
        if (isZero(a, f) || isInfinite(b, f)) {
            return sign;
        }
        int exponent = normalExponent(a, f) - normalExponent(b, f) + bias(f);
        long dividend = significand(a, f) >>> 10;
        long divisor = significand(b, f) >>> 10;
        if (dividend < divisor) {
            dividend <<= 1;
            exponent--;
        }
        // Both have at most 54 bits. The first digit is 1, six more of 9 bits make 55.
        long quotient = dividend / divisor;
        long rest = dividend % divisor;
        for (int n = 0; n < 6; n++) {
            rest <<= 9;
            quotient = quotient << 9 | rest / divisor;
            rest %= divisor;
        }
        return round(cpu, sign != 0, exponent, quotient << 8 | (rest == 0 ? 0 : 1), f);
    }

    static long squareRoot(Cpu cpu, long a, int f) {
        a = operand(cpu, a, f);
        if (isNan(a, f)) {
            return propagate(cpu, a, a, f);
        }
        if (isZero(a, f)) {
            return a;
        }
        if (negative(a, f)) {
            return invalid(cpu, f);
        }
        noteDenormals(cpu, a, a, f);
        if (isInfinite(a, f)) {
            return a;
        }
        int exponent = normalExponent(a, f) - bias(f);
        // An even exponent leaves a radicand in [1, 2), an odd one in [2, 4): two bits before the point.
        long radicand = significand(a, f) << (exponent & 1);
        long root = 0;
        long rest = 0;
        // One bit a step, 56 of them, by the schoolbook's method.
        for (int n = 0; n < 56; n++) {
            rest = rest << 2 | radicand >>> 62;
            radicand <<= 2;
            long trial = root << 2 | 1;
            root <<= 1;
            if (rest >= trial) {
                rest -= trial;
                root |= 1;
            }
        }
        return round(cpu, false, (exponent >> 1) + bias(f), root << 7 | (rest == 0 ? 0 : 1), f);
    }

    // ---- Comparisons ----

    /** Results of {@link #relation}. */
    static final int EQUAL = 0, LESS = 1, GREATER = 2, UNORDERED = 3;

    /** Compares. A signaling NaN is invalid, a quiet one if it is asked for. */
    static int relation(Cpu cpu, long a, long b, boolean quietInvalid, int f) {
        a = operand(cpu, a, f);
        b = operand(cpu, b, f);
        if (isNan(a, f) || isNan(b, f)) {
            if (quietInvalid || isSignaling(a, f) || isSignaling(b, f)) {
                cpu.simdExceptions |= Mxcsr.IE;
            }
            return UNORDERED;
        }
        noteDenormals(cpu, a, b, f);
        long x = negative(a, f) ? -magnitude(a, f) : magnitude(a, f);
        long y = negative(b, f) ? -magnitude(b, f) : magnitude(b, f);
        return x == y ? EQUAL : x < y ? LESS : GREATER;
    }

    /** MINxx: the second operand if they are equal, both zero, or one is a NaN. */
    static long min(Cpu cpu, long a, long b, int f) {
        return operand(cpu, relation(cpu, a, b, true, f) == LESS ? a : b, f);
    }

    /** MAXxx: the second operand if they are equal, both zero, or one is a NaN. */
    static long max(Cpu cpu, long a, long b, int f) {
        return operand(cpu, relation(cpu, a, b, true, f) == GREATER ? a : b, f);
    }

    // ---- Conversions ----

    /** CVTSD2SS. */
    static long toSingle(Cpu cpu, long a) {
        a = operand(cpu, a, DOUBLE);
        long sign = negative(a, DOUBLE) ? signBit(SINGLE) : 0;
        if (isNan(a, DOUBLE)) {
            if (isSignaling(a, DOUBLE)) {
                cpu.simdExceptions |= Mxcsr.IE;
            }
            return quiet(sign | infinity(SINGLE) | fraction(a, DOUBLE) >>> DOUBLE - SINGLE, SINGLE);
        }
        if (isInfinite(a, DOUBLE)) {
            return sign | infinity(SINGLE);
        }
        if (isZero(a, DOUBLE)) {
            return sign;
        }
        noteDenormals(cpu, a, a, DOUBLE);
        int exponent = normalExponent(a, DOUBLE) - bias(DOUBLE) + bias(SINGLE);
        return round(cpu, sign != 0, exponent, significand(a, DOUBLE), SINGLE);
    }

    /** CVTSS2SD, always exact. */
    static long toDouble(Cpu cpu, long a) {
        a = operand(cpu, a, SINGLE);
        long sign = negative(a, SINGLE) ? signBit(DOUBLE) : 0;
        if (isNan(a, SINGLE)) {
            if (isSignaling(a, SINGLE)) {
                cpu.simdExceptions |= Mxcsr.IE;
            }
            return quiet(sign | infinity(DOUBLE) | fraction(a, SINGLE) << DOUBLE - SINGLE, DOUBLE);
        }
        if (isInfinite(a, SINGLE)) {
            return sign | infinity(DOUBLE);
        }
        if (isZero(a, SINGLE)) {
            return sign;
        }
        noteDenormals(cpu, a, a, SINGLE);
        int exponent = normalExponent(a, SINGLE) - bias(SINGLE) + bias(DOUBLE);
        return sign | (long) exponent << DOUBLE | fraction(significand(a, SINGLE) >>> 62 - DOUBLE, DOUBLE);
    }

    /** A signed integer as a floating-point number. */
    static long fromInteger(Cpu cpu, long value, int f) {
        if (value == 0) {
            return 0;
        }
        long magnitude = Math.abs(value);
        if (magnitude < 0) {
            return round(cpu, true, bias(f) + 63, 1L << 62, f);
        }
        int shift = Long.numberOfLeadingZeros(magnitude) - 1;
        return round(cpu, value < 0, bias(f) + 62 - shift, magnitude << shift, f);
    }
}

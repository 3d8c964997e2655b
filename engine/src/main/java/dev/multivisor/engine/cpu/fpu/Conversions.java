package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.BIAS;
import static dev.multivisor.engine.cpu.fpu.Extended.EXPONENT;
import static dev.multivisor.engine.cpu.fpu.Extended.IE;
import static dev.multivisor.engine.cpu.fpu.Extended.INTEGER_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.OE;
import static dev.multivisor.engine.cpu.fpu.Extended.PE;
import static dev.multivisor.engine.cpu.fpu.Extended.QUIET_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Extended.UE;

/** Conversions between double extended precision and the formats in memory (Intel SDM vol. 1, 4.2 and 8.1.7). */
final class Conversions {
    private static final long TEN_TO_18 = 1_000_000_000_000_000_000L;

    private Conversions() {}

    /** A single or double as it is, NaNs not quieted; notes a denormal. */
    static void fromFloat(Extended x, long bits, int size) {
        int fractionBits = size == 4 ? 23 : 52;
        int exponentMask = size == 4 ? 0xff : 0x7ff;
        int sign = bits >>> size * 8 - 1 != 0 ? SIGN : 0;
        int exp = (int) (bits >>> fractionBits) & exponentMask;
        long fraction = bits << 64 - fractionBits;
        if (exp == exponentMask) {
            x.set(fraction >>> 1 | INTEGER_BIT, sign | EXPONENT);
        } else if (exp != 0) {
            x.set(fraction >>> 1 | INTEGER_BIT, sign | exp - (exponentMask >> 1) + BIAS);
        } else if (fraction == 0) {
            x.setZero(sign);
        } else {
            x.denormalOperand = true;
            int zeros = Long.numberOfLeadingZeros(fraction);
            x.set(fraction << zeros, sign | BIAS - (exponentMask >> 1) - zeros);
        }
    }

    static void fromInteger(Extended x, long value) {
        if (value == 0) {
            x.setZero(0);
            return;
        }
        int sign = value < 0 ? SIGN : 0;
        long magnitude = Math.abs(value);
        int zeros = Long.numberOfLeadingZeros(magnitude);
        x.set(magnitude << zeros, sign | BIAS + 63 - zeros);
    }

    /** Packed BCD: 18 digits and a sign byte. Digits over 9 are undefined; they are taken at face value. */
    static void fromBcd(Extended x, long digits, int top) {
        long value = (top & 15) + (top >>> 4 & 15) * 10;
        for (int shift = 60; shift >= 0; shift -= 4) {
            value = value * 10 + (digits >>> shift & 15);
        }
        fromInteger(x, value);
        x.exponent |= top & SIGN;
    }

    /**
     * Rounds to a single or double and returns its bits. With an unmasked overflow or underflow there is nothing to be
     * stored.
     */
    static long toFloat(Extended x, long sig, int signAndExponent, int size) {
        int bits = size == 4 ? 24 : 53;
        int maximum = size == 4 ? 0xff : 0x7ff;
        int sign = signAndExponent & SIGN;
        long signBit = sign == 0 ? 0 : 1L << size * 8 - 1;
        long infinity = (long) maximum << bits - 1;
        if (x.nanOperand(sig, signAndExponent)) {
            long negative = (x.exponent & SIGN) == 0 ? 0 : 1L << size * 8 - 1;
            return negative | infinity | x.significand << 1 >>> 65 - bits;
        }
        if (Extended.isInfinity(sig, signAndExponent)) {
            return signBit | infinity;
        }
        if (sig == 0) {
            return signBit;
        }
        int exp = Extended.normalExponent(sig, signAndExponent) - BIAS + (maximum >> 1);
        long normal = Extended.normalSignificand(sig);
        long rest = normal << bits;
        long kept = normal >>> 64 - bits;
        boolean up = x.roundsUp(sign, (kept & 1) != 0, rest);
        boolean tiny = exp < 0 || exp == 0 && !(up && kept == (1L << bits) - 1);
        if (tiny && (x.control & UE) == 0) {
            x.exceptions |= UE;
            return 0;
        }
        if (exp <= 0) {
            long high = Extended.shiftedHigh(normal, 1 - exp);
            long low = Extended.shiftedLow(normal, 0, 1 - exp);
            rest = high << bits | (low != 0 ? 1 : 0);
            kept = high >>> 64 - bits;
            up = x.roundsUp(sign, (kept & 1) != 0, rest);
            inexact(x, rest, up, tiny);
            return signBit | kept + (up ? 1 : 0);
        }
        long magnitude = ((long) (exp - 1) << bits - 1) + kept + (up ? 1 : 0);
        if (exp >= maximum || magnitude >= infinity) {
            return overflow(x, sign, signBit, infinity);
        }
        inexact(x, rest, up, false);
        return signBit | magnitude;
    }

    private static void inexact(Extended x, long rest, boolean up, boolean tiny) {
        if (rest != 0) {
            x.exceptions |= PE | (tiny ? UE : 0);
            x.roundedUp = up;
        }
    }

    private static long overflow(Extended x, int sign, long signBit, long infinity) {
        x.exceptions |= OE;
        if ((x.control & OE) == 0) {
            return 0;
        }
        x.exceptions |= PE;
        int mode = x.rounding();
        x.roundedUp = mode == Extended.NEAREST || mode == (sign == 0 ? Extended.UP : Extended.DOWN);
        return signBit | infinity - (x.roundedUp ? 0 : 1);
    }

    /** Rounds to an integer of 2, 4 or 8 bytes; what does not fit is invalid and gives the integer indefinite. */
    static long toInteger(Extended x, long sig, int signAndExponent, int size, boolean truncate) {
        long limit = 1L << size * 8 - 1;
        if (!magnitude(x, sig, signAndExponent, truncate)
                || Long.compareUnsigned(x.significand, limit) >= 0
                        && (x.significand != limit || (signAndExponent & SIGN) == 0)) {
            x.exceptions = IE;
            x.roundedUp = false;
            return limit;
        }
        return (signAndExponent & SIGN) != 0 ? -x.significand : x.significand;
    }

    /** Rounds the magnitude of a number to an integer in {@link Extended#significand}; false if it has over 64 bits. */
    private static boolean magnitude(Extended x, long sig, int signAndExponent, boolean truncate) {
        if (Extended.isUnsupported(sig, signAndExponent)) {
            return false;
        }
        int exp = (signAndExponent & EXPONENT) - BIAS;
        if (exp > 63) {
            return false;
        }
        int count = 63 - exp;
        long whole = Extended.shiftedHigh(sig, count);
        long rest = sig == 0 ? 0 : Extended.shiftedLow(sig, 0, count);
        boolean up = !truncate && x.roundsUp(signAndExponent & SIGN, (whole & 1) != 0, rest);
        if (up && whole == -1) {
            return false;
        }
        inexact(x, rest, up, false);
        x.significand = up ? whole + 1 : whole;
        return true;
    }

    /** Rounds to packed BCD: returns the low 16 digits, the rest goes to {@link Extended#low}. */
    static long toBcd(Extended x, long sig, int signAndExponent) {
        if (!magnitude(x, sig, signAndExponent, false) || Long.compareUnsigned(x.significand, TEN_TO_18) >= 0) {
            x.exceptions = IE;
            x.roundedUp = false;
            x.low = 0xffff;
            return INTEGER_BIT | QUIET_BIT;
        }
        long value = x.significand;
        long digits = 0;
        for (int shift = 0; shift < 64; shift += 4) {
            digits |= value % 10 << shift;
            value /= 10;
        }
        x.low = signAndExponent & SIGN | value / 10 << 4 | value % 10;
        return digits;
    }

    /** FRNDINT. */
    static void roundToInteger(Extended x, long sig, int signAndExponent) {
        if (x.nanOperand(sig, signAndExponent)) {
            return;
        }
        x.denormal(sig, signAndExponent);
        int exp = (signAndExponent & EXPONENT) - BIAS;
        int sign = signAndExponent & SIGN;
        if (sig == 0 || exp >= 63) {
            x.set(sig, signAndExponent);
            return;
        }
        magnitude(x, sig, signAndExponent, false);
        long whole = x.significand;
        if (whole == 0) {
            x.setZero(sign);
        } else {
            int zeros = Long.numberOfLeadingZeros(whole);
            x.set(whole << zeros, sign | BIAS + 63 - zeros);
        }
    }
}

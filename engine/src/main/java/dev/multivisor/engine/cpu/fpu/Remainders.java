package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.BIAS;
import static dev.multivisor.engine.cpu.fpu.Extended.EXPONENT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Extended.ZE;
import static dev.multivisor.engine.cpu.fpu.Extended.isInfinity;
import static dev.multivisor.engine.cpu.fpu.Extended.isZero;
import static dev.multivisor.engine.cpu.fpu.Extended.normalExponent;
import static dev.multivisor.engine.cpu.fpu.Extended.normalSignificand;

/** FPREM, FPREM1, FSCALE and FXTRACT: operations on exponents, and remainders. */
final class Remainders {
    /** What {@link #remainder} returns when the reduction is not complete. */
    static final int INCOMPLETE = -1;

    private Remainders() {}

    /**
     * The partial remainder of a / b; returns the low three bits of the quotient, or {@link #INCOMPLETE}. Exponents
     * further apart than 63 are brought together by 32 to 63 (Intel SDM vol. 2, FPREM).
     *
     * @param nearest the quotient is rounded to the nearest (FPREM1), not chopped
     */
    static int remainder(Extended x, long as, int ae, long bs, int be, boolean nearest) {
        if (x.nanOperands(as, ae, bs, be)) {
            return 0;
        }
        if (isInfinity(as, ae) || isZero(bs, be)) {
            x.invalid();
            return 0;
        }
        x.denormal(as, ae, bs, be);
        if (as == 0 || isInfinity(bs, be)) {
            keep(x, as, ae);
            return 0;
        }
        int exp = normalExponent(bs, be);
        int distance = normalExponent(as, ae) - exp;
        if (distance < -1 || distance < 0 && !nearest) {
            keep(x, as, ae);
            return 0;
        }
        long a = normalSignificand(as);
        long b = normalSignificand(bs);
        int sign = ae & SIGN;
        if (distance == -1) {
            return nearestBelow(x, sign, exp, a, b);
        }
        if (distance >= 64) {
            int part = distance & 31 | 32;
            divideShifted(x, a, b, part);
            pack(x, sign, exp + distance - part, x.low);
            return INCOMPLETE;
        }
        long quotient = divideShifted(x, a, b, distance);
        long rest = x.low;
        if (nearest) {
            int order = Long.compareUnsigned(rest, b - rest);
            if (order > 0 || order == 0 && (quotient & 1) != 0) {
                rest = b - rest;
                sign ^= SIGN;
                quotient++;
            }
        }
        pack(x, rest == 0 ? ae & SIGN : sign, exp, rest);
        return (int) quotient & 7;
    }

    /** FPREM1 where a is at least a quarter of b and less than it: the quotient is 0 or 1. */
    private static int nearestBelow(Extended x, int sign, int exp, long a, long b) {
        // a / 2 and b are significands of the same exponent; a quotient over a half is 1, and a half is even 0.
        if (Long.compareUnsigned(a, b) <= 0) {
            pack(x, sign, exp - 1, a);
            return 0;
        }
        // b - a / 2 in units of half its last place: 2 b - a, which is less than b.
        pack(x, sign ^ SIGN, exp - 1, b + (b - a));
        return 1;
    }

    /** The low bits of a * 2^count / b for significands; the remainder goes to {@link Extended#low}. */
    private static long divideShifted(Extended x, long a, long b, int count) {
        boolean more = Long.compareUnsigned(a, b) >= 0;
        long rest = more ? a - b : a;
        if (count == 0) {
            x.low = rest;
            return more ? 1 : 0;
        }
        long quotient = Arithmetic.divide128(x, rest >>> 64 - count, rest << count, b);
        return (more ? 1L << count : 0) + quotient;
    }

    /** An exact result of 64 bits at the most, which may be a denormal. */
    private static void pack(Extended x, int sign, int exp, long sig) {
        if (sig == 0) {
            x.setZero(sign);
        } else {
            int zeros = Long.numberOfLeadingZeros(sig);
            x.round(sign, exp - zeros, sig << zeros, 0, 64);
        }
    }

    private static void keep(Extended x, long sig, int exp) {
        if (Extended.isDenormal(sig, exp)) {
            pack(x, exp & SIGN, 1, sig);
        } else {
            x.set(sig, exp);
        }
    }

    /** a * 2^b, b chopped to an integer (Intel SDM vol. 2, table 3-46). */
    static void scale(Extended x, long as, int ae, long bs, int be) {
        if (x.nanOperands(as, ae, bs, be)) {
            return;
        }
        int sign = ae & SIGN;
        boolean shrinks = (be & SIGN) != 0;
        if (isInfinity(bs, be)) {
            if (shrinks ? isInfinity(as, ae) : isZero(as, ae)) {
                x.invalid();
                return;
            }
            x.denormal(as, ae);
            if (shrinks) {
                x.setZero(sign);
            } else {
                x.setInfinity(sign);
            }
            return;
        }
        x.denormal(as, ae, bs, be);
        if (as == 0 || isInfinity(as, ae)) {
            x.set(as, ae);
            return;
        }
        int exp = (be & EXPONENT) - BIAS;
        int amount = exp < 0 ? 0 : exp > 16 ? 1 << 17 : (int) (bs >>> 63 - exp);
        int result = normalExponent(as, ae) + (shrinks ? -amount : amount);
        x.round(sign, result, normalSignificand(as), 0, 64);
    }

    /** FXTRACT: the exponent as a number. */
    static void exponentOf(Extended x, long sig, int exp) {
        if (isInfinity(sig, exp)) {
            x.setInfinity(0);
        } else if (sig == 0) {
            x.exceptions |= ZE;
            x.setInfinity(SIGN);
        } else {
            x.denormal(sig, exp);
            Conversions.fromInteger(x, normalExponent(sig, exp) - BIAS);
        }
    }

    /** FXTRACT: the significand, in [1, 2). */
    static void significandOf(Extended x, long sig, int exp) {
        if (isInfinity(sig, exp) || sig == 0) {
            x.set(sig, exp);
        } else {
            x.set(normalSignificand(sig), exp & SIGN | BIAS);
        }
    }
}

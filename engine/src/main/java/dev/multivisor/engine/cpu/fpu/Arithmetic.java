package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.BIAS;
import static dev.multivisor.engine.cpu.fpu.Extended.DOWN;
import static dev.multivisor.engine.cpu.fpu.Extended.INTEGER_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Extended.ZE;
import static dev.multivisor.engine.cpu.fpu.Extended.isInfinity;
import static dev.multivisor.engine.cpu.fpu.Extended.isZero;
import static dev.multivisor.engine.cpu.fpu.Extended.normalExponent;
import static dev.multivisor.engine.cpu.fpu.Extended.normalSignificand;

/** Addition, subtraction, multiplication, division and square root in double extended precision. */
final class Arithmetic {
    private Arithmetic() {}

    /** Adds b, or subtracts it when {@code flip} is {@link Extended#SIGN}. */
    static void add(Extended x, long as, int ae, long bs, int be, int flip) {
        if (x.nanOperands(as, ae, bs, be)) {
            return;
        }
        int aSign = ae & SIGN;
        int bSign = be & SIGN ^ flip;
        boolean aInfinite = isInfinity(as, ae);
        if (aInfinite || isInfinity(bs, be)) {
            if (aInfinite && isInfinity(bs, be) && aSign != bSign) {
                x.invalid();
                return;
            }
            x.denormal(as, ae, bs, be);
            x.setInfinity(aInfinite ? aSign : bSign);
            return;
        }
        x.denormal(as, ae, bs, be);
        if (bs == 0) {
            if (as == 0) {
                x.setZero(aSign == bSign ? aSign : x.rounding() == DOWN ? SIGN : 0);
            } else {
                x.round(aSign, normalExponent(as, ae), normalSignificand(as), 0, x.precision());
            }
        } else if (as == 0) {
            x.round(bSign, normalExponent(bs, be), normalSignificand(bs), 0, x.precision());
        } else {
            sum(
                    x,
                    aSign,
                    normalExponent(as, ae),
                    normalSignificand(as),
                    bSign,
                    normalExponent(bs, be),
                    normalSignificand(bs));
        }
    }

    private static void sum(Extended x, int aSign, int aExp, long aSig, int bSign, int bExp, long bSig) {
        if (aExp < bExp || aExp == bExp && Long.compareUnsigned(aSig, bSig) < 0) {
            sum(x, bSign, bExp, bSig, aSign, aExp, aSig);
            return;
        }
        int count = aExp - bExp;
        long high = Extended.shiftedHigh(bSig, count);
        long low = Extended.shiftedLow(bSig, 0, count);
        if (aSign == bSign) {
            long total = aSig + high;
            if (Long.compareUnsigned(total, aSig) < 0) {
                x.round(aSign, aExp + 1, total >>> 1 | INTEGER_BIT, total << 63 | low >>> 1 | low & 1, x.precision());
            } else {
                x.round(aSign, aExp, total, low, x.precision());
            }
            return;
        }
        long difference = aSig - high - (low != 0 ? 1 : 0);
        low = -low;
        if (difference == 0 && low == 0) {
            x.setZero(x.rounding() == DOWN ? SIGN : 0);
            return;
        }
        int zeros = difference == 0 ? 64 + Long.numberOfLeadingZeros(low) : Long.numberOfLeadingZeros(difference);
        if (zeros >= 64) {
            difference = low << zeros - 64;
            low = 0;
        } else if (zeros > 0) {
            difference = difference << zeros | low >>> 64 - zeros;
            low <<= zeros;
        }
        x.round(aSign, aExp - zeros, difference, low, x.precision());
    }

    static void multiply(Extended x, long as, int ae, long bs, int be) {
        if (x.nanOperands(as, ae, bs, be)) {
            return;
        }
        int sign = (ae ^ be) & SIGN;
        if (isInfinity(as, ae) || isInfinity(bs, be)) {
            if (isZero(as, ae) || isZero(bs, be)) {
                x.invalid();
                return;
            }
            x.denormal(as, ae, bs, be);
            x.setInfinity(sign);
            return;
        }
        x.denormal(as, ae, bs, be);
        if (as == 0 || bs == 0) {
            x.setZero(sign);
            return;
        }
        long a = normalSignificand(as);
        long b = normalSignificand(bs);
        int exp = normalExponent(as, ae) + normalExponent(bs, be) - BIAS + 1;
        long high = Math.unsignedMultiplyHigh(a, b);
        long low = a * b;
        if (high >= 0) {
            high = high << 1 | low >>> 63;
            low <<= 1;
            exp--;
        }
        x.round(sign, exp, high, low, x.precision());
    }

    /** a / b. */
    static void divide(Extended x, long as, int ae, long bs, int be) {
        if (x.nanOperands(as, ae, bs, be)) {
            return;
        }
        int sign = (ae ^ be) & SIGN;
        if (isInfinity(as, ae)) {
            if (isInfinity(bs, be)) {
                x.invalid();
                return;
            }
            x.denormal(bs, be);
            x.setInfinity(sign);
            return;
        }
        if (isInfinity(bs, be)) {
            x.denormal(as, ae);
            x.setZero(sign);
            return;
        }
        if (bs == 0) {
            if (as == 0) {
                x.invalid();
            } else {
                x.exceptions |= ZE;
                x.setInfinity(sign);
            }
            return;
        }
        x.denormal(as, ae, bs, be);
        if (as == 0) {
            x.setZero(sign);
            return;
        }
        long a = normalSignificand(as);
        long b = normalSignificand(bs);
        int exp = normalExponent(as, ae) - normalExponent(bs, be) + BIAS;
        long quotient;
        if (Long.compareUnsigned(a, b) >= 0) {
            quotient = divide128(x, a >>> 1, a << 63, b);
        } else {
            quotient = divide128(x, a, 0, b);
            exp--;
        }
        x.round(sign, exp, quotient, fraction(x.low, b), x.precision());
    }

    /** A remainder as a fraction of the divisor, exact as to zero, less than a half, a half, more. */
    private static long fraction(long remainder, long divisor) {
        if (remainder == 0) {
            return 0;
        }
        int order = Long.compareUnsigned(remainder, divisor - remainder);
        return order < 0 ? 1 : order == 0 ? INTEGER_BIT : INTEGER_BIT | 1;
    }

    /**
     * Divides a 128-bit number by a divisor with bit 63 set that is larger than its high half. The remainder goes to
     * {@link Extended#low}. Knuth, The Art of Computer Programming, vol. 2, 4.3.1, algorithm D, with 32-bit digits.
     */
    static long divide128(Extended x, long high, long low, long divisor) {
        long d1 = divisor >>> 32;
        long d0 = divisor & 0xffffffffL;
        long q1 = digit(high, low >>> 32, d1, d0);
        long rest = (high << 32 | low >>> 32) - q1 * divisor;
        long q0 = digit(rest, low & 0xffffffffL, d1, d0);
        x.low = (rest << 32 | low & 0xffffffffL) - q0 * divisor;
        return q1 << 32 | q0;
    }

    private static long digit(long high, long next, long d1, long d0) {
        long q = Long.divideUnsigned(high, d1);
        long r = high - q * d1;
        while (q >>> 32 != 0 || Long.compareUnsigned(q * d0, r << 32 | next) > 0) {
            q--;
            r += d1;
            if (r >>> 32 != 0) {
                break;
            }
        }
        return q;
    }

    static void squareRoot(Extended x, long as, int ae) {
        if (x.nanOperand(as, ae)) {
            return;
        }
        if (isZero(as, ae)) {
            x.set(as, ae);
            return;
        }
        if ((ae & SIGN) != 0) {
            x.invalid();
            return;
        }
        if (isInfinity(as, ae)) {
            x.set(as, ae);
            return;
        }
        x.denormal(as, ae);
        int exp = normalExponent(as, ae) - BIAS;
        // The radicand, 2^126 or more, so that its root has 64 bits.
        long sig = normalSignificand(as);
        long high = (exp & 1) == 0 ? sig >>> 1 : sig;
        long low = (exp & 1) == 0 ? sig << 63 : 0;
        long root = root(x, high, low);
        // The remainder is at most twice the root; more than the root is more than half a unit.
        long square = root * root;
        long restHigh = high - Math.unsignedMultiplyHigh(root, root) - (Long.compareUnsigned(low, square) < 0 ? 1 : 0);
        long rest = low - square;
        long fraction = restHigh != 0 || Long.compareUnsigned(rest, root) > 0 ? INTEGER_BIT | 1 : rest != 0 ? 1 : 0;
        x.round(0, (exp >> 1) + BIAS, root, fraction, x.precision());
    }

    /** The integer square root of a 128-bit number of at least 2^126: an estimate, one Newton step, a correction. */
    private static long root(Extended x, long high, long low) {
        double estimate = Math.sqrt((high >>> 1) * 2.0 + 1) * 0x1p32;
        long guess = estimate >= 0x1p64 ? -1 : (long) (estimate * 0.5) << 1 | INTEGER_BIT;
        if (Long.compareUnsigned(guess, high) <= 0) {
            if (high == -1) {
                return -1;
            }
            guess = -1;
        }
        long quotient = divide128(x, high, low, guess);
        long root = (guess >>> 1) + (quotient >>> 1) + (guess & quotient & 1);
        root |= root >= 0 ? INTEGER_BIT : 0;
        while (exceeds(root, high, low)) {
            root--;
        }
        while (root != -1 && !exceeds(root + 1, high, low)) {
            root++;
        }
        return root;
    }

    private static boolean exceeds(long root, long high, long low) {
        int order = Long.compareUnsigned(Math.unsignedMultiplyHigh(root, root), high);
        return order > 0 || order == 0 && Long.compareUnsigned(root * root, low) > 0;
    }
}

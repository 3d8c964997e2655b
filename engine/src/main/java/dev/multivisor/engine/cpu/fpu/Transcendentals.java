package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.BIAS;
import static dev.multivisor.engine.cpu.fpu.Extended.INTEGER_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Extended.normalExponent;
import static dev.multivisor.engine.cpu.fpu.Extended.normalSignificand;

/**
 * The transcendental functions of finite arguments other than zero, worked out with 128-bit integers: the argument is
 * reduced exactly, a Taylor series is summed to about 2^-115 of the result, and that is rounded once. So the error is
 * hardly over half a unit in the last place; hardware's results may differ from these by a unit.
 *
 * <p>As in hardware, trigonometric functions are reduced by a value of pi of 66 bits (Intel SDM vol. 1, 8.3.8): for
 * large arguments the result differs from that of the mathematical function.
 *
 * <p>A result is never exact (a rounded value that looks so is between two others), except where the methods say so.
 */
final class Transcendentals {
    /** Half of the 66-bit pi, with 65 bits after the point. */
    private static final long HALF_PI_HIGH = 3, HALF_PI_LOW = 0x243f6a8885a308d3L;

    private static final int HALF_PI_BITS = 66;

    /** The significand of the square root of 2. */
    private static final long SQRT2 = 0xb504f333f9de6484L;

    private final Extended x;
    private final Wide a;
    private final Wide b;
    private final Wide z;
    private final Wide p;

    /** The argument's quadrant and whether the reduced argument, {@link #a}, is negative. */
    private int quadrant;

    private boolean negative;

    Transcendentals(Extended x) {
        this.x = x;
        a = new Wide(x);
        b = new Wide(x);
        z = new Wide(x);
        p = new Wide(x);
    }

    private void finish(int sign, Wide value) {
        x.round(sign, value.exponent + BIAS, value.high, value.low | 1, 64);
    }

    // ---- Trigonometry ----

    /** Reduces a magnitude less than 2^63 by multiples of pi / 2 to the one nearest to zero. */
    private void reduce(long sig, int exp) {
        long normal = normalSignificand(sig);
        int e = normalExponent(sig, exp) - BIAS;
        quadrant = 0;
        negative = false;
        if (e < -1) {
            a.set(normal, 0, e);
            return;
        }
        a.set(0, normal, 0);
        a.shiftLeft(e + 2);
        int bits = 64 + e + 2;
        for (int shift = Math.max(bits - HALF_PI_BITS, 0); shift >= 0; shift--) {
            b.set(HALF_PI_HIGH, HALF_PI_LOW, 0);
            b.shiftLeft(shift);
            if (a.compare(b.high, b.low) >= 0) {
                a.subtract(b.high, b.low);
                quadrant |= shift < 2 ? 1 << shift : 0;
            }
        }
        b.set(a);
        b.shiftLeft(1);
        if (b.compare(HALF_PI_HIGH, HALF_PI_LOW) > 0) {
            a.subtractFrom(HALF_PI_HIGH, HALF_PI_LOW);
            negative = true;
            quadrant = quadrant + 1 & 3;
        }
        a.exponent = 62;
        a.normalize();
    }

    /** Sets z to the square of a number less than 1, with 128 bits after the point. */
    private void square(Wide of) {
        z.set(of);
        z.multiply(of.high, of.low);
        z.shiftRight(-2 * (of.exponent + 1));
    }

    /** Multiplies a number by a series in z. */
    private void multiplySeries(Wide number, long[] coefficients, boolean alternating) {
        p.polynomial(coefficients, z, alternating);
        p.exponent = 0;
        number.multiply(p);
    }

    /** The sine of the reduced argument into a. */
    private void reducedSine() {
        square(a);
        multiplySeries(a, Series.SINE, true);
    }

    /** The cosine of the reduced argument into a. */
    private void reducedCosine() {
        square(a);
        a.polynomial(Series.COSINE, z, true);
        a.exponent = 0;
        a.normalize();
    }

    void sine(long sig, int exp) {
        reduce(sig, exp);
        int sign = exp & SIGN ^ ((quadrant & 2) != 0 ? SIGN : 0);
        if ((quadrant & 1) != 0) {
            reducedCosine();
        } else {
            sign ^= negative ? SIGN : 0;
            reducedSine();
        }
        finish(sign, a);
    }

    void cosine(long sig, int exp) {
        reduce(sig, exp);
        int sign = (quadrant + 1 & 2) != 0 ? SIGN : 0;
        if ((quadrant & 1) == 0) {
            reducedCosine();
        } else {
            sign ^= negative ? SIGN : 0;
            reducedSine();
        }
        finish(sign, a);
    }

    void tangent(long sig, int exp) {
        reduce(sig, exp);
        int sign = exp & SIGN ^ (negative ? SIGN : 0);
        if (a.exponent < -60) {
            // The tangent of the reduced argument is that, and a little more.
            if ((quadrant & 1) != 0) {
                b.set(INTEGER_BIT, 0, 0);
                b.divide(a);
                finish(sign ^ SIGN, b);
            } else {
                finish(sign, a);
            }
            return;
        }
        b.set(a);
        reducedCosine();
        long cosineHigh = a.high;
        long cosineLow = a.low;
        int cosineExponent = a.exponent;
        a.set(b);
        reducedSine();
        b.set(cosineHigh, cosineLow, cosineExponent);
        if ((quadrant & 1) != 0) {
            b.divide(a);
            finish(sign ^ SIGN, b);
        } else {
            a.divide(b);
            finish(sign, a);
        }
    }

    // ---- The arctangent of y / x in all four quadrants ----

    void arctangent(long ySig, int yExp, long xSig, int xExp) {
        long ys = normalSignificand(ySig);
        long xs = normalSignificand(xSig);
        int ye = normalExponent(ySig, yExp);
        int xe = normalExponent(xSig, xExp);
        boolean steep = ye > xe || ye == xe && Long.compareUnsigned(ys, xs) > 0;
        boolean behind = (xExp & SIGN) != 0;
        int step = steep ? firstOctant(xs, xe, ys, ye) : firstOctant(ys, ye, xs, xe);
        if (step == 0 && !steep && !behind) {
            finish(yExp & SIGN, a);
            return;
        }
        // a is what is to be added to the step's arctangent. From here on with 126 bits after the point.
        a.shiftRight(1 - a.exponent);
        if (negative) {
            a.subtractFrom(Series.ARCTANGENT[2 * step], Series.ARCTANGENT[2 * step + 1]);
        } else {
            a.add(Series.ARCTANGENT[2 * step], Series.ARCTANGENT[2 * step + 1]);
        }
        if (steep) {
            a.subtractFrom(Series.PI_HIGH >>> 1, Series.PI_HIGH << 63 | Series.PI_LOW >>> 1);
        }
        if (behind) {
            a.subtractFrom(Series.PI_HIGH, Series.PI_LOW);
        }
        a.exponent = 1;
        a.normalize();
        finish(yExp & SIGN, a);
    }

    /**
     * The arctangent of a quotient of at most 1 less that of the nearest n / 32, into a and {@link #negative}; gives n.
     * With c = n / 32, atan(s / l) - atan(c) = atan((s - c l) / (l + c s)).
     */
    private int firstOctant(long small, int smallExp, long large, int largeExp) {
        int distance = largeExp - smallExp;
        negative = false;
        int n = 0;
        if (distance < 7) {
            n = (int) ((double) (small >>> 1)
                            / (large >>> 1)
                            * (Series.ARCTANGENTS >> distance)
                            * (distance > 5 ? 1.0 / (1 << distance - 5) : 1)
                    + 0.5);
        }
        if (n == 0) {
            a.set(small, 0, 0);
            b.set(large, 0, 0);
            a.divide(b);
            a.exponent -= distance;
        } else {
            // Eight bits free at the top for the factors.
            a.set(small >>> 8, small << 56, 0);
            a.shiftRight(distance);
            b.set(large >>> 8, large << 56, 0);
            p.set(a);
            times(p, n);
            z.set(b);
            times(z, n);
            a.shiftLeft(5);
            b.shiftLeft(5);
            b.add(p.high, p.low);
            negative = a.compare(z.high, z.low) < 0;
            if (negative) {
                a.subtractFrom(z.high, z.low);
            } else {
                a.subtract(z.high, z.low);
            }
            if (a.isZero()) {
                return n;
            }
            a.normalize();
            b.normalize();
            a.divide(b);
        }
        square(a);
        multiplySeries(a, Series.ODD_SHORT, true);
        return n;
    }

    /** Multiplies by a small number; nothing may overflow. */
    private static void times(Wide number, int factor) {
        number.high = number.high * factor + Math.unsignedMultiplyHigh(number.low, factor);
        number.low *= factor;
    }

    // ---- Exponentials and logarithms ----

    /** 2^x - 1 for a magnitude less than 1. */
    void exponential(long sig, int exp) {
        boolean below = (exp & SIGN) != 0;
        a.set(normalSignificand(sig), 0, normalExponent(sig, exp) - BIAS);
        b.set(Series.LN2_HIGH, Series.LN2_LOW, -1);
        a.multiply(b);
        z.set(a);
        z.shiftRight(-(a.exponent + 1));
        multiplySeries(a, Series.EXPONENTIAL, below);
        finish(exp & SIGN, a);
    }

    /** y * log2(v) for a positive v; exact where v is a power of 2 and the product is. */
    void logarithm(long ySig, int yExp, long vSig, int vExp) {
        a.set(normalSignificand(vSig), 0, normalExponent(vSig, vExp) - BIAS);
        boolean exact = binaryLogarithm();
        if (a.isZero()) {
            x.setZero(yExp & SIGN);
        } else {
            product(ySig, yExp, exact);
        }
    }

    /** y * log2(1 + v) for v greater than -1 and not zero. */
    void logarithmPlusOne(long ySig, int yExp, long vSig, int vExp) {
        long sig = normalSignificand(vSig);
        int e = normalExponent(vSig, vExp) - BIAS;
        negative = (vExp & SIGN) != 0;
        boolean exact = false;
        if (e < -2) {
            // v / (2 + v), the quotient of 1 + v as below.
            z.set(sig, 0, 0);
            z.shiftRight(1 - e);
            b.set(INTEGER_BIT, 0, 1);
            if (negative) {
                b.subtract(z.high, z.low);
            } else {
                b.add(z.high, z.low);
            }
            b.normalize();
            a.set(sig, 0, e);
            a.divide(b);
            logarithmSeries();
        } else {
            if (negative) {
                a.set(sig, 0, 0);
                a.shiftRight(-e);
                a.subtractFrom(INTEGER_BIT, 0);
            } else {
                int top = Math.max(e, 0) + 1;
                a.set(sig, 0, top);
                a.shiftRight(top - e);
                b.set(INTEGER_BIT, 0, 0);
                b.shiftRight(top);
                a.add(b.high, b.low);
            }
            a.normalize();
            exact = binaryLogarithm();
        }
        product(ySig, yExp, exact);
    }

    /** Multiplies a by y and rounds. */
    private void product(long ySig, int yExp, boolean exact) {
        b.set(normalSignificand(ySig), 0, normalExponent(ySig, yExp) - BIAS);
        a.multiply(b);
        int sign = yExp & SIGN ^ (negative ? SIGN : 0);
        x.round(sign, a.exponent + BIAS, a.high, a.low | (exact ? 0 : 1), 64);
    }

    /**
     * Replaces a by its logarithm to the base 2, with the sign in {@link #negative}: the exponent, plus
     * {@code 2 / ln 2 * atanh((m - 1) / (m + 1))} for a significand m between the square roots of 1/2 and 2. Returns
     * whether that is exact.
     */
    private boolean binaryLogarithm() {
        int e = a.exponent;
        boolean upper = Long.compareUnsigned(a.high, SQRT2) > 0;
        a.exponent = 0;
        b.set(a);
        b.shiftRight(1);
        if (upper) {
            e++;
            a.subtractFrom(0, 0);
            a.shiftRight(1);
            b.add(INTEGER_BIT, 0);
        } else {
            a.subtract(INTEGER_BIT, 0);
            b.add(INTEGER_BIT >>> 1, 0);
            b.exponent = 1;
        }
        if (a.isZero()) {
            negative = e < 0;
            a.set((long) Math.abs(e) << 48, 0, 15);
            if (e != 0) {
                a.normalize();
            }
            return true;
        }
        a.normalize();
        b.normalize();
        a.divide(b);
        logarithmSeries();
        negative = upper;
        if (e == 0) {
            return false;
        }
        // Add the exponent, with 112 bits after the point.
        a.shiftRight(15 - a.exponent);
        long whole = (long) Math.abs(e) << 48;
        if (upper == e < 0) {
            a.add(whole, 0);
        } else {
            a.subtractFrom(whole, 0);
        }
        negative = e < 0;
        a.exponent = 15;
        a.normalize();
        return false;
    }

    /** Replaces a by 2 / ln 2 * atanh(a). */
    private void logarithmSeries() {
        square(a);
        multiplySeries(a, Series.ODD, false);
        b.set(Series.LOG2E_HIGH, Series.LOG2E_LOW, 1);
        a.multiply(b);
    }
}

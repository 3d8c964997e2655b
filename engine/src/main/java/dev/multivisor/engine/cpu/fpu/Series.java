package dev.multivisor.engine.cpu.fpu;

import java.math.BigInteger;
import java.util.function.IntFunction;

/** Coefficients and constants of the transcendental functions as 128-bit numbers, worked out once. */
final class Series {
    /** More bits than needed, so that the last of 128 is right. */
    private static final int BITS = 200;

    private static final BigInteger ONE = BigInteger.ONE.shiftLeft(BITS);

    /** Intervals in [0, 1] that the arctangent's argument is reduced by. */
    static final int ARCTANGENTS = 32;

    /** 1/1!, 1/3!, 1/5!, ...; 1/0!, 1/2!, ...; 1/1!, 1/2!, 1/3!, ...; 1, 1/3, 1/5, ...; 127 bits after the point. */
    static final long[] SINE = coefficients(17, k -> ONE.divide(factorial(2 * k + 1))),
            COSINE = coefficients(17, k -> ONE.divide(factorial(2 * k))),
            EXPONENTIAL = coefficients(31, k -> ONE.divide(factorial(k + 1))),
            ODD = coefficients(25, k -> ONE.divide(BigInteger.valueOf(2 * k + 1))),
            ODD_SHORT = coefficients(12, k -> ONE.divide(BigInteger.valueOf(2 * k + 1)));

    /** The arctangents of n / 32, with 126 bits after the point. */
    static final long[] ARCTANGENT = arctangents();

    /** Pi, with 126 bits after the point. */
    static final long PI_HIGH, PI_LOW;

    /** The natural logarithm of 2, with 128 bits after the point. */
    static final long LN2_HIGH, LN2_LOW;

    /** 1 / ln 2, with 127 bits after the point. */
    static final long LOG2E_HIGH, LOG2E_LOW;

    static {
        // Machin's formula.
        BigInteger pi = arctangent(5).shiftLeft(4).subtract(arctangent(239).shiftLeft(2));
        PI_HIGH = pi.shiftRight(BITS - 62).longValue();
        PI_LOW = pi.shiftRight(BITS - 126).longValue();
        BigInteger ln2 = BigInteger.ZERO;
        BigInteger power = ONE.multiply(BigInteger.TWO).divide(BigInteger.valueOf(3));
        for (int k = 1; power.signum() != 0; k += 2) {
            ln2 = ln2.add(power.divide(BigInteger.valueOf(k)));
            power = power.divide(BigInteger.valueOf(9));
        }
        LN2_HIGH = ln2.shiftRight(BITS - 64).longValue();
        LN2_LOW = ln2.shiftRight(BITS - 128).longValue();
        BigInteger log2e = BigInteger.ONE.shiftLeft(2 * BITS).divide(ln2);
        LOG2E_HIGH = log2e.shiftRight(BITS - 63).longValue();
        LOG2E_LOW = log2e.shiftRight(BITS - 127).longValue();
    }

    private Series() {}

    private static BigInteger factorial(int n) {
        BigInteger product = BigInteger.ONE;
        for (int k = 2; k <= n; k++) {
            product = product.multiply(BigInteger.valueOf(k));
        }
        return product;
    }

    private static long[] coefficients(int count, IntFunction<BigInteger> value) {
        long[] result = new long[2 * count];
        for (int k = 0; k < count; k++) {
            BigInteger fixed = value.apply(k).shiftRight(BITS - 127);
            result[2 * k] = fixed.shiftRight(64).longValue();
            result[2 * k + 1] = fixed.longValue();
        }
        return result;
    }

    /** The arctangent of 1 / n for a large n. */
    private static BigInteger arctangent(int n) {
        return arctangent(BigInteger.ONE, BigInteger.valueOf(n));
    }

    private static BigInteger arctangent(BigInteger numerator, BigInteger denominator) {
        BigInteger sum = BigInteger.ZERO;
        BigInteger power = ONE.multiply(numerator).divide(denominator);
        BigInteger up = numerator.multiply(numerator);
        BigInteger down = denominator.multiply(denominator);
        for (int k = 1; power.signum() != 0; k += 2) {
            BigInteger term = power.divide(BigInteger.valueOf(k));
            sum = (k & 2) == 0 ? sum.add(term) : sum.subtract(term);
            power = power.multiply(up).divide(down);
        }
        return sum;
    }

    /** By atan(n / 32) = atan((n - 1) / 32) + atan(32 / (1024 + n (n - 1))). */
    private static long[] arctangents() {
        long[] result = new long[2 * (ARCTANGENTS + 1)];
        BigInteger sum = BigInteger.ZERO;
        for (int n = 1; n <= ARCTANGENTS; n++) {
            sum = sum.add(arctangent(BigInteger.valueOf(32), BigInteger.valueOf(1024 + n * (n - 1))));
            BigInteger fixed = sum.shiftRight(BITS - 126);
            result[2 * n] = fixed.shiftRight(64).longValue();
            result[2 * n + 1] = fixed.longValue();
        }
        return result;
    }
}

package dev.multivisor.engine.cpu.fpu;

/**
 * An unsigned 128-bit number that can be changed, for the transcendental functions: as a fixed-point number, or, with
 * its highest bit set, as the significand of {@code number / 2^127 * 2^exponent}. Results are truncated.
 */
final class Wide {
    private static final long TOP = 1L << 63;

    long high;
    long low;
    int exponent;

    private final Extended scratch;

    /** A number; the scratch object is for divisions. */
    Wide(Extended scratch) {
        this.scratch = scratch;
    }

    void set(long newHigh, long newLow, int newExponent) {
        high = newHigh;
        low = newLow;
        exponent = newExponent;
    }

    void set(Wide other) {
        set(other.high, other.low, other.exponent);
    }

    boolean isZero() {
        return (high | low) == 0;
    }

    int compare(long otherHigh, long otherLow) {
        int order = Long.compareUnsigned(high, otherHigh);
        return order != 0 ? order : Long.compareUnsigned(low, otherLow);
    }

    void add(long otherHigh, long otherLow) {
        low += otherLow;
        high += otherHigh + (Long.compareUnsigned(low, otherLow) < 0 ? 1 : 0);
    }

    void subtract(long otherHigh, long otherLow) {
        high -= otherHigh + (Long.compareUnsigned(low, otherLow) < 0 ? 1 : 0);
        low -= otherLow;
    }

    /** Becomes another number minus this one. */
    void subtractFrom(long otherHigh, long otherLow) {
        high = otherHigh - high - (Long.compareUnsigned(otherLow, low) < 0 ? 1 : 0);
        low = otherLow - low;
    }

    void shiftRight(int count) {
        if (count >= 64) {
            low = count >= 128 ? 0 : high >>> count - 64;
            high = 0;
        } else if (count > 0) {
            low = high << 64 - count | low >>> count;
            high >>>= count;
        }
    }

    void shiftLeft(int count) {
        if (count >= 64) {
            high = low << count - 64;
            low = 0;
        } else if (count > 0) {
            high = high << count | low >>> 64 - count;
            low <<= count;
        }
    }

    /** Shifts a number other than zero until its highest bit is set, and adjusts the exponent. */
    void normalize() {
        int zeros = high != 0 ? Long.numberOfLeadingZeros(high) : 64 + Long.numberOfLeadingZeros(low);
        shiftLeft(zeros);
        exponent -= zeros;
    }

    /** Becomes the high 128 bits of the product; the exponent stays. */
    void multiply(long otherHigh, long otherLow) {
        long a = Math.unsignedMultiplyHigh(high, otherLow);
        long b = Math.unsignedMultiplyHigh(low, otherHigh);
        long c = Math.unsignedMultiplyHigh(low, otherLow);
        long middle = high * otherLow;
        long carries = 0;
        long more = low * otherHigh;
        middle += more;
        carries += Long.compareUnsigned(middle, more) < 0 ? 1 : 0;
        middle += c;
        carries += Long.compareUnsigned(middle, c) < 0 ? 1 : 0;
        long newHigh = Math.unsignedMultiplyHigh(high, otherHigh);
        long newLow = high * otherHigh;
        newLow += a;
        newHigh += Long.compareUnsigned(newLow, a) < 0 ? 1 : 0;
        newLow += b;
        newHigh += Long.compareUnsigned(newLow, b) < 0 ? 1 : 0;
        newLow += carries;
        newHigh += Long.compareUnsigned(newLow, carries) < 0 ? 1 : 0;
        high = newHigh;
        low = newLow;
    }

    /** Multiplies significands with exponents. */
    void multiply(Wide other) {
        multiply(other.high, other.low);
        exponent += other.exponent + 1;
        normalize();
    }

    /** Divides significands with exponents, both normalized: two digits of 64 bits. */
    void divide(Wide divisor) {
        long third = 0;
        exponent -= divisor.exponent;
        if (compare(divisor.high, divisor.low) >= 0) {
            third = low << 63;
            shiftRight(1);
        } else {
            exponent--;
        }
        long first = digit(divisor.high, divisor.low, third);
        long second = digit(divisor.high, divisor.low, 0);
        high = first;
        low = second;
    }

    /** One digit of the quotient of this number, continued by a digit; leaves the remainder here. */
    private long digit(long divisorHigh, long divisorLow, long next) {
        long q = high == divisorHigh ? -1 : Arithmetic.divide128(scratch, high, low, divisorHigh);
        long p0 = q * divisorLow;
        long carry = Math.unsignedMultiplyHigh(q, divisorLow);
        long p1 = q * divisorHigh + carry;
        long p2 = Math.unsignedMultiplyHigh(q, divisorHigh) + (Long.compareUnsigned(p1, carry) < 0 ? 1 : 0);
        long borrow0 = Long.compareUnsigned(next, p0) < 0 ? 1 : 0;
        long r0 = next - p0;
        long r1 = low - p1 - borrow0;
        long borrow1 = Long.compareUnsigned(low, p1) < 0 || low == p1 && borrow0 != 0 ? 1 : 0;
        long r2 = high - p2 - borrow1;
        high = r1;
        low = r0;
        while (r2 != 0) {
            q--;
            add(divisorHigh, divisorLow);
            r2 += compare(divisorHigh, divisorLow) < 0 ? 1 : 0;
        }
        return q;
    }

    /**
     * Becomes {@code c0 + z * (c1 + z * (c2 + ...))}, or with alternating signs {@code c0 - z * (c1 - ...)}. The
     * coefficients and the result have 127 bits after the point, z has 128. With alternating signs the result is always
     * less than c0.
     */
    void polynomial(long[] coefficients, Wide z, boolean alternating) {
        int n = coefficients.length - 2;
        high = coefficients[n];
        low = coefficients[n + 1];
        for (n -= 2; n >= 0; n -= 2) {
            multiply(z.high, z.low);
            if (alternating) {
                subtractFrom(coefficients[n], coefficients[n + 1]);
            } else {
                add(coefficients[n], coefficients[n + 1]);
            }
        }
        if (alternating && high == TOP && low == 0) {
            high = TOP - 1;
            low = -1;
        }
    }
}

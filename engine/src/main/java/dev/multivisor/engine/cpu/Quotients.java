package dev.multivisor.engine.cpu;

/**
 * Quotients for compiled code, which leaves what is no number, or too large, to the interpreter. The methods are small, so
 * that HotSpot puts them in line.
 */
public final class Quotients {
    private Quotients() {}

    /** DIV of 64 by 32 bits, which are zero-extended. */
    public static long unsigned32(long dividend, long divisor) {
        // Also where the divisor is zero.
        if (dividend >>> 32 >= divisor) {
            throw Leave.NOW;
        }
        return Long.divideUnsigned(dividend, divisor);
    }

    /** IDIV of 64 by 32 bits, which are sign-extended. */
    public static long signed32(long dividend, long divisor) {
        if (divisor == 0) {
            throw Leave.NOW;
        }
        long quotient = dividend / divisor;
        if (quotient != (int) quotient) {
            throw Leave.NOW;
        }
        return quotient;
    }

    /** DIV of 128 by 64 bits. */
    public static long unsigned64(long high, long low, long divisor) {
        if (high == 0 && divisor != 0) {
            return Long.divideUnsigned(low, divisor);
        }
        return unsigned128(high, low, divisor);
    }

    private static long unsigned128(long high, long low, long divisor) {
        if (Long.compareUnsigned(high, divisor) >= 0) {
            throw Leave.NOW;
        }
        return MultiplyInstructions.divideLong(high, low, divisor);
    }

    /** IDIV of 128 by 64 bits, of which the upper ones are nothing but the sign; others are seldom. */
    public static long signed64(long high, long low, long divisor) {
        if (high != low >> 63 || divisor == 0 || low == Long.MIN_VALUE) {
            throw Leave.NOW;
        }
        return low / divisor;
    }
}

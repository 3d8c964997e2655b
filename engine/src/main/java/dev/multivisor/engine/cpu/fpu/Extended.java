package dev.multivisor.engine.cpu.fpu;

/**
 * The result of an x87 operation being worked out: a number in double extended precision, the exceptions met and
 * whether rounding went away from zero. One per vCPU, used again for each instruction, so that arithmetic allocates
 * nothing. No part of a vCPU's state.
 *
 * <p>A number is a significand with an explicit integer bit (bit 63) and an int of which bits 0 to 14 are the biased
 * exponent and bit 15 is the sign (Intel SDM vol. 1, 4.2.2 and 8.2).
 */
public final class Extended {
    static final int SIGN = 0x8000, EXPONENT = 0x7fff, BIAS = 0x3fff;
    static final long INTEGER_BIT = 1L << 63, QUIET_BIT = 1L << 62;

    /** Exception flags of the status word, and masks of the control word; SF in the status word only. */
    static final int IE = 1, DE = 2, ZE = 4, OE = 8, UE = 16, PE = 32, SF = 64;

    /** Rounding control, bits 10 and 11 of the control word. */
    static final int NEAREST = 0, DOWN = 1, UP = 2, CHOP = 3;

    /** What an unmasked overflow subtracts from the exponent, and an unmasked underflow adds. */
    private static final int BIAS_ADJUSTMENT = 24576;

    long significand;
    int exponent;
    int exceptions;
    /** The last rounding made the magnitude larger: goes to C1. */
    boolean roundedUp;
    /** A memory operand was a denormal before it was converted. */
    boolean denormalOperand;

    int control;

    /** The second result of a 128-bit operation, or a remainder. */
    long low;

    final Transcendentals transcendentals = new Transcendentals(this);

    /** Begins an operation under a control word. */
    void start(int controlWord) {
        control = controlWord;
        exceptions = 0;
        roundedUp = false;
        denormalOperand = false;
    }

    void set(long sig, int signAndExponent) {
        significand = sig;
        exponent = signAndExponent;
    }

    void setZero(int sign) {
        set(0, sign);
    }

    void setInfinity(int sign) {
        set(INTEGER_BIT, sign | EXPONENT);
    }

    void setOne(int sign) {
        set(INTEGER_BIT, sign | BIAS);
    }

    /** The default NaN, real indefinite. */
    void setIndefinite() {
        set(INTEGER_BIT | QUIET_BIT, SIGN | EXPONENT);
    }

    /** Invalid operation: the masked response is the default NaN. */
    void invalid() {
        exceptions |= IE;
        setIndefinite();
    }

    // ---- Kinds of numbers ----

    /** Pseudo-NaNs, pseudo-infinities and unnormals, which no CPU since the 80387 takes. */
    static boolean isUnsupported(long sig, int exp) {
        return sig >= 0 && (exp & EXPONENT) != 0;
    }

    static boolean isNan(long sig, int exp) {
        return (exp & EXPONENT) == EXPONENT && sig << 1 != 0;
    }

    static boolean isInfinity(long sig, int exp) {
        return (exp & EXPONENT) == EXPONENT && sig == INTEGER_BIT;
    }

    static boolean isZero(long sig, int exp) {
        return sig == 0 && (exp & EXPONENT) == 0;
    }

    /** Denormals and pseudo-denormals. */
    static boolean isDenormal(long sig, int exp) {
        return sig != 0 && (exp & EXPONENT) == 0;
    }

    /** The exponent of a finite number other than zero once its significand is shifted up to the integer bit. */
    static int normalExponent(long sig, int exp) {
        int biased = exp & EXPONENT;
        return biased != 0 ? biased : 1 - Long.numberOfLeadingZeros(sig);
    }

    static long normalSignificand(long sig) {
        return sig << Long.numberOfLeadingZeros(sig);
    }

    // ---- NaN operands (Intel SDM vol. 1, table 4-7) ----

    /** Handles an operand that is a NaN or unsupported. Returns whether that is the result. */
    boolean nanOperand(long sig, int exp) {
        if (isUnsupported(sig, exp)) {
            invalid();
            return true;
        }
        if (isNan(sig, exp)) {
            propagate(sig, exp);
            return true;
        }
        return false;
    }

    /** Handles operands of which one is a NaN or unsupported. Returns whether that is the result. */
    boolean nanOperands(long as, int ae, long bs, int be) {
        if (isUnsupported(as, ae) || isUnsupported(bs, be)) {
            invalid();
            return true;
        }
        boolean a = isNan(as, ae);
        boolean b = isNan(bs, be);
        if (!a && !b) {
            return false;
        }
        boolean aSignals = a && (as & QUIET_BIT) == 0;
        boolean bSignals = b && (bs & QUIET_BIT) == 0;
        if (aSignals || bSignals) {
            exceptions |= IE;
        }
        boolean first;
        if (!a || !b) {
            first = a;
        } else if (aSignals != bSignals) {
            first = bSignals;
        } else {
            int order = Long.compareUnsigned(as, bs);
            first = order > 0 || order == 0 && ae <= be;
        }
        set((first ? as : bs) | QUIET_BIT, first ? ae : be);
        return true;
    }

    private void propagate(long sig, int exp) {
        if ((sig & QUIET_BIT) == 0) {
            exceptions |= IE;
        }
        set(sig | QUIET_BIT, exp);
    }

    /** Notes a denormal operand. To be called once it is clear that no exception of higher priority is met. */
    void denormal(long sig, int exp) {
        if (denormalOperand || isDenormal(sig, exp)) {
            exceptions |= DE;
        }
    }

    void denormal(long as, int ae, long bs, int be) {
        if (denormalOperand || isDenormal(as, ae) || isDenormal(bs, be)) {
            exceptions |= DE;
        }
    }

    // ---- Rounding ----

    int rounding() {
        return control >> 10 & 3;
    }

    /** Bits of the significand by precision control; the reserved value means 64. */
    int precision() {
        return switch (control >> 8 & 3) {
            case 0 -> 24;
            case 2 -> 53;
            default -> 64;
        };
    }

    /** Whether rounding goes away from zero, with the part cut off as a fraction of 2^64 of the last place. */
    boolean roundsUp(int sign, boolean odd, long rest) {
        return switch (rounding()) {
            case NEAREST -> rest < 0 && (rest != INTEGER_BIT || odd);
            case DOWN -> sign != 0 && rest != 0;
            case UP -> sign == 0 && rest != 0;
            default -> false;
        };
    }

    /**
     * Rounds to the precision of a register, and sets the result and the exceptions that this brings.
     *
     * @param sign 0 or {@link #SIGN}
     * @param biased the biased exponent, which may be out of range
     * @param hi the significand, bit 63 set
     * @param lo what is less than its last place, as a fraction of 2^64; bits too small for it are ORed into bit 0
     * @param bits 24, 53 or 64
     */
    void round(int sign, int biased, long hi, long lo, int bits) {
        long unit = 1L << 64 - bits;
        long rest = bits == 64 ? lo : hi << bits | (lo != 0 ? 1 : 0);
        long kept = hi & -unit;
        boolean up = roundsUp(sign, (kept & unit) != 0, rest);
        boolean carry = up && kept == -unit;
        int exp = carry ? biased + 1 : biased;
        if (biased <= 0 && (control & UE) != 0) {
            underflow(sign, biased, hi, lo, bits, exp <= 0);
            return;
        }
        if (exp <= 0) {
            exceptions |= UE;
            exp += BIAS_ADJUSTMENT;
        } else if (exp >= EXPONENT) {
            exceptions |= OE;
            if ((control & OE) != 0) {
                exceptions |= PE;
                roundedUp = overflow(sign, -unit);
                return;
            }
            exp -= BIAS_ADJUSTMENT;
        }
        if (exp <= 0) {
            setZero(sign);
            exceptions |= PE;
            return;
        } else if (exp >= EXPONENT) {
            setInfinity(sign);
            exceptions |= PE;
            roundedUp = true;
            return;
        }
        if (rest != 0) {
            exceptions |= PE;
            roundedUp = up;
        }
        set(carry ? INTEGER_BIT : up ? kept + unit : kept, sign | exp);
    }

    /** Masked overflow: infinity or the largest number, as the rounding mode says. Returns whether it is infinity. */
    private boolean overflow(int sign, long largest) {
        int mode = rounding();
        if (mode == NEAREST || mode == (sign == 0 ? UP : DOWN)) {
            setInfinity(sign);
            return true;
        }
        set(largest, sign | EXPONENT - 1);
        return false;
    }

    /** Masked underflow: a denormal, which is an exception if it is inexact and tiny after rounding. */
    private void underflow(int sign, int biased, long hi, long lo, int bits, boolean tiny) {
        long unit = 1L << 64 - bits;
        int count = 1 - biased;
        long h = shiftedHigh(hi, count);
        long l = shiftedLow(hi, lo, count);
        long rest = bits == 64 ? l : h << bits | (l != 0 ? 1 : 0);
        long kept = h & -unit;
        boolean up = roundsUp(sign, (kept & unit) != 0, rest);
        if (rest != 0) {
            exceptions |= PE | (tiny ? UE : 0);
            roundedUp = up;
        }
        long sig = up ? kept + unit : kept;
        set(sig, sign | (sig < 0 ? 1 : 0));
    }

    /** The high half of a 128-bit number shifted right. */
    static long shiftedHigh(long hi, int count) {
        return count < 64 ? hi >>> count : 0;
    }

    /** The low half of a 128-bit number shifted right, with the bits that fall off ORed into bit 0. */
    static long shiftedLow(long hi, long lo, int count) {
        if (count == 0) {
            return lo;
        }
        if (count < 64) {
            return hi << 64 - count | lo >>> count | (lo << 64 - count != 0 ? 1 : 0);
        }
        if (count == 64) {
            return hi | (lo != 0 ? 1 : 0);
        }
        return count >= 128 ? 1 : hi >>> count - 64 | ((hi << 128 - count | lo) != 0 ? 1 : 0);
    }
}

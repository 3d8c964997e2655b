package dev.multivisor.engine.cpu;

/**
 * Integer arithmetic with flags, once for all sizes. A size is given as {@code shift}, 64 minus its bits, a constant
 * after inlining; operands may carry anything above their size, and so may results. Flags are left in the lazy
 * form that {@link Cpu} documents. Undefined flags are what current processors leave where that is as cheap.
 */
public final class Alu {
    /** The two top carries, from which CF and OF come. */
    private static final long TOP = 3L << 62;

    private Alu() {}

    public static long add(Cpu cpu, long a, long b, int shift) {
        long sum = a + b;
        return carried(cpu, sum, a & b | (a | b) & ~sum, shift);
    }

    public static long adc(Cpu cpu, long a, long b, int shift) {
        long sum = a + b + (cpu.flagAux >>> 63);
        return carried(cpu, sum, a & b | (a | b) & ~sum, shift);
    }

    public static long sub(Cpu cpu, long a, long b, int shift) {
        long difference = a - b;
        return carried(cpu, difference, ~a & b | (~a | b) & difference, shift);
    }

    public static long sbb(Cpu cpu, long a, long b, int shift) {
        long difference = a - b - (cpu.flagAux >>> 63);
        return carried(cpu, difference, ~a & b | (~a | b) & difference, shift);
    }

    private static long carried(Cpu cpu, long result, long carries, int shift) {
        cpu.flagResult = result << shift >> shift;
        cpu.flagAux = carries << shift & TOP | carries & 8;
        return result;
    }

    /** Flags of AND, OR, XOR and TEST. */
    public static long logic(Cpu cpu, long result, int shift) {
        cpu.flagResult = result << shift >> shift;
        cpu.flagAux = 0;
        return result;
    }

    public static long neg(Cpu cpu, long a, int shift) {
        return sub(cpu, 0, a, shift);
    }

    public static long inc(Cpu cpu, long a, int shift) {
        long sum = a + 1;
        return carryKept(cpu, sum, a & ~sum, shift);
    }

    public static long dec(Cpu cpu, long a, int shift) {
        long difference = a - 1;
        return carryKept(cpu, difference, ~a & difference, shift);
    }

    private static long carryKept(Cpu cpu, long result, long carries, int shift) {
        long top = carries << shift;
        long carry = cpu.flagAux & Long.MIN_VALUE;
        cpu.flagResult = result << shift >> shift;
        cpu.flagAux = carry | (carry >>> 1 ^ top >>> 1 ^ top) & 1L << 62 | carries & 8;
        return result;
    }

    // ---- Shifts and rotates: counts are already masked to 5 or 6 bits ----

    /** The mask of a shift count for an operand of some bytes. */
    public static int countMask(int shift) {
        return shift == 0 ? 63 : 31;
    }

    public static long shl(Cpu cpu, long a, int count, int shift) {
        if (count == 0) {
            return a;
        }
        long last = a << shift << count - 1;
        long result = last << 1;
        cpu.flagResult = result >> shift;
        cpu.flagAux = last & Long.MIN_VALUE | result >>> 1 & 1L << 62;
        return result >>> shift;
    }

    public static long shr(Cpu cpu, long a, int count, int shift) {
        if (count == 0) {
            return a;
        }
        long last = a << shift >>> shift >>> count - 1;
        long result = last >>> 1;
        rightFlags(cpu, last, result, shift);
        return result;
    }

    public static long sar(Cpu cpu, long a, int count, int shift) {
        if (count == 0) {
            return a;
        }
        long last = a << shift >> shift >> count - 1;
        long result = last >> 1;
        cpu.flagResult = result;
        cpu.flagAux = -(last & 1) << 62;
        return result;
    }

    /** Flags of a right shift by one from {@code last}: OF tells whether the sign changed in the last step. */
    private static void rightFlags(Cpu cpu, long last, long result, int shift) {
        long top = result << shift;
        long carry = last << 63;
        cpu.flagResult = top >> shift;
        cpu.flagAux = carry | carry >>> 1 ^ (top ^ top << 1) >>> 1 & 1L << 62;
    }

    public static long rol(Cpu cpu, long a, int count, int shift) {
        if (count == 0) {
            return a;
        }
        int bits = 64 - shift;
        long value = a << shift >>> shift;
        int n = count & bits - 1;
        long result = n == 0 ? value : value << n | value >>> bits - n;
        long top = result << shift;
        rotated(cpu, result << 63, top ^ result << 63);
        return result;
    }

    public static long ror(Cpu cpu, long a, int count, int shift) {
        if (count == 0) {
            return a;
        }
        int bits = 64 - shift;
        long value = a << shift >>> shift;
        int n = count & bits - 1;
        long result = n == 0 ? value : value >>> n | value << bits - n;
        long top = result << shift;
        rotated(cpu, top, top ^ top << 1);
        return result;
    }

    public static long rcl(Cpu cpu, long a, int count, int shift) {
        int bits = 64 - shift;
        int n = bits < 32 ? count % (bits + 1) : count;
        if (n == 0) {
            return a;
        }
        long value = a << shift >>> shift;
        long carry = cpu.flagAux >>> 63;
        long result = value << n | carry << n - 1 | (n == 1 ? 0 : value >>> bits + 1 - n);
        long out = value >>> bits - n << 63;
        rotated(cpu, out, result << shift ^ out);
        return result;
    }

    public static long rcr(Cpu cpu, long a, int count, int shift) {
        int bits = 64 - shift;
        int n = bits < 32 ? count % (bits + 1) : count;
        if (n == 0) {
            return a;
        }
        long value = a << shift >>> shift;
        long carry = cpu.flagAux >>> 63;
        long result = value >>> n | carry << bits - n | (n == 1 ? 0 : value << bits + 1 - n);
        long top = result << shift;
        rotated(cpu, value >>> n - 1 << 63, top ^ top << 1);
        return result;
    }

    /** Sets CF and OF to the top bits given; the others stay. */
    private static void rotated(Cpu cpu, long carry, long overflow) {
        long cf = carry & Long.MIN_VALUE;
        cpu.flagAux = cpu.flagAux & ~TOP | cf | (cf ^ overflow & Long.MIN_VALUE) >>> 1;
    }

    public static long shld(Cpu cpu, long a, long b, int count, int shift) {
        if (count == 0) {
            return a;
        }
        int bits = 64 - shift;
        long last;
        long result;
        if (shift == 48) {
            // Counts over 16 are undefined; processors go on with the destination.
            long both = (a & 0xffff) << 32 | (b & 0xffff) << 16 | a & 0xffff;
            last = both << 16 << count - 1;
            result = both << count >> 32;
        } else {
            long value = a << shift >>> shift;
            long from = b << shift >>> shift;
            last = a << shift << count - 1;
            result = value << count | from >>> bits - count;
        }
        long top = result << shift;
        cpu.flagResult = top >> shift;
        cpu.flagAux = last & Long.MIN_VALUE | (last & Long.MIN_VALUE ^ (top ^ a << shift) & Long.MIN_VALUE) >>> 1;
        return result;
    }

    public static long shrd(Cpu cpu, long a, long b, int count, int shift) {
        if (count == 0) {
            return a;
        }
        int bits = 64 - shift;
        long last;
        long result;
        if (shift == 48) {
            long all = (a & 0xffff) << 32 | (b & 0xffff) << 16 | a & 0xffff;
            last = all >>> count - 1;
            result = all >>> count;
        } else {
            long value = a << shift >>> shift;
            last = value >>> count - 1;
            result = value >>> count | b << bits - count;
        }
        long top = result << shift;
        long carry = last << 63;
        cpu.flagResult = top >> shift;
        cpu.flagAux = carry | (carry ^ (top ^ a << shift) & Long.MIN_VALUE) >>> 1;
        return result;
    }

    // ---- Multiplication and division ----

    /** Flags of MUL and IMUL: CF and OF together; the others, undefined, as the low half says. */
    public static void productFlags(Cpu cpu, long low, boolean overflow, int shift) {
        cpu.flagResult = low << shift >> shift;
        cpu.flagAux = overflow ? Long.MIN_VALUE : 0;
    }

    /** IMUL with a truncated product. */
    public static long imul(Cpu cpu, long a, long b, int shift) {
        long x = a << shift >> shift;
        long y = b << shift >> shift;
        long product = x * y;
        boolean overflow = shift == 0 ? Math.multiplyHigh(x, y) != product >> 63 : product != product << shift >> shift;
        productFlags(cpu, product, overflow, shift);
        return product;
    }

    // ---- Bits ----

    /** Sets CF; OF and the others stay. */
    public static void setCarry(Cpu cpu, long carry) {
        long flip = (cpu.flagAux >>> 63 ^ carry) & 1;
        cpu.flagAux ^= flip << 63 | flip << 62;
    }

    /** CRC32 (the Castagnoli polynomial, bits reflected) of some bytes. */
    public static long crc32c(long crc, long data, int size) {
        int value = (int) crc;
        for (int n = 0; n < size; n++) {
            value = value >>> 8 ^ CRC32C[(value ^ (int) (data >>> 8 * n)) & 0xff];
        }
        return value & 0xffffffffL;
    }

    private static final int[] CRC32C = new int[256];

    static {
        for (int n = 0; n < 256; n++) {
            int value = n;
            for (int bit = 0; bit < 8; bit++) {
                value = value >>> 1 ^ (0x82f63b78 & -(value & 1));
            }
            CRC32C[n] = value;
        }
    }
}

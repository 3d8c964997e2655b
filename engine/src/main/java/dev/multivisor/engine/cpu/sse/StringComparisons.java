package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (Intel SDM vol. 2, 4.1). Strings are vectors of 16 bytes or 8 words;
 * the first operand is the set, the ranges or the needle, and each bit of the result belongs to an element of
 * the second.
 */
final class StringComparisons {
    private StringComparisons() {}

    /**
     * @param explicit lengths are in RAX and RDX, else strings end at the first zero
     * @param index the result is an index in RCX, else a mask in XMM0
     */
    static void execute(Cpu cpu, Instruction i, boolean explicit, boolean index) {
        long[] x = cpu.xmm;
        int control = (int) i.immediate;
        int elements = (control & 1) != 0 ? 8 : 16;
        int s = Vectors.unalignedSource(cpu, i, i.b);
        int d = i.a.register() << 1;
        int lengthA;
        int lengthB;
        if (explicit) {
            boolean wide = i.has(Instruction.REX_W);
            lengthA = length(cpu.r[Cpu.RAX], wide, elements);
            lengthB = length(cpu.r[Cpu.RDX], wide, elements);
        } else {
            lengthA = length(x[d], x[d + 1], control, elements);
            lengthB = length(x[s], x[s + 1], control, elements);
        }
        int result = aggregate(x[d], x[d + 1], x[s], x[s + 1], lengthA, lengthB, control, elements);
        if ((control & 0x10) != 0) {
            result ^= (control & 0x20) != 0 ? (1 << lengthB) - 1 : (1 << elements) - 1;
        }
        if (index) {
            cpu.r[Cpu.RCX] = result == 0
                    ? elements
                    : (control & 0x40) != 0
                            ? 31 - Integer.numberOfLeadingZeros(result)
                            : Integer.numberOfTrailingZeros(result);
        } else {
            boolean expanded = (control & 0x40) != 0;
            x[0] = expanded ? expand(result, elements) : result;
            x[1] = expanded ? expand(result >> elements / 2, elements) : 0;
        }
        cpu.setArithmeticFlags((result != 0 ? Cpu.CF : 0)
                | (lengthB < elements ? Cpu.ZF : 0)
                | (lengthA < elements ? Cpu.SF : 0)
                | ((result & 1) != 0 ? Cpu.OF : 0));
    }

    /** An explicit length: its absolute value, at most the number of elements. */
    private static int length(long register, boolean wide, int elements) {
        long value = wide ? register : (int) register;
        return value > -elements && value < elements ? (int) Math.abs(value) : elements;
    }

    private static int length(long low, long high, int control, int elements) {
        for (int n = 0; n < elements; n++) {
            if (element(low, high, n, control) == 0) {
                return n;
            }
        }
        return elements;
    }

    /** Element n as the format says: bit 0 for words, bit 1 for signed ones. */
    private static int element(long low, long high, int n, int control) {
        if ((control & 1) != 0) {
            int word = (int) ((n < 4 ? low : high) >>> (n & 3) * 16);
            return (control & 2) != 0 ? (short) word : word & 0xffff;
        }
        int value = (int) ((n < 8 ? low : high) >>> (n & 7) * 8);
        return (control & 2) != 0 ? (byte) value : value & 0xff;
    }

    private static int aggregate(
            long a0, long a1, long b0, long b1, int lengthA, int lengthB, int control, int elements) {
        int result = 0;
        for (int n = 0; n < elements; n++) {
            boolean bit = switch (control >> 2 & 3) {
                case 0 -> n < lengthB && isAny(a0, a1, lengthA, element(b0, b1, n, control), control);
                case 1 -> n < lengthB && isInRange(a0, a1, lengthA, element(b0, b1, n, control), control);
                case 2 ->
                    n < lengthA && n < lengthB
                            ? element(a0, a1, n, control) == element(b0, b1, n, control)
                            : n >= lengthA && n >= lengthB;
                default -> startsHere(a0, a1, lengthA, b0, b1, lengthB, n, control, elements);
            };
            result |= bit ? 1 << n : 0;
        }
        return result;
    }

    private static boolean isAny(long a0, long a1, int length, int value, int control) {
        for (int n = 0; n < length; n++) {
            if (element(a0, a1, n, control) == value) {
                return true;
            }
        }
        return false;
    }

    private static boolean isInRange(long a0, long a1, int length, int value, int control) {
        for (int n = 0; n + 1 < length; n += 2) {
            if (value >= element(a0, a1, n, control) && value <= element(a0, a1, n + 1, control)) {
                return true;
            }
        }
        return false;
    }

    /** Equal ordered: the first string, or what fits of it, stands in the second one at a position. */
    private static boolean startsHere(
            long a0, long a1, int lengthA, long b0, long b1, int lengthB, int at, int control, int elements) {
        for (int n = 0; n < lengthA && at + n < elements; n++) {
            if (at + n >= lengthB || element(a0, a1, n, control) != element(b0, b1, at + n, control)) {
                return false;
            }
        }
        return true;
    }

    /** The low bits of a mask as bytes (16 elements) or words (8 elements) of a half. */
    private static long expand(int mask, int elements) {
        int width = 128 / elements;
        long result = 0;
        for (int n = 0; n < elements / 2; n++) {
            if ((mask >> n & 1) != 0) {
                result |= -1L >>> 64 - width << n * width;
            }
        }
        return result;
    }
}

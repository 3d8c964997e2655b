package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;

/** MUL, IMUL, DIV and IDIV (Intel SDM vol. 2). */
final class MultiplyInstructions {
    private MultiplyInstructions() {}

    static void execute(Cpu cpu, Instruction i) {
        if (i.b.kind() != Kind.NONE) {
            // IMUL with two or three operands.
            long x = Operands.read(cpu, i, i.c.kind() == Kind.NONE ? i.a : i.b);
            long y = Operands.read(cpu, i, i.c.kind() == Kind.NONE ? i.b : i.c);
            Operands.write(cpu, i, i.a, Alu.imul(cpu, x, y, IntegerInstructions.shift(i.a.size())));
            return;
        }
        long value = Operands.read(cpu, i, i.a);
        int size = i.a.size();
        switch (i.op) {
            case MUL -> mul(cpu, value, size);
            case IMUL -> imul(cpu, value, size);
            case DIV -> {
                if (size == 8) {
                    div64(cpu, value);
                } else {
                    div(cpu, value, size);
                }
            }
            default -> {
                if (size == 8) {
                    idiv64(cpu, value);
                } else {
                    idiv(cpu, Operands.signExtend(value, size), size);
                }
            }
        }
    }

    static void mul(Cpu cpu, long value, int size) {
        long[] r = cpu.r;
        if (size == 8) {
            mul64(cpu, value);
            return;
        }
        long product = (r[Cpu.RAX] & Operands.mask(size)) * value;
        Alu.productFlags(cpu, product, product >>> size * 8 != 0, IntegerInstructions.shift(size));
        writePair(cpu, size, product);
    }

    static void mul64(Cpu cpu, long value) {
        long[] r = cpu.r;
        long high = Math.unsignedMultiplyHigh(r[Cpu.RAX], value);
        long low = r[Cpu.RAX] * value;
        Alu.productFlags(cpu, low, high != 0, 0);
        r[Cpu.RAX] = low;
        r[Cpu.RDX] = high;
    }

    private static void imul(Cpu cpu, long value, int size) {
        long[] r = cpu.r;
        if (size == 8) {
            long high = Math.multiplyHigh(r[Cpu.RAX], value);
            long low = r[Cpu.RAX] * value;
            Alu.productFlags(cpu, low, high != low >> 63, 0);
            r[Cpu.RAX] = low;
            r[Cpu.RDX] = high;
            return;
        }
        long product = Operands.signExtend(r[Cpu.RAX], size) * Operands.signExtend(value, size);
        Alu.productFlags(cpu, product, product != Operands.signExtend(product, size), IntegerInstructions.shift(size));
        writePair(cpu, size, product);
    }

    /** Writes AX, DX:AX or EDX:EAX. */
    private static void writePair(Cpu cpu, int size, long value) {
        if (size == 1) {
            Operands.writeRegister(cpu, Cpu.RAX, 2, value);
        } else {
            Operands.writeRegister(cpu, Cpu.RAX, size, value);
            Operands.writeRegister(cpu, Cpu.RDX, size, value >>> size * 8);
        }
    }

    /** The dividend of a byte, word or doubleword division, zero-extended. */
    private static long dividend(Cpu cpu, int size) {
        long[] r = cpu.r;
        return switch (size) {
            case 1 -> r[Cpu.RAX] & 0xffff;
            case 2 -> (r[Cpu.RDX] & 0xffff) << 16 | r[Cpu.RAX] & 0xffff;
            default -> r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xffffffffL;
        };
    }

    private static void writeQuotient(Cpu cpu, int size, long quotient, long remainder) {
        if (size == 1) {
            Operands.writeRegister(cpu, Cpu.RAX, 2, (remainder & 0xff) << 8 | quotient & 0xff);
        } else {
            Operands.writeRegister(cpu, Cpu.RAX, size, quotient);
            Operands.writeRegister(cpu, Cpu.RDX, size, remainder);
        }
    }

    private static void div(Cpu cpu, long divisor, int size) {
        if (divisor == 0) {
            throw cpu.fault(CpuFault.DE);
        }
        long dividend = dividend(cpu, size);
        long quotient = Long.divideUnsigned(dividend, divisor);
        if ((quotient & ~Operands.mask(size)) != 0) {
            throw cpu.fault(CpuFault.DE);
        }
        writeQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    private static void idiv(Cpu cpu, long divisor, int size) {
        long dividend = dividend(cpu, size);
        if (size < 4) {
            dividend = Operands.signExtend(dividend, size * 2);
        }
        if (divisor == 0 || dividend == Long.MIN_VALUE && divisor == -1) {
            throw cpu.fault(CpuFault.DE);
        }
        long quotient = dividend / divisor;
        if (quotient != Operands.signExtend(quotient, size)) {
            throw cpu.fault(CpuFault.DE);
        }
        writeQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    /** DIV of RDX:RAX. */
    static void div64(Cpu cpu, long divisor) {
        long[] r = cpu.r;
        long high = r[Cpu.RDX];
        long low = r[Cpu.RAX];
        if (Long.compareUnsigned(high, divisor) >= 0) {
            throw cpu.fault(CpuFault.DE);
        }
        long quotient = high == 0 ? Long.divideUnsigned(low, divisor) : divideLong(high, low, divisor);
        r[Cpu.RAX] = quotient;
        r[Cpu.RDX] = low - quotient * divisor;
    }

    private static void idiv64(Cpu cpu, long divisor) {
        long[] r = cpu.r;
        long high = r[Cpu.RDX];
        long low = r[Cpu.RAX];
        if (divisor == 0) {
            throw cpu.fault(CpuFault.DE);
        }
        long quotient;
        if (high == low >> 63 && !(low == Long.MIN_VALUE && divisor == -1)) {
            quotient = low / divisor;
        } else {
            boolean negative = (high ^ divisor) < 0;
            long highMagnitude = high < 0 ? ~high + (low == 0 ? 1 : 0) : high;
            long lowMagnitude = high < 0 ? -low : low;
            long divisorMagnitude = divisor < 0 ? -divisor : divisor;
            if (Long.compareUnsigned(highMagnitude, divisorMagnitude) >= 0) {
                throw cpu.fault(CpuFault.DE);
            }
            long magnitude = highMagnitude == 0
                    ? Long.divideUnsigned(lowMagnitude, divisorMagnitude)
                    : divideLong(highMagnitude, lowMagnitude, divisorMagnitude);
            if (negative ? Long.compareUnsigned(magnitude, Long.MIN_VALUE) > 0 : magnitude < 0) {
                throw cpu.fault(CpuFault.DE);
            }
            quotient = negative ? -magnitude : magnitude;
        }
        r[Cpu.RAX] = quotient;
        r[Cpu.RDX] = low - quotient * divisor;
    }

    /**
     * Divides 128 by 64 unsigned bits with a quotient that fits: Knuth's algorithm D with two 32-bit digits (The Art of
     * Computer Programming, vol. 2, 4.3.1).
     */
    static long divideLong(long high, long low, long divisor) {
        int shift = Long.numberOfLeadingZeros(divisor);
        long d = divisor << shift;
        long dHigh = d >>> 32;
        long dLow = d & 0xffffffffL;
        long top = shift == 0 ? high : high << shift | low >>> 64 - shift;
        long rest = low << shift;
        long q1 = digit(top, rest >>> 32, dHigh, dLow);
        long middle = (top << 32 | rest >>> 32) - q1 * d;
        long q0 = digit(middle, rest & 0xffffffffL, dHigh, dLow);
        return q1 << 32 | q0 & 0xffffffffL;
    }

    private static long digit(long top, long next, long dHigh, long dLow) {
        long q = Long.divideUnsigned(top, dHigh);
        long remainder = top - q * dHigh;
        while (q >>> 32 != 0 || Long.compareUnsigned(q * dLow, remainder << 32 | next) > 0) {
            q--;
            remainder += dHigh;
            if (remainder >>> 32 != 0) {
                break;
            }
        }
        return q;
    }
}

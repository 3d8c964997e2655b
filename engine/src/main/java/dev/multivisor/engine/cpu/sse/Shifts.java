package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Shifts of lanes by a common count, and of a whole register by bytes. */
final class Shifts {
    private Shifts() {}

    static void execute(Cpu cpu, Instruction i) {
        Operand d = i.a;
        long count;
        if (i.b.kind() == Kind.IMMEDIATE) {
            count = i.immediate & 0xff;
        } else {
            // The count is all of the low 8 bytes, unsigned.
            count = cpu.xmm[Vectors.source(cpu, i, i.b)];
            if (count < 0 || count > 255) {
                count = 255;
            }
        }
        boolean wide = d.kind() == Kind.XMM;
        long low = wide ? cpu.xmm[d.register() << 1] : cpu.stSignificand[d.register()];
        long high = wide ? cpu.xmm[(d.register() << 1) + 1] : 0;
        int n = (int) count;
        Vectors.write(cpu, d, shift(i.op, low, n), shift(i.op, high, n));
    }

    private static long shift(Op op, long a, int n) {
        return switch (op) {
            case PSLLW -> n > 15 ? 0 : a << n & repeated16(0xffff << n);
            case PSLLD -> n > 31 ? 0 : a << n & repeated32(0xffffffffL << n);
            case PSLLQ -> n > 63 ? 0 : a << n;
            case PSRLW -> n > 15 ? 0 : a >>> n & repeated16(0xffff >>> n);
            case PSRLD -> n > 31 ? 0 : a >>> n & repeated32(0xffffffffL >>> n);
            case PSRLQ -> n > 63 ? 0 : a >>> n;
            case PSRAW -> Lanes.shiftWords(a, Math.min(n, 15));
            case PSRAD -> Lanes.shiftDoublewords(a, Math.min(n, 31));
            default -> throw new IllegalArgumentException(op.name());
        };
    }

    private static long repeated16(int mask) {
        return (mask & 0xffffL) * 0x0001000100010001L;
    }

    private static long repeated32(long mask) {
        return (mask & 0xffffffffL) * 0x0000000100000001L;
    }

    static void pslldq(Cpu cpu, Instruction i) {
        int d = i.a.register() << 1;
        long[] x = cpu.xmm;
        long low = x[d];
        int bits = ((int) i.immediate & 0xff) * 8;
        if (bits == 0) {
            return;
        }
        x[d + 1] = bits < 64 ? x[d + 1] << bits | low >>> -bits : bits < 128 ? low << bits : 0;
        x[d] = bits < 64 ? low << bits : 0;
    }

    static void psrldq(Cpu cpu, Instruction i) {
        int d = i.a.register() << 1;
        long[] x = cpu.xmm;
        int bits = ((int) i.immediate & 0xff) * 8;
        x[d] = extract(x[d], x[d + 1], 0, 0, bits);
        x[d + 1] = bits < 64 ? x[d + 1] >>> bits : 0;
    }

    static void palignr(Cpu cpu, Instruction i) {
        int bits = ((int) i.immediate & 0xff) * 8;
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.MMX) {
            long high = cpu.stSignificand[i.a.register()];
            Vectors.writeMmx(cpu, i.a.register(), extract(x[s], high, 0, 0, bits));
            return;
        }
        int d = i.a.register() << 1;
        long r0 = extract(x[s], x[s + 1], x[d], x[d + 1], bits);
        x[d + 1] = extract(x[s + 1], x[d], x[d + 1], 0, bits);
        x[d] = r0;
    }

    /** 64 bits at a bit position of four quadwords, zeros above them. */
    private static long extract(long q0, long q1, long q2, long q3, int bits) {
        int shift = bits & 63;
        long low;
        long high;
        switch (bits >> 6) {
            case 0 -> {
                low = q0;
                high = q1;
            }
            case 1 -> {
                low = q1;
                high = q2;
            }
            case 2 -> {
                low = q2;
                high = q3;
            }
            case 3 -> {
                low = q3;
                high = 0;
            }
            default -> {
                return 0;
            }
        }
        return shift == 0 ? low : low >>> shift | high << -shift;
    }
}

package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;

/** Inserting and extracting single elements, and what else works on one: PHMINPOSUW, MPSADBW, PTEST. */
final class Elements {
    private Elements() {}

    /** PINSRB, PINSRW, PINSRD and PINSRQ, by the size in bytes. */
    static void insert(Cpu cpu, Instruction i, int size) {
        long mask = Operands.mask(size);
        long value = Operands.read(cpu, i, i.b) & mask;
        boolean wide = i.a.kind() == Kind.XMM;
        int position = ((int) i.immediate & (wide ? 16 : 8) / size - 1) * size;
        int shift = (position & 7) * 8;
        if (wide) {
            int d = (i.a.register() << 1) + (position >> 3);
            cpu.xmm[d] = cpu.xmm[d] & ~(mask << shift) | value << shift;
        } else {
            long old = cpu.stSignificand[i.a.register()];
            Vectors.writeMmx(cpu, i.a.register(), old & ~(mask << shift) | value << shift);
        }
    }

    /** PEXTRB, PEXTRW, PEXTRD, PEXTRQ and EXTRACTPS, by the size in bytes. */
    static void extract(Cpu cpu, Instruction i, int size) {
        boolean wide = i.b.kind() == Kind.XMM;
        int position = ((int) i.immediate & (wide ? 16 : 8) / size - 1) * size;
        long half = wide ? cpu.xmm[(i.b.register() << 1) + (position >> 3)] : cpu.stSignificand[i.b.register()];
        long value = half >>> (position & 7) * 8 & Operands.mask(size);
        Operands.write(cpu, i, i.a, value);
        if (!wide) {
            Vectors.enterMmx(cpu);
        }
    }

    static void insertps(Cpu cpu, Instruction i) {
        int control = (int) i.immediate;
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int from = i.b.kind() == Kind.XMM ? control >> 6 & 3 : 0;
        long value = x[s + (from >> 1)] >>> (from & 1) * 32 & 0xffffffffL;
        int to = control >> 4 & 3;
        int shift = (to & 1) * 32;
        int d = i.a.register() << 1;
        x[d + (to >> 1)] = x[d + (to >> 1)] & ~(0xffffffffL << shift) | value << shift;
        x[d] &= keep(control);
        x[d + 1] &= keep(control >> 2);
    }

    private static long keep(int zero) {
        return ((zero & 1) == 0 ? 0xffffffffL : 0) | ((zero & 2) == 0 ? 0xffffffff00000000L : 0);
    }

    static void phminposuw(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        int least = 0x10000;
        int position = 0;
        for (int n = 0; n < 8; n++) {
            int word = Lanes.word(cpu.xmm[s + (n >> 2)], n & 3) & 0xffff;
            if (word < least) {
                least = word;
                position = n;
            }
        }
        Vectors.write(cpu, i.a, least | position << 16, 0);
    }

    static void mpsadbw(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int control = (int) i.immediate;
        long b = Shuffles.doubleword(x[s], x[s + 1], control & 3);
        int first = control & 4;
        int d = i.a.register() << 1;
        long a0 = x[d];
        long a1 = x[d + 1];
        x[d] = differences(a0, a1, first, b);
        x[d + 1] = differences(a0, a1, first + 4, b);
    }

    /** Four sums of absolute differences between four bytes and those that start at successive positions. */
    private static long differences(long a0, long a1, int first, long b) {
        long result = 0;
        for (int n = 0; n < 4; n++) {
            int sum = 0;
            for (int k = 0; k < 4; k++) {
                int at = first + n + k;
                int a = (int) ((at < 8 ? a0 : a1) >>> (at & 7) * 8) & 0xff;
                sum += Math.abs(a - ((int) (b >>> k * 8) & 0xff));
            }
            result |= (long) sum << n * 16;
        }
        return result;
    }

    static void ptest(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long[] x = cpu.xmm;
        boolean zero = (x[d] & x[s] | x[d + 1] & x[s + 1]) == 0;
        boolean carry = (~x[d] & x[s] | ~x[d + 1] & x[s + 1]) == 0;
        cpu.setArithmeticFlags((zero ? Cpu.ZF : 0) | (carry ? Cpu.CF : 0));
    }
}

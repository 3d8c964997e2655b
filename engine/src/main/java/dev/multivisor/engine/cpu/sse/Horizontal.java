package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/** Floating-point sums across a register: HADDxx, HSUBxx, DPPS and DPPD. */
final class Horizontal {
    private Horizontal() {}

    static void pd(Cpu cpu, Instruction i, boolean subtract) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = neighbours64(cpu, x[d], x[d + 1], subtract);
        long high = neighbours64(cpu, x[s], x[s + 1], subtract);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static long neighbours64(Cpu cpu, long a, long b, boolean subtract) {
        return subtract ? FloatArithmetic.subtract64(cpu, a, b) : FloatArithmetic.add64(cpu, a, b);
    }

    static void ps(Cpu cpu, Instruction i, boolean subtract) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = Lanes.doublewords(neighbours32(cpu, x[d], subtract), neighbours32(cpu, x[d + 1], subtract));
        long high = Lanes.doublewords(neighbours32(cpu, x[s], subtract), neighbours32(cpu, x[s + 1], subtract));
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static int neighbours32(Cpu cpu, long a, boolean subtract) {
        int low = (int) a;
        int high = (int) (a >>> 32);
        return subtract ? FloatArithmetic.subtract32(cpu, low, high) : FloatArithmetic.add32(cpu, low, high);
    }

    /**
     * Bits 4 to 7 of the immediate choose the products, bits 0 to 3 the places of the sum; the others are zero. Products
     * and sums are steps of their own: after one that raises an unmasked exception there is no next one.
     */
    static void dpps(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int control = (int) i.immediate;
        int p0 = product(cpu, x[d], x[s], control >> 4);
        int p1 = product(cpu, x[d] >>> 32, x[s] >>> 32, control >> 5);
        int p2 = product(cpu, x[d + 1], x[s + 1], control >> 6);
        int p3 = product(cpu, x[d + 1] >>> 32, x[s + 1] >>> 32, control >> 7);
        Mxcsr.commit(cpu);
        int low = FloatArithmetic.add32(cpu, p0, p1);
        int high = FloatArithmetic.add32(cpu, p2, p3);
        Mxcsr.commit(cpu);
        int sum = FloatArithmetic.add32(cpu, low, high);
        Mxcsr.commit(cpu);
        x[d] = Lanes.doublewords((control & 1) != 0 ? sum : 0, (control & 2) != 0 ? sum : 0);
        x[d + 1] = Lanes.doublewords((control & 4) != 0 ? sum : 0, (control & 8) != 0 ? sum : 0);
    }

    private static int product(Cpu cpu, long a, long b, int chosen) {
        return (chosen & 1) != 0 ? FloatArithmetic.multiply32(cpu, (int) a, (int) b) : 0;
    }

    static void dppd(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int control = (int) i.immediate;
        long low = (control & 16) != 0 ? FloatArithmetic.multiply64(cpu, x[d], x[s]) : 0;
        long high = (control & 32) != 0 ? FloatArithmetic.multiply64(cpu, x[d + 1], x[s + 1]) : 0;
        Mxcsr.commit(cpu);
        long sum = FloatArithmetic.add64(cpu, low, high);
        Mxcsr.commit(cpu);
        x[d] = (control & 1) != 0 ? sum : 0;
        x[d + 1] = (control & 2) != 0 ? sum : 0;
    }
}

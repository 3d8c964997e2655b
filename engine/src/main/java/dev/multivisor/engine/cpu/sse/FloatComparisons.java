package dev.multivisor.engine.cpu.sse;

import static dev.multivisor.engine.cpu.sse.SoftFloat.DOUBLE;
import static dev.multivisor.engine.cpu.sse.SoftFloat.SINGLE;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/** Floating-point comparisons, minimum and maximum. */
final class FloatComparisons {
    private FloatComparisons() {}

    // ---- COMISS, COMISD, UCOMISS, UCOMISD ----

    static void comisd(Cpu cpu, Instruction i, boolean quietInvalid) {
        long b = Vectors.source64(cpu, i, i.b);
        setFlags(cpu, SoftFloat.relation(cpu, cpu.xmm[i.a.register() << 1], b, quietInvalid, DOUBLE));
    }

    static void comiss(Cpu cpu, Instruction i, boolean quietInvalid) {
        long b = Vectors.source32(cpu, i, i.b) & 0xffffffffL;
        long a = cpu.xmm[i.a.register() << 1] & 0xffffffffL;
        setFlags(cpu, SoftFloat.relation(cpu, a, b, quietInvalid, SINGLE));
    }

    private static void setFlags(Cpu cpu, int relation) {
        Mxcsr.commit(cpu);
        cpu.setArithmeticFlags(
                switch (relation) {
                    case SoftFloat.EQUAL -> Cpu.ZF;
                    case SoftFloat.LESS -> Cpu.CF;
                    case SoftFloat.GREATER -> 0;
                    default -> Cpu.ZF | Cpu.PF | Cpu.CF;
                });
    }

    // ---- CMPxx ----

    static void cmpsd(Cpu cpu, Instruction i) {
        int d = i.a.register() << 1;
        long mask = compared(cpu, cpu.xmm[d], Vectors.source64(cpu, i, i.b), (int) i.immediate, DOUBLE);
        Mxcsr.commit(cpu);
        cpu.xmm[d] = mask;
    }

    static void cmpss(Cpu cpu, Instruction i) {
        long b = Vectors.source32(cpu, i, i.b) & 0xffffffffL;
        long a = cpu.xmm[i.a.register() << 1] & 0xffffffffL;
        long mask = compared(cpu, a, b, (int) i.immediate, SINGLE);
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, (int) mask);
    }

    static void cmppd(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = compared(cpu, x[d], x[s], (int) i.immediate, DOUBLE);
        long high = compared(cpu, x[d + 1], x[s + 1], (int) i.immediate, DOUBLE);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    static void cmpps(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = comparedPair(cpu, x[d], x[s], (int) i.immediate);
        long high = comparedPair(cpu, x[d + 1], x[s + 1], (int) i.immediate);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static long comparedPair(Cpu cpu, long a, long b, int predicate) {
        long low = compared(cpu, a & 0xffffffffL, b & 0xffffffffL, predicate, SINGLE);
        return low & 0xffffffffL | compared(cpu, a >>> 32, b >>> 32, predicate, SINGLE) << 32;
    }

    /** All ones if the predicate holds. */
    static long compared(Cpu cpu, long a, long b, int predicate, int f) {
        int kind = predicate & 3;
        return holds(SoftFloat.relation(cpu, a, b, kind == 1 || kind == 2, f), predicate) ? -1 : 0;
    }

    /** Whether a predicate holds for a relation: EQ, LT, LE, UNORD, and with 4 added their negations. */
    static boolean holds(int relation, int predicate) {
        boolean holds = switch (predicate & 3) {
            case 0 -> relation == SoftFloat.EQUAL;
            case 1 -> relation == SoftFloat.LESS;
            case 2 -> relation == SoftFloat.LESS || relation == SoftFloat.EQUAL;
            default -> relation == SoftFloat.UNORDERED;
        };
        return holds == ((predicate & 4) == 0);
    }

    // ---- MINxx, MAXxx ----

    static void extremeScalarDouble(Cpu cpu, Instruction i, boolean max) {
        int d = i.a.register() << 1;
        long value = extreme(cpu, cpu.xmm[d], Vectors.source64(cpu, i, i.b), max, DOUBLE);
        Mxcsr.commit(cpu);
        cpu.xmm[d] = value;
    }

    static void extremeScalarSingle(Cpu cpu, Instruction i, boolean max) {
        long b = Vectors.source32(cpu, i, i.b) & 0xffffffffL;
        long value = extreme(cpu, cpu.xmm[i.a.register() << 1] & 0xffffffffL, b, max, SINGLE);
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, (int) value);
    }

    static void extremePackedDouble(Cpu cpu, Instruction i, boolean max) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = extreme(cpu, x[d], x[s], max, DOUBLE);
        long high = extreme(cpu, x[d + 1], x[s + 1], max, DOUBLE);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    static void extremePackedSingle(Cpu cpu, Instruction i, boolean max) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = extremePair(cpu, x[d], x[s], max);
        long high = extremePair(cpu, x[d + 1], x[s + 1], max);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static long extremePair(Cpu cpu, long a, long b, boolean max) {
        long low = extreme(cpu, a & 0xffffffffL, b & 0xffffffffL, max, SINGLE);
        return low | extreme(cpu, a >>> 32, b >>> 32, max, SINGLE) << 32;
    }

    private static long extreme(Cpu cpu, long a, long b, boolean max, int f) {
        return max ? SoftFloat.max(cpu, a, b, f) : SoftFloat.min(cpu, a, b, f);
    }
}

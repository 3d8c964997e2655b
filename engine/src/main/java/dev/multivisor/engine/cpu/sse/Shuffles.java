package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Packing, unpacking, shuffling, widening and blending. */
final class Shuffles {
    private Shuffles() {}

    /** Packs and horizontal sums: the low half of the result from the first operand, the high one from the second. */
    static void combine(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.MMX) {
            // Of an MMX form the first operand gives the low four bytes of the result.
            Vectors.writeMmx(cpu, i.a.register(), combined(i, cpu.stSignificand[i.a.register()], x[s]));
            return;
        }
        int d = i.a.register() << 1;
        long high = combined(i, x[s], x[s + 1]);
        x[d] = combined(i, x[d], x[d + 1]);
        x[d + 1] = high;
    }

    private static long combined(Instruction i, long low, long high) {
        return switch (i.op) {
            case PACKSSWB -> Lanes.packWordsToBytes(low, high, Byte.MIN_VALUE, Byte.MAX_VALUE);
            case PACKUSWB -> Lanes.packWordsToBytes(low, high, 0, 0xff);
            case PACKSSDW -> Lanes.packDoublewordsToWords(low, high, Short.MIN_VALUE, Short.MAX_VALUE);
            case PACKUSDW -> Lanes.packDoublewordsToWords(low, high, 0, 0xffff);
            case PHADDW -> Lanes.addNeighbourWords(low, high, false);
            case PHADDSW -> Lanes.addNeighbourWords(low, high, true);
            case PHADDD -> Lanes.addNeighbourDoublewords(low, high);
            case PHSUBW -> Lanes.subtractNeighbourWords(low, high, false);
            case PHSUBSW -> Lanes.subtractNeighbourWords(low, high, true);
            case PHSUBD -> Lanes.subtractNeighbourDoublewords(low, high);
            default -> throw new IllegalArgumentException(i.op.name());
        };
    }

    /** PUNPCKLxx and UNPCKLPS: the lanes of the low halves by turns. */
    static void unpackLow(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.MMX) {
            Vectors.writeMmx(cpu, i.a.register(), interleaved(i, cpu.stSignificand[i.a.register()], x[s]));
            return;
        }
        int d = i.a.register() << 1;
        long a = x[d];
        long b = x[s];
        x[d] = interleaved(i, a, b);
        x[d + 1] = interleaved(i, a >>> 32, b >>> 32);
    }

    /** PUNPCKHxx and UNPCKHPS: the lanes of the high halves by turns. */
    static void unpackHigh(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.MMX) {
            long a = cpu.stSignificand[i.a.register()];
            Vectors.writeMmx(cpu, i.a.register(), interleaved(i, a >>> 32, x[s] >>> 32));
            return;
        }
        int d = i.a.register() << 1;
        long a = x[d + 1];
        long b = x[s + 1];
        x[d] = interleaved(i, a, b);
        x[d + 1] = interleaved(i, a >>> 32, b >>> 32);
    }

    private static long interleaved(Instruction i, long a, long b) {
        return switch (i.op) {
            case PUNPCKLBW, PUNPCKHBW -> Lanes.interleaveBytes(a, b);
            case PUNPCKLWD, PUNPCKHWD -> Lanes.interleaveWords(a, b);
            default -> Lanes.interleaveDoublewords(a, b);
        };
    }

    /** PUNPCKLQDQ and UNPCKLPD. */
    static void unpackLowQuadwords(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        cpu.xmm[(i.a.register() << 1) + 1] = cpu.xmm[s];
    }

    /** PUNPCKHQDQ and UNPCKHPD. */
    static void unpackHighQuadwords(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long[] x = cpu.xmm;
        int d = i.a.register() << 1;
        x[d] = x[d + 1];
        x[d + 1] = x[s + 1];
    }

    static void pshufb(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.MMX) {
            long a = cpu.stSignificand[i.a.register()];
            Vectors.writeMmx(cpu, i.a.register(), Lanes.shuffleBytes(a, a, x[s]));
            return;
        }
        int d = i.a.register() << 1;
        long low = x[d];
        long high = x[d + 1];
        long control = x[s + 1];
        x[d] = Lanes.shuffleBytes(low, high, x[s]);
        x[d + 1] = Lanes.shuffleBytes(low, high, control);
    }

    static void pshufw(Cpu cpu, Instruction i) {
        long value = cpu.xmm[Vectors.source(cpu, i, i.b)];
        Vectors.writeMmx(cpu, i.a.register(), Lanes.shuffleWords(value, (int) i.immediate & 0xff));
    }

    static void pshuflw(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        Vectors.write(cpu, i.a, Lanes.shuffleWords(cpu.xmm[s], (int) i.immediate & 0xff), cpu.xmm[s + 1]);
    }

    static void pshufhw(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        Vectors.write(cpu, i.a, cpu.xmm[s], Lanes.shuffleWords(cpu.xmm[s + 1], (int) i.immediate & 0xff));
    }

    /** Doubleword n, 0 to 3, of two halves, zero-extended. */
    static long doubleword(long low, long high, int n) {
        return ((n & 2) == 0 ? low : high) >>> (n & 1) * 32 & 0xffffffffL;
    }

    static void pshufd(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long low = cpu.xmm[s];
        long high = cpu.xmm[s + 1];
        int order = (int) i.immediate;
        Vectors.write(
                cpu,
                i.a,
                doubleword(low, high, order & 3) | doubleword(low, high, order >> 2 & 3) << 32,
                doubleword(low, high, order >> 4 & 3) | doubleword(low, high, order >> 6 & 3) << 32);
    }

    static void shufps(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int order = (int) i.immediate;
        long low = doubleword(x[d], x[d + 1], order & 3) | doubleword(x[d], x[d + 1], order >> 2 & 3) << 32;
        long high = doubleword(x[s], x[s + 1], order >> 4 & 3) | doubleword(x[s], x[s + 1], order >> 6 & 3) << 32;
        x[d] = low;
        x[d + 1] = high;
    }

    static void shufpd(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int order = (int) i.immediate;
        long high = x[s + (order >> 1 & 1)];
        x[d] = x[d + (order & 1)];
        x[d + 1] = high;
    }

    /** PMOVSX and PMOVZX: the lowest lanes, widened. */
    static void widen(Cpu cpu, Instruction i) {
        long a = cpu.xmm[Vectors.source(cpu, i, i.b)];
        Operand d = i.a;
        switch (i.op) {
            case PMOVSXBW -> widen(cpu, d, a, 8, 16, true);
            case PMOVSXBD -> widen(cpu, d, a, 8, 32, true);
            case PMOVSXBQ -> widen(cpu, d, a, 8, 64, true);
            case PMOVSXWD -> widen(cpu, d, a, 16, 32, true);
            case PMOVSXWQ -> widen(cpu, d, a, 16, 64, true);
            case PMOVSXDQ -> widen(cpu, d, a, 32, 64, true);
            case PMOVZXBW -> widen(cpu, d, a, 8, 16, false);
            case PMOVZXBD -> widen(cpu, d, a, 8, 32, false);
            case PMOVZXBQ -> widen(cpu, d, a, 8, 64, false);
            case PMOVZXWD -> widen(cpu, d, a, 16, 32, false);
            case PMOVZXWQ -> widen(cpu, d, a, 16, 64, false);
            case PMOVZXDQ -> widen(cpu, d, a, 32, 64, false);
            default -> throw new IllegalArgumentException(i.op.name());
        }
    }

    private static void widen(Cpu cpu, Operand d, long a, int from, int to, boolean signed) {
        int lanes = 64 / to;
        long low = widened(a, from, to, signed);
        Vectors.write(cpu, d, low, widened(a >>> lanes * from, from, to, signed));
    }

    private static long widened(long a, int from, int to, boolean signed) {
        long result = 0;
        for (int n = 0; n < 64 / to; n++) {
            long lane = a >>> n * from << 64 - from;
            lane = signed ? lane >> 64 - from : lane >>> 64 - from;
            result |= (to == 64 ? lane : lane & (1L << to) - 1) << n * to;
        }
        return result;
    }

    /** Blends with a mask in XMM0, whose lanes' highest bits count. */
    static void blendVariable(Cpu cpu, Instruction i, long h) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long lowMask = Lanes.spread(x[0], h);
        long highMask = Lanes.spread(x[1], h);
        x[d] = Lanes.blend(x[d], x[s], lowMask);
        x[d + 1] = Lanes.blend(x[d + 1], x[s + 1], highMask);
    }

    /** BLENDVPD. */
    static void blendvpd(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long lowMask = x[0] >> 63;
        long highMask = x[1] >> 63;
        x[d] = Lanes.blend(x[d], x[s], lowMask);
        x[d + 1] = Lanes.blend(x[d + 1], x[s + 1], highMask);
    }

    /** PBLENDW, BLENDPS and BLENDPD: lanes of a width chosen by the bits of the immediate. */
    static void blend(Cpu cpu, Instruction i, int width) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int choice = (int) i.immediate;
        x[d] = Lanes.blend(x[d], x[s], choiceMask(choice, width));
        x[d + 1] = Lanes.blend(x[d + 1], x[s + 1], choiceMask(choice >> 64 / width, width));
    }

    private static long choiceMask(int choice, int width) {
        long mask = 0;
        for (int n = 0; n < 64 / width; n++) {
            if ((choice >> n & 1) != 0) {
                mask |= -1L >>> 64 - width << n * width;
            }
        }
        return mask;
    }
}

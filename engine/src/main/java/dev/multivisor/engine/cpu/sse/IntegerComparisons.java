package dev.multivisor.engine.cpu.sse;

import static dev.multivisor.engine.cpu.sse.Lanes.H16;
import static dev.multivisor.engine.cpu.sse.Lanes.H32;
import static dev.multivisor.engine.cpu.sse.Lanes.H8;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Integer comparisons, extremes, averages and signs, done on each half by itself. */
final class IntegerComparisons {
    private IntegerComparisons() {}

    /** All of them. */
    static void execute(Cpu cpu, Instruction i) {
        Operand d = i.a;
        boolean wide = d.kind() == Kind.XMM;
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        long b0 = x[s];
        long b1 = x[s + 1];
        long a0 = wide ? x[d.register() << 1] : cpu.stSignificand[d.register()];
        long a1 = wide ? x[(d.register() << 1) + 1] : 0;
        long r0;
        long r1;
        switch (i.op) {
            case PCMPEQB -> {
                r0 = Lanes.equal(a0, b0, H8);
                r1 = Lanes.equal(a1, b1, H8);
            }
            case PCMPGTB -> {
                r0 = Lanes.greater(a0, b0, H8);
                r1 = Lanes.greater(a1, b1, H8);
            }
            case PCMPEQW -> {
                r0 = Lanes.equal(a0, b0, H16);
                r1 = Lanes.equal(a1, b1, H16);
            }
            case PCMPGTW -> {
                r0 = Lanes.greater(a0, b0, H16);
                r1 = Lanes.greater(a1, b1, H16);
            }
            case PCMPEQD -> {
                r0 = Lanes.equal(a0, b0, H32);
                r1 = Lanes.equal(a1, b1, H32);
            }
            case PCMPGTD -> {
                r0 = Lanes.greater(a0, b0, H32);
                r1 = Lanes.greater(a1, b1, H32);
            }
            case PCMPEQQ -> {
                r0 = a0 == b0 ? -1 : 0;
                r1 = a1 == b1 ? -1 : 0;
            }
            case PCMPGTQ -> {
                r0 = a0 > b0 ? -1 : 0;
                r1 = a1 > b1 ? -1 : 0;
            }
            case PMAXSB -> {
                r0 = Lanes.max(a0, b0, H8);
                r1 = Lanes.max(a1, b1, H8);
            }
            case PMAXUB -> {
                r0 = Lanes.maxUnsigned(a0, b0, H8);
                r1 = Lanes.maxUnsigned(a1, b1, H8);
            }
            case PMINSB -> {
                r0 = Lanes.min(a0, b0, H8);
                r1 = Lanes.min(a1, b1, H8);
            }
            case PMINUB -> {
                r0 = Lanes.minUnsigned(a0, b0, H8);
                r1 = Lanes.minUnsigned(a1, b1, H8);
            }
            case PMAXSW -> {
                r0 = Lanes.max(a0, b0, H16);
                r1 = Lanes.max(a1, b1, H16);
            }
            case PMAXUW -> {
                r0 = Lanes.maxUnsigned(a0, b0, H16);
                r1 = Lanes.maxUnsigned(a1, b1, H16);
            }
            case PMINSW -> {
                r0 = Lanes.min(a0, b0, H16);
                r1 = Lanes.min(a1, b1, H16);
            }
            case PMINUW -> {
                r0 = Lanes.minUnsigned(a0, b0, H16);
                r1 = Lanes.minUnsigned(a1, b1, H16);
            }
            case PMAXSD -> {
                r0 = Lanes.max(a0, b0, H32);
                r1 = Lanes.max(a1, b1, H32);
            }
            case PMAXUD -> {
                r0 = Lanes.maxUnsigned(a0, b0, H32);
                r1 = Lanes.maxUnsigned(a1, b1, H32);
            }
            case PMINSD -> {
                r0 = Lanes.min(a0, b0, H32);
                r1 = Lanes.min(a1, b1, H32);
            }
            case PMINUD -> {
                r0 = Lanes.minUnsigned(a0, b0, H32);
                r1 = Lanes.minUnsigned(a1, b1, H32);
            }
            case PABSB -> {
                r0 = Lanes.absolute(b0, H8);
                r1 = Lanes.absolute(b1, H8);
            }
            case PSIGNB -> {
                r0 = Lanes.sign(a0, b0, H8);
                r1 = Lanes.sign(a1, b1, H8);
            }
            case PABSW -> {
                r0 = Lanes.absolute(b0, H16);
                r1 = Lanes.absolute(b1, H16);
            }
            case PSIGNW -> {
                r0 = Lanes.sign(a0, b0, H16);
                r1 = Lanes.sign(a1, b1, H16);
            }
            case PABSD -> {
                r0 = Lanes.absolute(b0, H32);
                r1 = Lanes.absolute(b1, H32);
            }
            case PSIGND -> {
                r0 = Lanes.sign(a0, b0, H32);
                r1 = Lanes.sign(a1, b1, H32);
            }
            case PAVGB -> {
                r0 = Lanes.averageBytes(a0, b0);
                r1 = Lanes.averageBytes(a1, b1);
            }
            case PAVGW -> {
                r0 = Lanes.averageWords(a0, b0);
                r1 = Lanes.averageWords(a1, b1);
            }
            default -> throw new IllegalArgumentException(i.op.name());
        }
        Vectors.write(cpu, d, r0, r1);
    }
}

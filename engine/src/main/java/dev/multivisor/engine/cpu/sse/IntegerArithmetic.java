package dev.multivisor.engine.cpu.sse;

import static dev.multivisor.engine.cpu.sse.Lanes.H16;
import static dev.multivisor.engine.cpu.sse.Lanes.H32;
import static dev.multivisor.engine.cpu.sse.Lanes.H8;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Integer operations of two operands, done on each half by itself; an MMX form has only the low one. */
final class IntegerArithmetic {
    private IntegerArithmetic() {}

    /** Additions, subtractions, logical operations. */
    static void addOrLogical(Cpu cpu, Instruction i) {
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
            case PADDB -> {
                r0 = Lanes.add(a0, b0, H8);
                r1 = Lanes.add(a1, b1, H8);
            }
            case PADDW -> {
                r0 = Lanes.add(a0, b0, H16);
                r1 = Lanes.add(a1, b1, H16);
            }
            case PADDD -> {
                r0 = Lanes.add(a0, b0, H32);
                r1 = Lanes.add(a1, b1, H32);
            }
            case PADDQ -> {
                r0 = a0 + b0;
                r1 = a1 + b1;
            }
            case PADDSB -> {
                r0 = Lanes.addSaturated(a0, b0, H8);
                r1 = Lanes.addSaturated(a1, b1, H8);
            }
            case PADDUSB -> {
                r0 = Lanes.addUnsignedSaturated(a0, b0, H8);
                r1 = Lanes.addUnsignedSaturated(a1, b1, H8);
            }
            case PADDSW -> {
                r0 = Lanes.addSaturated(a0, b0, H16);
                r1 = Lanes.addSaturated(a1, b1, H16);
            }
            case PADDUSW -> {
                r0 = Lanes.addUnsignedSaturated(a0, b0, H16);
                r1 = Lanes.addUnsignedSaturated(a1, b1, H16);
            }
            case PSUBB -> {
                r0 = Lanes.subtract(a0, b0, H8);
                r1 = Lanes.subtract(a1, b1, H8);
            }
            case PSUBW -> {
                r0 = Lanes.subtract(a0, b0, H16);
                r1 = Lanes.subtract(a1, b1, H16);
            }
            case PSUBD -> {
                r0 = Lanes.subtract(a0, b0, H32);
                r1 = Lanes.subtract(a1, b1, H32);
            }
            case PSUBQ -> {
                r0 = a0 - b0;
                r1 = a1 - b1;
            }
            case PSUBSB -> {
                r0 = Lanes.subtractSaturated(a0, b0, H8);
                r1 = Lanes.subtractSaturated(a1, b1, H8);
            }
            case PSUBUSB -> {
                r0 = Lanes.subtractUnsignedSaturated(a0, b0, H8);
                r1 = Lanes.subtractUnsignedSaturated(a1, b1, H8);
            }
            case PSUBSW -> {
                r0 = Lanes.subtractSaturated(a0, b0, H16);
                r1 = Lanes.subtractSaturated(a1, b1, H16);
            }
            case PSUBUSW -> {
                r0 = Lanes.subtractUnsignedSaturated(a0, b0, H16);
                r1 = Lanes.subtractUnsignedSaturated(a1, b1, H16);
            }
            case PAND, ANDPS, ANDPD -> {
                r0 = a0 & b0;
                r1 = a1 & b1;
            }
            case PANDN, ANDNPS, ANDNPD -> {
                r0 = ~a0 & b0;
                r1 = ~a1 & b1;
            }
            case POR, ORPS, ORPD -> {
                r0 = a0 | b0;
                r1 = a1 | b1;
            }
            case PXOR, XORPS, XORPD -> {
                r0 = a0 ^ b0;
                r1 = a1 ^ b1;
            }
            default -> throw new IllegalArgumentException(i.op.name());
        }
        Vectors.write(cpu, d, r0, r1);
    }

    /** Multiplications and sums of them. */
    static void multiply(Cpu cpu, Instruction i) {
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
            case PMULLW -> {
                r0 = Lanes.multiplyLowWords(a0, b0);
                r1 = Lanes.multiplyLowWords(a1, b1);
            }
            case PMULHW -> {
                r0 = Lanes.multiplyHighWords(a0, b0);
                r1 = Lanes.multiplyHighWords(a1, b1);
            }
            case PMULHUW -> {
                r0 = Lanes.multiplyHighUnsignedWords(a0, b0);
                r1 = Lanes.multiplyHighUnsignedWords(a1, b1);
            }
            case PMULHRSW -> {
                r0 = Lanes.multiplyHighRounded(a0, b0);
                r1 = Lanes.multiplyHighRounded(a1, b1);
            }
            case PMULLD -> {
                r0 = Lanes.multiplyLowDoublewords(a0, b0);
                r1 = Lanes.multiplyLowDoublewords(a1, b1);
            }
            case PMULUDQ -> {
                r0 = Lanes.multiplyUnsignedDoubleword(a0, b0);
                r1 = Lanes.multiplyUnsignedDoubleword(a1, b1);
            }
            case PMULDQ -> {
                r0 = Lanes.multiplyDoubleword(a0, b0);
                r1 = Lanes.multiplyDoubleword(a1, b1);
            }
            case PMADDWD -> {
                r0 = Lanes.multiplyAddWords(a0, b0);
                r1 = Lanes.multiplyAddWords(a1, b1);
            }
            case PMADDUBSW -> {
                r0 = Lanes.multiplyAddBytes(a0, b0);
                r1 = Lanes.multiplyAddBytes(a1, b1);
            }
            case PSADBW -> {
                r0 = Lanes.sumOfDifferences(a0, b0);
                r1 = Lanes.sumOfDifferences(a1, b1);
            }
            default -> throw new IllegalArgumentException(i.op.name());
        }
        Vectors.write(cpu, d, r0, r1);
    }
}

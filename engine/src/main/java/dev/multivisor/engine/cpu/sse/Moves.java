package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Moves that change no bits: between XMM, MMX and general registers and memory. */
final class Moves {
    private Moves() {}

    static void movaps(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        if (i.a.kind() == Kind.XMM) {
            int d = i.a.register() << 1;
            x[d] = x[s];
            x[d + 1] = x[s + 1];
        } else {
            Vectors.storeAligned(cpu, i, x[s], x[s + 1]);
        }
    }

    static void movups(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.unalignedSource(cpu, i, i.b);
        if (i.a.kind() == Kind.XMM) {
            int d = i.a.register() << 1;
            x[d] = x[s];
            x[d + 1] = x[s + 1];
        } else {
            Vectors.storeUnaligned(cpu, i, x[s], x[s + 1]);
        }
    }

    /** A load clears the rest of the register, a move between registers keeps it. */
    static void movsd(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        if (i.a.kind() != Kind.XMM) {
            cpu.mmu.store64(Operands.linear(cpu, i, 8, true), x[i.b.register() << 1]);
            return;
        }
        int d = i.a.register() << 1;
        if (i.b.kind() == Kind.XMM) {
            x[d] = x[i.b.register() << 1];
        } else {
            x[d] = cpu.mmu.load64(Operands.linear(cpu, i, 8, false));
            x[d + 1] = 0;
        }
    }

    static void movss(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        if (i.a.kind() != Kind.XMM) {
            cpu.mmu.store32(Operands.linear(cpu, i, 4, true), x[i.b.register() << 1]);
            return;
        }
        int d = i.a.register() << 1;
        if (i.b.kind() == Kind.XMM) {
            Vectors.write32(cpu, i.a, (int) x[i.b.register() << 1]);
        } else {
            x[d] = cpu.mmu.load32(Operands.linear(cpu, i, 4, false));
            x[d + 1] = 0;
        }
    }

    /** MOVD and all forms of MOVQ: the low bytes, zero-extended into an XMM or MMX register. */
    static void movq(Cpu cpu, Instruction i) {
        long value = readLow(cpu, i, i.b);
        switch (i.a.kind()) {
            case XMM -> Vectors.write(cpu, i.a, value, 0);
            case MMX -> Vectors.writeMmx(cpu, i.a.register(), value);
            default -> {
                Operands.write(cpu, i, i.a, value);
                if (i.b.kind() == Kind.MMX) {
                    Vectors.enterMmx(cpu);
                }
            }
        }
    }

    /** MOVQ2DQ and MOVDQ2Q. */
    static void movq2dq(Cpu cpu, Instruction i) {
        long value = readLow(cpu, i, i.b);
        Vectors.enterMmx(cpu);
        Vectors.write(cpu, i.a, value, 0);
    }

    private static long readLow(Cpu cpu, Instruction i, Operand o) {
        return switch (o.kind()) {
            case XMM -> cpu.xmm[o.register() << 1] & Operands.mask(o.size());
            case MMX -> cpu.stSignificand[o.register()] & Operands.mask(o.size());
            default -> Operands.read(cpu, i, o);
        };
    }

    /** MOVLPS, MOVLPD, MOVHPS and MOVHPD: one half (0 low, 1 high) of a register from or to memory. */
    static void moveHalf(Cpu cpu, Instruction i, int half) {
        long[] x = cpu.xmm;
        if (i.a.kind() == Kind.XMM) {
            x[(i.a.register() << 1) + half] = cpu.mmu.load64(Operands.linear(cpu, i, 8, false));
        } else {
            cpu.mmu.store64(Operands.linear(cpu, i, 8, true), x[(i.b.register() << 1) + half]);
        }
    }

    static void movhlps(Cpu cpu, Instruction i) {
        cpu.xmm[i.a.register() << 1] = cpu.xmm[(i.b.register() << 1) + 1];
    }

    static void movlhps(Cpu cpu, Instruction i) {
        cpu.xmm[(i.a.register() << 1) + 1] = cpu.xmm[i.b.register() << 1];
    }

    static void movddup(Cpu cpu, Instruction i) {
        long value = Vectors.source64(cpu, i, i.b);
        Vectors.write(cpu, i.a, value, value);
    }

    static void movsldup(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        Vectors.write(cpu, i.a, duplicate(cpu.xmm[s]), duplicate(cpu.xmm[s + 1]));
    }

    static void movshdup(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        Vectors.write(cpu, i.a, duplicate(cpu.xmm[s] >>> 32), duplicate(cpu.xmm[s + 1] >>> 32));
    }

    private static long duplicate(long low) {
        return low & 0xffffffffL | low << 32;
    }

    static void movmskps(Cpu cpu, Instruction i) {
        int s = i.b.register() << 1;
        cpu.r[i.a.register()] = signs32(cpu.xmm[s]) | signs32(cpu.xmm[s + 1]) << 2;
    }

    private static long signs32(long a) {
        return a >>> 31 & 1 | a >>> 62 & 2;
    }

    static void movmskpd(Cpu cpu, Instruction i) {
        int s = i.b.register() << 1;
        cpu.r[i.a.register()] = cpu.xmm[s] >>> 63 | cpu.xmm[s + 1] >>> 62 & 2;
    }

    static void pmovmskb(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long mask = Lanes.signs8(cpu.xmm[s]);
        if (i.b.kind() == Kind.MMX) {
            Vectors.enterMmx(cpu);
        } else {
            mask |= Lanes.signs8(cpu.xmm[s + 1]) << 8;
        }
        cpu.r[i.a.register()] = mask;
    }

    /** MOVNTQ. */
    static void movntq(Cpu cpu, Instruction i) {
        cpu.mmu.store64(Operands.linear(cpu, i, 8, true), cpu.stSignificand[i.b.register()]);
        Vectors.enterMmx(cpu);
    }

    /** MASKMOVQ and MASKMOVDQU: bytes whose mask byte is negative, to DS:RDI. */
    static void maskmov(Cpu cpu, Instruction i) {
        boolean wide = i.a.kind() == Kind.XMM;
        int size = wide ? 16 : 8;
        long offset = cpu.r[Cpu.RDI] & Operands.mask(i.addressSize);
        long low = wide ? cpu.xmm[i.a.register() << 1] : cpu.stSignificand[i.a.register()];
        long high = wide ? cpu.xmm[(i.a.register() << 1) + 1] : 0;
        long mask = Lanes.signs8(wide ? cpu.xmm[i.b.register() << 1] : cpu.stSignificand[i.b.register()]);
        if (wide) {
            mask |= Lanes.signs8(cpu.xmm[(i.b.register() << 1) + 1]) << 8;
        }
        // Faults are those of a store of all bytes, even with an empty mask, as on AMD's processors.
        long linear = Operands.linear(cpu, i.segment, offset, size, true);
        cpu.mmu.checkWrite(linear, size);
        for (int n = 0; n < size; n++) {
            if ((mask >>> n & 1) != 0) {
                cpu.mmu.store8(linear + n, (n < 8 ? low >>> n * 8 : high >>> (n - 8) * 8) & 0xff);
            }
        }
        if (!wide) {
            Vectors.enterMmx(cpu);
        }
    }
}

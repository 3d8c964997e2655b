package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/**
 * Operands of vector instructions. A source is given as an index into {@link Cpu#xmm}: that of a register, or of the
 * scratch pair that a memory or MMX operand has been loaded into.
 */
final class Vectors {
    /** The scratch pair's index. */
    static final int SCRATCH = 32;

    private static final int TOP = 7 << 11;

    private Vectors() {}

    /** Loads a source operand of any size; 16 bytes in memory must be aligned. What is above its size is zero. */
    static int source(Cpu cpu, Instruction i, Operand o) {
        if (o.kind() == Kind.XMM) {
            return o.register() << 1;
        }
        return load(cpu, i, o, true);
    }

    /** The same without a demand for alignment. */
    static int unalignedSource(Cpu cpu, Instruction i, Operand o) {
        if (o.kind() == Kind.XMM) {
            return o.register() << 1;
        }
        return load(cpu, i, o, false);
    }

    private static int load(Cpu cpu, Instruction i, Operand o, boolean aligned) {
        long[] x = cpu.xmm;
        long low;
        long high = 0;
        if (o.kind() == Kind.MMX) {
            low = cpu.stSignificand[o.register()];
        } else {
            int size = o.size();
            if (aligned && size == 16 && cpu.codeSize != 64) {
                checkAlignedBeforeLimit(cpu, i);
            }
            long linear = Operands.linear(cpu, i, size, false);
            if (size == 16) {
                if (aligned) {
                    checkAligned(cpu, linear);
                } else if ((linear & 4095) > 4096 - 16) {
                    cpu.mmu.checkRead(linear, 16);
                }
                low = cpu.mmu.load64(linear);
                high = cpu.mmu.load64(linear + 8);
            } else {
                low = cpu.mmu.load(linear, size);
            }
        }
        x[SCRATCH] = low;
        x[SCRATCH + 1] = high;
        return SCRATCH;
    }

    /** The low 8 bytes of an XMM register, or 8 bytes of memory. */
    static long source64(Cpu cpu, Instruction i, Operand o) {
        return o.kind() == Kind.XMM ? cpu.xmm[o.register() << 1] : cpu.mmu.load64(Operands.linear(cpu, i, 8, false));
    }

    /** The low 4 bytes of an XMM register, or 4 bytes of memory. */
    static int source32(Cpu cpu, Instruction i, Operand o) {
        return (int)
                (o.kind() == Kind.XMM ? cpu.xmm[o.register() << 1] : cpu.mmu.load32(Operands.linear(cpu, i, 4, false)));
    }

    /** Writes 16 bytes to an XMM register, or the low 8 bytes to an MMX register. */
    static void write(Cpu cpu, Operand o, long low, long high) {
        if (o.kind() == Kind.XMM) {
            int d = o.register() << 1;
            cpu.xmm[d] = low;
            cpu.xmm[d + 1] = high;
        } else {
            writeMmx(cpu, o.register(), low);
        }
    }

    /** Writes the low 4 bytes of an XMM register and leaves the others. */
    static void write32(Cpu cpu, Operand o, int value) {
        int d = o.register() << 1;
        cpu.xmm[d] = cpu.xmm[d] & 0xffffffff00000000L | value & 0xffffffffL;
    }

    /** Stores 16 bytes at an address that must be aligned: they are in one page, so the first store decides. */
    static void storeAligned(Cpu cpu, Instruction i, long low, long high) {
        if (cpu.codeSize != 64) {
            checkAlignedBeforeLimit(cpu, i);
        }
        long linear = Operands.linear(cpu, i, 16, true);
        checkAligned(cpu, linear);
        cpu.mmu.store64(linear, low);
        cpu.mmu.store64(linear + 8, high);
    }

    /** Stores 16 bytes anywhere. */
    static void storeUnaligned(Cpu cpu, Instruction i, long low, long high) {
        long linear = Operands.linear(cpu, i, 16, true);
        if ((linear & 15) != 0) {
            cpu.mmu.checkWrite(linear, 16);
        }
        cpu.mmu.store64(linear, low);
        cpu.mmu.store64(linear + 8, high);
    }

    static void checkAligned(Cpu cpu, long linear) {
        if ((linear & 15) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
    }

    /** Outside 64-bit mode the alignment is looked at before the segment's limit: #GP goes before #SS. */
    private static void checkAlignedBeforeLimit(Cpu cpu, Instruction i) {
        checkAligned(cpu, Operands.offset(cpu, i) + cpu.segmentBase[i.segment]);
    }

    /** Writes an MMX register: sign and exponent of the x87 register it lies in become ones (SDM vol. 1, 9.2.2). */
    static void writeMmx(Cpu cpu, int register, long value) {
        enterMmx(cpu);
        cpu.stSignificand[register] = value;
        cpu.stExponent[register] = 0xffff;
    }

    /** What every MMX instruction does to the x87 state: TOP is 0, all registers are in use (SDM vol. 1, 9.5.1). */
    static void enterMmx(Cpu cpu) {
        cpu.fpuStatus &= ~TOP;
        cpu.fpuTags = 0xff;
    }

    /** EMMS: all registers are free. */
    static void emms(Cpu cpu) {
        cpu.fpuStatus &= ~TOP;
        cpu.fpuTags = 0;
    }
}

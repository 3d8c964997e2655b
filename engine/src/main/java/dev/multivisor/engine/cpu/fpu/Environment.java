package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;
import dev.multivisor.engine.mmu.Mmu;

/** Control instructions: the environment, the whole state, control and status word (Intel SDM vol. 1, 8.1.10). */
final class Environment {
    private static final int INITIAL_CONTROL = 0x37f, ALL_MASKED = 0x3f;

    /** Bits 6, 7 and 13 to 15 of the control word are reserved; bit 6 reads as one. */
    private static final int CONTROL_WRITABLE = 0x1f3f, CONTROL_ONE = 0x40;

    private static final int EMPTY = 3, SPECIAL = 2, ZERO = 1, VALID = 0;

    private static final int REGISTERS = 80;

    private Environment() {}

    static void fninit(Cpu cpu) {
        cpu.fpuControl = INITIAL_CONTROL;
        cpu.fpuStatus = 0;
        cpu.fpuTags = 0;
        cpu.fpuIp = 0;
        cpu.fpuDp = 0;
        cpu.fpuCs = 0;
        cpu.fpuDs = 0;
        cpu.fpuOpcode = 0;
    }

    static void fnclex(Cpu cpu) {
        cpu.fpuStatus &= Registers.TOP | Registers.C0 | Registers.C1 | Registers.C2 | Registers.C3;
    }

    static void fnstsw(Cpu cpu, Instruction i) {
        if (i.a.kind() == Kind.GPR) {
            Operands.writeRegister(cpu, Cpu.RAX, 2, cpu.fpuStatus);
        } else {
            Operands.write(cpu, i, i.a, cpu.fpuStatus);
        }
    }

    static void fnstcw(Cpu cpu, Instruction i) {
        Operands.write(cpu, i, i.a, cpu.fpuControl);
    }

    static void fldcw(Cpu cpu, Instruction i) {
        cpu.fpuControl = (int) Operands.read(cpu, i, i.a) & CONTROL_WRITABLE | CONTROL_ONE;
        Registers.summarize(cpu);
    }

    static void incrementTop(Cpu cpu, int by) {
        cpu.fpuStatus &= ~Registers.C1;
        Registers.setTop(cpu, Registers.physical(cpu, by));
    }

    /** FFREE and FFREEP. */
    static void ffree(Cpu cpu, Instruction i, int pops) {
        cpu.fpuStatus &= ~Registers.C1;
        cpu.fpuTags &= ~(1 << Registers.physical(cpu, i.a.register()));
        Registers.pop(cpu, pops);
    }

    /** The size of the environment: 14 bytes with 16-bit operands, else 28. */
    private static int size(Instruction i) {
        return i.operandSize == 2 ? 14 : 28;
    }

    /** Real-address mode and virtual-8086 mode store linear addresses, protected modes selectors and offsets. */
    private static boolean real(Cpu cpu) {
        return !cpu.protectedMode() || cpu.virtual8086();
    }

    static void fnstenv(Cpu cpu, Instruction i) {
        int size = size(i);
        long at = Operands.linear(cpu, i, size, true);
        cpu.mmu.checkWrite(at, size);
        store(cpu, i, at);
        cpu.fpuControl |= ALL_MASKED;
        Registers.summarize(cpu);
    }

    static void fldenv(Cpu cpu, Instruction i) {
        int size = size(i);
        long at = Operands.linear(cpu, i, size, false);
        cpu.mmu.checkRead(at, size);
        load(cpu, i, at);
    }

    static void fnsave(Cpu cpu, Instruction i) {
        int size = size(i);
        long at = Operands.linear(cpu, i, size + REGISTERS, true);
        cpu.mmu.checkWrite(at, size + REGISTERS);
        store(cpu, i, at);
        for (int n = 0; n < 8; n++) {
            int register = Registers.physical(cpu, n);
            storeSignificand(cpu.mmu, at + size + n * 10, cpu.stSignificand[register]);
            cpu.mmu.store16(at + size + n * 10 + 8, cpu.stExponent[register]);
        }
        fninit(cpu);
    }

    static void frstor(Cpu cpu, Instruction i) {
        int size = size(i);
        long at = Operands.linear(cpu, i, size + REGISTERS, false);
        cpu.mmu.checkRead(at, size + REGISTERS);
        load(cpu, i, at);
        for (int n = 0; n < 8; n++) {
            int register = Registers.physical(cpu, n);
            long from = at + size + n * 10;
            cpu.stSignificand[register] = loadSignificand(cpu.mmu, from);
            cpu.stExponent[register] = (int) cpu.mmu.load16(from + 8);
        }
    }

    /** A part of an image that must be aligned like its first word only, when alignment is checked at all. */
    private static long loadSignificand(Mmu mmu, long at) {
        return (at & 7) == 0
                ? mmu.load64(at)
                : mmu.load16(at) | mmu.load16(at + 2) << 16 | mmu.load16(at + 4) << 32 | mmu.load16(at + 6) << 48;
    }

    private static void storeSignificand(Mmu mmu, long at, long value) {
        if ((at & 7) == 0) {
            mmu.store64(at, value);
        } else {
            for (int n = 0; n < 8; n += 2) {
                mmu.store16(at + n, value >>> n * 8);
            }
        }
    }

    /** The tag word: what each physical register holds. */
    static int tagWord(Cpu cpu) {
        int word = 0;
        for (int n = 0; n < 8; n++) {
            long sig = cpu.stSignificand[n];
            int exp = cpu.stExponent[n] & Extended.EXPONENT;
            int tag = Registers.empty(cpu, n)
                    ? EMPTY
                    : exp == Extended.EXPONENT || exp != 0 && sig >= 0 || exp == 0 && sig != 0
                            ? SPECIAL
                            : exp == 0 ? ZERO : VALID;
            word |= tag << n * 2;
        }
        return word;
    }

    private static void store(Cpu cpu, Instruction i, long at) {
        Mmu mmu = cpu.mmu;
        int tags = tagWord(cpu);
        if (size(i) == 14) {
            mmu.store16(at, cpu.fpuControl);
            mmu.store16(at + 2, cpu.fpuStatus);
            mmu.store16(at + 4, tags);
            if (real(cpu)) {
                long ip = linear(cpu.fpuCs, cpu.fpuIp);
                long dp = linear(cpu.fpuDs, cpu.fpuDp);
                mmu.store16(at + 6, ip);
                mmu.store16(at + 8, ip >>> 16 << 12 & 0xf000 | cpu.fpuOpcode);
                mmu.store16(at + 10, dp);
                mmu.store16(at + 12, dp >>> 16 << 12 & 0xf000);
            } else {
                mmu.store16(at + 6, cpu.fpuIp);
                mmu.store16(at + 8, cpu.fpuCs);
                mmu.store16(at + 10, cpu.fpuDp);
                mmu.store16(at + 12, cpu.fpuDs);
            }
            return;
        }
        // The reserved halves are written as ones.
        mmu.store32(at, cpu.fpuControl | 0xffff0000L);
        mmu.store32(at + 4, cpu.fpuStatus | 0xffff0000L);
        mmu.store32(at + 8, tags | 0xffff0000L);
        if (real(cpu)) {
            long ip = linear(cpu.fpuCs, cpu.fpuIp);
            long dp = linear(cpu.fpuDs, cpu.fpuDp);
            mmu.store32(at + 12, ip & 0xffff | 0xffff0000L);
            mmu.store32(at + 16, (ip >>> 16 & 0xffff) << 12 | cpu.fpuOpcode);
            mmu.store32(at + 20, dp & 0xffff | 0xffff0000L);
            mmu.store32(at + 24, (dp >>> 16 & 0xffff) << 12);
        } else {
            mmu.store32(at + 12, cpu.fpuIp);
            mmu.store32(at + 16, cpu.fpuCs & 0xffff | cpu.fpuOpcode << 16);
            mmu.store32(at + 20, cpu.fpuDp);
            mmu.store32(at + 24, cpu.fpuDs | 0xffff0000L);
        }
    }

    private static long linear(int selector, long offset) {
        return ((long) selector << 4) + offset & 0xffffffffL;
    }

    private static void load(Cpu cpu, Instruction i, long at) {
        Mmu mmu = cpu.mmu;
        boolean small = size(i) == 14;
        int step = small ? 2 : 4;
        int control = (int) mmu.load16(at);
        int status = (int) mmu.load16(at + step);
        int tags = (int) mmu.load16(at + 2 * step);
        long ip = mmu.load(at + 3 * step, step);
        long cs = mmu.load(at + 4 * step, step);
        long dp = mmu.load(at + 5 * step, step);
        long ds = mmu.load(at + 6 * step, step);
        cpu.fpuControl = control & CONTROL_WRITABLE | CONTROL_ONE;
        cpu.fpuStatus = status;
        Registers.summarize(cpu);
        int used = 0;
        for (int n = 0; n < 8; n++) {
            used |= (tags >> n * 2 & 3) == EMPTY ? 0 : 1 << n;
        }
        cpu.fpuTags = used;
        if (real(cpu)) {
            cpu.fpuIp = ip & 0xffff | (cs >>> 12 & 0xffff) << 16;
            cpu.fpuDp = dp & 0xffff | (ds >>> 12 & 0xffff) << 16;
            cpu.fpuCs = 0;
            cpu.fpuDs = 0;
            cpu.fpuOpcode = (int) cs & 0x7ff;
        } else {
            cpu.fpuIp = ip;
            cpu.fpuDp = dp;
            cpu.fpuCs = (int) cs & 0xffff;
            cpu.fpuDs = (int) ds & 0xffff;
            cpu.fpuOpcode = small ? 0 : (int) (cs >>> 16) & 0x7ff;
        }
    }
}

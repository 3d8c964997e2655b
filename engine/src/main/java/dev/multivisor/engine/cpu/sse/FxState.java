package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.Mmu;

/** FXSAVE and FXRSTOR (Intel SDM vol. 1, 10.5), LDMXCSR and STMXCSR. */
final class FxState {
    private static final int SIZE = 512;

    /** Offsets in the image. */
    private static final int FSW = 2,
            FTW = 4,
            FOP = 6,
            FIP = 8,
            FCS = 12,
            FDP = 16,
            FDS = 20,
            MXCSR = 24,
            MXCSR_MASK = 28,
            ST = 32,
            XMM = 160;

    private static final int TOP_SHIFT = 11;
    private static final int ERROR_SUMMARY = 1 << 7, BUSY = 1 << 15;
    private static final int CONTROL_WRITABLE = 0x1f3f, CONTROL_ONE = 0x40;

    private FxState() {}

    static void fxsave(Cpu cpu, Instruction i) {
        long at = Operands.linear(cpu, i, SIZE, true);
        checkAddress(cpu, at);
        Mmu mmu = cpu.mmu;
        mmu.checkWrite(at, SIZE);
        mmu.store16(at, cpu.fpuControl);
        mmu.store16(at + FSW, cpu.fpuStatus);
        mmu.store16(at + FTW, cpu.fpuTags & 0xff);
        mmu.store16(at + FOP, cpu.fpuOpcode);
        if (i.has(Instruction.REX_W)) {
            mmu.store64(at + FIP, cpu.fpuIp);
            mmu.store64(at + FDP, cpu.fpuDp);
        } else {
            mmu.store32(at + FIP, cpu.fpuIp);
            mmu.store32(at + FCS, cpu.fpuCs & 0xffff);
            mmu.store32(at + FDP, cpu.fpuDp);
            mmu.store32(at + FDS, cpu.fpuDs & 0xffff);
        }
        mmu.store32(at + MXCSR, cpu.mxcsr);
        mmu.store32(at + MXCSR_MASK, Mxcsr.WRITABLE);
        int top = cpu.fpuStatus >> TOP_SHIFT & 7;
        for (int n = 0; n < 8; n++) {
            int register = top + n & 7;
            mmu.store64(at + ST + n * 16, cpu.stSignificand[register]);
            mmu.store64(at + ST + n * 16 + 8, cpu.stExponent[register] & 0xffff);
        }
        for (int n = 0; n < xmmHalves(cpu); n++) {
            mmu.store64(at + XMM + n * 8, cpu.xmm[n]);
        }
    }

    /** A non-canonical address, which may be #SS, goes before one that is not aligned. */
    private static void checkAddress(Cpu cpu, long at) {
        if (cpu.codeSize == 64 && at << 16 >> 16 != at) {
            throw cpu.nonCanonical();
        }
        Vectors.checkAligned(cpu, at);
    }

    /** Halves of XMM registers in the image: XMM8 to XMM15 are in it in 64-bit mode only. */
    private static int xmmHalves(Cpu cpu) {
        return cpu.codeSize == 64 ? 32 : 16;
    }

    static void fxrstor(Cpu cpu, Instruction i) {
        long at = Operands.linear(cpu, i, SIZE, false);
        checkAddress(cpu, at);
        Mmu mmu = cpu.mmu;
        // The image is in two pages at most; once both ends can be read nothing below can fault.
        mmu.load8(at);
        mmu.load8(at + SIZE - 1);
        int mxcsr = (int) mmu.load32(at + MXCSR);
        if ((mxcsr & ~Mxcsr.WRITABLE) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        cpu.mxcsr = mxcsr;
        int control = (int) mmu.load16(at) & CONTROL_WRITABLE | CONTROL_ONE;
        int status = (int) mmu.load16(at + FSW) & ~(ERROR_SUMMARY | BUSY);
        if ((status & ~control & 0x3f) != 0) {
            status |= ERROR_SUMMARY | BUSY;
        }
        cpu.fpuControl = control;
        cpu.fpuStatus = status;
        cpu.fpuTags = (int) mmu.load8(at + FTW);
        cpu.fpuOpcode = (int) mmu.load16(at + FOP) & 0x7ff;
        if (i.has(Instruction.REX_W)) {
            cpu.fpuIp = mmu.load64(at + FIP);
            cpu.fpuDp = mmu.load64(at + FDP);
            cpu.fpuCs = 0;
            cpu.fpuDs = 0;
        } else {
            cpu.fpuIp = mmu.load32(at + FIP);
            cpu.fpuCs = (int) mmu.load16(at + FCS);
            cpu.fpuDp = mmu.load32(at + FDP);
            cpu.fpuDs = (int) mmu.load16(at + FDS);
        }
        int top = status >> TOP_SHIFT & 7;
        for (int n = 0; n < 8; n++) {
            int register = top + n & 7;
            cpu.stSignificand[register] = mmu.load64(at + ST + n * 16);
            cpu.stExponent[register] = (int) mmu.load16(at + ST + n * 16 + 8);
        }
        for (int n = 0; n < xmmHalves(cpu); n++) {
            cpu.xmm[n] = mmu.load64(at + XMM + n * 8);
        }
    }

    static void ldmxcsr(Cpu cpu, Instruction i) {
        Mxcsr.load(cpu, (int) Operands.read(cpu, i, i.a));
    }

    static void stmxcsr(Cpu cpu, Instruction i) {
        Operands.write(cpu, i, i.a, cpu.mxcsr);
    }
}

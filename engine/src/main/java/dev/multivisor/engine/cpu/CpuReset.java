package dev.multivisor.engine.cpu;

import java.util.Arrays;

/** A vCPU after power-on, INIT and a start-up IPI (Intel SDM vol. 3, 9.1, table 9-1; 8.4). */
public final class CpuReset {
    private static final int FLAGS = 2;

    private CpuReset() {}

    /** Power-on or reset. */
    public static void powerOn(Cpu cpu) {
        init(cpu);
        cpu.cr0 = Cpu.CR0_CD | Cpu.CR0_NW | Cpu.CR0_ET;
        Arrays.fill(cpu.xmm, 0);
        cpu.mxcsr = 0x1f80;
        Arrays.fill(cpu.stSignificand, 0);
        Arrays.fill(cpu.stExponent, 0);
        cpu.fpuControl = 0x40;
        cpu.fpuStatus = 0;
        cpu.fpuTags = 0xff; // FTW 5555H: every register holds zero
        cpu.fpuIp = 0;
        cpu.fpuDp = 0;
        cpu.fpuOpcode = 0;
        cpu.fpuCs = 0;
        cpu.fpuDs = 0;
        cpu.star = 0;
        cpu.lstar = 0;
        cpu.cstar = 0;
        cpu.sfmask = 0;
        cpu.kernelGsBase = 0;
        cpu.tscAux = 0;
        cpu.pat = Msrs.PAT_RESET;
        cpu.sysenterCs = 0;
        cpu.sysenterEsp = 0;
        cpu.sysenterEip = 0;
        cpu.msrs.reset();
        cpu.instructions = 0;
        cpu.updateMode();
    }

    /** INIT: keeps MSRs, x87 and SSE registers, and the cache bits of CR0. */
    public static void init(Cpu cpu) {
        Arrays.fill(cpu.r, 0);
        cpu.r[Cpu.RDX] = cpu.model.signature();
        cpu.r[Cpu.RIP] = 0xfff0;
        cpu.setFlags(FLAGS);
        for (int segment = Cpu.ES; segment <= Cpu.GS; segment++) {
            Segmentation.set(cpu, segment, 0, 0, 0xffff, Segmentation.REAL_ACCESS);
        }
        Segmentation.set(cpu, Cpu.CS, 0xf000, 0xffff0000L, 0xffff, 0x9b);
        Segmentation.set(cpu, Cpu.FLAT, 0, 0, -1, 0);
        Segmentation.set(cpu, Cpu.LDTR, 0, 0, 0xffff, Descriptors.PRESENT | Descriptors.LDT);
        Segmentation.set(cpu, Cpu.TR, 0, 0, 0xffff, Descriptors.PRESENT | Descriptors.TSS32_BUSY);
        cpu.gdtrBase = 0;
        cpu.gdtrLimit = 0xffff;
        cpu.idtrBase = 0;
        cpu.idtrLimit = 0xffff;
        cpu.cr0 = cpu.cr0 & (Cpu.CR0_CD | Cpu.CR0_NW) | Cpu.CR0_ET;
        cpu.cr2 = 0;
        cpu.cr3 = 0;
        cpu.cr4 = 0;
        cpu.efer = 0;
        Arrays.fill(cpu.dr, 0);
        cpu.dr[6] = Debug.DR6_RESET;
        cpu.dr[7] = Debug.DR7_RESET;
        Debug.changed(cpu);
        cpu.cpl = 0;
        cpu.interruptShadow = false;
        cpu.nmiBlocked = false;
        cpu.halted = false;
        cpu.shutdown = false;
        cpu.waitForSipi = cpu.number != 0;
        cpu.mmu.flushAll();
        cpu.updateMode();
    }

    /** A start-up IPI ends the wait after INIT; at any other time it is ignored. */
    public static void startUp(Cpu cpu, int vector) {
        if (!cpu.waitForSipi) {
            return;
        }
        cpu.waitForSipi = false;
        cpu.selector[Cpu.CS] = vector << 8;
        cpu.segmentBase[Cpu.CS] = (long) vector << 12;
        cpu.r[Cpu.RIP] = 0;
        cpu.updateMode();
    }
}

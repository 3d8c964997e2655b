package dev.multivisor.engine.cpu;

/** Virtual-8086 mode: software interrupts, with the redirection of CR4.VME (Intel SDM vol. 3, 20.2 and 20.3). */
final class VirtualMode {
    private VirtualMode() {}

    /**
     * INT n in virtual-8086 mode.
     *
     * @return whether it was done here; otherwise it goes through the gate
     */
    static boolean interrupt(Cpu cpu, int vector, long next) {
        int level = cpu.systemFlags >> 12 & 3;
        if ((cpu.cr4 & Cpu.CR4_VME) != 0 && !redirected(cpu, vector)) {
            long flags = cpu.flags();
            if (level < 3) {
                // The 8086 program sees VIF as its IF, and IOPL 3.
                flags = flags & ~Cpu.IF | Cpu.IOPL | ((flags & Cpu.VIF) != 0 ? Cpu.IF : 0);
            }
            enter(cpu, vector, flags, next, level);
            return true;
        }
        if (level < 3) {
            throw cpu.fault(CpuFault.GP);
        }
        return false;
    }

    private static void enter(Cpu cpu, int vector, long flags, long next, int level) {
        long entry = cpu.mmu.load(vector * 4L, 4);
        Frame frame = Frame.current(cpu, 0);
        frame.push(2, flags);
        frame.push(2, cpu.selector[Cpu.CS]);
        frame.push(2, next);
        frame.commit();
        cpu.systemFlags &= ~(Cpu.TF | Cpu.NT | Cpu.RF | (level == 3 ? Cpu.IF : Cpu.VIF));
        Segmentation.loadVirtual(cpu, Cpu.CS, (int) (entry >>> 16) & 0xffff);
        cpu.updateMode();
        cpu.r[Cpu.RIP] = entry & 0xffff;
    }

    /** The bit of the redirection map, which lies before the I/O map: set for the protected-mode handler. */
    private static boolean redirected(Cpu cpu, int vector) {
        long base = cpu.segmentBase[Cpu.TR];
        long limit = cpu.segmentLimit[Cpu.TR] & 0xffffffffL;
        if ((cpu.segmentAccess[Cpu.TR] & 8) == 0 || limit < 0x67) {
            throw cpu.fault(CpuFault.GP);
        }
        long offset = cpu.mmu.loadSystem(base + 0x66, 2) - 32 + vector / 8;
        if (offset < 0 || offset > limit) {
            throw cpu.fault(CpuFault.GP);
        }
        return (cpu.mmu.loadSystem(base + offset, 1) >>> (vector & 7) & 1) != 0;
    }
}

package dev.multivisor.engine.cpu;

/** Whether a program may reach an I/O port (Intel SDM vol. 1, 18.5). */
public final class Ports {
    private Ports() {}

    /**
     * Checks IN, OUT, INS or OUTS.
     *
     * @throws CpuFault #GP(0) if CPL is above IOPL, or in virtual-8086 mode, and the TSS does not allow the port
     */
    public static void check(Cpu cpu, int port, int size) {
        checkRights(cpu, port, size);
        if ((cpu.dr[7] & 0xff) != 0 && (cpu.cr4 & Cpu.CR4_DE) != 0) {
            cpu.mmu.pendingDebug |= breakpoints(cpu, port, size);
        }
    }

    /** Bits of DR6 for the I/O breakpoints that an access meets (Intel SDM vol. 3, 18.2.4). */
    private static int breakpoints(Cpu cpu, int port, int size) {
        int hits = 0;
        for (int n = 0; n < 4; n++) {
            int control = (int) (cpu.dr[7] >>> 16 + 4 * n) & 15;
            boolean enabled = (cpu.dr[7] >>> 2 * n & 3) != 0 && (control & 3) == 2;
            int length = (control >>> 2) + 1;
            long first = cpu.dr[n] & -Integer.highestOneBit(length);
            if (enabled && port < first + length && first < port + size) {
                hits |= 1 << n;
            }
        }
        return hits;
    }

    private static void checkRights(Cpu cpu, int port, int size) {
        if (!cpu.protectedMode() || !cpu.virtual8086() && cpu.cpl <= (cpu.systemFlags >> 12 & 3)) {
            return;
        }
        long base = cpu.segmentBase[Cpu.TR];
        long limit = cpu.segmentLimit[Cpu.TR] & 0xffffffffL;
        // Only 32- and 64-bit task-state segments have a map.
        if ((cpu.segmentAccess[Cpu.TR] & 8) == 0 || limit < 0x67) {
            throw cpu.fault(CpuFault.GP);
        }
        long offset = cpu.mmu.loadSystem(base + 0x66, 2) + port / 8;
        if (offset + 1 > limit) {
            throw cpu.fault(CpuFault.GP);
        }
        long bits = cpu.mmu.loadSystem(base + offset, 2) >>> (port & 7);
        if ((bits & (1L << size) - 1) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
    }
}

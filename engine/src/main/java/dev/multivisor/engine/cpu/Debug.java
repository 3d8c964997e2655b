package dev.multivisor.engine.cpu;

/** Debug registers (Intel SDM vol. 3, 18.2 and 18.3). */
final class Debug {
    /** DR6: breakpoints 0 to 3, debug-register access, single step, task switch. */
    static final long DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15;

    /** DR6 and DR7 after reset, which are also the bits that always read one. */
    static final long DR6_RESET = 0xffff0ff0L, DR7_RESET = 0x400;

    static final long DR7_GD = 1 << 13;

    /** Bits that can be set. */
    private static final long DR6_WRITABLE = 0xe00f, DR7_WRITABLE = 0xffff23ffL;

    private Debug() {}

    /** The #DB of the T bit in a TSS. */
    static CpuFault taskTrap(Cpu cpu) {
        cpu.dr[6] |= DR6_BT;
        return cpu.fault(CpuFault.DB);
    }

    /** Register number behind an encoded one: 4 and 5 stand for 6 and 7, unless CR4.DE. */
    private static int number(Cpu cpu, int encoded) {
        if (encoded > 7 || (encoded & ~1) == 4 && (cpu.cr4 & Cpu.CR4_DE) != 0) {
            throw cpu.fault(CpuFault.UD);
        }
        if ((cpu.dr[7] & DR7_GD) != 0) {
            cpu.dr[6] |= DR6_BD;
            throw cpu.fault(CpuFault.DB);
        }
        return (encoded & ~1) == 4 ? encoded + 2 : encoded;
    }

    static long read(Cpu cpu, int encoded) {
        return cpu.dr[number(cpu, encoded)];
    }

    static void write(Cpu cpu, int encoded, long value) {
        int number = number(cpu, encoded);
        if (number >= 6 && value >>> 32 != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        cpu.dr[number] = switch (number) {
            case 6 -> value & DR6_WRITABLE | DR6_RESET;
            case 7 -> value & DR7_WRITABLE | DR7_RESET;
            default -> value;
        };
        changed(cpu);
    }

    /** Whether DR6 or DR7 can have this value. */
    static boolean valid(int number, long value) {
        return number == 6 ? (value & ~DR6_WRITABLE) == DR6_RESET : (value & ~DR7_WRITABLE) == DR7_RESET;
    }

    /** Arms what the registers ask for. */
    static void changed(Cpu cpu) {
        cpu.mmu.setBreakpoints(cpu);
    }
}

package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;

/** MXCSR and SIMD floating-point exceptions (Intel SDM vol. 1, 10.2.3 and 11.5). */
final class Mxcsr {
    /** Exception flags: invalid, denormal, divide by zero, overflow, underflow, precision. */
    static final int IE = 1, DE = 2, ZE = 4, OE = 8, UE = 16, PE = 32;

    /** Denormals are zeros; flush to zero. */
    static final int DAZ = 1 << 6, FTZ = 1 << 15;

    /** The masks stand this far above the flags. */
    static final int MASKS = 7;

    /** Rounding control. */
    static final int NEAREST = 0, DOWN = 1, UP = 2, TRUNCATE = 3;

    /** Bits that can be set; FXSAVE reports them as MXCSR_MASK. */
    static final int WRITABLE = 0xffff;

    private static final int COMPUTED_BEFORE = IE | DE | ZE;

    /** All masks and the rounding control; after reset, and nearly always, the second. */
    private static final int MODE = 0x7f80, ORDINARY_MODE = 0x1f80;

    private Mxcsr() {}

    static int rounding(Cpu cpu) {
        return cpu.mxcsr >>> 13 & 3;
    }

    /** Whether rounding is to nearest and every exception is masked. */
    static boolean ordinary(Cpu cpu) {
        return (cpu.mxcsr & MODE) == ORDINARY_MODE;
    }

    /** The same, with precision lost before. */
    static boolean precise(Cpu cpu) {
        return (cpu.mxcsr & (MODE | PE)) == (ORDINARY_MODE | PE);
    }

    /**
     * Moves the exceptions that the current instruction found to MXCSR.
     *
     * @throws CpuFault #XM (#UD without CR4.OSXMMEXCPT) if one is not masked; the destination must not be written yet
     */
    static void commit(Cpu cpu) {
        int found = cpu.simdExceptions;
        if (found == 0) {
            return;
        }
        cpu.simdExceptions = 0;
        int unmasked = found & ~(cpu.mxcsr >>> MASKS);
        if ((unmasked & COMPUTED_BEFORE) != 0) {
            // The others are found from results, which are then not computed for any element.
            found &= COMPUTED_BEFORE;
        }
        cpu.mxcsr |= found;
        if (unmasked != 0) {
            throw cpu.fault((cpu.cr4 & Cpu.CR4_OSXMMEXCPT) != 0 ? CpuFault.XM : CpuFault.UD);
        }
    }

    /** LDMXCSR. */
    static void load(Cpu cpu, int value) {
        if ((value & ~WRITABLE) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        cpu.mxcsr = value;
    }
}

package dev.multivisor.engine.cpu;

/**
 * Exceptions and interrupts: which one is delivered when delivery itself fails, and the state around it (Intel SDM
 * vol. 3, chapter 6). {@link Delivery} goes through the gate.
 */
public final class Exceptions {
    /** Faults whose return address is the instruction: RF is set in the flags pushed (SDM vol. 3, 18.3.1.1). */
    private static final int FAULTS = mask(
            CpuFault.DE,
            CpuFault.BR,
            CpuFault.UD,
            CpuFault.NM,
            CpuFault.TS,
            CpuFault.NP,
            CpuFault.SS,
            CpuFault.GP,
            CpuFault.PF,
            CpuFault.MF,
            CpuFault.AC,
            CpuFault.XM);

    /** Vectors that push an error code. */
    private static final int WITH_CODE =
            mask(CpuFault.DF, CpuFault.TS, CpuFault.NP, CpuFault.SS, CpuFault.GP, CpuFault.PF, CpuFault.AC);

    /** Contributory exceptions (SDM vol. 3, table 6-4). */
    private static final int CONTRIBUTORY = mask(CpuFault.DE, CpuFault.TS, CpuFault.NP, CpuFault.SS, CpuFault.GP);

    private Exceptions() {}

    private static int mask(int... vectors) {
        int mask = 0;
        for (int vector : vectors) {
            mask |= 1 << vector;
        }
        return mask;
    }

    /**
     * Delivers what the current instruction raised. RIP is that of the instruction, or for a trap that of the next.
     *
     * @param fault copied at once; the object may be raised again meanwhile
     */
    public static void deliver(Cpu cpu, CpuFault fault) {
        deliver(cpu, fault.vector, fault.errorCode, fault.address);
    }

    private static void deliver(Cpu cpu, int vector, int errorCode, long address) {
        cpu.torn = true;
        cpu.interruptShadow = false;
        for (; ; ) {
            if (vector == CpuFault.PF) {
                cpu.cr2 = address;
            }
            try {
                boolean resume = (FAULTS >>> vector & 1) != 0;
                int code = (WITH_CODE >>> vector & 1) != 0 ? errorCode : Delivery.NO_CODE;
                Delivery.enter(cpu, vector, false, code, 1, cpu.r[Cpu.RIP], resume);
                if (vector == CpuFault.DB) {
                    cpu.dr[7] &= ~Debug.DR7_GD;
                }
                count(cpu.counters, vector);
                cpu.torn = false;
                return;
            } catch (CpuFault second) {
                if (vector == CpuFault.DF) {
                    cpu.shutdown = true;
                    cpu.interrupt();
                    cpu.torn = false;
                    return;
                }
                if (second.vector == CpuFault.PF) {
                    cpu.cr2 = second.address;
                }
                if (doubleFault(vector, second.vector)) {
                    vector = CpuFault.DF;
                    errorCode = 0;
                } else {
                    vector = second.vector;
                    errorCode = second.errorCode;
                    address = second.address;
                }
            }
        }
    }

    private static void count(Counters counters, int vector) {
        if (vector == CpuFault.PF) {
            counters.pageFaults++;
        } else {
            counters.exceptions++;
        }
    }

    /** SDM vol. 3, table 6-5. */
    private static boolean doubleFault(int first, int second) {
        boolean contributory = (CONTRIBUTORY >>> second & 1) != 0;
        return (CONTRIBUTORY >>> first & 1) != 0 && contributory
                || first == CpuFault.PF && (contributory || second == CpuFault.PF);
    }

    /** Delivers an external interrupt between two instructions. The caller has looked at IF and at the shadow. */
    public static void interrupt(Cpu cpu, int vector) {
        cpu.halted = false;
        cpu.interruptShadow = false;
        cpu.counters.interrupts++;
        try {
            Delivery.enter(cpu, vector, false, Delivery.NO_CODE, 1, cpu.r[Cpu.RIP], false);
        } catch (CpuFault fault) {
            deliver(cpu, fault);
        }
    }

    /** Delivers an NMI; others wait until the next IRET. */
    public static void nonMaskable(Cpu cpu) {
        cpu.nmiBlocked = true;
        interrupt(cpu, CpuFault.NMI);
    }

    /**
     * INT n, INT3 and INTO: a fault leaves RIP at the instruction.
     *
     * @param next offset of the next instruction, which is pushed
     */
    static void software(Cpu cpu, int vector, long next) {
        Delivery.enter(cpu, vector, true, Delivery.NO_CODE, 0, next, false);
    }

    /** INT1: an exception in all but its place (no privilege check of the gate). */
    static void int1(Cpu cpu, long next) {
        Delivery.enter(cpu, CpuFault.DB, false, Delivery.NO_CODE, 1, next, false);
    }
}

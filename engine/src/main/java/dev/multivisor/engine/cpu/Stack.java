package dev.multivisor.engine.cpu;

/**
 * The stack as instructions use it (Intel SDM vol. 1, 6.2): pointer size by mode and SS.B, accesses checked
 * against SS. RSP changes only after the access has succeeded.
 */
public final class Stack {
    private Stack() {}

    /** The stack-address size in bytes: 8 in 64-bit mode, else 4 or 2 by SS.B. */
    public static int addressSize(Cpu cpu) {
        return cpu.codeSize == 64 ? 8 : (cpu.segmentAccess[Cpu.SS] & 1 << 14) != 0 ? 4 : 2;
    }

    /** RSP, ESP or SP, zero-extended. */
    public static long pointer(Cpu cpu) {
        return cpu.r[Cpu.RSP] & mask(cpu);
    }

    /** Writes RSP, ESP or SP; with a 16-bit stack the other bits stay. */
    public static void setPointer(Cpu cpu, long value) {
        long mask = mask(cpu);
        if (mask == 0xffff) {
            cpu.r[Cpu.RSP] = cpu.r[Cpu.RSP] & ~mask | value & mask;
        } else {
            cpu.r[Cpu.RSP] = value & mask;
        }
    }

    /** Pushes a value of 2, 4 or 8 bytes. */
    public static void push(Cpu cpu, int size, long value) {
        long top = pointer(cpu) - size & mask(cpu);
        store(cpu, top, size, value);
        setPointer(cpu, top);
    }

    /** Pops a value of 2, 4 or 8 bytes, zero-extended. */
    public static long pop(Cpu cpu, int size) {
        long top = pointer(cpu);
        long value = load(cpu, top, size);
        setPointer(cpu, top + size);
        return value;
    }

    /** Reads the value at some bytes above the top without popping it. */
    public static long peek(Cpu cpu, int size, int above) {
        return load(cpu, pointer(cpu) + above & mask(cpu), size);
    }

    /** Loads from an offset in SS. */
    public static long load(Cpu cpu, long offset, int size) {
        try {
            return cpu.mmu.load(Operands.linear(cpu, Cpu.SS, offset, size, false), size);
        } catch (CpuFault fault) {
            throw asStackFault(fault);
        }
    }

    /** Stores to an offset in SS. */
    public static void store(Cpu cpu, long offset, int size, long value) {
        try {
            cpu.mmu.store(Operands.linear(cpu, Cpu.SS, offset, size, true), size, value);
        } catch (CpuFault fault) {
            throw asStackFault(fault);
        }
    }

    /** Raises the fault that a store at an offset in SS would raise, if any. */
    public static void checkWrite(Cpu cpu, long offset, int size) {
        try {
            cpu.mmu.checkWrite(Operands.linear(cpu, Cpu.SS, offset, size, true), size);
        } catch (CpuFault fault) {
            throw asStackFault(fault);
        }
    }

    /** Non-canonical addresses are #SS(0) where the stack is accessed. */
    static CpuFault asStackFault(CpuFault fault) {
        if (fault.nonCanonical) {
            fault.vector = CpuFault.SS;
        }
        return fault;
    }

    private static long mask(Cpu cpu) {
        return cpu.codeSize == 64 ? -1L : (cpu.segmentAccess[Cpu.SS] & 1 << 14) != 0 ? 0xffffffffL : 0xffff;
    }
}

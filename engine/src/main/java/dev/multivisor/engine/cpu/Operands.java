package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;

/**
 * Reading and writing operands in every mode and size: effective addresses, segment checks, register parts. The general
 * way; the interpreter's hot forms have shorter ones of their own for 64-bit mode.
 */
public final class Operands {
    private Operands() {}

    /** The value of a GPR, HIGH, MEMORY or immediate operand, zero-extended from its size (immediates sign-extended). */
    public static long read(Cpu cpu, Instruction i, Operand o) {
        return switch (o.kind()) {
            case GPR -> cpu.r[o.register()] & mask(o.size());
            case HIGH -> cpu.r[o.register()] >>> 8 & 0xff;
            case MEMORY -> cpu.mmu.load(linear(cpu, i, o.size(), false), o.size());
            case IMMEDIATE -> i.immediate;
            case IMMEDIATE2 -> i.immediate2;
            default -> throw new IllegalArgumentException(i.op + ": cannot read a " + o.kind() + " as an integer");
        };
    }

    /** Writes a GPR, HIGH or MEMORY operand. A 32-bit register write clears the upper half. */
    public static void write(Cpu cpu, Instruction i, Operand o, long value) {
        switch (o.kind()) {
            case GPR -> writeRegister(cpu, o.register(), o.size(), value);
            case HIGH -> cpu.r[o.register()] = cpu.r[o.register()] & ~0xff00L | (value & 0xff) << 8;
            case MEMORY -> cpu.mmu.store(linear(cpu, i, o.size(), true), o.size(), value);
            default -> throw new IllegalArgumentException(i.op + ": cannot write a " + o.kind() + " as an integer");
        }
    }

    /** Writes the low 1, 2, 4 or 8 bytes of a general register (HIGH is separate). */
    public static void writeRegister(Cpu cpu, int register, int size, long value) {
        cpu.r[register] = switch (size) {
            case 1 -> cpu.r[register] & ~0xffL | value & 0xff;
            case 2 -> cpu.r[register] & ~0xffffL | value & 0xffff;
            case 4 -> value & 0xffffffffL;
            default -> value;
        };
    }

    /** All ones in the low {@code size} bytes. */
    public static long mask(int size) {
        return -1L >>> (64 - size * 8);
    }

    /** Sign-extends from {@code size} bytes. */
    public static long signExtend(long value, int size) {
        int shift = 64 - size * 8;
        return value << shift >> shift;
    }

    /** The effective address: an offset in the segment, cut to the address size. */
    public static long offset(Cpu cpu, Instruction i) {
        long[] r = cpu.r;
        long offset = r[i.base] + (r[i.index] << i.scale) + i.displacement;
        return i.addressSize == 8 ? offset : offset & mask(i.addressSize);
    }

    /** The linear address of the memory operand, checked against its segment for an access of some bytes. */
    public static long linear(Cpu cpu, Instruction i, int size, boolean write) {
        return linear(cpu, i.segment, offset(cpu, i), size, write);
    }

    /**
     * The linear address of an offset in a segment, checked for type, limit and presence as the mode demands (Intel SDM
     * vol. 3, 5.3 to 5.5). In 64-bit mode only FS and GS have a base and there are no limits; whether the address is
     * canonical is found out by the TLB look-up.
     *
     * @throws CpuFault #SS(0) for SS, else #GP(0)
     */
    public static long linear(Cpu cpu, int segment, long offset, int size, boolean write) {
        if (cpu.codeSize == 64) {
            return segment >= Cpu.FS ? offset + cpu.segmentBase[segment] : offset;
        }
        if (segment != Cpu.FLAT) {
            check(cpu, segment, offset, size, write);
        }
        return offset + cpu.segmentBase[segment] & 0xffffffffL;
    }

    private static void check(Cpu cpu, int segment, long offset, int size, boolean write) {
        int access = cpu.segmentAccess[segment];
        long limit = cpu.segmentLimit[segment] & 0xffffffffL;
        long last = offset + Math.max(size, 1) - 1;
        boolean code = (access & 8) != 0;
        boolean allowed = (access & 0x80) != 0 && (write ? !code && (access & 2) != 0 : !code || (access & 2) != 0);
        // Real and virtual-8086 mode have no types; segments loaded there are data with a limit.
        if (!allowed && (!cpu.protectedMode() || cpu.virtual8086())) {
            allowed = true;
        }
        boolean inside;
        if (!code && (access & 4) != 0) {
            long top = (access & 1 << 14) != 0 ? 0xffffffffL : 0xffff;
            inside = offset > limit && last <= top;
        } else {
            inside = last <= limit;
        }
        if (!allowed || !inside) {
            throw cpu.fault(segment == Cpu.SS ? CpuFault.SS : CpuFault.GP);
        }
    }
}

package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import dev.multivisor.engine.mmu.ByteRuns;

/**
 * String instructions in every mode and size (Intel SDM vol. 2; vol. 1, 7.3.9). With a REP prefix they set RIP: a long
 * repetition returns to the loop now and then with RIP still at the instruction, and registers tell how far it got, so
 * that a fault or an interrupt can come in between.
 */
public final class StringInstructions {
    /** Elements after which a repetition returns to the loop. */
    private static final int SLICE = 1 << 16;

    private StringInstructions() {}

    /** Whether it is repeated, and so sets RIP. */
    static boolean repeats(Instruction i) {
        return (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
    }

    /** Executes one. */
    public static void execute(Cpu cpu, Instruction i) {
        int size = (i.a.kind() == Kind.STRING ? i.a : i.b).size();
        if (repeats(i)) {
            repeat(cpu, i, size);
        } else {
            once(cpu, i, size);
        }
    }

    private static void repeat(Cpu cpu, Instruction i, int size) {
        long[] r = cpu.r;
        long mask = Operands.mask(i.addressSize);
        boolean compares = i.op == Op.CMPS || i.op == Op.SCAS;
        boolean whileEqual = (i.prefixes & Instruction.REP) != 0;
        long left = (cpu.systemFlags & Cpu.TF) != 0 ? 1 : SLICE;
        while (true) {
            long count = r[Cpu.RCX] & mask;
            if (count == 0) {
                cpu.advance(i);
                return;
            }
            if (left <= 0 || left < SLICE && (left & 63) == 0 && cpu.attention() || cpu.mmu.pendingDebug != 0) {
                return;
            }
            long done = compares ? 0 : bulk(cpu, i, size, Math.min(count, left));
            if (done == 0) {
                once(cpu, i, size);
                done = 1;
            }
            Operands.writeRegister(cpu, Cpu.RCX, i.addressSize, count - done);
            left -= done;
            if (compares && cpu.zf() != whileEqual) {
                cpu.advance(i);
                return;
            }
        }
    }

    /** Does some of a forward MOVS or STOS at once. Returns how many elements, 0 if it has to be one by one. */
    private static long bulk(Cpu cpu, Instruction i, int size, long count) {
        if (cpu.codeSize != 64 || i.addressSize != 8 || (cpu.systemFlags & Cpu.DF) != 0 || count < 4) {
            return 0;
        }
        long[] r = cpu.r;
        long to = r[Cpu.RDI];
        long bytes = Math.min(count * size, 0x1000 - (to & 0xfff));
        switch (i.op) {
            case MOVS -> {
                long from = Operands.linear(cpu, i.segment, r[Cpu.RSI], size, false);
                bytes = Math.min(bytes, 0x1000 - (from & 0xfff));
                long distance = to - from;
                if (distance > 0 && distance < bytes) {
                    // Element by element, the copy would read what it has written.
                    bytes = distance;
                }
                bytes -= bytes % size;
                int done = bytes == 0 ? 0 : ByteRuns.copyWithinPages(cpu.mmu, to, from, (int) bytes);
                r[Cpu.RSI] += done;
                r[Cpu.RDI] += done;
                return done / size;
            }
            case STOS -> {
                bytes -= bytes % size;
                int done = bytes == 0 ? 0 : ByteRuns.fillWithinPage(cpu.mmu, to, size, r[Cpu.RAX], (int) bytes);
                r[Cpu.RDI] += done;
                return done / size;
            }
            default -> {
                return 0;
            }
        }
    }

    /** One element. Registers change after all accesses have succeeded. */
    private static void once(Cpu cpu, Instruction i, int size) {
        switch (i.op) {
            case MOVS -> {
                long value = cpu.mmu.load(source(cpu, i, size), size);
                cpu.mmu.store(destination(cpu, i, size, true), size, value);
                step(cpu, i, Cpu.RSI, size);
                step(cpu, i, Cpu.RDI, size);
            }
            case CMPS -> {
                long a = cpu.mmu.load(source(cpu, i, size), size);
                long b = cpu.mmu.load(destination(cpu, i, size, false), size);
                Alu.sub(cpu, a, b, IntegerInstructions.shift(size));
                step(cpu, i, Cpu.RSI, size);
                step(cpu, i, Cpu.RDI, size);
            }
            case STOS -> {
                cpu.mmu.store(destination(cpu, i, size, true), size, cpu.r[Cpu.RAX]);
                step(cpu, i, Cpu.RDI, size);
            }
            case LODS -> {
                Operands.writeRegister(cpu, Cpu.RAX, size, cpu.mmu.load(source(cpu, i, size), size));
                step(cpu, i, Cpu.RSI, size);
            }
            case SCAS -> {
                long b = cpu.mmu.load(destination(cpu, i, size, false), size);
                Alu.sub(cpu, cpu.r[Cpu.RAX], b, IntegerInstructions.shift(size));
                step(cpu, i, Cpu.RDI, size);
            }
            case INS -> {
                int port = (int) cpu.r[Cpu.RDX] & 0xffff;
                Ports.check(cpu, port, size);
                long address = destination(cpu, i, size, true);
                cpu.mmu.checkWrite(address, size);
                cpu.counters.portReads++;
                cpu.mmu.store(address, size, cpu.platform.in(port, size));
                step(cpu, i, Cpu.RDI, size);
            }
            case OUTS -> {
                int port = (int) cpu.r[Cpu.RDX] & 0xffff;
                Ports.check(cpu, port, size);
                cpu.counters.portWrites++;
                cpu.platform.out(port, size, (int) cpu.mmu.load(source(cpu, i, size), size));
                step(cpu, i, Cpu.RSI, size);
            }
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    private static long source(Cpu cpu, Instruction i, int size) {
        return Operands.linear(cpu, i.segment, cpu.r[Cpu.RSI] & Operands.mask(i.addressSize), size, false);
    }

    private static long destination(Cpu cpu, Instruction i, int size, boolean write) {
        return Operands.linear(cpu, Cpu.ES, cpu.r[Cpu.RDI] & Operands.mask(i.addressSize), size, write);
    }

    private static void step(Cpu cpu, Instruction i, int register, int size) {
        int by = (cpu.systemFlags & Cpu.DF) != 0 ? -size : size;
        Operands.writeRegister(cpu, register, i.addressSize, cpu.r[register] + by);
    }
}

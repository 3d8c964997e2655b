package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Integer arithmetic, logic, shifts and bits in every mode and size (Intel SDM vol. 2). */
public final class IntegerInstructions {
    private IntegerInstructions() {}

    /** Executes one. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case ADD, OR, ADC, SBB, AND, SUB, XOR, INC, DEC, NOT, NEG, ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD ->
                modify(cpu, i);
            case CMP -> Alu.sub(cpu, Operands.read(cpu, i, i.a), Operands.read(cpu, i, i.b), shift(i.a.size()));
            case TEST -> Alu.logic(cpu, Operands.read(cpu, i, i.a) & Operands.read(cpu, i, i.b), shift(i.a.size()));
            case XADD, XCHG -> exchange(cpu, i);
            case CMPXCHG -> cmpxchg(cpu, i);
            case CMPXCHG8B -> cmpxchg8b(cpu, i);
            case CMPXCHG16B -> cmpxchg16b(cpu, i);
            case BT, BTS, BTR, BTC -> bitTest(cpu, i);
            case BSF, BSR -> bitScan(cpu, i);
            case POPCNT -> popcnt(cpu, i);
            case CRC32 -> crc32(cpu, i);
            case MUL, IMUL, DIV, IDIV -> MultiplyInstructions.execute(cpu, i);
            default -> DecimalInstructions.execute(cpu, i);
        }
    }

    /** 64 minus the bits of a size, as {@link Alu} wants it. */
    static int shift(int size) {
        return 64 - size * 8;
    }

    /** An instruction that reads and writes its first operand. */
    private static void modify(Cpu cpu, Instruction i) {
        Operand a = i.a;
        int size = a.size();
        long b = i.b.kind() == Kind.NONE ? 0 : Operands.read(cpu, i, i.b);
        if (a.kind() != Kind.MEMORY) {
            Operands.write(cpu, i, a, compute(cpu, i, Operands.read(cpu, i, a), b, shift(size)));
            return;
        }
        long address = Operands.linear(cpu, i, size, true);
        long result = cpu.flagResult;
        long aux = cpu.flagAux;
        while (true) {
            long old = cpu.mmu.loadForWrite(address, size);
            long value = compute(cpu, i, old, b, shift(size));
            if (!i.has(Instruction.LOCK)) {
                cpu.mmu.store(address, size, value);
                return;
            }
            if (cpu.mmu.compareAndSet(address, size, old, value & Operands.mask(size))) {
                return;
            }
            cpu.flagResult = result;
            cpu.flagAux = aux;
        }
    }

    private static long compute(Cpu cpu, Instruction i, long a, long b, int shift) {
        int count = (int) b & Alu.countMask(shift);
        return switch (i.op) {
            case ADD -> Alu.add(cpu, a, b, shift);
            case OR -> Alu.logic(cpu, a | b, shift);
            case ADC -> Alu.adc(cpu, a, b, shift);
            case SBB -> Alu.sbb(cpu, a, b, shift);
            case AND -> Alu.logic(cpu, a & b, shift);
            case SUB -> Alu.sub(cpu, a, b, shift);
            case XOR -> Alu.logic(cpu, a ^ b, shift);
            case INC -> Alu.inc(cpu, a, shift);
            case DEC -> Alu.dec(cpu, a, shift);
            case NOT -> ~a;
            case NEG -> Alu.neg(cpu, a, shift);
            case ROL -> Alu.rol(cpu, a, count, shift);
            case ROR -> Alu.ror(cpu, a, count, shift);
            case RCL -> Alu.rcl(cpu, a, count, shift);
            case RCR -> Alu.rcr(cpu, a, count, shift);
            case SHL -> Alu.shl(cpu, a, count, shift);
            case SHR -> Alu.shr(cpu, a, count, shift);
            case SAR -> Alu.sar(cpu, a, count, shift);
            case SHLD -> Alu.shld(cpu, a, b, count(cpu, i, shift), shift);
            default -> Alu.shrd(cpu, a, b, count(cpu, i, shift), shift);
        };
    }

    private static int count(Cpu cpu, Instruction i, int shift) {
        return (int) Operands.read(cpu, i, i.c) & Alu.countMask(shift);
    }

    /** XADD and XCHG. XCHG with memory is locked with or without the prefix. */
    private static void exchange(Cpu cpu, Instruction i) {
        boolean add = i.op == Op.XADD;
        Operand memory = i.a.kind() == Kind.MEMORY ? i.a : i.b;
        Operand register = memory == i.a ? i.b : i.a;
        int size = memory.size();
        long b = Operands.read(cpu, i, register);
        if (memory.kind() != Kind.MEMORY) {
            // XADD with the same register twice leaves the sum: the destination is written last.
            long a = Operands.read(cpu, i, i.a);
            long source = Operands.read(cpu, i, i.b);
            Operands.write(cpu, i, i.b, a);
            Operands.write(cpu, i, i.a, add ? Alu.add(cpu, a, source, shift(size)) : source);
            return;
        }
        long address = Operands.linear(cpu, i, size, true);
        long old;
        while (true) {
            old = cpu.mmu.loadForWrite(address, size);
            long value = add ? old + b & Operands.mask(size) : b;
            if (add && !i.has(Instruction.LOCK)) {
                cpu.mmu.store(address, size, value);
                break;
            }
            if (cpu.mmu.compareAndSet(address, size, old, value)) {
                break;
            }
        }
        if (add) {
            Alu.add(cpu, old, b, shift(size));
        }
        Operands.write(cpu, i, register, old);
    }

    /** CMPXCHG writes its destination back when the comparison fails, so it always needs write access. */
    private static void cmpxchg(Cpu cpu, Instruction i) {
        int size = i.a.size();
        long expected = cpu.r[Cpu.RAX] & Operands.mask(size);
        long value = Operands.read(cpu, i, i.b);
        long old;
        if (i.a.kind() == Kind.MEMORY) {
            long address = Operands.linear(cpu, i, size, true);
            while (true) {
                old = cpu.mmu.loadForWrite(address, size);
                if (!i.has(Instruction.LOCK)) {
                    cpu.mmu.store(address, size, old == expected ? value : old);
                    break;
                }
                if (old != expected || cpu.mmu.compareAndSet(address, size, old, value)) {
                    break;
                }
            }
        } else {
            old = Operands.read(cpu, i, i.a);
            // A register that is not equal is left alone: not even its upper half is cleared, as processors do it.
            if (old == expected) {
                Operands.write(cpu, i, i.a, value);
            }
        }
        Alu.sub(cpu, expected, old, shift(size));
        if (old != expected) {
            Operands.writeRegister(cpu, Cpu.RAX, size, old);
        }
    }

    private static void cmpxchg8b(Cpu cpu, Instruction i) {
        long[] r = cpu.r;
        long address = Operands.linear(cpu, i, 8, true);
        long expected = r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xffffffffL;
        long value = r[Cpu.RCX] << 32 | r[Cpu.RBX] & 0xffffffffL;
        long old;
        do {
            old = cpu.mmu.loadForWrite(address, 8);
        } while (old == expected && !cpu.mmu.compareAndSet(address, 8, old, value));
        setZero(cpu, old == expected);
        if (old != expected) {
            r[Cpu.RAX] = old & 0xffffffffL;
            r[Cpu.RDX] = old >>> 32;
        }
    }

    private static void cmpxchg16b(Cpu cpu, Instruction i) {
        long[] r = cpu.r;
        long address = Operands.linear(cpu, i, 16, true);
        if ((address & 15) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        while (true) {
            long low = cpu.mmu.loadForWrite(address, 8);
            long high = cpu.mmu.loadForWrite(address + 8, 8);
            if (low != r[Cpu.RAX] || high != r[Cpu.RDX]) {
                setZero(cpu, false);
                r[Cpu.RAX] = low;
                r[Cpu.RDX] = high;
                return;
            }
            if (cpu.mmu.compareAndSet128(address, low, high, r[Cpu.RBX], r[Cpu.RCX])) {
                setZero(cpu, true);
                return;
            }
        }
    }

    /** Sets ZF alone. */
    static void setZero(Cpu cpu, boolean zero) {
        long flags = cpu.flags();
        cpu.setArithmeticFlags(zero ? flags | Cpu.ZF : flags & ~Cpu.ZF);
    }

    /** BT and its kin. A bit offset in a register reaches beyond a memory operand, to both sides. */
    private static void bitTest(Cpu cpu, Instruction i) {
        int size = i.a.size();
        int bits = size * 8;
        long offset = Operands.read(cpu, i, i.b);
        int bit = (int) offset & bits - 1;
        if (i.a.kind() != Kind.MEMORY) {
            long value = Operands.read(cpu, i, i.a);
            if (i.op != Op.BT) {
                Operands.write(cpu, i, i.a, change(i.op, value, bit));
            }
            Alu.setCarry(cpu, value >>> bit);
            return;
        }
        long place = Operands.offset(cpu, i);
        if (i.b.kind() == Kind.GPR) {
            place += (Operands.signExtend(offset, size) >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * size;
            place &= Operands.mask(i.addressSize);
        }
        long address = Operands.linear(cpu, i.segment, place, size, i.op != Op.BT);
        long value;
        if (i.op == Op.BT) {
            value = cpu.mmu.load(address, size);
        } else {
            while (true) {
                value = cpu.mmu.loadForWrite(address, size);
                long changed = change(i.op, value, bit);
                if (!i.has(Instruction.LOCK)) {
                    cpu.mmu.store(address, size, changed);
                    break;
                }
                if (cpu.mmu.compareAndSet(address, size, value, changed)) {
                    break;
                }
            }
        }
        Alu.setCarry(cpu, value >>> bit);
    }

    private static long change(Op op, long value, int bit) {
        return switch (op) {
            case BTS -> value | 1L << bit;
            case BTR -> value & ~(1L << bit);
            default -> value ^ 1L << bit;
        };
    }

    /** BSF and BSR leave the destination alone when the source is zero, as all processors do. */
    private static void bitScan(Cpu cpu, Instruction i) {
        long value = Operands.read(cpu, i, i.b);
        Alu.logic(cpu, value, shift(i.b.size()));
        if (value != 0) {
            int bit = i.op == Op.BSF ? Long.numberOfTrailingZeros(value) : 63 - Long.numberOfLeadingZeros(value);
            Operands.write(cpu, i, i.a, bit);
        }
    }

    private static void popcnt(Cpu cpu, Instruction i) {
        long value = Operands.read(cpu, i, i.b);
        cpu.setArithmeticFlags(value == 0 ? Cpu.ZF : 0);
        Operands.write(cpu, i, i.a, Long.bitCount(value));
    }

    private static void crc32(Cpu cpu, Instruction i) {
        long data = Operands.read(cpu, i, i.b);
        Operands.write(cpu, i, i.a, Alu.crc32c(Operands.read(cpu, i, i.a), data, i.b.size()));
    }
}

package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;

/**
 * Locked operations on memory of 4 and 8 bytes, in line: a load, the operation, and a compare-and-set. Where the operand is
 * not aligned, or another vCPU was faster, compiled code is left before anything is done.
 */
final class Locked {
    private final Code code;
    private final CodeBuilder b;
    private final Memory memory;
    private final Conditions flags;
    private final Integers integers;

    Locked(Code code, Memory memory, Conditions flags, Integers integers) {
        this.code = code;
        b = code.b;
        this.memory = memory;
        this.flags = flags;
        this.integers = integers;
    }

    /** Whether an instruction is emitted here. */
    static boolean emits(Instruction i) {
        boolean locked = i.has(Instruction.LOCK);
        Operand place = i.a.kind() == Kind.MEMORY ? i.a : i.b;
        if (place.kind() != Kind.MEMORY || place.size() < 4) {
            return false;
        }
        return switch (i.op) {
            // Also without the prefix: the same, and then not less than what is asked for.
            case XCHG, CMPXCHG, XADD -> true;
            case ADD, SUB, AND, OR, XOR, INC, DEC -> locked;
            default -> false;
        };
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        Operand in = i.a.kind() == Kind.MEMORY ? i.a : i.b;
        int size = in.size();
        memory.at(i, place);
        memory.loadForWrite(size, place);
        b.lload(code.value).lstore(code.x);
        switch (i.op) {
            case XCHG -> {
                Operand register = in == i.a ? i.b : i.a;
                b.lload(code.gpr[register.register()]).lstore(code.y);
                memory.replace(code.x, code.y, size);
                integers.writeRegister(register);
            }
            case XADD -> {
                b.lload(code.gpr[i.b.register()]).lstore(code.y);
                b.lload(code.x).lload(code.y).ladd().lstore(code.z);
                memory.replace(code.x, code.z, size);
                operands(LazyFlags.ADD, code.x, code.y, size);
                integers.writeRegister(i.b);
            }
            case CMPXCHG -> compareAndExchange(i, size);
            default -> modify(i, size);
        }
    }

    private void operands(int kind, int first, int second, int size) {
        b.lload(first).lstore(code.fa).lload(second).lstore(code.fb);
        flags.set(kind + Integer.numberOfTrailingZeros(size));
    }

    private void compareAndExchange(Instruction i, int size) {
        Label differs = b.newLabel();
        Label end = b.newLabel();
        b.lload(code.gpr[Cpu.RAX]);
        code.zeroExtend(size).store(code.y);
        b.lload(code.x).lload(code.y).lcmp().ifne(differs);
        memory.replace(code.x, code.gpr[i.b.register()], size);
        b.goto_(end);
        b.labelBinding(differs);
        integers.writeRegister(new Operand(Kind.GPR, Cpu.RAX, size));
        b.labelBinding(end);
        operands(LazyFlags.SUB, code.y, code.x, size);
    }

    private void modify(Instruction i, int size) {
        if (i.b.kind() != Kind.NONE) {
            if (i.b.kind() == Kind.GPR) {
                b.lload(code.gpr[i.b.register()]);
            } else {
                b.loadConstant(i.immediate);
            }
            b.lstore(code.y);
        }
        b.lload(code.x);
        switch (i.op) {
            case ADD -> b.lload(code.y).ladd();
            case SUB -> b.lload(code.y).lsub();
            case AND -> b.lload(code.y).land();
            case OR -> b.lload(code.y).lor();
            case XOR -> b.lload(code.y).lxor();
            case INC -> b.lconst_1().ladd();
            default -> b.lconst_1().lsub();
        }
        b.lstore(code.z);
        memory.replace(code.x, code.z, size);
        switch (i.op) {
            case ADD -> operands(LazyFlags.ADD, code.x, code.y, size);
            case SUB -> operands(LazyFlags.SUB, code.x, code.y, size);
            case INC, DEC -> {
                flags.carry();
                b.bipush(63).lshl().lstore(code.fb);
                b.lload(code.x).lstore(code.fa);
                flags.set((i.op == Op.INC ? LazyFlags.INC : LazyFlags.DEC) + Integer.numberOfTrailingZeros(size));
            }
            default -> flags.logic(code.z, size);
        }
    }
}

package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;

/** Near transfers of control in every mode and size (Intel SDM vol. 2). Each sets RIP. */
public final class ControlInstructions {
    private ControlInstructions() {}

    /** Executes one. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case JMP -> jump(cpu, i, target(cpu, i));
            case JCC -> branch(cpu, i, cpu.condition(i.condition));
            case CALL -> {
                long target = checked(cpu, i, target(cpu, i));
                Stack.push(cpu, i.operandSize, cpu.r[Cpu.RIP] + i.length);
                cpu.r[Cpu.RIP] = target;
            }
            case RET -> {
                long target = checked(cpu, i, Stack.peek(cpu, i.operandSize, 0));
                long extra = i.a.kind() == Kind.NONE ? 0 : i.immediate & 0xffff;
                Stack.setPointer(cpu, Stack.pointer(cpu) + i.operandSize + extra);
                cpu.r[Cpu.RIP] = target;
            }
            case JCXZ -> branch(cpu, i, (cpu.r[Cpu.RCX] & Operands.mask(i.addressSize)) == 0);
            case LOOP -> loop(cpu, i, true);
            case LOOPE -> loop(cpu, i, cpu.zf());
            case LOOPNE -> loop(cpu, i, !cpu.zf());
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    private static long target(Cpu cpu, Instruction i) {
        return i.a.kind() == Kind.RELATIVE ? cpu.r[Cpu.RIP] + i.length + i.immediate : Operands.read(cpu, i, i.a);
    }

    private static void branch(Cpu cpu, Instruction i, boolean taken) {
        if (taken) {
            jump(cpu, i, cpu.r[Cpu.RIP] + i.length + i.immediate);
        } else {
            cpu.advance(i);
        }
    }

    /** LOOP and its kin: the counter is changed only if the branch does not fault. */
    private static void loop(Cpu cpu, Instruction i, boolean condition) {
        long count = cpu.r[Cpu.RCX] - 1;
        branch(cpu, i, condition && (count & Operands.mask(i.addressSize)) != 0);
        Operands.writeRegister(cpu, Cpu.RCX, i.addressSize, count);
    }

    private static void jump(Cpu cpu, Instruction i, long target) {
        cpu.r[Cpu.RIP] = checked(cpu, i, target);
    }

    /** The target cut to the operand size. #GP(0) if it is not canonical or beyond the limit of CS. */
    private static long checked(Cpu cpu, Instruction i, long target) {
        if (cpu.codeSize == 64) {
            return canonical(cpu, target);
        }
        long offset = target & Operands.mask(i.operandSize);
        if (Long.compareUnsigned(offset, cpu.segmentLimit[Cpu.CS] & 0xffffffffL) > 0) {
            throw cpu.fault(CpuFault.GP);
        }
        return offset;
    }

    /** A branch target in 64-bit mode; #GP(0) if it is not canonical. */
    public static long canonical(Cpu cpu, long target) {
        if (target << 16 >> 16 != target) {
            throw cpu.fault(CpuFault.GP);
        }
        return target;
    }
}

package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;

/** Tells #SS from #GP for non-canonical addresses (Intel SDM vol. 3, 6.15, interrupts 12 and 13). */
final class StackFaults {
    private StackFaults() {}

    /** What an access through the stack pointer or a frame pointer raises is #SS where another raises #GP. */
    static void adjust(Cpu cpu, Instruction i, CpuFault fault) {
        if (fault.nonCanonical && onStack(cpu, i)) {
            fault.vector = CpuFault.SS;
        }
    }

    /** Whether the stack was what had a non-canonical address. */
    private static boolean onStack(Cpu cpu, Instruction i) {
        if (i.stack) {
            return true;
        }
        return switch (i.op) {
            case XLAT, MASKMOVQ, MASKMOVDQU -> false;
            case PUSH, POP, CALL -> {
                long operand = Operands.offset(cpu, i) + cpu.segmentBase[i.segment];
                yield !i.memory() || canonical(operand) && canonical(operand + i.operandSize - 1);
            }
            default -> !i.memory() && !i.form.has(Form.Attribute.STRING);
        };
    }

    private static boolean canonical(long address) {
        return address << 16 >> 16 == address;
    }
}
